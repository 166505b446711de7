"""What the Azure Batch emulator needs for 5,000 tasks that do nothing.

Run ``python tests/benchmarks/bench_emulator.py``. Exits with 1 where submitting or listing them
takes 5 s or more. It needs azure-batch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from azure.batch import BatchClient
from azure.batch import models as m
from azure.core.credentials import AzureNamedKeyCredential

from azure_batch_emulator import Emulator

COUNT = 5000


def timed(name: str, action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    seconds = time.perf_counter() - begin
    print(f"{name:24} {seconds:6.2f} s")
    return seconds


def fill(client: BatchClient) -> None:
    image = m.BatchVmImageReference(publisher="microsoft-dsvm", offer="ubuntu-hpc", sku="2204")
    machine = m.VirtualMachineConfiguration(
        image_reference=image, node_agent_sku_id="batch.node.ubuntu 22.04"
    )
    pool = m.BatchPoolCreateOptions(
        id="p",
        vm_size="standard_d2s_v5",
        virtual_machine_configuration=machine,
        target_dedicated_nodes=2,
        task_slots_per_node=2,
    )
    client.create_job(m.BatchJobCreateOptions(id="j", pool_info=m.BatchPoolInfo(pool_id="p")))
    tasks = [m.BatchTaskCreateOptions(id=f"{n:05}", command_line="true") for n in range(COUNT)]
    slow = [
        timed("submit in 50 requests", lambda: client.create_tasks("j", tasks, max_concurrency=4)),
        timed("list all", lambda: list(client.list_tasks("j"))),
    ]
    active = "state eq 'active'"
    timed("list ids, filtered", lambda: list(client.list_tasks("j", filter=active, select=["id"])))
    timed("count", lambda: client.get_job_task_counts("j"))

    def execute() -> None:
        client.create_pool(pool)
        while client.get_job_task_counts("j").task_counts.completed < COUNT:
            time.sleep(0.1)

    timed("execute, 4 slots", execute)
    if max(slow) >= 5:
        sys.exit("too slow")


def main() -> None:
    with Emulator() as emulator:
        credential = AzureNamedKeyCredential(emulator.account, emulator.key)
        with BatchClient(emulator.url, credential) as client:
            fill(client)


if __name__ == "__main__":
    main()
