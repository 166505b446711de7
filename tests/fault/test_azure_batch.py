"""What goes wrong at Azure Batch, and what the user is told."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch.models import BatchTask
from azure.core.credentials import AzureNamedKeyCredential

from azure_batch_emulator import Faults
from azure_batch_emulator.account.nodes import Node
from pyveg.core.errors import EngineError
from pyveg.core.events import EngineStatus, Event, TaskStarted
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.jobs.run import run_pipeline
from pyveg.runners.azure_batch.service import BatchService
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.graphs import fake_pipeline


def _run(
    start: dict[str, Any] | None = None,
    follow: dict[str, Any] | None = None,
    events: list[Event] | None = None,
    **more: Any,
) -> RunReport:
    """Sequence A on Batch, B on this machine, and a combiner behind both."""
    pipeline = fake_pipeline(
        start={"count": 2, "run_mode": "batch", **(start or {})},
        follow={"run_mode": "batch", **(follow or {})},
        output_location=f"fault-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    return run_pipeline(pipeline, observers=[(events if events is not None else []).append], **more)


def _client(cloud: LocalCloud) -> BatchClient:
    credential = AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    return BatchClient(cloud.batch.url, credential)


def _nothing_is_left(cloud: LocalCloud) -> None:
    client = _client(cloud)
    assert [pool.id for pool in client.list_pools()] == []
    assert [job.id for job in client.list_jobs()] == []


def _reasons(report: RunReport, state: State = State.FAILED) -> set[str]:
    return {result.reason for result in report.results.values() if result.state is state}


def test_a_wrong_key(make_cloud: Any) -> None:
    make_cloud(batch_account_key="d3Jvbmc=")
    with pytest.raises(
        EngineError, match=r"the key of the Batch account is wrong \(.+\); copy it anew"
    ):
        _run()


def test_an_account_that_does_not_answer(make_cloud: Any) -> None:
    make_cloud(batch_account_url="http://127.0.0.1:9")
    expected = "cannot be reached: it refuses connections; check batch"
    with pytest.raises(EngineError, match=expected):
        _run()


def test_an_image_that_is_not_there(make_cloud: Any) -> None:
    make_cloud(pool_image={"publisher": "canonical", "offer": "ubuntu", "sku": "18.04"})
    with pytest.raises(EngineError, match=r"knows no image .*18\.04.*; choose one"):
        _run()


def test_no_cores_are_left(make_cloud: Any) -> None:
    cloud = make_cloud(faults=Faults(core_quota=0))
    report = _run()
    (reason,) = _reasons(report)
    assert reason.startswith("no node was given: the account may not have more dedicated cores")
    assert "lower pool_dedicated_node_count" in reason
    assert report.exit_code == 1
    assert report.counts == {State.FAILED: 2, State.BLOCKED: 2, State.SUCCEEDED: 3}
    _nothing_is_left(cloud)


def test_fewer_nodes_than_were_asked_for_do_the_work(make_cloud: Any) -> None:
    cloud = make_cloud(faults=Faults(core_quota=2), pool_dedicated_node_count=4)
    events: list[Event] = []
    report = _run(events=events)
    assert report.exit_code == 0
    told = [event.text for event in events if isinstance(event, EngineStatus)]
    assert any("may not have more dedicated cores" in text for text in told)
    _nothing_is_left(cloud)


def test_no_job_may_be_made(make_cloud: Any) -> None:
    cloud = make_cloud(faults=Faults(job_quota=0))
    report = _run()
    (reason,) = _reasons(report)
    assert "the account may not have more active jobs (" in reason
    assert "; remove old ones (pyveg_azure_cleanup) or ask for a higher quota" in reason
    assert report.counts[State.FAILED] == 2
    _nothing_is_left(cloud)


def test_no_pool_may_be_made(make_cloud: Any) -> None:
    make_cloud(faults=Faults(pool_quota=0))
    (reason,) = _reasons(_run())
    assert "may not have more pools" in reason


def test_nodes_that_cannot_be_set_up(make_cloud: Any) -> None:
    """Neither ask the user to wait, nor the service to go on."""
    cloud = make_cloud(faults=Faults(unusable_rate=1.0))
    (reason,) = _reasons(_run())
    assert reason.startswith("no node can work: EmulatedFault: The node was made unusable")
    _nothing_is_left(cloud)


def test_a_start_task_that_fails(make_cloud: Any, monkeypatch: Any) -> None:
    """The end of what it said is told."""
    from pyveg.runners.azure_batch import packages

    script = b"echo unpacking; echo there is no disk left >&2; exit 3\n"
    whole = packages.make_delivery
    monkeypatch.setattr(
        "pyveg.runners.azure_batch.runner.make_delivery",
        lambda *told: packages.Delivery({**whole(*told).files, packages.SCRIPT: script}),
    )
    cloud = make_cloud()
    (reason,) = _reasons(_run())
    assert reason == "no node can work: setting up a node failed: there is no disk left"
    _nothing_is_left(cloud)


def test_nodes_that_never_come_up(make_cloud: Any) -> None:
    cloud = make_cloud(faults=Faults(node_start_seconds=600), node_start_minutes=0.03)
    (reason,) = _reasons(_run())
    assert "no node came up in 0 minutes (nodes: 1 starting)" in reason
    assert "node_start_minutes" in reason
    _nothing_is_left(cloud)


def test_no_machines_are_to_be_had(make_cloud: Any) -> None:
    cloud = make_cloud(faults=Faults(node_supply=0))
    (reason,) = _reasons(_run())
    assert reason.startswith("no node was given: Azure has no such machines to give now (")
    assert "); try again later, another pool_vm_size or another region" in reason
    _nothing_is_left(cloud)


def test_spot_nodes_that_are_taken_away(make_cloud: Any, monkeypatch: Any) -> None:
    """The tasks run again; nobody calls that a failure."""
    taken: list[str] = []
    preempt = Node.preempt

    def count(node: Node, life: int) -> None:
        preempt(node, life)
        if node.state == "preempted":
            taken.append(node.id)

    seen: list[BatchTask] = []
    delete = BatchService.delete_job

    def deleted(service: BatchService, job: str) -> None:
        seen.extend(_client(cloud).list_tasks(job))
        delete(service, job)

    monkeypatch.setattr(Node, "preempt", count)
    monkeypatch.setattr(BatchService, "delete_job", deleted)
    cloud = make_cloud(
        faults=Faults(preempt_rate=0.5, seed=3),
        pool_dedicated_node_count=0,
        pool_low_priority_node_count=2,
    )
    report = _run({"count": 3, "seconds": 0.2})
    assert report.exit_code == 0
    assert report.counts == {State.SUCCEEDED: 9}
    assert taken
    used = [report.results[one.id].usage for one in report.graph if one.step.run_mode == "batch"]
    there = [task.execution_info for task in seen]
    spent = sum((info.end_time - info.start_time).total_seconds() for info in there)
    assert len(used) == len(there) == 6
    assert sum(one.tries for one in used if one) == 6 + sum(i.requeue_count for i in there) > 6
    assert sum(one.seconds for one in used if one) == pytest.approx(spent, abs=0.01)
    assert {one.node for one in used if one} == {task.node_info.node_id for task in seen}
    assert all(one.start_seconds > 0.1 for one in used if one)
    _nothing_is_left(cloud)


@pytest.mark.parametrize("retry_after", [None, 0.05])
def test_a_service_that_is_busy(make_cloud: Any, retry_after: float | None) -> None:
    cloud = make_cloud(faults=Faults(throttle_rate=0.3, retry_after=retry_after))
    report = _run({"count": 1})
    assert report.exit_code == 0
    assert any(request.status in (429, 503) for request in cloud.batch.requests)
    cloud.batch.faults = Faults()
    _nothing_is_left(cloud)


def test_a_date_that_fails_blocks_its_own_only(make_cloud: Any) -> None:
    cloud = make_cloud()
    report = _run({"count": 2, "fail": ["00001"]})
    results = report.results
    assert results["A/Start/00001"].reason == "00001 is bad"
    assert "DataError" in results["A/Start/00001"].details
    assert results["A/Follow/00001"].reason == "A/Start/00001 failed: 00001 is bad"
    assert report.counts == {State.SUCCEEDED: 5, State.FAILED: 1, State.BLOCKED: 1}
    assert report.exit_code == 1
    _nothing_is_left(cloud)


def test_a_task_that_dies_is_tried_again(make_cloud: Any) -> None:
    """It fails when its tries are used up, with what the node saw."""
    make_cloud(faults=Faults(fail_rate=1.0), task_retries=2)
    report = _run({"count": 1})
    (reason,) = _reasons(report)
    assert "its process on the node died: exit code 137" in reason
    assert "it said: ended by the emulator's fail_rate" in reason


def test_dates_of_one_task_fail_alone(make_cloud: Any) -> None:
    """Some dates to a task: a bad one holds up its own date only."""
    cloud = make_cloud()
    report = _run({"count": 5, "fail": ["00003"], "n_batch_tasks": 2}, {"n_batch_tasks": 1})
    states = {id_: result.state for id_, result in report.results.items()}
    assert states.pop("A/Start/00003") is State.FAILED
    assert states.pop("A/Follow/00003") is State.BLOCKED
    assert set(states.values()) == {State.SUCCEEDED}
    paths = [request.path for request in cloud.batch.requests]
    assert sum(path.endswith("/addtaskcollection") for path in paths) == 2
    _nothing_is_left(cloud)


def test_a_run_is_finished_while_the_service_still_removes_what_it_had(make_cloud: Any) -> None:
    """Names of jobs and pools are not free at once."""
    cloud = make_cloud(faults=Faults(deleting_seconds=600))
    report = _run({"count": 2, "fail": ["00001"]})
    assert report.exit_code == 1
    assert len(list(_client(cloud).list_jobs())) == 1
    again = run_pipeline(from_cache=report.url.removeprefix("azure://"))
    assert again.counts == {State.CACHED: 5, State.FAILED: 1, State.BLOCKED: 1}
    assert {str(job.state) for job in _client(cloud).list_jobs()} == {"BatchJobState.DELETING"}
    assert sorted(job.id[-3:] for job in _client(cloud).list_jobs())[-1] == "-r2"
    assert {str(p.state) for p in _client(cloud).list_pools()} == {"BatchPoolState.DELETING"}


def test_a_job_that_somebody_ends(make_cloud: Any) -> None:
    """It is told as what it is, and the run goes on to its combiner."""
    cloud = make_cloud()

    class Ender(list[Event]):
        """Ends the job when a task of it runs."""

        def append(self, event: Event) -> None:
            super().append(event)
            if isinstance(event, TaskStarted) and event.task.step.run_mode == "batch":
                for job in _client(cloud).list_jobs():
                    options = {"terminateReason": "by hand"}
                    _client(cloud).begin_terminate_job(job.id, options=options)

    report = _run({"count": 1, "seconds": 60.0}, events=Ender())
    (reason,) = _reasons(report)
    assert "ended" in reason
    assert report.results["combine/Gather/all"].state is State.SUCCEEDED
    _nothing_is_left(cloud)
