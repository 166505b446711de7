"""Tasks on emulated Batch that need more memory than they have: slots, sizes, a second try."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch.models import BatchPool, BatchTask
from azure.core.credentials import AzureNamedKeyCredential

from pyveg.core.events import EngineStatus, Event
from pyveg.core.tasks import State
from pyveg.jobs.load import load_pipeline
from pyveg.jobs.run import run_pipeline
from pyveg.runners.azure_batch.service import BatchService

PROGRAM = (
    "import sys, time\n"
    "size = int(open(sys.argv[1]).read())\n"
    "held = bytearray(size * 2**20)\n"
    "time.sleep(0.5)\n"
    "open(sys.argv[2] + '/out.txt', 'w').write(str(len(held)))\n"
)


@pytest.mark.slow
def test_what_dies_of_memory_gets_more_slots(
    make_cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = make_cloud(pool_vm_sizes=("Standard_E4s_v5", "Standard_F2s_v2", "Standard_D2s_v5"))
    pools: list[BatchPool] = []
    tasks: list[BatchTask] = []
    delete = BatchService.delete_job

    def deleted(service: BatchService, job: str) -> None:
        key = AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
        client = BatchClient(cloud.batch.url, key)
        pools.extend(client.list_pools())
        tasks.extend(client.list_tasks(job))
        delete(service, job)

    monkeypatch.setattr(BatchService, "delete_job", deleted)
    for name, size in (("large", 600), ("small", 20)):
        (tmp_path / f"{name}.txt").write_text(str(size))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "hungry.py").write_text(PROGRAM)
    config = {
        "name": "hungry",
        "output_location": f"hungry-{uuid.uuid4().hex[:8]}",
        "output_location_type": "azure",
        "modules_to_use": {"job": ["CommandModule"]},
        "special_config": {
            "CommandModule": {
                "run_mode": "batch",
                "command": ["python", "hungry.py", "{input}", "{output_dir}"],
                "application": str(tmp_path / "app"),
                "inputs": [str(tmp_path / "*.txt")],
                "resources": {"memory_gb": 0.3, "cpus": 1, "retry_memory_gb": 3},
            }
        },
    }
    told: list[Event] = []
    report = run_pipeline(load_pipeline(config), observers=[told.append])
    assert report.counts == {State.SUCCEEDED: 2}
    said = [e.text for e in told if isinstance(e, EngineStatus) and "once more" in e.text]
    assert said == [
        "job/CommandModule/large.txt died for want of memory with 0.3 GiB; it is tried once more "
        "with 3 GiB"
    ]
    (pool,) = {pool.id: pool for pool in pools}.values()
    assert (pool.vm_size.lower(), pool.task_slots_per_node) == ("standard_f2s_v2", 8)
    slots = sorted((task.id, task.required_slots) for task in tasks)
    assert [count for _, count in slots] == [4, 6, 4]
    large = report.results["job/CommandModule/large.txt"].usage
    assert large is not None
    assert large.tries == 2
    if sys.platform.startswith("linux"):
        assert (large.peak_memory_mb or 0) > 600
