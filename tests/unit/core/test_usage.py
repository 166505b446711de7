from __future__ import annotations

import io
import sys
import threading
import time

import numpy as np
import pytest

from pyveg.core import manifest, usage
from pyveg.core.coordinator import Coordinator
from pyveg.core.events import Event, TaskEnded
from pyveg.core.execute import run_task
from pyveg.core.ports import Work
from pyveg.core.records import Record, record_of
from pyveg.core.tasks import State
from pyveg.core.timed_stream import timed_stream
from pyveg.core.usage import Meter, Usage
from pyveg.runners.dask.messages import Chunk, ended, results_in
from pyveg.runners.local import SerialRunner
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline


class Slow(MemoryStore):
    """Each transfer takes a hundredth of a second."""

    def read(self, key: str) -> bytes:
        time.sleep(0.01)
        return super().read(key)

    def write(self, key: str, data: bytes) -> None:
        time.sleep(0.01)
        super().write(key, data)


def test_parts_of_a_task_are_told_apart_and_add_up() -> None:
    meter = Meter()
    with meter.current():
        with usage.part("start"):
            time.sleep(0.02)
        with usage.part("read"), usage.part("read"):  # one inside the other counts once
            time.sleep(0.02)
        with timed_stream(io.BytesIO(), meter) as stream:
            stream.writelines([b"abc", b"de"])
        sum(range(200_000))
        usage.add_program(2.0, 5000.0)
    took = meter.usage()
    assert 0.02 <= took.start_seconds < 0.04
    assert 0.02 <= took.read_seconds < 0.04
    assert took.write_bytes == 5
    assert took.compute_seconds > 0
    parts = took.start_seconds + took.read_seconds + took.write_seconds + took.compute_seconds
    assert parts == pytest.approx(took.seconds)
    assert took.cpu_seconds is not None
    assert took.cpu_seconds >= 2.0
    assert took.peak_memory_mb == 5000.0


def test_threads_that_transfer_at_once_count_once() -> None:
    meter = Meter()

    def transfer() -> None:
        with meter.part("read"):
            time.sleep(0.03)

    threads = [threading.Thread(target=transfer) for _ in range(4)]
    with meter.current():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 0.03 <= meter.usage().read_seconds < 0.09


def test_beside_another_task_only_the_thread_counts() -> None:
    first = Meter()
    with first.current(), Meter().current():
        assert not first.alone
    with Meter().current():
        assert not first.alone


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others count for ever")
def test_a_task_has_a_peak_of_its_own() -> None:
    large = Meter()
    with large.current():
        np.ones(30_000_000)
        first = large.usage().peak_memory_mb
    small = Meter()
    with small.current():
        second = small.usage().peak_memory_mb
    assert first is not None
    assert second is not None
    assert first - second > 150


def test_outside_of_a_task_nothing_is_counted() -> None:
    with usage.part("read"):
        usage.add_program(1.0, 1.0)


def test_a_task_says_what_it_took_in_its_result_manifest_and_event() -> None:
    graph = fake_pipeline(start={"count": 2}).plan().graph
    store, events = Slow(), list[Event]()
    work = Work(graph, frozenset({"local"}), store, 1)
    runner = SerialRunner(None, work)
    before = time.time()
    coordinator = Coordinator(graph, store, {"local": runner}, events.append)
    runner.start(store, coordinator)
    coordinator.run()
    runner.close()
    for event in events:
        if isinstance(event, TaskEnded):
            took = event.result.usage
            assert took is not None
            assert took.seconds == event.result.seconds
            assert before - 0.1 <= took.queued <= took.began + 0.001
            assert took.write_seconds >= 0.01
            kept = manifest.read(store, event.task.id)
            assert kept is not None
            assert Usage.from_json(kept.usage) == Usage(**{**vars(took), "queued": 0.0})
            record = record_of(event, 1.0)
            assert Record.from_json(record.to_json()) == record
            assert record.usage == took
    follow = next(t for t in graph if t.after)
    first = coordinator.results[follow.after[0]].usage
    then = coordinator.results[follow.id].usage
    assert first is not None
    assert then is not None
    assert then.read_bytes == first.write_bytes > 0


def test_it_travels_from_workers_as_plain_data() -> None:
    task = next(iter(fake_pipeline(start={"count": 1}).plan().graph))
    result = run_task(task, MemoryStore())
    assert result.state is State.SUCCEEDED
    chunk = Chunk("token", 1, (task,))
    assert results_in(chunk, ended(chunk, [result])[2]) == [result]


@pytest.mark.parametrize(
    "damage", [{"seconds": "1"}, {"seconds": -1}, {"node": 3}, {"tries": None}]
)
def test_what_is_damaged_is_no_usage(damage: dict[str, object]) -> None:
    whole = Usage(seconds=1.0).to_json()
    assert Usage.from_json({**whole, "of": "another version"}) == Usage(seconds=1.0)
    assert Usage.from_json({**whole, **damage}) is None
