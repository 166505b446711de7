"""What the user sees while a run goes on: reasons once, and whom it waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyveg.core import waiting
from pyveg.core.events import Event, RunEnded, RunStarted, TaskEnded
from pyveg.core.tasks import State, TaskGraph, TaskResult
from pyveg.scripts.progress import PlainProgress, suited_progress
from pyveg.testing.graphs import fake_pipeline


@pytest.fixture
def graph() -> TaskGraph:
    return fake_pipeline(start={"count": 30}).plan().graph


def _events(graph: TaskGraph, reason: Callable[[int], str]) -> list[Event]:
    """A run of which every Task of the first Module fails."""
    first = [task for task in graph if task.id.startswith("A/Start")]
    ends = [
        TaskEnded(task, TaskResult(task.id, State.FAILED, reason(number)))
        for number, task in enumerate(first)
    ]
    return [RunStarted(graph, "memory"), *ends, RunEnded(False)]


def test_thirty_equal_reasons_are_one_line(graph: TaskGraph, capsys: Any) -> None:
    show = PlainProgress()
    for event in _events(graph, lambda _: "the archive cannot be reached"):
        show(event)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "run: memory",
        "failed: A/Start/00000: the archive cannot be reached",
        "A/Start: 30/30, 30 failed",
    ]


@pytest.mark.parametrize(("shared", "lines"), [(True, 1), (False, 2)])
def test_what_all_modules_share_is_told_once(
    graph: TaskGraph, capsys: Any, shared: bool, lines: int
) -> None:
    show = PlainProgress()
    show(RunStarted(graph, "azure://demo"))
    for id_ in ("A/Start/00000", "A/Follow/00000"):
        result = TaskResult(id_, State.FAILED, "the container is gone", shared=shared)
        show(TaskEnded(graph[id_], result))
    show.close()
    assert capsys.readouterr().out.count("the container is gone") == lines


def test_each_reason_is_told(graph: TaskGraph, capsys: Any) -> None:
    show = PlainProgress()
    for event in _events(graph, lambda number: f"reason {number % 3}"):
        show(event)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("failed")] == [
        f"failed: A/Start/0000{number}: reason {number}" for number in range(3)
    ]


def test_lines_say_whom_the_run_waits_for(graph: TaskGraph, capsys: Any) -> None:
    """Now and then, and only as long as it lasts."""
    show = PlainProgress()
    with waiting.told("a.org", "HTTP 429", 12.0):
        show(RunStarted(graph, "memory"))
        for _ in range(3):
            with waiting.told("b.org", "no connection", 9.0):
                pass
        show(RunEnded(False))
        with waiting.told("b.org", "no connection", 9.0):
            pass
    assert capsys.readouterr().out.splitlines() == [
        "run: memory",
        "waiting for b.org (no connection, again in 9 s), a.org (HTTP 429, again in 12 s)",
    ]


def test_a_run_that_breaks_off_is_heard_no_more(graph: TaskGraph, capsys: Any) -> None:
    show = suited_progress()
    assert isinstance(show, PlainProgress)
    show(RunStarted(graph, "memory"))
    show.close()
    with waiting.told("b.org", "no connection", 9.0):
        pass
    assert capsys.readouterr().out == "run: memory\n"
