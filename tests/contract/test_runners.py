"""Every engine passes the same suite; so does one that resolves dependencies by itself."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from pyveg.core.errors import ConfigError
from pyveg.core.execute import run_task
from pyveg.core.ports import EngineSettings, Listener, Runner, Store, Work
from pyveg.core.tasks import State, Task
from pyveg.runners.local import SerialRunner, ThreadRunner
from pyveg.runners.processes import ProcessRunner
from pyveg.storage.local import LocalStore
from pyveg.testing.graphs import fake_pipeline, run_graph, spec, work_of
from pyveg.testing.runner_contract import RunnerContract


class TestSerial(RunnerContract):
    runner_class = SerialRunner


class TestThreads(RunnerContract):
    runner_class = ThreadRunner


class TestProcesses(RunnerContract):
    runner_class = ProcessRunner

    def test_a_task_that_kills_its_worker_fails_alone(self, tmp_path: Path) -> None:
        results, _, _ = self._run(tmp_path, start={"count": 12, "die": ["00004", "00005"]})
        failed = {id_ for id_, result in results.items() if result.state is State.FAILED}
        assert failed == {"A/Start/00004", "A/Start/00005"}
        assert "worker process died" in results["A/Start/00004"].reason
        states = [result.state for result in results.values()]
        assert states.count(State.BLOCKED) == 2
        assert states.count(State.SUCCEEDED) == 27 - 4

    def test_a_task_beyond_its_time_limit_is_ended(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        pipeline = fake_pipeline(start={"count": 4, "timeout": 2 / 60, "seconds": 0.05})
        slow = spec("Start", count=1, timeout=2 / 60, seconds=90.0)
        first, second, combine = pipeline.sequences
        sequences = (first, type(second)(second.scope, (slow,)), combine)
        graph = type(pipeline)("t", sequences, "x").plan().graph
        runner = ProcessRunner(EngineSettings(), work_of(graph, store))
        results = run_graph(graph, store, {"local": runner}, [])
        bad = {id_: r.reason for id_, r in results.items() if r.state is not State.SUCCEEDED}
        assert list(bad) == ["B/Start/00000"]
        assert "time limit of 0:00:02" in bad["B/Start/00000"]

    def test_a_script_without_a_main_guard_is_not_run_again(self, tmp_path: Path) -> None:
        import subprocess
        import sys

        script = tmp_path / "script.py"
        script.write_text(
            "from pathlib import Path\n"
            "from pyveg.jobs.run import run_pipeline\n"
            "from pyveg.testing.graphs import fake_pipeline\n"
            "print('once')\n"
            f"report = run_pipeline(fake_pipeline(output_location={str(tmp_path / 'run')!r}))\n"
            "print(report.exit_code)\n"
        )
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.stdout.split() == ["once", "0"], done.stderr


class OrderingRunner(Runner):
    """An engine that takes whole graphs and orders Tasks itself, as a batch service does."""

    resolves_dependencies: ClassVar[bool] = True

    def __init__(self, settings: EngineSettings, work: Work) -> None:
        self._lock = threading.Condition()
        self._waiting: dict[str, Task] = {}
        self._good: set[str] = set()
        self._bad: set[str] = set()
        self._stop = False
        self.bulks: list[list[str]] = []
        del settings, work

    def start(self, store: Store, listener: Listener) -> None:
        self._store, self._listener = store, listener
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def submit(self, tasks: Sequence[Task]) -> None:
        with self._lock:
            self.bulks.append([task.id for task in tasks])
            self._waiting.update((task.id, task) for task in tasks)
            self._lock.notify()

    def _next(self) -> Task | None:
        for task in self._waiting.values():
            known = {*self._waiting, *self._bad}
            if not known & set(task.after):
                return task
        return None

    def _work(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._stop or self._next() is not None)
                task = self._next()
                if self._stop or task is None:
                    return
            self._listener.started(task.id)
            result = run_task(task, self._store)
            with self._lock:
                self._waiting.pop(task.id, None)
                (self._bad if result.state is State.FAILED else self._good).add(task.id)
            if not self._stop:
                self._listener.report(result)

    def cancel(self) -> None:
        with self._lock:
            self._stop = True
            self._lock.notify()

    def withdraw(self, task_ids: Collection[str]) -> None:
        with self._lock:
            for task_id in task_ids:
                self._waiting.pop(task_id, None)

    def close(self) -> None:
        self.cancel()
        self._thread.join()


class TestOrdering(RunnerContract):
    runner_class = OrderingRunner

    def test_it_gets_a_chain_at_once(self, tmp_path: Path) -> None:
        graph = fake_pipeline(start={"count": 3}).plan().graph
        store = LocalStore(tmp_path)
        runner = OrderingRunner(EngineSettings(), work_of(graph, store))
        run_graph(graph, store, {"local": runner}, [])
        first, *rest = runner.bulks
        assert len(first) == 3 + 3 + 2
        assert rest == [["combine/Gather/all"]]
        assert first.index("A/Start/00001") < first.index("A/Follow/00001")


def test_two_engines_work_on_one_run(tmp_path: Path) -> None:
    """Tasks that wait for another engine are handed over when those have ended."""
    pipeline = fake_pipeline(start={"count": 3, "skip": ["00001"]})
    first, *rest = pipeline.sequences
    start, follow = first.modules
    batch = type(follow)(follow.module, type(follow.settings)(run_mode="batch"))
    sequences = (type(first)(first.scope, (start, batch)), *rest)
    graph = type(pipeline)("t", sequences, "x").plan().graph
    store = LocalStore(tmp_path)
    ordering = OrderingRunner(EngineSettings(), work_of(graph, store, ["batch"]))
    threads = ThreadRunner(EngineSettings(), work_of(graph, store))
    results = run_graph(graph, store, {"local": threads, "batch": ordering}, [])
    assert sorted(itertools.chain.from_iterable(ordering.bulks)) == [
        "A/Follow/00000",
        "A/Follow/00002",
    ]
    assert results["A/Follow/00001"].state is State.SKIPPED
    assert results["combine/Gather/all"].state is State.SUCCEEDED


@pytest.mark.parametrize("runner", ["threads", "serial", "processes"])
@pytest.mark.parametrize("n_workers", [1, 3])
def test_results_do_not_depend_on_the_engine(tmp_path: Path, runner: str, n_workers: int) -> None:
    from pyveg.jobs.run import run_pipeline

    pipeline = fake_pipeline(
        start={"count": 7, "skip": ["00002"]},
        output_location=str(tmp_path / "run"),
        runner=runner,
        n_workers=n_workers,
    )
    report = run_pipeline(pipeline)
    assert report.exit_code == 0
    (folder,) = tmp_path.iterdir()
    text = (folder / "combine/Gather/all").read_text()
    numbers = [f"{number:05}+" for number in range(7) if number != 2]
    missing = [f"missing A/{name}/00002: skipped: 00002 is empty" for name in ("Follow", "Start")]
    assert text.splitlines() == [*numbers, "00000", "00001", *missing]


def test_an_unknown_runner_is_refused(tmp_path: Path) -> None:
    from pyveg.jobs.run import run_pipeline

    pipeline = fake_pipeline(output_location=str(tmp_path / "run"), runner="process")
    with pytest.raises(ConfigError, match='runner "process"; did you mean "processes"'):
        run_pipeline(pipeline)
    assert not list(tmp_path.iterdir())
