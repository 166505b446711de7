"""Azure Batch passes the suite of the other engines, on the emulator with the real client."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pyveg.core.ports import Store
from pyveg.core.tasks import State
from pyveg.runners.azure_batch.engine import AzureBatchEngine
from pyveg.storage import azure
from pyveg.testing.graphs import fake_pipeline, run_graph, spec
from pyveg.testing.runner_contract import RunnerContract


class TestAzureBatch(RunnerContract):
    runner_class = AzureBatchEngine
    n_items = 4  # each Task is a process that is started on a node
    n_withdrawn = 6
    names_settings: ClassVar[dict[str, int]] = {"n_batch_tasks": 5}  # of two names, and of one

    @pytest.fixture(autouse=True)
    def _cloud(self, make_cloud: Any) -> None:
        self.cloud = make_cloud()
        self._container = f"contract-{uuid.uuid4().hex[:12]}"

    def make_store(self, _: Path) -> Store:
        return azure.open_store(self._container)

    def test_a_task_beyond_its_time_limit_is_ended(self, tmp_path: Path) -> None:
        store = self.make_store(tmp_path)
        first, second, combine = fake_pipeline(start={"count": 1}).sequences
        slow = spec("Start", count=1, timeout=3 / 60, seconds=90.0)
        sequences = (first, type(second)(second.scope, (slow,)), combine)
        graph = type(fake_pipeline())("t", sequences, "x").plan().graph
        results = run_graph(graph, store, {"local": self._make(graph, store)}, [])
        bad = {id_: r.reason for id_, r in results.items() if r.state is not State.SUCCEEDED}
        assert list(bad) == ["B/Start/00000"]
        assert "time limit of 0:00:03" in bad["B/Start/00000"]

    def test_a_task_that_kills_its_process_fails_alone(self, tmp_path: Path) -> None:
        results, _, _ = self._run(tmp_path, start={"count": 2, "die": ["00001"]})
        failed = {id_: r.reason for id_, r in results.items() if r.state is State.FAILED}
        blocked = [id_ for id_, r in results.items() if r.state is State.BLOCKED]
        assert (list(failed), len(blocked)) == (["A/Start/00001"], 1), failed
        assert "its process on the node died: exit code" in results["A/Start/00001"].reason
