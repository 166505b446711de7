"""Job preparation, and Spot nodes that are taken away."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from azure.batch import models as m
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from azure_batch_emulator import Faults

FAST = {"polling_interval": 0.02}
LOG = "sh -c 'echo prepared >> $AZ_BATCH_NODE_SHARED_DIR/log'"
WAIT = "sh -c 'while [ ! -e $AZ_BATCH_NODE_SHARED_DIR/go ]; do sleep 0.02; done'"
GO = "sh -c 'touch $AZ_BATCH_NODE_SHARED_DIR/go'"


def preparing(cloud: Any, command: str = LOG, *, nodes: int = 1, **options: Any) -> None:
    """A pool, and a job with a preparation task."""
    cloud.pool(dedicated=nodes, task_slots_per_node=2)
    cloud.nodes(number=nodes)
    task = m.BatchJobPreparationTask(command_line=command, **options)
    cloud.job(job_preparation_task=task)


def statuses(cloud: Any) -> list[Any]:
    found = cloud.client.list_job_preparation_and_release_task_status("j")
    return [one.job_preparation_task_execution_info for one in found]


def shared(cloud: Any, name: str) -> list[str]:
    """Lines of a file that all tasks of each node share."""
    nodes = [node.id for node in cloud.client.list_nodes("p")]
    parts = [cloud.send("GET", f"/pools/p/nodes/{n}/files/shared%2F{name}") for n in nodes]
    return [line for part in parts for line in part.content.decode().split()]


def test_each_node_is_prepared_once(cloud: Any) -> None:
    preparing(cloud, nodes=2)
    tasks = [f"t{number}" for number in range(10)]
    for id_ in tasks:
        cloud.add(id_, "sleep 0.05")
    cloud.in_state("completed", *tasks)
    assert shared(cloud, "log") == ["prepared"] * 2
    infos = statuses(cloud)
    assert [(i.state, i.result, i.exit_code, i.retry_count) for i in infos] == [
        ("completed", "success", 0, 0)
    ] * 2


def test_variables_of_the_preparation(cloud: Any) -> None:
    preparing(cloud, "sh -c 'echo made > file; env'")
    cloud.run("sh -c 'cat $AZ_BATCH_JOB_PREP_WORKING_DIR/file; echo $AZ_BATCH_JOB_PREP_DIR'")
    made, folder = cloud.output().split()
    assert made == "made"
    assert folder.endswith("/workitems/j/job-1/jobpreparation")
    (info,) = statuses(cloud)
    assert info.task_root_directory == "workitems/j/job-1/jobpreparation"
    node = cloud.nodes()[0].id
    path = f"{info.task_root_directory}/stdout.txt"
    text = b"".join(cloud.client.download_node_file("p", node, path)).decode()
    assert "AZ_BATCH_TASK_ID=jobpreparation\n" in text
    assert f"AZ_BATCH_JOB_PREP_DIR={folder}\n" in text


def test_tasks_wait_for_the_preparation(cloud: Any) -> None:
    preparing(cloud, WAIT)
    cloud.add("t")
    cloud.in_state("preparing", "t")
    counts = cloud.client.get_job_task_counts("j").task_counts
    assert (counts.active, counts.running) == (0, 1)
    assert [info.state for info in statuses(cloud)] == ["running"]
    cloud.job("other")
    cloud.run(GO, job="other")
    info = cloud.ended("t").execution_info
    assert (info.result, info.requeue_count) == ("success", 0)


def test_tasks_need_not_wait(cloud: Any) -> None:
    preparing(cloud, WAIT, wait_for_success=False)
    assert cloud.run(GO).execution_info.result == "success"
    cloud.until(lambda: [info.result for info in statuses(cloud)] == ["success"])


def test_failed_preparation_bars_the_node(cloud: Any) -> None:
    preparing(cloud, "false", constraints=m.BatchTaskConstraints(max_task_retry_count=2))
    cloud.add("t")
    cloud.until(lambda: [info.result for info in statuses(cloud)] == ["failure"])
    cloud.in_state("active", "t")
    (info,) = statuses(cloud)
    assert (info.exit_code, info.retry_count, info.failure_info.code) == (1, 2, "FailureExitCode")
    cloud.job("other")
    assert cloud.run("true", job="other").execution_info.result == "success"
    assert cloud.client.get_task("j", "t").state == "active"


def test_what_a_failed_preparation_said_is_on_its_node(cloud: Any) -> None:
    preparing(cloud, "sh -c 'echo trying; echo no way to the index >&2; exit 3'")
    cloud.add("t")
    cloud.until(lambda: [info.result for info in statuses(cloud)] == ["failure"])
    (status,) = cloud.client.list_job_preparation_and_release_task_status("j")
    root = status.job_preparation_task_execution_info.task_root_directory
    assert (status.pool_id, root) == ("p", "workitems/j/job-1/jobpreparation")

    def said(stream: str) -> bytes:
        parts = cloud.client.download_node_file("p", status.node_id, f"{root}/{stream}.txt")
        return b"".join(parts)

    assert (said("stdout"), said("stderr")) == (b"trying\n", b"no way to the index\n")


def test_preparation_that_takes_too_long(cloud: Any) -> None:
    limit = m.BatchTaskConstraints(max_wall_clock_time=timedelta(milliseconds=100))
    preparing(cloud, "sleep 60", constraints=limit)
    cloud.add("t")
    cloud.until(lambda: [info.result for info in statuses(cloud)] == ["failure"])
    assert statuses(cloud)[0].failure_info.code == "TaskEnded"
    cloud.in_state("active", "t")


@pytest.mark.parametrize(("tasks", "state"), [("requeue", "active"), ("terminate", "completed")])
def test_disabled_job_prepares_again(cloud: Any, tasks: str, state: str) -> None:
    preparing(cloud, WAIT)
    cloud.add("t")
    cloud.in_state("preparing", "t")
    options = m.BatchJobDisableOptions(disable_tasks=tasks)
    cloud.client.begin_disable_job("j", options, **FAST).wait()
    cloud.in_state(state, "t")
    cloud.until(lambda: statuses(cloud) == [])
    cloud.job("other")
    cloud.run(GO, job="other")
    cloud.client.begin_enable_job("j", **FAST).wait()
    assert cloud.run("true", "u").execution_info.result == "success"


def test_task_is_ended_while_it_waits(cloud: Any) -> None:
    preparing(cloud, WAIT)
    cloud.add("t")
    cloud.in_state("preparing", "t")
    cloud.client.terminate_task("j", "t")
    info = cloud.ended("t").execution_info
    assert (info.failure_info.code, info.exit_code) == ("TaskEnded", None)


def test_emulator_stops_while_a_node_prepares(cloud: Any) -> None:
    preparing(cloud, "sleep 60")
    cloud.add("t")
    cloud.in_state("preparing", "t")
    cloud.emulator.stop()
    assert not cloud.emulator.location.exists()


@pytest.mark.parametrize(("again", "times"), [(True, 2), (False, 1)])
def test_preparation_after_a_reboot(cloud: Any, again: bool, times: int) -> None:
    preparing(cloud, rerun_on_node_reboot_after_success=again)
    cloud.run("true")
    node = cloud.nodes()[0].id
    cloud.client.begin_reboot_node("p", node, options={"nodeRebootOption": "requeue"}, **FAST)
    cloud.nodes()
    cloud.run("true", "u")
    assert shared(cloud, "log") == ["prepared"] * times


def test_preparation_of_a_job_that_has_none(cloud: Any) -> None:
    cloud.job()
    with pytest.raises(ResourceExistsError) as caught:
        statuses(cloud)
    assert caught.value.error.code == "JobPreparationTaskNotSpecified"


def test_id_of_the_preparation_is_taken(cloud: Any) -> None:
    preparing(cloud, id="first")
    with pytest.raises(ResourceExistsError) as caught:
        cloud.add("First")
    assert caught.value.error.code == "TaskIdSameAsJobPreparationTask"


def test_release_tasks_are_refused(cloud: Any) -> None:
    with pytest.raises(HttpResponseError) as caught:
        cloud.job(job_release_task=m.BatchJobReleaseTask(command_line="true"))
    assert (caught.value.status_code, caught.value.error.code) == (501, "NotImplemented")


def test_recorded_job(cloud: Any) -> None:
    body = json.loads("""
        {"id":"j1","poolInfo":{"poolId":"p1"},"usesTaskDependencies":true,"onTaskFailure":
        "performexitoptionsjobaction","constraints":{"maxTaskRetryCount":1,"maxWallClockTime":
        "P1D"},"jobPreparationTask":{"commandLine":".."},"commonEnvironmentSettings":
        [{"name":"A","value":"1"}]}""")
    reply = cloud.send("POST", "/jobs", body)
    assert (reply.status, reply.content) == (201, b"")
    shown = cloud.send("GET", "/jobs/j1").document
    preparation = shown["jobPreparationTask"]
    assert (
        preparation.items()
        >= {
            "id": "jobpreparation",
            "commandLine": "..",
            "waitForSuccess": True,
            "rerunOnNodeRebootAfterSuccess": True,
        }.items()
    )
    rest = {name: value for name, value in body.items() if name != "jobPreparationTask"}
    assert {name: shown[name] for name in rest} == rest
    defaults = {
        "priority": 0,
        "maxParallelTasks": -1,
        "allowTaskPreemption": False,
        "onAllTasksComplete": "noaction",
        "state": "active",
    }
    assert {name: shown[name] for name in defaults} == defaults
    assert shown["executionInfo"].keys() == {"startTime", "poolId"}
    change = {"onAllTasksComplete": "terminatejob"}
    assert cloud.send("PATCH", "/jobs/j1", change).status == 200
    assert cloud.send("GET", "/jobs/j1").document["state"] == "completed"


def test_preempted_nodes_come_back_and_tasks_run_again(make: Any) -> None:
    cloud = make(faults=Faults(preempt_rate=0.5, preempt_within_seconds=0.02, seed=3))
    cloud.pool(dedicated=0, target_low_priority_nodes=2, task_slots_per_node=2)
    cloud.job()
    ids = [f"t{number}" for number in range(16)]
    for id_ in ids:
        cloud.add(id_, "sleep 0.03")
    cloud.in_state("completed", *ids)
    infos = [task.execution_info for task in cloud.client.list_tasks("j")]
    assert {info.result for info in infos} == {"success"}
    assert sum(info.requeue_count for info in infos) > 0
    assert {info.retry_count for info in infos} == {0}
    nodes = list(cloud.client.list_nodes("p"))
    assert len(nodes) == 2


def test_preempted_node_is_shown_and_loses_its_files(make: Any) -> None:
    cloud = make(faults=Faults(preempt_rate=1.0, preempt_within_seconds=0.0, node_start_seconds=2))
    cloud.emulator.faults = Faults()
    cloud.pool(dedicated=0, target_low_priority_nodes=1)
    cloud.job()
    cloud.run("true", "before")
    cloud.emulator.faults = Faults(preempt_rate=1.0, node_start_seconds=60)
    cloud.add("t", "true")
    node = cloud.nodes("preempted")[0]
    assert node.running_tasks_count in {0, 1}
    cloud.in_state("active", "t")
    task = cloud.client.get_task("j", "t")
    assert (task.execution_info.requeue_count, task.node_info) == (1, None)
    with pytest.raises(ResourceExistsError) as caught:
        list(cloud.client.list_task_files("j", "before"))
    assert caught.value.error.code == "TaskFilesUnavailable"
    assert next(iter(cloud.client.list_pool_node_counts())).low_priority.preempted == 1


def test_dedicated_nodes_stay(make: Any) -> None:
    cloud = make(faults=Faults(preempt_rate=1.0))
    cloud.pool()
    cloud.job()
    assert cloud.run("true").execution_info.requeue_count == 0


def test_tries_that_are_made_to_fail(make: Any) -> None:
    cloud = make(faults=Faults(fail_rate=1.0))
    cloud.pool()
    cloud.job()
    retries = m.BatchTaskConstraints(max_task_retry_count=2)
    info = cloud.run("sh -c 'touch ../ran'", constraints=retries).execution_info
    assert (info.result, info.exit_code, info.retry_count) == ("failure", 137, 2)
    assert "fail_rate" in cloud.output(name="stderr.txt")
    names = {file.name for file in cloud.client.list_task_files("j", "t")}
    assert names == {"stdout.txt", "stderr.txt", "wd"}
