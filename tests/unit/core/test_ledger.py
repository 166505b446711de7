"""The table of all inputs: safe in a terminal and in a spreadsheet, without secrets."""

from __future__ import annotations

import csv
import io

import pytest

from pyveg.core.ledger import make_ledger
from pyveg.core.report import RunReport
from pyveg.core.tasks import State, Step, Task, TaskGraph, TaskResult
from pyveg.core.types import Item, Scope

SECRET = "https://x.blob.core.windows.net/c/b?sv=1&sig=abcdefghi"


def _run(name: str, reason: str, outputs: tuple[str, ...] = ()) -> tuple[TaskGraph, TaskResult]:
    step = Step("CommandModule", 1, Scope("job"), {}, {}, "local", None, False, True)
    task = Task(step, Item(name, {"input": f"/data/{name}"}))
    result = TaskResult(task.id, State.FAILED, reason, 1.0, "", {"outputs": outputs}, False)
    return TaskGraph([task]), result


@pytest.mark.parametrize(
    "text",
    ["=1+1", "@SUM(A1)", "+1+1", "-2+3+cmd|' /C calc'!A0", "\t=1", "\x1b]0;title\x07", "a\x1b[2Jb"],
)
def test_no_cell_is_a_formula_or_an_escape(text: str) -> None:
    graph, result = _run(text, text, (text,))
    data = make_ledger(graph, {result.task_id: result})
    assert data is not None
    (row,) = csv.DictReader(io.StringIO(data.decode()))
    for cell in row.values():
        assert cell.replace("\t", "").isprintable()
        assert not cell.startswith(("=", "+", "-", "@", "\t"))


def test_no_secret_is_in_the_table_or_the_report() -> None:
    graph, result = _run("a.csv", f"cannot read {SECRET}")
    data = make_ledger(graph, {result.task_id: result})
    assert data is not None
    assert b"abcdefghi" not in data
    assert b"sig=***" in data
    report = RunReport("x", graph, {result.task_id: result}, 1.0)
    assert "abcdefghi" not in "".join(report.failures())


def test_names_and_numbers_stay_as_they_are() -> None:
    graph, result = _run("größe 気温.csv", "exit code 1")
    data = make_ledger(graph, {result.task_id: result})
    assert data is not None
    (row,) = csv.DictReader(io.StringIO(data.decode()))
    assert (row["item"], row["reason"]) == ("größe 気温.csv", "exit code 1")


def test_reasons_in_the_closing_table_have_no_escapes() -> None:
    graph, result = _run("a", "oh \x1b[31m no")
    skipped = TaskResult(result.task_id, State.SKIPPED, result.reason, 1.0, "", {}, False)
    (row,) = RunReport("x", graph, {result.task_id: skipped}, 1.0).rows()
    assert all(line.isprintable() for line in row.reasons)
