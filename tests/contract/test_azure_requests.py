"""What a run costs in requests to Azure Batch, counted at the emulator."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from azure_batch_emulator import Emulator, Faults, Settings
from pyveg.core.tasks import TaskGraph
from pyveg.runners.azure_batch import watch
from pyveg.runners.azure_batch.runner import AzureBatchRunner
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline, work_of
from pyveg.testing.runner_contract import Reports

IMAGE = {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2204"}


def _runner(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> AzureBatchRunner:
    monkeypatch.setenv("PYVEG_AZURE_BATCH_ACCOUNT_KEY", emulator.key)
    settings = AzureBatchRunner.Settings(
        batch_account_name=emulator.account,
        batch_account_url=emulator.url,
        batch_pool_id="p",
        pool_vm_size="standard_d2s_v5",
        pool_dedicated_node_count=2,
        pool_image=IMAGE,
        poll_seconds=0.2,
    )
    store = AzureBlobStore("http://127.0.0.1:9/account", "run", Access("a2V5"))
    return AzureBatchRunner(settings, work_of(TaskGraph([]), store))


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.02)


def test_many_tasks_cost_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 dates go out in 20 requests, and a look at them costs two."""
    monkeypatch.setattr(watch, "MARGIN", timedelta(seconds=1))
    tasks = list(fake_pipeline(start={"count": 2000}).plan().graph)
    ready = [task for task in tasks if task.id.startswith("A/Start/")]
    with Emulator(Settings(faults=Faults(node_start_seconds=600))) as emulator:
        runner = _runner(emulator, monkeypatch)
        store: Any = MemoryStore()
        runner.start(store, Reports())
        try:
            runner.submit(ready)
            _until(lambda: emulator.requests.counts["create_task_collection"] == 20)
            counts = emulator.requests.counts
            looks = ("get_job_task_counts", "list_pool_node_counts", "list_tasks", "get_job")
            assert sum(n for name, n in counts.items() if name not in looks) <= 30
            assert len(list(store.list("_pyveg/tasks/"))) == 2000

            time.sleep(2)  # twice the margin: from now on no change can be listed late
            before = emulator.requests.counts
            _until(lambda: (emulator.requests.counts - before)["list_pool_node_counts"] >= 5)
            spent = emulator.requests.counts - before
            rounds = spent.pop("list_pool_node_counts")
            assert spent.total() <= 2 * (rounds + 1)
            assert set(spent) <= set(looks)
        finally:
            runner.close()
        assert emulator.requests.counts["delete_job"] == 1
