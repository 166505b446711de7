"""How a run ends before its end: asked from a thread, taken over, given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.coordinator import Coordinator
from pyveg.core.errors import ConfigError, LockLostError, ServiceAwayError, StoreGoneError
from pyveg.core.events import Event, RunEnded, TaskEnded, TaskStarted
from pyveg.core.ports import Lock, Work
from pyveg.core.tasks import State, Task, TaskGraph, TaskResult
from pyveg.jobs.run import prepare, run_pipeline, start
from pyveg.storage.memory import MemoryStore
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import fake_pipeline


class _Engine:
    """Keeps what it is given, and notes what is asked of it."""

    resolves_dependencies = False

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.withdrawn: list[str] = []
        self.said: list[str] = []

    def submit(self, tasks: Sequence[Task]) -> None:
        self.tasks.update((task.id, task) for task in tasks)

    def withdraw(self, task_ids: Sequence[str]) -> None:
        self.withdrawn.extend(task_ids)

    def cancel(self) -> None:
        self.said.append("cancel")

    def detach(self) -> None:
        self.said.append("detach")


class _Lock:
    epoch = 4
    overdue = 0.0

    def __init__(self) -> None:
        self.error: Exception | None = None

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def on_lost(self, tell: Callable[[Exception], None]) -> None:
        raise NotImplementedError


def _graph(count: int = 8) -> TaskGraph:
    return fake_pipeline(start={"count": count}).plan().graph


def _coordinator(
    graph: TaskGraph, engine: Any, lock: Lock | None = None, **more: Any
) -> tuple[Coordinator, list[Event]]:
    events: list[Event] = []
    store = MemoryStore()
    made = Coordinator(graph, store, {"local": engine}, events.append, lock=lock, **more)
    return made, events


@pytest.mark.parametrize(("how", "said"), [(None, "detach"), ("cancel", "cancel")])
def test_a_request_to_stop_from_another_thread(how: Any, said: str) -> None:
    engine = _Engine()
    coordinator, events = _coordinator(_graph(), engine, on_interrupt="detach")
    threading.Timer(0.05, coordinator.ask_to_stop, [how, "enough"]).start()
    results = coordinator.run()
    assert {(result.state, result.reason) for result in results.values()} == {
        (State.CANCELLED, "enough")
    }
    assert engine.said == [said]
    assert events[-1] == RunEnded(interrupted=True)


def test_a_request_before_the_run_begins() -> None:
    """Nothing is handed out."""
    engine = _Engine()
    coordinator, _ = _coordinator(_graph(), engine)
    coordinator.ask_to_stop()
    assert {result.state for result in coordinator.run().values()} == {State.CANCELLED}
    assert not engine.tasks


@pytest.mark.parametrize(
    ("error", "said"),
    [(LockLostError("taken over", "see there"), "detach"), (StoreGoneError("gone"), "cancel")],
)
def test_a_lost_lock_ends_the_run(error: Exception, said: str) -> None:
    """Who took over keeps what is in hand; where nobody can, it is ended."""
    engine = _Engine()
    coordinator, events = _coordinator(_graph(), engine, _Lock())
    threading.Timer(0.05, coordinator.fail, [error]).start()
    with pytest.raises(type(error)):
        coordinator.run()
    assert engine.said == [said]
    assert not any(isinstance(event, RunEnded | TaskEnded) for event in events)


def test_nothing_is_handed_out_once_the_lock_is_lost() -> None:
    engine, lock = _Engine(), _Lock()
    lock.error = LockLostError("taken over")
    coordinator, _ = _coordinator(_graph(), engine, lock)
    with pytest.raises(LockLostError):
        coordinator.run()
    assert not engine.tasks
    assert engine.said == ["detach"]


@pytest.mark.parametrize("stops", [True, False])
def test_a_process_that_wakes_up_asks_whose_the_run_is_before_it_believes_anything(
    stops: bool,
) -> None:
    """A job that was removed, or a request to stop: what is in hand is another's by now."""
    engine, lock = _Engine(), _Lock()
    coordinator, events = _coordinator(_graph(), engine, lock)

    def wake_up() -> None:
        lock.error = LockLostError("taken over")
        if stops:
            coordinator.ask_to_stop("cancel")
        else:
            coordinator.report(TaskResult("A/Start/00000", State.FAILED, "its job was deleted"))

    threading.Timer(0.05, wake_up).start()
    with pytest.raises(LockLostError):
        coordinator.run()
    assert engine.said == ["detach"]
    assert not any(isinstance(event, RunEnded | TaskEnded) for event in events)


def test_each_task_carries_the_epoch() -> None:
    engine = _Engine()
    coordinator, _ = _coordinator(_graph(), engine, _Lock())
    threading.Timer(0.05, coordinator.ask_to_stop).start()
    coordinator.run()
    assert {task.epoch for task in engine.tasks.values()} == {4}


def _away(task_id: str, reason: str = "no network") -> TaskResult:
    return TaskResult(task_id, State.FAILED, reason, shared=True)


def test_a_service_that_is_away_is_not_asked_for_ever() -> None:
    """After three equal failures in a row; Tasks that have begun may still succeed."""
    engine = _Engine()
    coordinator, events = _coordinator(_graph(8), engine)
    ids = [f"A/Start/{number:05}" for number in range(8)]
    coordinator.started(ids[7])
    for number in (0, 1):
        coordinator.report(_away(ids[number]))
    coordinator.report(TaskResult(ids[2], State.SUCCEEDED))
    for number in (3, 4, 5):
        coordinator.report(_away(ids[number]))
    coordinator.report(TaskResult(ids[7], State.SUCCEEDED))
    threading.Timer(0.2, coordinator.ask_to_stop).start()
    results = coordinator.run()
    assert engine.withdrawn == [ids[6]]
    assert results[ids[6]] == TaskResult(ids[6], State.FAILED, "no network", shared=True)
    assert results[ids[7]].state is State.SUCCEEDED
    assert results["A/Follow/00006"].state is State.BLOCKED
    assert any(isinstance(event, TaskStarted) for event in events)


def test_failures_of_items_are_no_reason_to_give_up() -> None:
    engine = _Engine()
    coordinator, _ = _coordinator(_graph(6), engine)
    for number in range(5):
        coordinator.report(TaskResult(f"A/Start/{number:05}", State.FAILED, "bad file"))
    threading.Timer(0.1, coordinator.ask_to_stop).start()
    coordinator.run()
    assert engine.withdrawn == []


def test_shared_failures_end_a_real_run_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty Tasks that wait for a service that is away: a few ask it."""
    from pyveg.testing import fakes

    asked = []

    def away(name: str, settings: Any) -> None:
        del settings
        asked.append(name)
        time.sleep(0.05)  # as a service takes
        raise ServiceAwayError("service X cannot be reached", "look at the network")

    monkeypatch.setattr(fakes, "_take_time", away)
    pipeline = fake_pipeline(
        start={"count": 40}, output_location=str(tmp_path / "run"), runner="serial"
    )
    report = run_pipeline(pipeline)
    assert report.counts[State.FAILED] >= 40
    assert len([name for name in asked if name]) <= 12
    reasons = {r.reason for r in report.results.values() if r.state is State.FAILED and r.shared}
    assert reasons == {"service X cannot be reached; look at the network"}


def test_the_address_is_known_before_the_run_begins(tmp_path: Path) -> None:
    pipeline = fake_pipeline(output_location=str(tmp_path / "run"), runner="serial")
    prepared = prepare(pipeline)
    assert not list(tmp_path.iterdir())
    assert start(prepared).url == prepared.url


def test_a_run_at_a_place_of_ones_choice(tmp_path: Path) -> None:
    pipeline = fake_pipeline(runner="serial")
    where = tmp_path / "jobs" / "42"
    report = run_pipeline(pipeline, at=where)
    assert report.url == str(where)
    assert report.exit_code == 0
    with pytest.raises(ConfigError, match="there is a run at"):
        prepare(pipeline, at=where)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        prepare(pipeline, at=tmp_path / "full")
    with pytest.raises(ConfigError, match="leave out at"):
        prepare(from_cache=where, at=where)
    assert prepare(from_cache=where).url == str(where)


def test_a_prepared_run_is_asked_to_stop_from_a_thread(tmp_path: Path) -> None:
    """And is finished later, with nothing done twice."""
    gate = Gate(tmp_path / "gate")
    pipeline = fake_pipeline(
        start={"count": 6, "gate": str(gate.folder), "held": ["00002"]},
        output_location=str(tmp_path / "run"),
        runner="serial",
    )
    prepared = prepare(pipeline)

    def stop() -> None:
        gate.wait_for("00002")
        prepared.ask_to_stop(why="the owner wants it")
        gate.open()

    threading.Thread(target=stop).start()
    report = start(prepared)
    assert report.exit_code == 130
    assert report.interrupted
    left = [r for r in report.results.values() if r.state is State.CANCELLED]
    assert left
    assert {result.reason for result in left} == {"the owner wants it"}
    done = {id_ for id_, result in report.results.items() if result.state is State.SUCCEEDED}
    again = run_pipeline(from_cache=report.url)
    assert again.exit_code == 0
    assert {id_ for id_ in done if again.results[id_].state is not State.CACHED} == set()


def test_a_run_that_was_stopped_before_it_began(tmp_path: Path) -> None:
    prepared = prepare(fake_pipeline(output_location=str(tmp_path / "run"), runner="serial"))
    prepared.ask_to_stop()
    report = start(prepared)
    assert set(report.counts) == {State.CANCELLED}


def test_work_says_which_steps_are_for_an_engine() -> None:
    graph = _graph()
    work = Work(graph, frozenset({"local"}), MemoryStore(), 2)
    assert work.steps == graph.steps
    assert Work(graph, frozenset({"elsewhere"}), MemoryStore(), 2).steps == []
