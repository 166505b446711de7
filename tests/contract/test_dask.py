"""Dask passes the suite of the other engines, with a real scheduler and real workers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.ports import Runner, Work
from pyveg.core.tasks import State
from pyveg.runners.dask.runner import DaskRunner
from pyveg.storage.local import LocalStore
from pyveg.testing.dask_processes import DaskProcesses
from pyveg.testing.graphs import fake_pipeline, run_graph, spec
from pyveg.testing.runner_contract import RunnerContract


class TestDask(RunnerContract):
    runner_class = DaskRunner
    n_withdrawn = 100  # it gives 64 to its scheduler at once

    @pytest.fixture(autouse=True)
    def _processes(self, dask_processes: DaskProcesses) -> None:
        self.address = dask_processes.address

    def make_runner(self, work: Work) -> Runner:
        self.settings = {"scheduler": self.address}
        return super().make_runner(work)

    def test_a_task_beyond_its_time_limit_is_ended(self, tmp_path: Path) -> None:
        store = LocalStore(tmp_path)
        first, second, combine = fake_pipeline(start={"count": 1}).sequences
        slow = spec("Start", count=1, timeout=2 / 60, seconds=90.0)
        sequences = (first, type(second)(second.scope, (slow,)), combine)
        graph = type(fake_pipeline())("t", sequences, "x").plan().graph
        results = run_graph(graph, store, {"local": self._make(graph, store)}, [])
        bad = {id_: r.reason for id_, r in results.items() if r.state is not State.SUCCEEDED}
        assert list(bad) == ["B/Start/00000"]
        assert "time limit of 0:00:02" in bad["B/Start/00000"]

    def test_nothing_is_left_behind(self, tmp_path: Path) -> None:
        from distributed import Client

        _, store, _ = self._run(tmp_path, start={"count": 2})
        assert not list(store.list("_pyveg/dask"))
        end = time.monotonic() + 10
        with Client(self.address, set_as_default=False) as client:
            while client.run_on_scheduler(_keys_at):  # what a test gave up may run for a moment
                assert time.monotonic() < end
                time.sleep(0.05)


def _keys_at(dask_scheduler: Any) -> list[str]:
    return [str(key) for key in dask_scheduler.tasks]
