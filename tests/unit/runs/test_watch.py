from __future__ import annotations

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from pyveg.core import stop
from pyveg.core.errors import ConfigError, RunError
from pyveg.core.events import EngineStatus, RunStarted, TaskEnded
from pyveg.core.layout import LOCK, LOG_FILE, RUN_FILE, STATUS_FILE
from pyveg.core.ports import Holder, Lock
from pyveg.core.status import Phase, Status
from pyveg.core.tasks import State, TaskResult
from pyveg.jobs.journal import Journal
from pyveg.runs.run import Run
from pyveg.runs.telling import follow_log
from pyveg.runs.watch import RunState, RunStatus, status_of
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline

NOW = datetime.now(UTC)


class Held(MemoryStore):
    """A Store whose lock is held as the test says."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__()
        self.said = holder

    def holder(self, key: str) -> Holder | None:
        assert key == LOCK
        return self.said

    def epoch(self, key: str) -> int:
        assert key == LOCK
        return self.said.epoch if self.said else 0

    def lock(self, key: str) -> AbstractContextManager[Lock]:
        raise AssertionError(f"whoever looks takes no lock: {key}")


def holder(*, alive: bool | None, epoch: int = 2, seen: datetime | None = NOW) -> Holder:
    return Holder("pc1", 77, NOW, epoch, alive, seen)


def told(phase: Phase, epoch: int = 2, code: int | None = None) -> Status:
    return Status(url="x", epoch=epoch, host="pc1", pid=77, phase=phase, exit_code=code)


ALIVE, DEAD, UNSEEN = holder(alive=True), holder(alive=False), holder(alive=None)
TABLE = [
    (None, ALIVE, RunState.STARTING),
    (told(Phase.ENDED, 1), ALIVE, RunState.STARTING),
    (told(Phase.STARTING), ALIVE, RunState.STARTING),
    (told(Phase.RUNNING), ALIVE, RunState.RUNNING),
    (told(Phase.ENDED), ALIVE, RunState.ENDED),
    (None, holder(alive=True, epoch=0), RunState.RUNNING),
    (told(Phase.RUNNING), DEAD, RunState.DIED),
    (told(Phase.ENDED, 1), DEAD, RunState.DIED),
    (told(Phase.ENDED), DEAD, RunState.ENDED),
    (None, DEAD, RunState.DIED),
    (told(Phase.RUNNING), UNSEEN, RunState.UNKNOWN),
    (told(Phase.INTERRUPTED), UNSEEN, RunState.STOPPED),
    (told(Phase.RUNNING), None, RunState.DIED),
    (told(Phase.STARTING), None, RunState.DIED),
    (told(Phase.ENDED), None, RunState.ENDED),
    (told(Phase.INTERRUPTED), None, RunState.STOPPED),
    (told(Phase.FAILED), None, RunState.FAILED),
    (None, None, RunState.UNKNOWN),
]


def status(said: Status | None, by: Holder | None) -> RunStatus:
    store = Held(by)
    if said is not None:
        store.write(STATUS_FILE, said.to_bytes())
    return status_of(store)


@pytest.mark.parametrize(("said", "by", "state"), TABLE)
def test_the_holder_of_the_lock_decides(
    said: Status | None, by: Holder | None, state: RunState
) -> None:
    found = status(said, by)
    assert found.state is state
    json.dumps(found.to_json())
    if state in (RunState.DIED, RunState.UNKNOWN):
        assert found.note


@pytest.mark.parametrize(
    ("log", "state"),
    [
        ("run a: 2 tasks\nA/1 succeeded in 1 s\nall tasks have ended\n2 succeeded", "ended"),
        ("run a: 2 tasks\nA/1 succeeded in 1 s\ninterrupted\n1 cancelled in 3 s", "stopped"),
        ("run a: 2 tasks\nthe run ended with an error: OSError: x", "failed"),
        ("run a: 2 tasks\nall tasks have ended\nrun a: 2 tasks\nA/1 failed in 1 s", "died"),
    ],
)
def test_runs_of_older_versions_are_told_by_their_log(log: str, state: str) -> None:
    store = Held(None)
    lines = [f"2026-01-31 12:00:0{number} {line}" for number, line in enumerate(log.split("\n"))]
    store.write(LOG_FILE, "\n".join(lines).encode())
    found = status_of(store)
    assert str(found.state) == state
    assert "an older version of pyveg" in found.note


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b'{"state": "dancing"}'])
def test_a_damaged_status_is_none(data: bytes) -> None:
    store = Held(ALIVE)
    store.write(STATUS_FILE, data)
    assert status_of(store).state is RunState.STARTING


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "1e300", "-1", f"1{'0' * 30}"])
@pytest.mark.parametrize("name", ["at", "since"])
def test_a_status_of_no_time_is_none(name: str, number: str) -> None:
    store = Held(ALIVE)
    document = {**told(Phase.RUNNING).to_json(), name: 0}
    store.write(
        STATUS_FILE, json.dumps(document).replace(f'"{name}": 0', f'"{name}": {number}').encode()
    )
    assert status_of(store).told is None


@pytest.mark.parametrize("name", ["tasks", "pid", "attempt", "exit_code"])
def test_a_status_with_what_is_no_count_is_none(name: str) -> None:
    store = Held(ALIVE)
    store.write(STATUS_FILE, json.dumps({**told(Phase.RUNNING).to_json(), name: 1e999}).encode())
    assert status_of(store).told is None


def test_a_process_that_is_silent_may_be_suspended() -> None:
    found = status(told(Phase.RUNNING), holder(alive=True, seen=NOW - timedelta(minutes=5)))
    assert found.state is RunState.RUNNING
    assert "may be suspended" in found.note
    assert found.last_sign == NOW - timedelta(minutes=5)


def test_what_is_of_one_moment() -> None:
    """A run that ends between the two looks has not died."""

    class Ending(Held):
        looks = 0

        def holder(self, key: str) -> Holder | None:
            self.looks += 1
            if self.looks == 2:
                self.write(STATUS_FILE, told(Phase.ENDED, code=0).to_bytes())
                self.said = None
            return super().holder(key)

    store = Ending(ALIVE)
    store.write(STATUS_FILE, told(Phase.RUNNING).to_bytes())
    found = status_of(store)
    assert found.state is RunState.ENDED
    assert found.is_finished


def test_only_what_goes_on_is_asked_to_stop() -> None:
    store = Held(ALIVE)
    store.write(STATUS_FILE, told(Phase.RUNNING).to_bytes())
    assert Run(store).ask_to_stop("detach") == 2
    asked = stop.read(store)
    assert asked is not None
    assert (asked.epoch, asked.how) == (2, "detach")
    for by, why in ((DEAD, "has died"), (None, "has died")):
        store.said = by
        with pytest.raises(RunError, match=why):
            Run(store).ask_to_stop()
    store.said = holder(alive=True, epoch=0)
    with pytest.raises(RunError, match="older version") as caught:
        Run(store).ask_to_stop()
    assert caught.value.cure


def test_events_are_read_from_where_one_was() -> None:
    store = Held(holder(alive=True, epoch=1))
    run = Run(store)
    tasks = list(fake_pipeline().plan().graph)
    clock = [1000.0]
    seen = []
    for epoch in (1, 2):
        store.said = holder(alive=True, epoch=epoch)
        with Journal(
            store, epoch=epoch, clock=lambda: clock[0], pace=lambda: clock[0], threaded=False
        ) as journal:
            for task in tasks:
                journal(TaskEnded(task, TaskResult(task.id, State.SUCCEEDED)))
                clock[0] += 2
                journal.tick()
                seen += list(run.events(seen[-1].place if seen else ""))
    seen += list(run.events(seen[-1].place))
    assert seen == list(run.events())
    half = len(seen) // 2
    assert list(run.events(seen[half].place)) == seen[half + 1 :]
    assert [one.record.task for one in seen if one.record.task] == 2 * [task.id for task in tasks]
    assert {one.attempt for one in seen} == {1, 2}
    json.dumps([one.to_json() for one in seen])


@pytest.mark.parametrize("after", ["x", "_pyveg/run.json#1", "../x#1", "_pyveg/events/1-a/1.jsonl"])
def test_what_is_no_place_of_an_event_is_refused(after: str) -> None:
    with pytest.raises(ConfigError, match="no place of an event"):
        list(Run(Held(None)).events(after))


def test_a_log_is_followed_to_its_end() -> None:
    store = Held(holder(alive=True, epoch=1))
    store.write(RUN_FILE, b"{}")
    graph = fake_pipeline().plan().graph
    clock = [1000.0]
    journal = Journal(store, epoch=1, clock=lambda: clock[0], pace=lambda: clock[0], threaded=False)
    steps = iter(range(100))

    def sleep(_: float) -> None:
        step = next(steps)
        clock[0] += 2
        if step == 1:
            journal(RunStarted(graph, "x"))
        elif step < 5:
            journal(EngineStatus(f"nodes: {step}"))
        elif step == 5:
            journal.__exit__(None, None, None)
            store.said = None
        else:
            raise AssertionError("it did not end")
        if step < 5:
            journal.tick()

    lines = list(follow_log(store, sleep=sleep))
    assert lines == store.read(LOG_FILE).decode().splitlines()
    assert [line for line in lines if "nodes: " in line][-1].endswith("nodes: 4")
    assert "attempt 1 ends, ended" in lines[-1]
    assert lines == list(follow_log(store, sleep=sleep))


def test_a_log_that_is_followed_ends_with_its_process() -> None:
    store = Held(holder(alive=True, epoch=1))
    journal = Journal(store, epoch=1, threaded=False)
    journal(EngineStatus("nodes: 1"))
    journal.tick()

    def sleep(_: float) -> None:
        store.said = holder(alive=False, epoch=1)

    lines = list(follow_log(store, sleep=sleep))
    journal._log.close()
    assert "it was cut off" in lines[-1]
