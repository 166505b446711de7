from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pyveg.core import stop
from pyveg.core.errors import LockLostError, StoreError
from pyveg.core.events import EngineStatus, RunEnded, RunStarted, TaskEnded, TaskStarted
from pyveg.core.layout import EVENTS, LOG_FILE, STATUS_FILE
from pyveg.core.records import Kind
from pyveg.core.runlog import log_so_far
from pyveg.core.segments import read_segments, segment_keys
from pyveg.core.status import Phase, Status
from pyveg.core.tasks import State, Task, TaskGraph, TaskResult
from pyveg.jobs.journal import Journal
from pyveg.storage.local import LocalStore
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_769_860_800.0

    def __call__(self) -> float:
        return self.now


class Counting(MemoryStore):
    """Notes what is written, and can fail."""

    def __init__(self, fails: Callable[[str], Exception | None] = lambda _: None) -> None:
        super().__init__()
        self.fails = fails
        self.written: list[tuple[str, int]] = []

    def write(self, key: str, data: bytes) -> None:
        error = self.fails(key)
        if error is not None:
            raise error
        self.written.append((key, len(data)))
        super().write(key, data)


def graph_of(count: int) -> TaskGraph:
    return fake_pipeline(start={"count": count}, follow={"dates_to_process": []}).plan().graph


def succeeded(task: Task) -> TaskEnded:
    return TaskEnded(task, TaskResult(task.id, State.SUCCEEDED, seconds=1.0))


def simulated(
    store: MemoryStore, count: int, pause: float = 1.0, epoch: int = 1
) -> tuple[Journal, Clock]:
    """A run of so many Tasks, one after the other."""
    clock = Clock()
    journal = Journal(store, epoch=epoch, clock=clock, pace=clock, threaded=False)
    graph = fake_pipeline(start={"count": count}).plan().graph
    with journal:
        journal(RunStarted(graph, store.url))
        journal.tick()
        for task in graph:
            journal(TaskStarted(task))
            clock.now += pause
            journal(succeeded(task))
            journal.tick()
        journal(RunEnded(interrupted=False))
    return journal, clock


def status_of(store: MemoryStore | LocalStore) -> Status:
    return Status.from_json(json.loads(store.read(STATUS_FILE)))


def test_events_status_and_log_of_a_run() -> None:
    store = Counting()
    simulated(store, 20)
    kinds = [r.kind for part in read_segments(store, segment_keys(store)) for r in part.records]
    assert kinds[0] is Kind.RUN
    assert kinds[-2:] == [Kind.OVER, Kind.CLOSED]
    assert kinds.count(Kind.ENDED) == kinds.count(Kind.STARTED) == 43
    status = status_of(store)
    assert (status.phase, status.tasks, status.counts) == (Phase.ENDED, 43, {"succeeded": 43})
    assert {row.label: (row.done, row.total) for row in status.rows}["A/Start"] == (20, 20)
    log = store.read(LOG_FILE).decode()
    assert log.count("succeeded in 1.00 s") == 43
    assert log.splitlines() == list(log_so_far(store))
    segments = [key for key, _ in store.written if key.startswith(EVENTS)]
    assert len(segments) == len(set(segments))  # each once


def test_the_log_while_a_run_goes_on_and_after_it_was_killed() -> None:
    store, clock = MemoryStore(), Clock()
    journal = Journal(store, epoch=1, clock=clock, pace=clock, warnings=["careful"], threaded=False)
    task, other = list(graph_of(2))[:2]
    journal.tick()
    clock.now += 5
    journal(succeeded(task))
    journal.tick()
    assert store.size(LOG_FILE) is None  # so short a log is drawn from events
    clock.now += 0.1
    told = "\n".join(log_so_far(store))
    assert "attempt 1 begins" in told
    assert "warning: careful" in told
    assert f"{task.id} succeeded" in told
    journal._log.close()  # it was killed, and the system has closed its files
    # The next attempt keeps what it has told, and says that it was cut off.
    second = Journal(store, epoch=2, clock=clock, pace=clock, threaded=False)
    with second:
        second.tick()
        second(succeeded(other))
    log = store.read(LOG_FILE).decode()
    assert log.startswith(told.splitlines()[0])
    order = ["attempt 1 begins", f"{task.id} succeeded", "attempt 1 ends: it was cut off"]
    order += ["attempt 2 begins", f"{other.id} succeeded", "attempt 2 ends, ended"]
    assert [log.count(text) for text in order] == [1] * 6
    assert sorted(order, key=log.index) == order
    assert log.splitlines() == list(log_so_far(store))


def test_an_old_log_stays_where_it_was_the_beginning() -> None:
    store = MemoryStore()
    store.write(LOG_FILE, b"2026-01-01 10:00:00 run old: 3 tasks\n\xff\xfe damaged\n")
    for epoch in (1, 2, 3):
        simulated(store, 3, epoch=epoch)
    lines = store.read(LOG_FILE).decode().splitlines()
    assert lines[0] == "2026-01-01 10:00:00 run old: 3 tasks"
    assert lines[1].endswith("damaged")
    assert sum("begins" in line for line in lines) == 3
    assert lines == list(log_so_far(store))


def test_tasks_that_were_done_before_are_told_together() -> None:
    store, clock = MemoryStore(), Clock()
    graph = graph_of(500)
    with Journal(store, epoch=1, clock=clock, pace=clock, threaded=False) as journal:
        journal(RunStarted(graph, "x"))
        for task in graph:
            journal(TaskEnded(task, TaskResult(task.id, State.CACHED)))
        journal(RunEnded(interrupted=False))
    log = store.read(LOG_FILE).decode()
    assert f"{len(graph)} tasks were done before (A/Start 500" in log
    assert len(log) < 1000
    assert log.index("were done before") < log.index("all tasks have ended")
    assert status_of(store).counts == {"cached": len(graph)}


def test_the_status_tells_different_reasons() -> None:
    store = MemoryStore()
    reasons = ["away"] * 30 + ["full"] * 5 + ["away"] + ["damaged", "other"]
    with Journal(store, epoch=1, threaded=False) as journal:
        for task, reason in zip(graph_of(50), reasons, strict=False):
            journal(TaskEnded(task, TaskResult(task.id, State.FAILED, reason)))
    status = status_of(store)
    assert [one.reason for one in status.failures] == ["away", "full", "damaged"]
    assert status.counts == {"failed": len(reasons)}


def test_the_status_is_written_when_something_changed_and_once_a_second_at_most() -> None:
    store, clock = Counting(), Clock()
    task = next(iter(graph_of(1)))
    with Journal(store, epoch=1, clock=clock, pace=clock, threaded=False) as journal:
        for _ in range(100):  # ten seconds without a word
            journal.tick()
            clock.now += 0.1
        assert [key for key, _ in store.written].count(STATUS_FILE) == 1
        for number in range(200):  # twenty with many
            journal(EngineStatus(f"nodes: {number}"))
            journal(succeeded(task))
            journal.tick()
            clock.now += 0.1
    count = [key for key, _ in store.written].count(STATUS_FILE)
    assert 20 <= count <= 23
    assert all(size <= 2000 for key, size in store.written if key == STATUS_FILE)


def test_a_store_that_takes_nothing_for_a_while_loses_nothing() -> None:
    away = False
    store = Counting(lambda _: StoreError("no network", "wait") if away else None)
    clock = Clock()
    tasks = list(graph_of(300))
    with Journal(store, epoch=1, clock=clock, pace=clock, threaded=False) as journal:
        for number, task in enumerate(tasks):
            away = 20 < number < 200
            journal(succeeded(task))
            clock.now += 1
            journal.tick()
    ended = [
        record.task
        for part in read_segments(store, segment_keys(store))
        for record in part.records
        if record.kind is Kind.ENDED
    ]
    assert ended == [task.id for task in tasks]
    assert list(log_so_far(store)) == store.read(LOG_FILE).decode().splitlines()


def test_what_waits_is_bounded_and_what_is_lost_is_counted() -> None:
    away = True
    store = Counting(lambda _: OSError(28, "No space left on device") if away else None)
    clock = Clock()
    task = next(iter(graph_of(1)))
    result = TaskResult(task.id, State.FAILED, "x" * 3000, details="y" * 10**6)
    with Journal(store, epoch=1, clock=clock, pace=clock, threaded=False) as journal:
        for _ in range(2000):  # of 2 GB
            journal(TaskEnded(task, result))
            journal.tick()
            clock.now += 1
        away = False
    told = [r for part in read_segments(store, segment_keys(store)) for r in part.records]
    kept = sum(record.kind is Kind.ENDED for record in told)
    (lost,) = [record for record in told if record.kind is Kind.LOST]
    assert kept + lost.counts["events"] == 2000
    assert sum(size for key, size in store.written if key.startswith(EVENTS)) < 6 * 2**20
    assert status_of(store).counts == {"failed": 2000}
    assert store.read(LOG_FILE).decode().count(" failed in ") == 2000


def test_who_has_lost_the_run_writes_nothing_more() -> None:
    lost = False
    store = Counting(lambda _: LockLostError("taken over", "look there") if lost else None)
    clock = Clock()
    tasks = list(graph_of(5))
    with Journal(store, epoch=1, clock=clock, pace=clock, threaded=False) as journal:
        journal(succeeded(tasks[0]))
        journal.tick()
        before = len(store.written)
        lost = True
        clock.now += 10
        journal(succeeded(tasks[1]))
        journal.tick()
        lost = False
        journal(succeeded(tasks[2]))
        journal.tick()
    assert len(store.written) == before


@pytest.mark.parametrize(
    ("error", "phase", "code"),
    [
        (KeyboardInterrupt(), Phase.INTERRUPTED, 130),
        (StoreError("the disk is full", "free some"), Phase.FAILED, 2),
        (ValueError("a bug"), Phase.FAILED, None),
    ],
)
def test_how_an_error_ends_it(error: BaseException, phase: Phase, code: int | None) -> None:
    store = MemoryStore()
    with pytest.raises(type(error)), Journal(store, epoch=1):
        raise error
    status = status_of(store)
    assert (status.phase, status.exit_code) == (phase, code)
    log = store.read(LOG_FILE).decode()
    if phase is Phase.FAILED:
        assert str(error) in status.error
        assert f"the run ended with an error: {type(error).__name__}: {error}" in log
    assert f"attempt 1 ends, {phase}" in log


def test_a_request_to_stop_is_passed_on_once_and_only_to_whom_it_is_for(tmp_path: Any) -> None:
    store = LocalStore(tmp_path)
    told: list[tuple[str, str]] = []
    heard = threading.Event()

    def on_stop(how: str, why: str) -> None:
        told.append((how, why))
        heard.set()

    with Journal(store, epoch=7, on_stop=on_stop):
        stop.ask(store, 6)
        assert not heard.wait(1.6)
        begin = time.monotonic()
        asked = stop.ask(store, 7, "detach")
        assert heard.wait(10)
        assert time.monotonic() - begin < 2
        time.sleep(1.2)
    assert told == [("detach", f"{asked.by} asked the run to stop")]


def test_an_error_in_its_thread_harms_nobody(tmp_path: Any, monkeypatch: Any) -> None:
    store = LocalStore(tmp_path)
    task = next(iter(graph_of(1)))

    def bug(*_: Any) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("pyveg.jobs.journal.record_of", bug)
    with Journal(store, epoch=1) as journal:
        journal(succeeded(task))
        time.sleep(0.4)
    assert status_of(store).phase is Phase.ENDED


def test_segments_grow_rarer() -> None:
    """Ten hours with an event each second."""
    store, clock = Counting(), Clock()
    with Journal(store, epoch=1, clock=clock, pace=clock, threaded=False) as journal:
        for _ in range(36_000):
            journal(EngineStatus("nodes: 1 running"))
            journal.tick()
            clock.now += 1
    assert 1000 < len(segment_keys(store)) < 5000


def test_a_log_without_room_on_this_machine_is_drawn_from_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_room(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", no_room)
    monkeypatch.setattr("pyveg.jobs.log_writer._IN_MEMORY", 2000)
    store = Counting()
    simulated(store, 300)
    log = store.read(LOG_FILE).decode()
    assert log.count("succeeded in 1.00 s") == 603
    assert [key for key, _ in store.written].count(LOG_FILE) == 1
    simulated(store, 2, epoch=2)
    assert store.read(LOG_FILE).decode().startswith(log)


def test_a_long_history_does_not_keep_the_status_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed attempt whose log must be drawn from its segments, each of which takes a while."""
    store, clock = Counting(), Clock()
    killed = Journal(store, epoch=1, clock=clock, pace=clock, threaded=False)
    for number in range(200):
        killed(EngineStatus(f"nodes: {number}"))
        clock.now += 2
        killed.tick()
    killed._log.close()
    read = MemoryStore.read

    def slow(self: MemoryStore, key: str) -> bytes:
        time.sleep(0.01 if key.startswith(EVENTS) else 0)
        return read(self, key)

    monkeypatch.setattr(MemoryStore, "read", slow)
    with Journal(store, epoch=2, clock=clock, pace=clock, threaded=False) as journal:
        begin = time.monotonic()
        journal.tick()
        assert status_of(store).epoch == 2
        assert time.monotonic() - begin < 1.5
    log = store.read(LOG_FILE).decode()
    assert all(f" nodes: {number}\n" in log for number in range(200))
    assert log.splitlines() == list(log_so_far(store))


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    store, clock, pace = MemoryStore(), Clock(), Clock()
    with Journal(store, epoch=1, clock=clock, pace=pace, threaded=False) as journal:
        journal.tick()
        clock.now -= 7200
        for number in range(3):
            pace.now += 2
            journal(EngineStatus(f"nodes: {number}"))
            journal.tick()
            assert status_of(store).line == f"nodes: {number}"
            assert any(f"nodes: {number}" in line for line in log_so_far(store))


def test_text_that_is_none_is_kept_and_shown_as_escapes() -> None:
    """Names of files may be any bytes, and programs write what moves a cursor."""
    store = MemoryStore()
    odd = "\udcff\x1b[2J\x00\n2026-01-01 00:00:00 attempt 1 ends, ended\u2028"
    task = next(iter(graph_of(1)))
    result = TaskResult(task.id, State.FAILED, odd, details=f"Traceback\n{odd}")
    with Journal(store, epoch=1, threaded=False) as journal:
        journal(TaskEnded(task, result))
        journal(EngineStatus(odd))
    (record,) = [
        record
        for part in read_segments(store, segment_keys(store))
        for record in part.records
        if record.kind is Kind.ENDED
    ]
    assert (record.text, record.details) == (odd, f"Traceback\n{odd}")
    log = store.read(LOG_FILE).decode()
    assert log.replace("\n", "").isprintable()
    assert "\\udcff\\x1b[2J\\x00\\n2026" in log
    assert len([line for line in log.splitlines() if not re.match(r"\d{4}-| {4}", line)]) == 0
    assert status_of(store).failures[0].task == task.id
