"""Tasks: what they run, how they end, and what waits for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psutil
import pytest
from azure.batch import models as m
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)

from azure_batch_emulator import Faults, Settings

FOREVER = "sleep 60"


def after(*ids: str, ranges: tuple[tuple[int, int], ...] = ()) -> m.BatchTaskDependencies:
    return m.BatchTaskDependencies(
        task_ids=list(ids), task_id_ranges=[m.BatchTaskIdRange(start=a, end=b) for a, b in ranges]
    )


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_task_before_it_runs(cloud: Any) -> None:
    cloud.job()
    cloud.add("t", "a  command")
    task = cloud.client.get_task("j", "T")
    assert (task.id, task.state, task.command_line) == ("t", "active", "a  command")
    assert task.url == f"{cloud.emulator.url}/jobs/j/tasks/t"
    assert task.required_slots == 1
    user = task.user_identity.auto_user
    assert (user.scope, user.elevation_level) == ("pool", "nonadmin")
    assert task.constraints.max_wall_clock_time > timedelta(days=10_000_000)
    assert task.constraints.retention_time == timedelta(days=7)
    assert task.constraints.max_task_retry_count == 0
    info = task.execution_info
    assert (info.retry_count, info.requeue_count, info.start_time, info.result) == (
        0,
        0,
        None,
        None,
    )
    assert task.node_info is None


def test_task_after_it_has_run(ready: Any) -> None:
    ready.add("t")
    first = ready.client.get_task("j", "t")
    task = ready.ended("t")
    info = task.execution_info
    assert (task.previous_state, info.exit_code, info.result) == ("running", 0, "success")
    assert info.failure_info is None
    assert task.creation_time <= info.start_time <= info.end_time <= task.state_transition_time
    node = task.node_info
    assert (node.pool_id, node.task_root_directory) == ("p", "workitems/j/job-1/t")
    assert node.affinity_id == f"TVM:{node.node_id}"
    assert (task.etag, task.last_modified) == (first.etag, first.last_modified)
    assert ready.client.get_node("p", node.node_id).total_tasks_run == 1


def test_environment_of_a_task(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    cloud = make(Settings(environment={"FROM": "emulator", "EMULATOR": "1"}))
    cloud.pool()
    pairs = [m.EnvironmentSetting(name="FROM", value="job")]
    cloud.job(
        common_environment_settings=[*pairs, m.EnvironmentSetting(name="JOB", value="2")],
    )
    own = [m.EnvironmentSetting(name="FROM", value="task"), m.EnvironmentSetting(name="EMPTY")]
    task = cloud.run("env", environment_settings=own)
    found = variables(cloud.output())
    assert "SECRET_OF_THE_HOST" not in found
    assert found.keys() - {"PATH", "HOME", "LANG", "LC_CTYPE"} == {
        "FROM", "EMULATOR", "JOB", "EMPTY", "AZ_BATCH_ACCOUNT_NAME", "AZ_BATCH_ACCOUNT_URL",
        "AZ_BATCH_POOL_ID", "AZ_BATCH_NODE_ID", "AZ_BATCH_NODE_IS_DEDICATED",
        "AZ_BATCH_NODE_ROOT_DIR", "AZ_BATCH_NODE_SHARED_DIR", "AZ_BATCH_NODE_STARTUP_DIR",
        "AZ_BATCH_NODE_MOUNTS_DIR", "AZ_BATCH_TASK_DIR", "AZ_BATCH_TASK_WORKING_DIR",
        "AZ_BATCH_JOB_ID", "AZ_BATCH_TASK_ID",
    }  # fmt: skip
    assert (found["FROM"], found["EMULATOR"], found["JOB"], found["EMPTY"]) == (
        "task",
        "1",
        "2",
        "",
    )
    assert (found["AZ_BATCH_JOB_ID"], found["AZ_BATCH_TASK_ID"]) == ("j", "t")
    assert found["AZ_BATCH_NODE_ID"] == task.node_info.node_id
    assert found["AZ_BATCH_NODE_IS_DEDICATED"] == "true"
    root = found["AZ_BATCH_NODE_ROOT_DIR"]
    assert found["AZ_BATCH_TASK_DIR"] == f"{root}/workitems/j/job-1/t"
    assert found["AZ_BATCH_ACCOUNT_URL"] == f"{cloud.emulator.url}/"


def test_command_runs_without_a_shell_in_its_folder(ready: Any) -> None:
    ready.run("""printf '%s|' "a b" $HOME '*' """)
    assert ready.output() == "a b|$HOME|*|"
    ready.run("sh -c 'pwd; echo $AZ_BATCH_TASK_WORKING_DIR; echo no >&2'", "u")
    first, second = ready.output("u").splitlines()
    assert first == second
    assert first.endswith("/u/wd")
    assert ready.output("u", "stderr.txt") == "no\n"


def test_exit_code_that_is_not_zero(ready: Any) -> None:
    info = ready.run("sh -c 'exit 7'").execution_info
    assert (info.exit_code, info.result) == (7, "failure")
    failure = info.failure_info
    assert (failure.code, failure.category) == ("FailureExitCode", "usererror")
    assert [(d.name, d.value) for d in failure.details] == [
        ("Message", "The task exited with exit code 7")
    ]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("no-such-program-here", "CommandProgramNotFound"),
        ("/", "CommandLaunchFailed"),
        ("sh -c 'unclosed", "CommandLaunchFailed"),
    ],
)
def test_command_that_cannot_start(ready: Any, command: str, code: str) -> None:
    info = ready.run(command, constraints=m.BatchTaskConstraints(max_task_retry_count=3))
    info = info.execution_info
    assert (info.result, info.failure_info.code, info.exit_code) == ("failure", code, None)
    assert info.retry_count == 0


def test_retries(ready: Any) -> None:
    command = "sh -c 'echo x >> ../tries; [ $(wc -l < ../tries) = 3 ]'"
    retries = m.BatchTaskConstraints(max_task_retry_count=3)
    info = ready.run(command, constraints=retries).execution_info
    assert (info.result, info.exit_code, info.retry_count) == ("success", 0, 2)
    assert info.last_retry_time is not None
    retries = m.BatchTaskConstraints(max_task_retry_count=1)
    info = ready.run(command, "u", constraints=retries).execution_info
    assert (info.result, info.exit_code, info.retry_count) == ("failure", 1, 1)
    endless = m.BatchTaskConstraints(max_task_retry_count=-1)
    assert ready.run(command, "v", constraints=endless).execution_info.result == "success"


def test_retries_of_the_job_are_the_default(ready: Any) -> None:
    ready.job("k", constraints=m.BatchJobConstraints(max_task_retry_count=2))
    assert ready.run("false", job="k").execution_info.retry_count == 2
    own = m.BatchTaskConstraints(max_task_retry_count=0)
    assert ready.run("false", "u", job="k", constraints=own).execution_info.retry_count == 0


def test_wall_clock_kills_the_children_too(ready: Any) -> None:
    limit = m.BatchTaskConstraints(max_wall_clock_time=timedelta(seconds=1), max_task_retry_count=5)
    info = ready.run("sh -c 'sleep 600 & echo $!; wait'", constraints=limit).execution_info
    assert (info.result, info.failure_info.code) == ("failure", "TaskEnded")
    assert info.retry_count == 0
    child = int(ready.output())
    ready.until(lambda: not _lives(child))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_dependencies_are_run_in_order(ready: Any) -> None:
    log = "sh -c 'echo $AZ_BATCH_TASK_ID >> $AZ_BATCH_NODE_SHARED_DIR/log; sleep 0.03'"
    ready.add("end", log, depends_on=after("left", "right"))
    ready.add("left", log, depends_on=after("1", "2"))
    ready.add("right", log, depends_on=after(ranges=((1, 3),)))
    for id_ in "123":
        ready.add(id_, log)
    ready.ended("end")
    node = ready.nodes()[0].id
    lines = b"".join(ready.client.download_node_file("p", node, "shared/log")).decode().split()
    assert len(lines) == 6
    assert lines[-1] == "end"
    assert {lines.index("1"), lines.index("2")} < set(range(lines.index("left")))
    assert max(lines.index(id_) for id_ in "123") < lines.index("right")


def test_failure_blocks_and_reactivation_frees(ready: Any) -> None:
    ready.add("a", "sh -c '[ -e $AZ_BATCH_NODE_SHARED_DIR/fine ]'")
    ready.add("b", depends_on=after("A"))
    ready.ended("a")
    assert ready.client.get_task("j", "b").state == "active"
    ready.run("sh -c 'touch $AZ_BATCH_NODE_SHARED_DIR/fine'", "fix")
    ready.client.reactivate_task("j", "a")
    assert ready.ended("b").execution_info.result == "success"
    info = ready.client.get_task("j", "a").execution_info
    assert (info.result, info.retry_count) == ("success", 0)


@pytest.mark.parametrize(
    ("command", "conditions", "satisfied"),
    [
        ("exit 3", {"exit_codes": [(3, "satisfy")], "default": "block"}, True),
        ("exit 4", {"exit_codes": [(3, "satisfy")], "default": "block"}, False),
        ("exit 4", {"exit_codes": [(3, "block")], "default": "satisfy"}, True),
        ("exit 15", {"exit_code_ranges": [(10, 20, "satisfy")]}, True),
        ("exit 20", {"exit_code_ranges": [(10, 20, "satisfy")]}, True),
        ("exit 21", {"exit_code_ranges": [(10, 20, "satisfy")]}, False),
        ("exit 3", {"exit_codes": [(3, "block")], "exit_code_ranges": [(0, 9, "satisfy")]}, False),
        ("exit 0", {"default": "block"}, True),
        ("exit 0", {"exit_codes": [(0, "block")]}, False),
    ],
)  # fmt: skip
def test_exit_conditions(
    ready: Any, command: str, conditions: dict[str, Any], satisfied: bool
) -> None:
    def options(action: str) -> m.ExitOptions:
        return m.ExitOptions(dependency_action=action)

    codes = [
        m.ExitCodeMapping(code=c, exit_options=options(a))
        for c, a in conditions.get("exit_codes", [])
    ]
    ranges = [
        m.ExitCodeRangeMapping(start=a, end=b, exit_options=options(action))
        for a, b, action in conditions.get("exit_code_ranges", [])
    ]
    default = options(conditions["default"]) if "default" in conditions else None
    rules = m.ExitConditions(exit_codes=codes, exit_code_ranges=ranges, default=default)
    ready.add("b", depends_on=after("a"))
    ready.run(f"sh -c '{command}'", "a", exit_conditions=rules)
    if satisfied:
        assert ready.ended("b").execution_info.result == "success"
    else:
        ready.run("true", "later")
        assert ready.client.get_task("j", "b").state == "active"


@pytest.mark.parametrize(
    ("rule", "state"), [("pre_processing_error", "completed"), ("file_upload_error", "active")]
)
def test_exit_condition_of_files_that_do_not_come(ready: Any, rule: str, state: str) -> None:
    satisfy = m.ExitOptions(dependency_action="satisfy")
    resource = m.ResourceFile(http_url="http://127.0.0.1:9/none", file_path="x")
    ready.add("b", depends_on=after("a"))
    conditions = m.ExitConditions(**{rule: satisfy})
    task = ready.run("true", "a", resource_files=[resource], exit_conditions=conditions)
    assert task.execution_info.failure_info.code == "BlobDownloadMiscError"
    ready.run("true", "later")
    ready.in_state(state, "b")


def test_dependencies_must_be_switched_on(ready: Any) -> None:
    ready.job("k")
    with pytest.raises(HttpResponseError) as caught:
        ready.add("t", job="k", depends_on=after("s"))
    assert caught.value.status_code == 400
    assert caught.value.error.code == "TaskDependenciesNotSpecifiedOnJob"


def test_dependency_list_has_a_limit(ready: Any) -> None:
    names = [f"{number:064}" for number in range(1001)]
    with pytest.raises(HttpResponseError) as caught:
        ready.add("t", depends_on=after(*names))
    assert caught.value.error.code == "TaskDependencyListTooLong"
    ready.add("t", depends_on=after(*names[:1000]))
    assert ready.client.get_task("j", "t").state == "active"


def test_slots(cloud: Any) -> None:
    cloud.pool(dedicated=2, task_slots_per_node=4)
    cloud.job()
    for id_ in "ab":
        cloud.add(id_, FOREVER, required_slots=3)
    cloud.in_state("running", "a", "b")
    nodes = {cloud.client.get_task("j", id_).node_info.node_id for id_ in "ab"}
    assert len(nodes) == 2
    cloud.add("wide", required_slots=2)
    cloud.add("narrow", required_slots=1)
    assert cloud.ended("narrow").execution_info.result == "success"
    assert cloud.client.get_task("j", "wide").state == "active"
    node = cloud.client.get_node("p", nodes.pop())
    assert (node.state, node.running_tasks_count, node.running_task_slots_count) == (
        "running",
        1,
        3,
    )
    cloud.client.terminate_task("j", "a")
    cloud.ended("wide")


@pytest.mark.parametrize(("fill", "used"), [("pack", 1), ("spread", 2)])
def test_how_nodes_are_filled(cloud: Any, fill: str, used: int) -> None:
    policy = m.BatchTaskSchedulingPolicy(node_fill_type=fill)
    cloud.pool(dedicated=2, task_slots_per_node=2, task_scheduling_policy=policy)
    cloud.nodes(number=2)
    cloud.job()
    for id_ in "ab":
        cloud.add(id_, FOREVER)
    cloud.in_state("running", "a", "b")
    nodes = {cloud.client.get_task("j", id_).node_info.node_id for id_ in "ab"}
    assert len(nodes) == used


def test_terminated_task(ready: Any) -> None:
    ready.add("t", FOREVER)
    ready.add("waiting", depends_on=after("t"))
    ready.in_state("running", "t")
    ready.client.terminate_task("j", "t")
    assert ready.ended("t").execution_info.failure_info.code == "TaskEnded"
    ready.client.terminate_task("j", "waiting")
    info = ready.ended("waiting").execution_info
    assert (info.failure_info.code, info.exit_code) == ("TaskEnded", None)
    with pytest.raises(ResourceExistsError) as caught:
        ready.client.terminate_task("j", "t")
    assert caught.value.error.code == "TaskCompleted"


def test_ready_tasks_that_are_ended_do_not_run(cloud: Any) -> None:
    cloud.job()
    for id_ in ("first", "ended", "deleted", "last"):
        cloud.add(id_)
    cloud.client.terminate_task("j", "ended")
    cloud.client.delete_task("j", "deleted")
    cloud.pool()
    assert cloud.ended("last").execution_info.result == "success"
    assert cloud.client.get_task("j", "ended").node_info is None
    assert cloud.client.get_job_task_counts("j").task_counts.completed == 3
    reply = cloud.send("PUT", "/jobs/j/tasks/last", {"constraints": {}})
    assert (reply.status, reply.code) == (409, "TaskCompleted")


def test_ranges_that_are_too_wide_are_refused(ready: Any) -> None:
    with pytest.raises(HttpResponseError) as caught:
        ready.add("t", depends_on=after(ranges=((0, 2_000_000),)))
    assert (caught.value.status_code, caught.value.error.code) == (501, "NotImplemented")


def test_deleted_task(ready: Any) -> None:
    ready.add("t", "sh -c 'echo $$ > $AZ_BATCH_NODE_SHARED_DIR/pid; exec sleep 60'")
    ready.in_state("running", "t")
    ready.client.delete_task("j", "t")
    with pytest.raises(ResourceNotFoundError) as caught:
        ready.client.get_task("j", "t")
    assert caught.value.error.code == "TaskNotFound"
    ready.until(lambda: ready.nodes()[0].running_tasks_count == 0)
    assert ready.run("sh -c 'touch new; ls'").execution_info.result == "success"
    ready.client.delete_task("j", "t")
    assert ready.run("ls").execution_info.result == "success"
    assert ready.output() == ""


def test_only_failed_tasks_are_reactivated(ready: Any) -> None:
    ready.run("true", "fine")
    ready.add("runs", FOREVER)
    for id_, code in (("fine", "TaskSucceeded"), ("runs", "TaskNotCompleted")):
        with pytest.raises(ResourceExistsError) as caught:
            ready.client.reactivate_task("j", id_)
        assert caught.value.error.code == code


def test_constraints_of_a_task_are_replaced(cloud: Any) -> None:
    cloud.job()
    cloud.add("t", constraints=m.BatchTaskConstraints(max_task_retry_count=4))
    task = cloud.client.get_task("j", "t")
    task.constraints = m.BatchTaskConstraints(retention_time=timedelta(hours=1))
    cloud.client.replace_task("j", "t", task)
    after_ = cloud.client.get_task("j", "t")
    assert after_.constraints.max_task_retry_count == 0
    assert after_.constraints.retention_time == timedelta(hours=1)
    assert after_.etag != task.etag


def test_task_exists(ready: Any) -> None:
    ready.add("t")
    with pytest.raises(ResourceExistsError) as caught:
        ready.add("T")
    assert caught.value.error.code == "TaskExists"
    assert list(ready.client.list_subtasks("j", "t")) == []


def test_many_tasks_at_once_and_again(ready: Any) -> None:
    tasks = [m.BatchTaskCreateOptions(id=f"t{n}", command_line="true") for n in range(150)]
    ready.client.create_tasks("j", tasks, max_concurrency=2)
    assert ready.emulator.requests.counts["create_task_collection"] == 2
    again = ready.send("POST", "/jobs/j/addtaskcollection", {"value": [dict(tasks[0])]}).document
    assert again["value"][0]["status"] == "clienterror"
    assert again["value"][0]["error"]["code"] == "TaskExists"
    ready.client.create_tasks("j", tasks)
    assert len(list(ready.client.list_tasks("j"))) == 150


def test_one_wrong_task_among_many(ready: Any) -> None:
    bodies: list[Any] = [
        {"id": "good", "commandLine": "true"},
        {"id": "b d", "commandLine": "true"},
        {"id": "none"},
        "text",
        {"id": "x", "commandLine": "true", "multiInstanceSettings": {"numberOfInstances": 2}},
        {"id": "y", "commandLine": "true", "comandLine": "false"},
    ]  # fmt: skip
    reply = ready.send("POST", "/jobs/j/addtaskcollection", {"value": bodies})
    assert reply.status == 200
    results = reply.document["value"]
    assert [r["status"] for r in results] == ["success"] + ["clienterror"] * 5
    assert [r["error"]["code"] for r in results[1:]] == [
        "InvalidPropertyValue",
        "MissingRequiredProperty",
        "InvalidPropertyValue",
        "NotImplemented",
        "InvalidRequestBody",
    ]
    assert [task.id for task in ready.client.list_tasks("j")] == ["good"]


def test_bulk_requests_that_fail_in_part(make: Any) -> None:
    cloud = make(faults=Faults(server_error_rate=0.3))
    cloud.job()
    bodies = [{"id": f"t{number}", "commandLine": "true"} for number in range(40)]
    left, rounds = bodies, 0
    while left:
        reply = cloud.send("POST", "/jobs/j/addtaskcollection", {"value": left}).document["value"]
        failed = {one["taskId"] for one in reply if one["status"] == "servererror"}
        left, rounds = [body for body in left if body["id"] in failed], rounds + 1
    assert rounds > 1
    assert cloud.client.get_job_task_counts("j").task_counts.active == 40


def test_more_than_a_hundred_tasks_or_a_megabyte(ready: Any) -> None:
    tasks = [{"id": f"t{n}", "commandLine": "true"} for n in range(101)]
    reply = ready.send("POST", "/jobs/j/addtaskcollection", {"value": tasks})
    assert (reply.status, reply.code) == (400, "InvalidPropertyValue")
    long = [
        m.BatchTaskCreateOptions(id=f"u{n}", command_line="true " + "x" * 20_000) for n in range(90)
    ]
    ready.client.create_tasks("j", long)
    assert len(list(ready.client.list_tasks("j", select=["id"]))) == 90
    assert ready.emulator.requests.statuses[413] == 1


def test_five_thousand_tasks(cloud: Any) -> None:
    cloud.job(uses_task_dependencies=True)
    first = m.BatchTaskDependencies(task_ids=["00000"])
    tasks = [
        m.BatchTaskCreateOptions(id=f"{n:05}", command_line="true", depends_on=first if n else None)
        for n in range(5000)
    ]
    cloud.client.create_tasks("j", tasks, max_concurrency=4)
    assert cloud.emulator.requests.counts["create_task_collection"] == 50
    assert len(list(cloud.client.list_tasks("j", filter="state eq 'completed'"))) == 0
    ids = [task.id for task in cloud.client.list_tasks("j", select=["id"])]
    assert ids == [f"{n:05}" for n in range(5000)]
    assert cloud.client.get_job_task_counts("j").task_counts.active == 5000


def test_container_tasks_only_where_asked_for(make: Any, ready: Any) -> None:
    settings = m.BatchTaskContainerSettings(image_name="ubuntu")
    with pytest.raises(HttpResponseError) as caught:
        ready.add("t", container_settings=settings)
    assert caught.value.error.code == "NotImplemented"
    cloud = make(Settings(containers_as_processes=True))
    cloud.pool()
    cloud.job()
    assert cloud.run("true", container_settings=settings).execution_info.result == "success"
