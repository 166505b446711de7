"""The execution report of many dates on emulated Batch whose Spot nodes are taken away.

``python tests/drivers/execution_on_batch.py [PAGE] [DATES]``: runs the main job over so many months
(200), measures NDVI as a task of the service for each date, and compares the sums of the report
with what the emulator has counted. The page is copied to PAGE.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from azure_batch_emulator import Faults
from azure_batch_emulator.account.nodes import Node
from pyveg.core.events import EngineStatus, Event
from pyveg.core.layout import EXECUTION
from pyveg.jobs.run import run_pipeline
from pyveg.runners.azure_batch.service import BatchService
from pyveg.runs.execution import Totals, execution_of
from pyveg.runs.run import open_run
from pyveg.testing.azure_cloud import LocalCloud

CONFIG = """
from pyveg.configs.collections import data_collections

name = "many-dates"
output_location = "many-dates"
output_location_type = "azure"
coordinates = (27.95, 11.57)
region_size = 0.011
date_range = ["{first}-01-01", "{last}"]
collections_to_use = ["SimulatedSentinel2"]
modules_to_use = {{
    "SimulatedSentinel2": ["VegetationDownloader", "VegetationImageProcessor", "NDVICalculator"]
}}
special_config = {{
    "SimulatedSentinel2": {{"spin_up": 200}}, "NDVICalculator": {{"run_mode": "batch"}}
}}
"""
FIRST = 2015


def main(page: str = "", dates: str = "200") -> int:
    """Run it and compare; the exit code."""
    months = int(dates)
    last = f"{FIRST + months // 12}-{months % 12 + 1:02d}-01"
    seen: dict[str, Any] = {}
    taken: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "config.py"
        config.write_text(CONFIG.format(first=FIRST, last=last))
        faults = Faults(seed=5, preempt_rate=0.1)
        with LocalCloud(folder / "cloud", faults) as cloud:
            accounts = folder / "azure_config.py"
            accounts.write_text(
                cloud.config(
                    pool_dedicated_node_count=0,
                    pool_low_priority_node_count=4,
                    poll_seconds=0.5,
                )
            )
            os.environ["PYVEG_AZURE_CONFIG"] = str(accounts)
            client = BatchClient(
                cloud.batch.url, AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
            )
            _watch(client, seen, taken)
            report = run_pipeline(config, observers=[_tell])
            store = open_run(report.url).store
            execution = execution_of(store)
            data = store.read(EXECUTION)
    if page:
        Path(page).parent.mkdir(parents=True, exist_ok=True)
        Path(page).write_bytes(_nameless(data))
    print({str(state): count for state, count in report.counts.items()}, len(data), "bytes")
    rows = [row for row in execution.ran if row.label.endswith("/NDVICalculator")]
    total = Totals.of(rows)
    infos = [task.execution_info for task in seen.values()]
    spent = sum((info.end_time - info.start_time).total_seconds() for info in infos)
    again = sum((info.requeue_count or 0) + (info.retry_count or 0) for info in infos)
    nodes: dict[str, int] = {}
    for task in seen.values():
        nodes[task.node_info.node_id] = nodes.get(task.node_info.node_id, 0) + 1
    mine: dict[str, int] = {}
    for row in rows:
        mine[row.usage.node] = mine.get(row.usage.node, 0) + 1
    checks = {
        "tasks": (total.tasks, len(seen)),
        "seconds": (round(total.seconds, 3), round(spent, 3)),
        "begun again": (total.more_tries, again),
        "tasks by node": (mine, nodes),
        "results": (
            round(sum(r.usage.seconds for r in report.results.values() if r.usage), 3),
            round(execution.total.seconds, 3),
        ),
    }
    print(f"nodes were taken away {len(taken)} times")
    for what, (here, there) in checks.items():
        print(
            f"{what}: report {here}, emulator {there}: {'same' if here == there else 'DIFFERENT'}"
        )
    print(f"queue {total.queue_seconds:.1f} s, start {total.start_seconds:.1f} s, read "
          f"{total.read_seconds:.1f} s, compute {total.compute_seconds:.1f} s, write "
          f"{total.write_seconds:.1f} s, CPU {total.cpu_seconds:.1f} s, peak "
          f"{total.peak_memory_mb:.0f} MiB")  # fmt: skip
    return 0 if all(here == there for here, there in checks.values()) else 1


def _nameless(data: bytes) -> bytes:
    """The page without the name of this machine."""
    name = re.escape(platform.node().encode())
    return re.sub(b'([">])' + name + b"([<:])", rb"\1this-machine\2", data)


def _watch(client: BatchClient, seen: dict[str, Any], taken: list[str]) -> None:
    """Keep the tasks of each job before it is deleted, and count nodes that are taken away."""
    delete, preempt = BatchService.delete_job, Node.preempt

    def deleted(service: BatchService, job: str) -> None:
        seen.update((task.id, task) for task in client.list_tasks(job))
        delete(service, job)

    def preempted(node: Node, life: int) -> None:
        preempt(node, life)
        if node.state == "preempted":
            taken.append(node.id)

    BatchService.delete_job = deleted  # type: ignore[method-assign]
    Node.preempt = preempted  # type: ignore[method-assign]


def _tell(event: Event) -> None:
    if isinstance(event, EngineStatus):
        print(event.text, flush=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
