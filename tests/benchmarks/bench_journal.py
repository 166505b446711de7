"""What a run writes of itself: events, log and status of 60,000 tasks and of 120,000.

Run ``python tests/benchmarks/bench_journal.py``. Time is simulated, the Stores are real: a folder,
and a container of Azurite. Exits with 1 where events and log together are more than 8 times the
length of the log, where twice the tasks write more than 2.1 times the bytes, or where memory is not
bounded. Of a log that is sent to a container up to 16 MB are in memory, so it may take 20 MB there.

``--per_second`` says how many tasks end in a (simulated) second; few are the worst case for the
events, as each segment names its writer, and take longest, as the status is written each second.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
import tracemalloc
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pyveg.core.events import RunEnded, RunStarted, TaskEnded, TaskStarted
from pyveg.core.layout import EVENTS, LOG_FILE, STATUS_FILE
from pyveg.core.tasks import State, Step, Task, TaskGraph, TaskResult
from pyveg.core.types import Item, Scope
from pyveg.jobs.journal import Journal
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.local import LocalStore
from pyveg.testing.azurite import Azurite

COUNTS = (60_000, 120_000)
OF_LOG, TWICE = 8.0, 2.1
MEMORY = {"folder": 2.0, "azurite": 20.0}
"""MB at most, whatever the number of tasks."""
STEP = Step("pyveg.testing.fakes:Start", 1, Scope("demo"), {}, {})


class Counting:
    """A Store that counts what is written to it; everything else is the other's own."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.bytes: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, key: str, data: bytes) -> None:
        self._count(key, len(data))
        self._store.write(key, data)

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        with self._store.open_write(key) as stream:
            yield stream
            self._count(key, stream.tell())

    def _count(self, key: str, size: int) -> None:
        kind = {LOG_FILE: "log", STATUS_FILE: "status"}.get(key, "events")
        assert kind != "events" or key.startswith(EVENTS), key
        self.bytes[kind] += size
        self.writes[kind] += 1


@dataclass(frozen=True)
class Cost:
    """What a run of so many tasks wrote and held."""

    count: int
    log: int
    bytes: Counter[str]
    writes: Counter[str]
    seconds: float

    @property
    def told(self) -> int:
        """Bytes of events and log."""
        return self.bytes["events"] + self.bytes["log"]

    def __str__(self) -> str:
        per_second = self.writes["status"] / self.seconds
        return (
            f"{self.count:7} tasks: log {self.log / 1e6:6.2f} MB; events {self.told_as('events')}, "
            f"log {self.told_as('log')}: {self.told / self.log:.2f} of its length; status "
            f"{self.told_as('status')}, {per_second:.2f} a second"
        )

    def told_as(self, kind: str) -> str:
        return f"{self.bytes[kind] / 1e6:.2f} MB in {self.writes[kind]}"


def tasks_of(count: int) -> list[Task]:
    tasks = [Task(STEP, Item(f"{number:06}")) for number in range(count)]
    for task in tasks:
        assert task.id  # kept by the task itself, not by the journal
    return tasks


def run(store: Any, tasks: list[Task], per_second: float, failing: int) -> Cost:
    """Simulate a run; each `failing`-th task fails."""
    counting = Counting(store)
    now = [1_769_860_800.0]
    graph = TaskGraph(tasks)
    with Journal(
        counting, epoch=1, clock=lambda: now[0], pace=lambda: now[0], threaded=False
    ) as journal:
        journal(RunStarted(graph, store.url))
        next_tick = now[0]
        for number, task in enumerate(tasks):
            journal(TaskStarted(task))
            now[0] += 1 / per_second
            journal(TaskEnded(task, result_of(task, number, failing)))
            if now[0] >= next_tick:  # as its thread does
                next_tick = now[0] + 0.25
                journal.tick()
        journal(RunEnded(interrupted=False))
    seconds = len(tasks) / per_second
    return Cost(len(tasks), store.size(LOG_FILE), counting.bytes, counting.writes, seconds)


def peak_memory(store: Any, count: int, failing: int) -> float:
    """MB that a run of so many tasks holds, the tasks themselves left out."""
    tasks = tasks_of(count)
    now = itertools.count(1_769_860_800.0, 0.01)
    with Journal(
        store, epoch=1, clock=lambda: next(now), pace=lambda: next(now), threaded=False
    ) as journal:
        tracemalloc.start()
        for number, task in enumerate(tasks):
            journal(TaskStarted(task))
            journal(TaskEnded(task, result_of(task, number, failing)))
            if number % 20 == 0:
                journal.tick()
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
    return peak


def result_of(task: Task, number: int, failing: int) -> TaskResult:
    if failing and number % failing == 0:
        details = "Traceback (most recent call last):\n" + 8 * "  File module.py, line 1, in run\n"
        return TaskResult(task.id, State.FAILED, "DataError: no pixels", 0.5, details)
    return TaskResult(task.id, State.SUCCEEDED, seconds=0.5)


def judged(name: str, costs: list[Cost], memory: list[float], most: float) -> bool:
    """Print them, and whether they keep the limits."""
    for cost in costs:
        print(f"{name}: {cost}")
    ratio = costs[1].told / costs[0].told
    worst = max(cost.told / cost.log for cost in costs)
    print(f"{name}: events and log are {worst:.2f} of the log (limit {OF_LOG:g}); twice the tasks")
    print(f"    write {ratio:.3f} of the bytes (limit {TWICE:g}); memory {memory[0]:.2f} and")
    print(f"    {memory[1]:.2f} MB (limit {most:g})")
    return worst <= OF_LOG and ratio <= TWICE and max(memory) <= most


def stores(kind: str) -> Iterator[Any]:
    """New ones, as many as are wanted."""
    if kind == "folder":
        with tempfile.TemporaryDirectory() as folder:
            for number in itertools.count():
                yield LocalStore(Path(folder, str(number)))
    with Azurite() as azurite:
        while True:
            yield AzureBlobStore(
                azurite.url, f"bench-{uuid.uuid4().hex[:12]}", Access(account_key=azurite.key)
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", default="folder,azurite")
    parser.add_argument("--per_second", type=float, default=0, help="else 10, and 100 on Azurite")
    parser.add_argument("--failing", type=int, default=20, help="one of so many fails; 0 for none")
    given = parser.parse_args()
    fine = True
    for kind in given.stores.split(","):
        rate = given.per_second or {"folder": 10.0}.get(kind, 100.0)
        begin = time.perf_counter()
        made = stores(kind)
        costs = [run(next(made), tasks_of(n), rate, given.failing) for n in COUNTS]
        memory = [peak_memory(next(made), n, given.failing) for n in COUNTS]
        fine &= judged(f"{kind}, {rate:g} a second", costs, memory, MEMORY[kind])
        made.close()
        print(f"    ({time.perf_counter() - begin:.0f} s)")
    sys.exit(not fine)


if __name__ == "__main__":
    main()
