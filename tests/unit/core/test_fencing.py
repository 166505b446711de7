"""A Task of an attempt whose run was taken over writes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pyveg.core import fencing
from pyveg.core.errors import LockLostError
from pyveg.core.execute import read_task_file, run_task, task_file
from pyveg.core.fencing import Fence, FencedStore
from pyveg.core.layout import LOCK
from pyveg.core.tasks import State, Task
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What `elapsed` gives; sleeping moves it on."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(fencing, "elapsed", lambda: now[0])
    monkeypatch.setattr(fencing.time, "sleep", sleep)
    monkeypatch.setattr(fencing, "_trust", fencing._Trust())
    return now


def _task(epoch: int, name: str = "00000", **start: Any) -> Task:
    graph = fake_pipeline(start={"names": [name], **start}).plan().graph
    return replace(next(iter(graph)), epoch=epoch)


def _taken(store: MemoryStore, times: int) -> None:
    for _ in range(times):
        with store.lock(LOCK):
            pass


def test_a_task_of_the_newest_attempt_writes(store: MemoryStore) -> None:
    _taken(store, 2)
    assert run_task(_task(2), store).state is State.SUCCEEDED
    assert store.read("A/Start/00000") == b"00000"


@pytest.mark.parametrize("start", [{}, {"fail": ["00000"]}, {"skip": ["00000"]}])
def test_a_task_of_an_older_attempt_writes_nothing(store: MemoryStore, start: Any) -> None:
    """Neither results, nor a manifest, nor that it failed."""
    _taken(store, 2)
    result = run_task(_task(1, **start), store)
    assert result.state is State.CANCELLED
    assert "taken over" in result.reason
    assert list(store.list()) == []


def test_a_task_of_no_attempt_always_writes(store: MemoryStore) -> None:
    _taken(store, 3)
    assert run_task(_task(0), store).state is State.SUCCEEDED


def test_a_task_of_a_run_that_was_removed_writes_nothing(store: MemoryStore) -> None:
    """Or its container would be made anew, with one result in it."""
    result = run_task(_task(1), store)
    assert (result.state, result.shared) == (State.FAILED, True)
    assert "is gone" in result.reason
    assert list(store.list()) == []


def test_a_takeover_in_the_middle_of_a_task(
    store: MemoryStore, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrote before stays; it gets no manifest, so it is done again."""
    from pyveg.testing import fakes

    _taken(store, 1)

    def taken_over_meanwhile(name: str, settings: Any) -> None:
        del name, settings
        store.write("before", b"")
        clock[0] += 100
        _taken(store, 1)

    monkeypatch.setattr(fakes, "_take_time", taken_over_meanwhile)
    assert run_task(_task(1), store).state is State.CANCELLED
    assert list(store.list()) == ["before"]


def test_a_stream_appears_only_while_the_run_is_ours(
    store: MemoryStore, clock: list[float]
) -> None:
    _taken(store, 1)
    fenced = FencedStore(store, Fence(store, 1).check)
    with fenced.open_write("a") as stream:
        stream.write(b"x")

    def late() -> None:
        with fenced.open_write("b") as stream:
            stream.write(b"x")
            clock[0] += 100
            _taken(store, 1)

    with pytest.raises(LockLostError):
        late()
    for act in (lambda: fenced.write("c", b""), lambda: fenced.delete("a")):
        with pytest.raises(LockLostError):
            act()
    with pytest.raises(LockLostError):
        fenced.discard_partial()
    assert list(store.list()) == ["a"]


def test_the_epoch_is_not_read_at_each_write(store: MemoryStore, clock: list[float]) -> None:
    """It is trusted for a moment, counted from before it was asked for."""
    _taken(store, 1)
    asked = []
    epoch = store.epoch

    def slow(key: str) -> int:
        asked.append(key)
        clock[0] += 0.4
        return epoch(key)

    store.epoch = slow  # type: ignore[method-assign]
    fence = Fence(store, 1)
    for _ in range(10):
        fence.check()
    assert len(asked) == 1
    clock[0] += 0.61
    fence.check()
    assert len(asked) == 2


def test_a_task_waits_to_be_adopted(store: MemoryStore, clock: list[float]) -> None:
    """As one on a node does, whose description the later attempt writes anew."""
    _taken(store, 2)
    told = iter([1, 1, 1, 2])
    result = run_task(_task(1), store, lambda: next(told))
    assert result.state is State.SUCCEEDED
    assert clock[0] == pytest.approx(1003.0)


def test_a_task_that_nobody_adopts_ends(store: MemoryStore, clock: list[float]) -> None:
    _taken(store, 2)
    assert run_task(_task(1), store, lambda: 1).state is State.CANCELLED
    assert clock[0] == pytest.approx(1000 + fencing.ADOPTION_SECONDS, abs=2)
    assert list(store.list()) == []


def test_the_epoch_travels_in_task_files(store: MemoryStore) -> None:
    (task,), _ = read_task_file(task_file([_task(7)], store))
    assert task == _task(7)
    assert task.fingerprint == _task(0).fingerprint
