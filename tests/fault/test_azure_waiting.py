"""Tasks that wait while nodes idle: it is told why, and given up where it will stay so."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch import models as m
from azure.core.credentials import AzureNamedKeyCredential

from pyveg.azure_config import IMAGE
from pyveg.core.events import EngineStatus, Event, TaskStarted
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.jobs.run import run_pipeline
from pyveg.runners.azure_batch import packages
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.graphs import fake_pipeline

FAST = {"polling_interval": 0.1}
MINE = "mine"


def _client(cloud: LocalCloud) -> BatchClient:
    credential = AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    return BatchClient(cloud.batch.url, credential)


def _own_pool(client: BatchClient, nodes: int = 1) -> list[str]:
    """A pool that the user has made by hand, when its nodes are up; their ids."""
    machine = m.VirtualMachineConfiguration(
        image_reference=m.BatchVmImageReference(**IMAGE),
        node_agent_sku_id="batch.node.ubuntu 22.04",
    )
    pool = m.BatchPoolCreateOptions(
        id=MINE,
        vm_size="standard_d2s_v5",
        virtual_machine_configuration=machine,
        target_dedicated_nodes=nodes,
    )
    client.create_pool(pool)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = list(client.list_nodes(MINE))
        if len(found) == nodes and {str(node.state.value) for node in found} == {"idle"}:
            return [node.id for node in found]
        time.sleep(0.05)
    pytest.fail("the nodes of the pool did not come up")


def _run(
    on_event: Callable[[Event], None] | None = None, count: int = 2, **start: Any
) -> tuple[RunReport, list[EngineStatus], float]:
    """A run with one Sequence on Batch; what was told, and how long it took, seconds."""
    told: list[EngineStatus] = []

    def watch(event: Event) -> None:
        if isinstance(event, EngineStatus):
            told.append(event)
        if on_event is not None:
            on_event(event)

    pipeline = fake_pipeline(
        start={"count": count, "run_mode": "batch", **start},
        follow={"run_mode": "batch"},
        output_location=f"wait-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    begin = time.monotonic()
    report = run_pipeline(pipeline, observers=[watch])
    return report, told, time.monotonic() - begin


def _reasons(report: RunReport) -> set[str]:
    return {r.reason for r in report.results.values() if r.state is State.FAILED}


def _set_up_by(monkeypatch: pytest.MonkeyPatch, before: bytes) -> None:
    """Let nodes do something before they set themselves up."""
    whole = packages.make_delivery

    def make(*told: Any) -> packages.Delivery:
        usual = whole(*told)
        files = {**usual.files, packages.SCRIPT: before + usual.files[packages.SCRIPT]}
        delivery = packages.Delivery(files)
        vars(delivery)["digest"] = usual.digest  # the environment is there from other tests
        return delivery

    monkeypatch.setattr("pyveg.runners.azure_batch.runner.make_delivery", make)


def _only_the_pool_is_left(client: BatchClient) -> None:
    assert [pool.id for pool in client.list_pools()] == [MINE]
    assert [job.id for job in client.list_jobs()] == []


def test_a_preparation_that_fails_everywhere_ends_the_run_at_once(
    make_cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = make_cloud(batch_pool_id=MINE)
    client = _client(cloud)
    nodes = _own_pool(client, 2)
    _set_up_by(monkeypatch, b"echo looking; echo 'no way to the index' >&2; exit 3\n")
    report, told, seconds = _run()
    (reason,) = _reasons(report)
    assert "setting up a node failed on every node: " in reason
    assert "no way to the index" in reason
    assert all(node in reason for node in nodes)
    assert [s.urgent for s in told if "no way to the index" in s.text and "every" in s.text]
    assert seconds < 45
    assert report.exit_code == 1
    _only_the_pool_is_left(client)


def test_a_preparation_that_fails_on_one_node_is_told_and_the_others_work(
    make_cloud: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    cloud = make_cloud(batch_pool_id=MINE)
    client = _client(cloud)
    _own_pool(client, 2)
    first = tmp_path / "first"
    script = (
        f'mkdir {first} 2>/dev/null && echo "$AZ_BATCH_NODE_ID" > {first}/id\n'
        f'if [ "$(cat {first}/id)" = "$AZ_BATCH_NODE_ID" ]; then\n'
        "    echo its disk is bad >&2; exit 3\nfi\n"
    )
    _set_up_by(monkeypatch, script.encode())
    report, told, _ = _run(count=4, seconds=1.0)
    assert report.exit_code == 0, report.failures()
    (bad,) = {status.text for status in told if "its disk is bad" in status.text}
    assert "setting up a node failed on 1 of 2 nodes: " in bad
    assert (first / "id").read_text().strip() in bad
    _only_the_pool_is_left(client)


def test_scheduling_that_somebody_has_disabled(make_cloud: Any) -> None:
    """It is told with what to do, and given up when nobody does it."""
    cloud = make_cloud(batch_pool_id=MINE, waiting_minutes=0.02, node_start_minutes=0.12)
    client = _client(cloud)
    (node,) = _own_pool(client)
    options = m.BatchNodeDisableSchedulingOptions(node_disable_scheduling_option="requeue")
    client.disable_node_scheduling(MINE, node, options)
    report, told, seconds = _run()
    expected = "somebody has disabled scheduling on the nodes of the pool; enable it in the portal"
    assert _reasons(report) == {expected}
    assert [s.urgent for s in told if expected in s.text] == [True]
    assert 7 <= seconds < 60
    _only_the_pool_is_left(client)


def test_a_job_of_higher_priority_is_told_and_waited_for(make_cloud: Any) -> None:
    cloud = make_cloud(batch_pool_id=MINE, waiting_minutes=0.02, node_start_minutes=0.05)
    client = _client(cloud)
    _own_pool(client)
    client.create_job(
        m.BatchJobCreateOptions(id="urgent", priority=9, pool_info=m.BatchPoolInfo(pool_id=MINE))
    )
    client.create_task("urgent", m.BatchTaskCreateOptions(id="t", command_line="sleep 10"))
    report, told, _ = _run(count=1)
    assert report.exit_code == 0, report.failures()
    (text,) = {status.text for status in told if "priority" in status.text}
    assert "the nodes of the pool work for jobs of a higher priority (urgent); wait" in text


def test_a_pool_that_is_emptied(make_cloud: Any) -> None:
    """Somebody resizes it to nothing: that is told, and given up after a while."""
    cloud = make_cloud(batch_pool_id=MINE, node_start_minutes=0.12)
    client = _client(cloud)
    _own_pool(client)
    acted: list[None] = []

    def empty(event: Event) -> None:
        batch = isinstance(event, TaskStarted) and event.task.step.run_mode == "batch"
        if batch and not acted:
            acted.append(None)
            options = m.BatchPoolResizeOptions(target_dedicated_nodes=0)
            client.begin_resize_pool(MINE, options, **FAST)

    report, told, _ = _run(empty, seconds=30.0)
    (reason,) = _reasons(report)
    assert "the pool mine was resized to no nodes; give it some in the portal" in reason
    assert any(s.urgent and "resized to no nodes" in s.text for s in told)
    _only_the_pool_is_left(client)


def test_a_task_that_somebody_deletes(make_cloud: Any) -> None:
    """The others go on, and the run ends."""
    cloud = make_cloud(batch_pool_id=MINE)
    client = _client(cloud)
    _own_pool(client, 2)
    acted: list[str] = []

    def delete(event: Event) -> None:
        batch = isinstance(event, TaskStarted) and event.task.step.run_mode == "batch"
        if batch and not acted:
            (job,) = client.list_jobs()
            acted.append(event.task.id)
            client.delete_task(job.id, f"Start-{event.task.item.name}")

    report, _, seconds = _run(delete, seconds=3.0)
    (reason,) = _reasons(report)
    assert "was deleted by somebody; finish the run with --from_cache" in reason
    assert report.results[acted[0]].state is State.FAILED
    assert report.counts == {State.FAILED: 1, State.BLOCKED: 1, State.SUCCEEDED: 5}
    assert seconds < 60
    _only_the_pool_is_left(client)
