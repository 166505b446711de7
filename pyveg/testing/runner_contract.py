"""What every engine must do, as a suite of tests to subclass.

::

    class TestMyRunner(RunnerContract):
        runner_class = MyRunner
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pyveg.core import params, registry
from pyveg.core.errors import DataError
from pyveg.core.events import EngineStatus, Event, RunEnded, TaskEnded, TaskStarted
from pyveg.core.ports import Runner, Store, Work
from pyveg.core.tasks import State, TaskGraph, TaskResult
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import fake_pipeline, run_graph, work_of


class RunnerContract:
    """Tests that every engine passes; pytest gives each a folder of its own."""

    runner_class: ClassVar[type[Runner]]
    n_workers: ClassVar[int] = 2
    n_items: ClassVar[int] = 20
    """Items of the largest run; fewer where each Task costs the engine much."""
    names_settings: ClassVar[Mapping[str, Any]] = {}
    """Further settings of Modules where there are many names, such as ``n_batch_tasks``."""
    n_withdrawn: ClassVar[int] = 20
    """Items of which half are withdrawn: more than it takes up at once. 0 where it cannot take
    any back."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """Settings of the engine, as a config gives them."""

    def make_runner(self, work: Work) -> Runner:
        """An engine as it is used; override where its settings are known only by then."""
        settings = params.build(self.runner_class.Settings, self.settings, "contract")
        notes = self.runner_class.check(settings, work)
        assert all(isinstance(note, str) for note in notes)
        return self.runner_class(settings, work)

    def _make(self, graph: TaskGraph, store: Store) -> Runner:
        return self.make_runner(work_of(graph, store, n_workers=self.n_workers))

    def make_store(self, folder: Path) -> Store:
        """A Store that the engine can reach."""
        store: Store = registry.load("store", "local")(folder)
        return store

    def _run(
        self, folder: Path, **pipeline: Any
    ) -> tuple[dict[str, TaskResult], Store, list[Event]]:
        store = self.make_store(folder)
        graph = fake_pipeline(**pipeline).plan().graph
        events: list[Event] = []
        results = run_graph(graph, store, {"local": self._make(graph, store)}, events)
        return results, store, events

    def test_all_succeed(self, tmp_path: Path) -> None:
        """Everything is done, in order, and what it wrote is there."""
        count = self.n_items
        results, store, events = self._run(tmp_path, start={"count": count})
        assert {result.state for result in results.values()} == {State.SUCCEEDED}
        assert store.read("A/Follow/00003") == b"00003+"
        lines = store.read("combine/Gather/all").decode().splitlines()
        assert lines == [f"{number:05}+" for number in range(count)] + ["00000", "00001"]
        ended = [event.task.id for event in events if isinstance(event, TaskEnded)]
        assert len(ended) == len(set(ended)) == len(results) == 2 * count + 2 + 1
        assert ended.index("A/Start/00003") < ended.index("A/Follow/00003")
        assert ended[-1] == "combine/Gather/all"
        assert isinstance(events[-1], RunEnded)
        _check_starts(events)

    def test_failures_and_skips_stay_where_they_are(self, tmp_path: Path) -> None:
        """One failure never stops independent work, and what depends on it never waits."""
        results, store, events = self._run(
            tmp_path,
            start={"count": 6, "fail": ["00001"], "skip": ["00002"]},
            follow={"fail": ["00003"]},
        )
        states = {task_id: result.state for task_id, result in results.items()}
        assert states["A/Start/00001"] is State.FAILED
        assert results["A/Start/00001"].reason == "00001 is bad"
        assert DataError.__name__ in results["A/Start/00001"].details
        assert states["A/Follow/00001"] is State.BLOCKED
        assert "A/Start/00001" in results["A/Follow/00001"].reason
        assert states["A/Start/00002"] is states["A/Follow/00002"] is State.SKIPPED
        assert results["A/Follow/00002"].reason == "00002 is empty"
        assert states["A/Follow/00003"] is State.FAILED
        assert states["combine/Gather/all"] is State.SUCCEEDED
        text = store.read("combine/Gather/all").decode()
        assert "00000+\n00004+\n00005+\n00000\n00001\n" in text
        assert "missing A/Follow/00001: blocked: A/Start/00001 failed: 00001 is bad" in text
        assert "missing A/Follow/00002: skipped: 00002 is empty" in text
        _check_starts(events)

    def test_names_arrive_as_they_are(self, tmp_path: Path) -> None:
        """Names of Items are never interpreted on their way."""
        names = ["a b", "-x", "$(touch gone)", "ä€", "'\"", "a/b", "..", "%41", "a;b|c&d"]
        start, follow = {"names": names, **self.names_settings}, self.names_settings
        results, store, _ = self._run(tmp_path, start=start, follow=follow)
        assert {result.state for result in results.values()} == {State.SUCCEEDED}
        lines = store.read("combine/Gather/all").decode().splitlines()
        assert lines[: len(names)] == [f"{name}+" for name in names]

    def test_submit_does_not_wait(self, tmp_path: Path) -> None:
        """The coordinator must stay free for other engines."""
        store, gate = self.make_store(tmp_path / "run"), Gate(tmp_path / "gate")
        start = {"count": 2, "gate": str(gate.folder)}
        graph = fake_pipeline(start=start).plan().graph
        runner = self._make(graph, store)
        listener = Reports()
        runner.start(store, listener)
        try:
            runner.submit([task for task in graph if task.id.startswith("A/Start")])
            assert not listener.reports
            gate.open()
            _wait(lambda: len(listener.reports) == 2)
        finally:
            gate.open()
            runner.close()
        assert {report.state for report in listener.reports} == {State.SUCCEEDED}

    def test_cancel_gives_up_the_rest(self, tmp_path: Path) -> None:
        """A cancelled engine ends soon and reports no Task that had not begun."""
        store, gate = self.make_store(tmp_path / "run"), Gate(tmp_path / "gate")
        held = [f"{number:05}" for number in range(1, 20)]
        start = {"count": 20, "gate": str(gate.folder), "held": held}
        graph = fake_pipeline(start=start).plan().graph
        runner = self._make(graph, store)
        listener = Reports()
        runner.start(store, listener)
        runner.submit([task for task in graph if task.id.startswith("A/Start")])
        _wait(lambda: len(listener.reports) >= 1)
        runner.cancel()
        gate.open()  # what had begun may end
        runner.close()
        count = len(listener.reports)
        assert count < 20
        time.sleep(0.2)
        assert len(listener.reports) == count

    def test_an_idle_engine_closes(self, tmp_path: Path) -> None:
        """Nothing hangs where nothing was done."""
        store = self.make_store(tmp_path)
        runner = self._make(fake_pipeline().plan().graph, store)
        runner.start(store, Reports())
        runner.close()

    def test_what_is_withdrawn_is_not_waited_for(self, tmp_path: Path) -> None:
        """Nobody waits for such Tasks, and the others are done."""
        store, gate = self.make_store(tmp_path / "run"), Gate(tmp_path / "gate")
        count = self.n_withdrawn or self.n_items
        start = {"count": count, "gate": str(gate.folder)}
        graph = fake_pipeline(start=start).plan().graph
        runner = self._make(graph, store)
        tasks = [task for task in graph if task.id.startswith("A/Start")]
        unwanted = {task.id for task in tasks[count // 2 :]}
        listener = Reports()
        runner.start(store, listener)
        try:
            runner.submit(tasks)
            runner.withdraw(unwanted)
            runner.withdraw({"A/Start/never"})
            gate.open()
            wanted = {task.id for task in tasks} - unwanted
            _wait(lambda: wanted <= {report.task_id for report in listener.reports})
        finally:
            gate.open()
            runner.close()
        ids = [report.task_id for report in listener.reports]
        assert len(ids) == len(set(ids))
        assert [report for report in listener.reports if report.state is not State.SUCCEEDED] == []
        assert len(ids) < count or not self.n_withdrawn

    def test_what_it_says_of_itself(self) -> None:
        """Settings are declared with their meaning, and older names are names of settings."""
        cls = self.runner_class
        declared = params.names(cls.Settings)
        assert all(spec.metadata["doc"] for spec in declared.values())
        assert set(cls.old_names.values()) <= set(declared)
        assert params.build(cls.Settings, {}, "contract") is not None
        if cls.elsewhere:  # what is on another machine is in another process
            assert cls.needs_shared_store


class Reports:
    """A Listener that keeps what it is told."""

    def __init__(self) -> None:
        self.reports: list[TaskResult] = []

    def started(self, task_id: str) -> None:
        """Let it pass."""

    def report(self, result: TaskResult) -> None:
        """Keep it."""
        self.reports.append(result)

    def tell(self, status: EngineStatus) -> None:
        """Let it pass."""


def _check_starts(events: Sequence[Event]) -> None:
    """Watchers see a Task begin at most once, and before its end."""
    started = [event.task.id for event in events if isinstance(event, TaskStarted)]
    assert len(started) == len(set(started))
    ended: set[str] = set()
    for event in events:
        if isinstance(event, TaskStarted):
            assert event.task.id not in ended
        elif isinstance(event, TaskEnded):
            ended.add(event.task.id)
    assert ended >= set(started)


def _wait(until: Any, seconds: float = 60.0) -> None:
    """Wait for another thread."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "nothing happened for a long time"
        time.sleep(0.01)
