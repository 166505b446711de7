from __future__ import annotations

from typing import Any

import pytest

from pyveg.core.events import EngineStatus, Event, RunEnded
from pyveg.core.layout import EVENTS, LOG_FILE, STATUS_FILE
from pyveg.core.tasks import State
from pyveg.jobs.observers import Observers
from pyveg.jobs.run import run_pipeline
from pyveg.runs.run import open_run
from pyveg.runs.watch import RunState
from pyveg.storage.local import LocalStore
from pyveg.testing.graphs import fake_pipeline


def _broken(event: Event) -> None:
    del event
    raise BrokenPipeError("nobody reads")


def test_one_that_fails_is_told_no_more_and_the_others_why() -> None:
    told: list[Event] = []
    calls: list[Event] = []

    def bad(event: Event) -> None:
        calls.append(event)
        raise ValueError("a bug")

    tell = Observers([told.append, bad])
    for _ in range(3):
        tell(RunEnded(interrupted=False))
    assert len(calls) == 1
    (reason,) = [event.text for event in told if isinstance(event, EngineStatus)]
    assert reason.endswith("told no more: ValueError: a bug")
    assert told.count(RunEnded(interrupted=False)) == 3


def test_an_interrupt_passes() -> None:
    def interrupted(event: Event) -> None:
        del event
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Observers([interrupted])(RunEnded(interrupted=False))


def test_no_observer_ends_a_run(tmp_path: Any) -> None:
    pipeline = fake_pipeline(output_location=str(tmp_path / "run"), runner="serial")
    report = run_pipeline(pipeline, observers=[_broken])
    assert report.exit_code == 0
    assert set(report.counts) == {State.SUCCEEDED}
    assert "told no more: BrokenPipeError: nobody reads" in open_run(report.url).log


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("a bug")])
def test_a_log_that_cannot_be_written_ends_nothing(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    write, open_write = LocalStore.write, LocalStore.open_write
    told = (LOG_FILE, STATUS_FILE, EVENTS)

    def full(self: LocalStore, key: str, data: bytes) -> None:
        if key.startswith(told):
            raise error
        write(self, key, data)

    def full_stream(self: LocalStore, key: str) -> Any:
        if key.startswith(told):
            raise error
        return open_write(self, key)

    monkeypatch.setattr(LocalStore, "write", full)
    monkeypatch.setattr(LocalStore, "open_write", full_stream)
    pipeline = fake_pipeline(output_location=str(tmp_path / "run"), runner="serial")
    report = run_pipeline(pipeline)
    assert report.exit_code == 0
    run = open_run(report.url)
    assert run.log == ""
    assert run.status().state is RunState.UNKNOWN
