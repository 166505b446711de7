"""Jobs: their lives, their ends, and what they do to their tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.batch import models as m
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from azure_batch_emulator import Faults

FAST = {"polling_interval": 0.02}
FOREVER = "sleep 60"


def test_job_as_the_service_shows_it(cloud: Any) -> None:
    cloud.job(constraints=m.BatchJobConstraints(max_task_retry_count=2))
    job = cloud.client.get_job("J")
    assert (job.id, job.state, job.priority, job.max_parallel_tasks) == ("j", "active", 0, -1)
    assert (job.all_tasks_complete_mode, job.task_failure_mode) == ("noaction", "noaction")
    assert job.uses_task_dependencies is False
    assert job.constraints.max_task_retry_count == 2
    assert job.constraints.max_wall_clock_time > timedelta(days=10_000_000)
    assert (job.pool_info.pool_id, job.execution_info.pool_id) == ("p", "p")
    assert job.execution_info.end_time is None


def test_jobs_are_listed_and_filtered(cloud: Any) -> None:
    cloud.job("b")
    cloud.job("a", pool="q")
    cloud.client.begin_terminate_job("b", options={"terminateReason": "why"}, **FAST).wait()
    assert [job.id for job in cloud.client.list_jobs()] == ["a", "b"]
    for text, found in (
        ("state eq 'active'", ["a"]),
        ("state ne 'active'", ["b"]),
        ("executionInfo/poolId eq 'q'", ["a"]),
        ("(id eq 'a' or id eq 'b') and creationTime lt DateTime'2000-01-01T00:00:00Z'", []),
    ):
        assert [job.id for job in cloud.client.list_jobs(filter=text)] == found


def test_job_waits_for_a_pool_that_comes_later(cloud: Any) -> None:
    cloud.job()
    cloud.add("t")
    assert cloud.client.get_task("j", "t").state == "active"
    cloud.pool()
    assert cloud.ended("t").execution_info.result == "success"


def test_job_ids_are_unique_without_case(cloud: Any) -> None:
    cloud.job()
    with pytest.raises(ResourceExistsError) as caught:
        cloud.job("J")
    assert caught.value.error.code == "JobExists"
    with pytest.raises(ResourceNotFoundError) as missing:
        cloud.client.get_job("k")
    assert missing.value.error.code == "JobNotFound"


def test_terminated_job_ends_tasks_and_leaves_waiting_ones(ready: Any) -> None:
    for number in range(6):
        ready.add(f"t{number}", FOREVER)
    ready.in_state("running", "t0", "t1", "t2", "t3")
    ready.client.begin_terminate_job("j", options={"terminateReason": "enough"}, **FAST).wait()
    job = ready.client.get_job("j")
    assert (job.state, job.execution_info.termination_reason) == ("completed", "enough")
    assert job.execution_info.end_time is not None
    states = [task.state for task in ready.client.list_tasks("j")]
    assert states == ["completed"] * 4 + ["active"] * 2
    task = ready.client.get_task("j", "t0")
    assert (task.execution_info.result, task.execution_info.failure_info.code) == (
        "failure",
        "TaskEnded",
    )
    for call in (
        lambda: ready.client.begin_terminate_job("j", options={"terminateReason": "again"}),
        lambda: ready.add("late"),
        lambda: ready.client.begin_disable_job(
            "j", m.BatchJobDisableOptions(disable_tasks="requeue")
        ),
    ):
        with pytest.raises(ResourceExistsError) as caught:
            call()
        assert caught.value.error.code == "JobCompleted"


def test_job_ends_when_all_its_tasks_have(ready: Any) -> None:
    ready.run("true", "a")
    ready.add("b", "false")
    ready.client.update_job("j", m.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob"))
    ready.until(lambda: ready.client.get_job("j").state == "completed")
    job = ready.client.get_job("j")
    assert job.execution_info.termination_reason == "AllTasksComplete"


def test_empty_job_counts_as_complete(cloud: Any) -> None:
    cloud.job(all_tasks_complete_mode="terminatejob")
    assert cloud.client.get_job("j").state == "completed"


def test_a_blocked_task_keeps_its_job_open(ready: Any) -> None:
    ready.add("a", "false")
    ready.add("b", depends_on=m.BatchTaskDependencies(task_ids=["a"]))
    ready.client.update_job("j", m.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob"))
    ready.ended("a")
    counts = ready.client.get_job_task_counts("j").task_counts
    assert (counts.active, counts.failed, counts.completed) == (1, 1, 1)
    assert ready.client.get_job("j").state == "active"


def test_wall_clock_of_a_job(ready: Any) -> None:
    ready.job("k", constraints=m.BatchJobConstraints(max_wall_clock_time=timedelta(seconds=1)))
    ready.add("t", FOREVER, job="k")
    ready.until(lambda: ready.client.get_job("k").state == "completed")
    reason = ready.client.get_job("k").execution_info.termination_reason
    assert reason == "MaxWallClockTimeExpiry"
    assert ready.client.get_task("k", "t").execution_info.failure_info.code == "TaskEnded"


def test_wall_clock_of_a_job_can_be_changed(ready: Any) -> None:
    ready.client.update_job(
        "j",
        m.BatchJobUpdateOptions(
            constraints=m.BatchJobConstraints(max_wall_clock_time=timedelta(milliseconds=50))
        ),
    )
    ready.until(lambda: ready.client.get_job("j").state == "completed")


@pytest.mark.parametrize(("tasks", "state"), [("requeue", "active"), ("terminate", "completed")])
def test_disabled_job_stops_its_tasks(ready: Any, tasks: str, state: str) -> None:
    ready.add("t", FOREVER)
    ready.in_state("running", "t")
    options = m.BatchJobDisableOptions(disable_tasks=tasks)
    ready.client.begin_disable_job("j", options, **FAST).wait()
    assert ready.client.get_job("j").state == "disabled"
    assert ready.client.get_task("j", "t").state == state
    with pytest.raises(ResourceExistsError) as caught:
        ready.client.begin_disable_job("j", options)
    assert caught.value.error.code == "JobDisabled"
    ready.add("u")
    assert ready.client.get_task("j", "u").state == "active"
    ready.client.begin_enable_job("j", **FAST).wait()
    assert ready.ended("u").execution_info.result == "success"


def test_disabled_job_can_wait_for_its_tasks(ready: Any) -> None:
    ready.add("t", "sh -c 'while [ ! -e $AZ_BATCH_NODE_SHARED_DIR/go ]; do sleep 0.02; done'")
    ready.in_state("running", "t")
    options = m.BatchJobDisableOptions(disable_tasks="wait")
    poller = ready.client.begin_disable_job("j", options, **FAST)
    assert ready.client.get_job("j").state == "disabling"
    ready.job("k")
    ready.run("sh -c 'touch $AZ_BATCH_NODE_SHARED_DIR/go'", job="k")
    poller.wait()
    assert ready.client.get_job("j").state == "disabled"
    assert ready.client.get_task("j", "t").execution_info.exit_code == 0


def test_enabling_an_active_job_changes_nothing(cloud: Any) -> None:
    cloud.job()
    cloud.client.begin_enable_job("j", **FAST).wait()
    job = cloud.client.get_job("j")
    assert (job.state, job.previous_state) == ("active", None)


def test_deleted_job_goes_with_its_tasks(make: Any) -> None:
    cloud = make(faults=Faults(deleting_seconds=0.2))
    cloud.pool()
    cloud.job()
    cloud.add("t", FOREVER)
    cloud.in_state("running", "t")
    poller = cloud.client.begin_delete_job("j", force=True, **FAST)
    assert cloud.client.get_job("j").state == "deleting"
    with pytest.raises(ResourceExistsError) as caught:
        cloud.add("u")
    assert caught.value.error.code == "JobBeingDeleted"
    assert cloud.send("DELETE", "/jobs/j").code == "JobBeingDeleted"
    poller.wait()
    with pytest.raises(ResourceNotFoundError):
        cloud.client.get_job("j")
    cloud.job()
    assert list(cloud.client.list_tasks("j")) == []
    assert cloud.run("true").execution_info.result == "success"


def test_job_is_replaced(cloud: Any) -> None:
    cloud.job(priority=5)
    job = cloud.client.get_job("j")
    job.constraints = m.BatchJobConstraints(max_task_retry_count=3)
    job.priority = None
    cloud.client.replace_job("j", job)
    after = cloud.client.get_job("j")
    assert (after.priority, after.constraints.max_task_retry_count) == (0, 3)
    job.pool_info.pool_id = "other"
    with pytest.raises(HttpResponseError) as caught:
        cloud.client.replace_job("j", job)
    assert caught.value.error.code == "NotImplemented"


def test_changes_of_a_job_for_another_version_are_refused(cloud: Any) -> None:
    cloud.job()
    job = cloud.client.get_job("j")
    change = m.BatchJobUpdateOptions(priority=1)
    same = {"match_condition": MatchConditions.IfNotModified, "etag": job.etag}
    cloud.client.update_job("j", change, **same)
    with pytest.raises(ResourceModifiedError):
        cloud.client.update_job("j", change, **same)
    assert cloud.send("GET", "/jobs/j", headers={"If-None-Match": job.etag}).status == 200
    now = cloud.client.get_job("j").etag
    assert cloud.send("GET", "/jobs/j", headers={"If-None-Match": now})[0] == 304


def test_task_counts(ready: Any) -> None:
    ready.run("true", "a")
    ready.run("false", "b")
    ready.add("c", FOREVER, required_slots=3)
    ready.add("d", required_slots=2)
    ready.in_state("running", "c")
    counts = ready.client.get_job_task_counts("j")
    assert dict(counts.task_counts) == {
        "active": 1,
        "running": 1,
        "completed": 2,
        "succeeded": 1,
        "failed": 1,
    }
    slots = counts.task_slot_counts
    assert (slots.active, slots.running, slots.completed) == (2, 3, 2)


def test_parallel_tasks_of_a_job_and_priority(cloud: Any) -> None:
    cloud.job("one", max_parallel_tasks=1)
    cloud.job("first", priority=10, max_parallel_tasks=1)
    for job in ("one", "first"):
        for id_ in ("a", "b"):
            cloud.add(id_, "sh -c 'date +%s%N'", job=job)
    cloud.pool()
    tasks = {(j, t): cloud.ended(t, j).execution_info for j in ("one", "first") for t in "ab"}
    order = sorted(tasks, key=lambda key: tasks[key].start_time)
    assert order == [("first", "a"), ("first", "b"), ("one", "a"), ("one", "b")]
    assert tasks["one", "b"].start_time >= tasks["one", "a"].end_time


def test_limit_of_parallel_tasks(ready: Any) -> None:
    ready.job("k", max_parallel_tasks=2)
    for id_ in "abc":
        ready.add(id_, FOREVER, job="k")
    ready.in_state("running", "a", "b", job="k")
    assert ready.client.get_job_task_counts("k").task_counts.active == 1


@pytest.mark.parametrize("action", ["terminate", "disable", "none"])
def test_what_a_failure_does_to_the_job(ready: Any, action: str) -> None:
    ready.job("k", task_failure_mode="performexitoptionsjobaction")
    options = m.ExitOptions(job_action=action)
    rule = m.ExitCodeMapping(code=3, exit_options=options)
    conditions = m.ExitConditions(exit_codes=[rule])
    ready.run("sh -c 'exit 3'", job="k", exit_conditions=conditions)
    state = {"terminate": "completed", "disable": "disabled", "none": "active"}[action]
    ready.until(lambda: ready.client.get_job("k").state == state)
    reason = ready.client.get_job("k").execution_info.termination_reason
    assert reason == ("TaskFailed" if action == "terminate" else None)


def test_any_failure_ends_such_a_job_by_default(ready: Any) -> None:
    ready.job("k", task_failure_mode="performexitoptionsjobaction")
    ready.run("false", job="k")
    ready.until(lambda: ready.client.get_job("k").state == "completed")


def test_job_quota_counts_those_that_are_not_completed(make: Any) -> None:
    cloud = make(faults=Faults(job_quota=1))
    cloud.job()
    with pytest.raises(ResourceExistsError) as caught:
        cloud.job("k")
    assert caught.value.error.code == "ActiveJobAndScheduleQuotaReached"
    cloud.client.begin_terminate_job("j", options={"terminateReason": "x"}, **FAST).wait()
    cloud.job("k")
    assert cloud.client.get_job("k").state == "active"


@pytest.mark.parametrize(
    "options",
    [
        {"job_manager_task": m.BatchJobManagerTask(id="m", command_line="true")},
        {"allow_task_preemption": True},
    ],
)
def test_what_jobs_cannot_have_is_refused(cloud: Any, options: dict[str, Any]) -> None:
    with pytest.raises(HttpResponseError) as caught:
        cloud.job(**options)
    assert (caught.value.status_code, caught.value.error.code) == (501, "NotImplemented")


def test_schedules_are_refused(cloud: Any) -> None:
    with pytest.raises(HttpResponseError) as caught:
        list(cloud.client.list_job_schedules())
    assert (caught.value.status_code, caught.value.error.code) == (501, "NotImplemented")
    assert "list_job_schedules" in caught.value.error.message
