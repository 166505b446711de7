"""Pools and nodes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psutil
import pytest
from azure.batch import models as m
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from azure_batch_emulator import Faults, Settings

FAST = {"polling_interval": 0.02}
OWNER = m.BatchMetadataItem(name="owner", value="us")


def test_pool_as_the_service_shows_it(cloud: Any) -> None:
    pool = cloud.pool(dedicated=1, target_low_priority_nodes=2, task_slots_per_node=2)
    assert (pool.state, pool.allocation_state) == ("active", "steady")
    assert (pool.current_dedicated_nodes, pool.current_low_priority_nodes) == (1, 2)
    assert (pool.target_dedicated_nodes, pool.target_low_priority_nodes) == (1, 2)
    assert pool.task_slots_per_node == 2
    assert pool.vm_size == "standard_d2s_v5"
    assert pool.resize_errors is None
    assert pool.url == f"{cloud.emulator.url}/pools/p"
    assert cloud.client.pool_exists("p") is True
    with pytest.raises(ResourceNotFoundError):  # azure-batch 15.1 does not return False
        cloud.client.pool_exists("q")


def test_pools_are_listed_and_filtered_in_order(cloud: Any) -> None:
    for name in ("b", "A", "c"):
        cloud.pool(name, dedicated=0)
    listed = list(cloud.client.list_pools(select=["id", "state"]))
    assert [pool.id for pool in listed] == ["A", "b", "c"]
    assert listed[0].vm_size is None
    some = cloud.client.list_pools(filter="startswith(id,'B') or id eq 'c'")
    assert [pool.id for pool in some] == ["b", "c"]


def test_pool_ids_are_unique_without_case(cloud: Any) -> None:
    cloud.pool("Pool")
    with pytest.raises(ResourceExistsError) as caught:
        cloud.pool("pOOL")
    assert caught.value.error.code == "PoolExists"
    assert cloud.client.get_pool("POOL").id == "Pool"


def test_metadata_of_a_pool_can_be_changed(cloud: Any) -> None:
    before = cloud.pool()
    cloud.client.update_pool("p", m.BatchPoolUpdateOptions(metadata=[OWNER]))
    after = cloud.client.get_pool("p")
    assert [item.value for item in after.metadata] == ["us"]
    assert after.etag != before.etag
    cloud.client.replace_pool_properties(
        "p", m.BatchPoolReplaceOptions(metadata=[], application_package_references=[])
    )
    assert cloud.client.get_pool("p").metadata == []


def test_a_change_for_another_version_is_refused(cloud: Any) -> None:
    pool = cloud.pool()
    change = m.BatchPoolUpdateOptions(metadata=[OWNER])
    same = {"match_condition": MatchConditions.IfNotModified, "etag": pool.etag}
    cloud.client.update_pool("p", change, **same)
    with pytest.raises(ResourceModifiedError):
        cloud.client.update_pool("p", change, **same)


def test_deleted_pool_stays_for_a_while(make: Any) -> None:
    cloud = make(faults=Faults(deleting_seconds=0.3))
    cloud.pool()
    poller = cloud.client.begin_delete_pool("p", **FAST)
    assert cloud.client.get_pool("p").state == "deleting"
    with pytest.raises(ResourceExistsError) as caught:
        cloud.pool()
    assert caught.value.error.code == "PoolBeingDeleted"
    poller.wait()
    with pytest.raises(ResourceNotFoundError) as missing:
        cloud.client.get_pool("p")
    assert missing.value.error.code == "PoolNotFound"
    assert cloud.pool().state == "active"


def test_resize_up_and_down(cloud: Any) -> None:
    cloud.pool(dedicated=1)
    grow = m.BatchPoolResizeOptions(target_dedicated_nodes=3, target_low_priority_nodes=1)
    cloud.client.begin_resize_pool("p", grow, **FAST).wait()
    nodes = cloud.nodes(number=4)
    assert sorted(node.is_dedicated for node in nodes) == [False, True, True, True]
    cloud.client.begin_resize_pool(
        "p", m.BatchPoolResizeOptions(target_dedicated_nodes=0, target_low_priority_nodes=1), **FAST
    ).wait()
    assert [node.is_dedicated for node in cloud.client.list_nodes("p")] == [False]


def test_resize_waits_for_slow_nodes_and_can_be_stopped(make: Any) -> None:
    cloud = make(faults=Faults(node_start_seconds=60))
    cloud.client.create_pool(_options(target_dedicated_nodes=2))
    pool = cloud.client.get_pool("p")
    assert (pool.allocation_state, pool.current_dedicated_nodes) == ("resizing", 2)
    with pytest.raises(ResourceExistsError) as caught:
        cloud.client.begin_resize_pool("p", m.BatchPoolResizeOptions(target_dedicated_nodes=1))
    assert caught.value.error.code == "PoolBeingResized"
    cloud.client.begin_stop_pool_resize("p", **FAST).wait()
    pool = cloud.client.get_pool("p")
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes) == (0, 0)
    assert [error.code for error in pool.resize_errors] == ["ResizeStopped"]


def test_states_of_a_node_that_starts(make: Any) -> None:
    cloud = make(faults=Faults(node_start_seconds=0.3))
    cloud.client.create_pool(_options(target_dedicated_nodes=1))
    seen: list[str] = []

    def idle() -> bool:
        state = next(iter(cloud.client.list_nodes("p"))).state
        seen.extend([state] if state not in seen else [])
        return state == "idle"

    cloud.until(idle)
    assert seen == ["creating", "starting", "idle"]


def test_named_nodes_are_removed(cloud: Any) -> None:
    cloud.pool(dedicated=3)
    first = cloud.nodes(number=3)[0].id
    cloud.client.begin_remove_nodes("p", m.BatchNodeRemoveOptions(node_ids=[first]), **FAST).wait()
    pool = cloud.client.get_pool("p")
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes) == (2, 2)
    assert first not in {node.id for node in cloud.client.list_nodes("p")}
    with pytest.raises(ResourceNotFoundError) as caught:
        cloud.client.get_node("p", first)
    assert caught.value.error.code == "NodeNotFound"


def test_nodes_go_when_their_tasks_have_ended(cloud: Any) -> None:
    cloud.pool(dedicated=1)
    cloud.job()
    cloud.add("t", "sh -c 'while [ ! -e go ]; do sleep 0.02; done'")
    cloud.in_state("running", "t")
    task = cloud.client.get_task("j", "t")
    body = {"nodeList": [task.node_info.node_id], "nodeDeallocationOption": "taskcompletion"}
    assert cloud.send("POST", "/pools/p/removenodes", body).status == 202
    assert cloud.client.get_pool("p").allocation_state == "resizing"
    assert cloud.client.get_task("j", "t").state == "running"
    folder = cloud.emulator.location / "p" / task.node_info.node_id
    (folder / task.node_info.task_root_directory / "wd" / "go").touch()
    assert cloud.ended("t").execution_info.exit_code == 0
    cloud.until(lambda: cloud.client.get_pool("p").current_dedicated_nodes == 0)


def test_node_as_the_service_shows_it(cloud: Any) -> None:
    cloud.pool(dedicated=0, target_low_priority_nodes=1)
    node = cloud.nodes()[0]
    assert node.id.endswith("_p")
    assert node.affinity_id == f"TVM:{node.id}"
    assert (node.is_dedicated, node.scheduling_state) == (False, "enabled")
    assert (node.total_tasks_run, node.running_tasks_count, node.running_task_slots_count) == (
        0,
        0,
        0,
    )
    assert cloud.client.get_node("p", node.id, select=["id", "state"]).vm_size is None
    assert [n.id for n in cloud.client.list_nodes("p", filter="state eq 'idle'")] == [node.id]
    assert list(cloud.client.list_nodes("p", filter="state eq 'running'")) == []


def test_node_counts(cloud: Any) -> None:
    cloud.pool(dedicated=2, target_low_priority_nodes=1)
    cloud.pool("q", dedicated=0)
    cloud.nodes(number=3)
    counts = {counts.pool_id: counts for counts in cloud.client.list_pool_node_counts()}
    assert (counts["p"].dedicated.idle, counts["p"].dedicated.total) == (2, 2)
    assert (counts["p"].low_priority.idle, counts["q"].low_priority.total) == (1, 0)
    only = list(cloud.client.list_pool_node_counts(filter="poolId eq 'q'"))
    assert [counts.pool_id for counts in only] == ["q"]


def test_start_task_prepares_the_node(cloud: Any) -> None:
    start = m.BatchStartTask(
        command_line="sh -c 'echo $A > $AZ_BATCH_NODE_SHARED_DIR/made; env'",
        wait_for_success=True,
        environment_settings=[m.EnvironmentSetting(name="A", value="1")],
    )
    cloud.pool(start_task=start)
    node = cloud.nodes()[0]
    info = node.start_task_info
    assert (info.state, info.exit_code, info.result, info.retry_count) == (
        "completed",
        0,
        "success",
        0,
    )
    cloud.job()
    cloud.run("sh -c 'cat $AZ_BATCH_NODE_SHARED_DIR/made'")
    assert cloud.output() == "1\n"
    output = b"".join(cloud.client.download_node_file("p", node.id, "startup/stdout.txt"))
    assert b"AZ_BATCH_NODE_STARTUP_DIR=" in output
    assert b"AZ_BATCH_TASK_ID" not in output


def test_failing_start_task_makes_a_node_unfit(cloud: Any) -> None:
    start = m.BatchStartTask(
        command_line="sh -c 'echo no >> $AZ_BATCH_NODE_SHARED_DIR/tries; exit 4'",
        wait_for_success=True,
        max_task_retry_count=2,
    )
    cloud.pool(start_task=start)
    node = cloud.nodes("starttaskfailed")[0]
    info = node.start_task_info
    assert (info.exit_code, info.result, info.retry_count) == (4, "failure", 2)
    assert info.failure_info.code == "FailureExitCode"
    tries = b"".join(cloud.client.download_node_file("p", node.id, "shared/tries"))
    assert tries == b"no\n" * 3
    found = cloud.client.list_nodes("p", filter="startTaskInfo/result eq 'failure'")
    assert [one.id for one in found] == [node.id]
    cloud.job()
    cloud.add("t")
    assert cloud.client.get_task("j", "t").state == "active"
    counts = next(iter(cloud.client.list_pool_node_counts()))
    assert counts.dedicated.start_task_failed == 1


def test_start_task_that_nobody_waits_for(cloud: Any) -> None:
    cloud.pool(start_task=m.BatchStartTask(command_line="false", wait_for_success=False))
    cloud.until(lambda: cloud.nodes()[0].start_task_info.state == "completed")
    assert cloud.nodes()[0].start_task_info.result == "failure"


def test_unusable_nodes(make: Any) -> None:
    cloud = make(faults=Faults(unusable_rate=1.0))
    cloud.pool(dedicated=2)
    nodes = cloud.nodes("unusable", number=2)
    assert [error.code for error in nodes[0].errors] == ["EmulatedFault"]
    cloud.emulator.faults = Faults()
    cloud.client.begin_reboot_node("p", nodes[0].id, options={"nodeRebootOption": "requeue"})
    assert cloud.nodes("idle")[0].id == nodes[0].id


def test_rebooted_node_keeps_files_and_reimaged_one_does_not(cloud: Any) -> None:
    cloud.pool()
    cloud.job()
    cloud.run("sh -c 'echo here > $AZ_BATCH_NODE_SHARED_DIR/file'")
    node = cloud.nodes()[0].id

    def kept() -> bool:
        cloud.nodes()
        return [f.name for f in cloud.client.list_node_files("p", node, recursive=True)].count(
            "shared/file"
        ) == 1

    cloud.client.begin_reboot_node(
        "p", node, options={"nodeRebootOption": "requeue"}, **FAST
    ).wait()
    assert kept()
    cloud.client.begin_reimage_node(
        "p", node, options={"nodeReimageOption": "requeue"}, **FAST
    ).wait()
    assert not kept()


def test_nodes_that_are_away_cannot_be_rebooted(make: Any) -> None:
    cloud = make(faults=Faults(node_start_seconds=60))
    cloud.client.create_pool(_options(target_dedicated_nodes=1))
    (node,) = cloud.client.list_nodes("p")
    for verb in ("reboot", "reimage"):
        reply = cloud.send("POST", f"/pools/p/nodes/{node.id}/{verb}")
        assert (reply.status, reply.code) == (409, "NodeStateUnusable")


def test_deleted_pool_does_not_wait_for_tasks(cloud: Any) -> None:
    cloud.pool()
    cloud.job()
    cloud.add("t", "sleep 60")
    cloud.in_state("running", "t")
    node = cloud.nodes("running")[0].id
    body = {"nodeList": [node], "nodeDeallocationOption": "taskcompletion"}
    assert cloud.send("POST", "/pools/p/removenodes", body).status == 202
    cloud.client.begin_delete_pool("p", **FAST).wait()
    cloud.in_state("active", "t")


def test_reboot_requeues_or_ends_tasks(cloud: Any) -> None:
    cloud.pool()
    cloud.job()
    for option, requeued, state in (("requeue", 1, "running"), ("terminate", 0, "completed")):
        cloud.add(option, "sleep 60")
        cloud.in_state("running", option)
        node = cloud.client.get_task("j", option).node_info.node_id
        cloud.client.begin_reboot_node("p", node, options={"nodeRebootOption": option})
        cloud.until(
            lambda option=option, requeued=requeued, state=state: (
                (task := cloud.client.get_task("j", option)).state == state
                and task.execution_info.requeue_count == requeued
            )
        )
        if state == "running":
            cloud.client.terminate_task("j", option)
    assert cloud.ended("terminate").execution_info.failure_info.code == "TaskEnded"


def test_node_without_scheduling_gets_no_tasks(cloud: Any) -> None:
    cloud.pool()
    cloud.job()
    node = cloud.nodes()[0].id
    options = {"nodeDisableSchedulingOption": "requeue"}
    cloud.client.disable_node_scheduling("p", node, options=options)
    assert cloud.client.get_node("p", node).scheduling_state == "disabled"
    cloud.add("t")
    assert cloud.client.get_task("j", "t").state == "active"
    cloud.client.enable_node_scheduling("p", node)
    assert cloud.ended("t").execution_info.result == "success"


@pytest.mark.parametrize(
    ("option", "state", "code"),
    [
        ("requeue", "active", None),
        ("terminate", "completed", "TaskEnded"),
        ("taskcompletion", "running", None),
    ],
)
def test_tasks_of_a_node_whose_scheduling_ends(
    cloud: Any, option: str, state: str, code: str | None
) -> None:
    cloud.pool()
    cloud.job()
    cloud.add("t", "sleep 60")
    cloud.in_state("running", "t")
    node = cloud.nodes("running")[0].id
    options = {"nodeDisableSchedulingOption": option}
    cloud.client.disable_node_scheduling("p", node, options=options)
    cloud.in_state(state, "t")
    failure = cloud.client.get_task("j", "t").execution_info.failure_info
    assert (failure and failure.code) == code


def test_options_of_a_reboot_that_are_refused(cloud: Any) -> None:
    cloud.pool()
    path = f"/pools/p/nodes/{cloud.nodes()[0].id}/reboot"
    for option, code in (("taskcompletion", "NotImplemented"), ("often", "InvalidPropertyValue")):
        assert cloud.send("POST", path, {"nodeRebootOption": option}).code == code


def test_resize_to_nothing_in_particular(cloud: Any) -> None:
    cloud.pool()
    reply = cloud.send("POST", "/pools/p/resize", {"resizeTimeout": "PT10M"})
    assert (reply.status, reply.code) == (400, "MissingRequiredProperty")
    assert cloud.send("POST", "/pools/p/stopresize").status == 202  # nothing to stop


def test_pool_that_is_being_deleted_takes_nothing(make: Any) -> None:
    cloud = make(faults=Faults(deleting_seconds=60))
    cloud.pool(dedicated=0)
    assert cloud.send("DELETE", "/pools/p").status == 202
    change = {"metadata": [{"name": "a", "value": "b"}]}
    for method, path, body in (
        ("DELETE", "/pools/p", None),
        ("PATCH", "/pools/p", change),
        ("POST", "/pools/p/resize", {"targetDedicatedNodes": 1}),
    ):
        reply = cloud.send(method, path, body)
        assert (reply.status, reply.code) == (409, "PoolBeingDeleted")


def test_node_goes_during_its_start_task(cloud: Any) -> None:
    command = "sh -c 'echo $$ > ../pid; exec sleep 60'"
    cloud.pool(start_task=m.BatchStartTask(command_line=command, wait_for_success=True))
    node = cloud.nodes("waitingforstarttask")[0].id
    path = f"/pools/p/nodes/{node}/files/startup%2Fpid"
    pid = int(cloud.until(lambda: (got := cloud.send("GET", path)).status == 200 and got.content))
    cloud.client.begin_resize_pool(
        "p", m.BatchPoolResizeOptions(target_dedicated_nodes=0), **FAST
    ).wait()
    cloud.until(lambda: not psutil.pid_exists(pid))
    assert cloud.client.get_pool("p").current_dedicated_nodes == 0


def test_supported_images(cloud: Any) -> None:
    images = list(cloud.client.list_supported_images())
    assert {image.os_type for image in images} == {"linux"}
    some = list(
        cloud.client.list_supported_images(filter="nodeAgentSKUId eq 'batch.node.ubuntu 22.04'")
    )
    assert 0 < len(some) < len(images)
    paged = list(cloud.client.list_supported_images(max_results=1))
    assert [image.image_reference for image in paged] == [i.image_reference for i in images]


@pytest.mark.parametrize(
    ("image", "agent"),
    [
        ({"sku": "1604"}, "batch.node.ubuntu 22.04"),
        ({"version": "1.2.3"}, "batch.node.ubuntu 22.04"),
        ({}, "batch.node.ubuntu 24.04"),
    ],
)
def test_unusable_image(cloud: Any, image: dict[str, str], agent: str) -> None:
    options = _options()
    options.virtual_machine_configuration.image_reference.update(image)
    options.virtual_machine_configuration.node_agent_sku_id = agent
    with pytest.raises(HttpResponseError) as caught:
        cloud.client.create_pool(options)
    assert (caught.value.status_code, caught.value.error.code) == (400, "InvalidPropertyValue")
    assert list(cloud.client.list_pools()) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"vm_size": "huge"}, "InvalidPropertyValue"),
        ({"id": "a b"}, "InvalidPropertyValue"),
        ({"task_slots_per_node": 9}, "InvalidPropertyValue"),
        ({"resize_timeout": timedelta(minutes=4)}, "InvalidPropertyValue"),
        ({"vm_size": None}, "MissingRequiredProperty"),
    ],
)
def test_pools_that_cannot_be(cloud: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        cloud.client.create_pool(_options(**changes))
    assert (caught.value.status_code, caught.value.error.code) == (400, code)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"network_configuration": m.NetworkConfiguration(subnet_id="s")}, "networkConfiguration"),
        ({"enable_inter_node_communication": True}, "enableInterNodeCommunication"),
    ],
)
def test_what_pools_cannot_have_is_refused(cloud: Any, changes: dict[str, Any], word: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        cloud.client.create_pool(_options(**changes))
    assert (caught.value.status_code, caught.value.error.code) == (501, "NotImplemented")
    assert word in caught.value.error.message


def test_core_quota(make: Any) -> None:
    cloud = make(faults=Faults(core_quota=4))
    pool = cloud.pool(dedicated=3)
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes) == (3, 2)
    assert [error.code for error in pool.resize_errors] == ["AccountCoreQuotaReached"]
    spot = cloud.pool("q", dedicated=0, target_low_priority_nodes=3)
    assert [error.code for error in spot.resize_errors] == ["AccountLowPriorityCoreQuotaReached"]
    assert spot.current_low_priority_nodes == 2


def test_core_quota_that_is_taken_away(cloud: Any) -> None:
    """Nodes that are there stay; those that go do not come back."""
    cloud.pool(dedicated=2)
    cloud.emulator.faults = Faults(core_quota=0)
    for number, current, code in ((2, 2, None), (1, 1, None), (2, 1, "AccountCoreQuotaReached")):
        options = m.BatchPoolResizeOptions(target_dedicated_nodes=number)
        cloud.client.begin_resize_pool("p", options, **FAST).wait()
        pool = cloud.client.get_pool("p")
        assert pool.current_dedicated_nodes == current
        assert [error.code for error in pool.resize_errors or []] == ([code] if code else [])


def test_allocation_failure(make: Any) -> None:
    cloud = make(faults=Faults(node_supply=1))
    pool = cloud.pool(dedicated=3)
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes) == (3, 1)
    assert [error.code for error in pool.resize_errors] == ["AllocationFailed"]
    cloud.emulator.faults = Faults()
    cloud.client.begin_resize_pool(
        "p", m.BatchPoolResizeOptions(target_dedicated_nodes=3), **FAST
    ).wait()
    pool = cloud.client.get_pool("p")
    assert (pool.current_dedicated_nodes, pool.resize_errors) == (3, None)


def test_pool_quota(make: Any) -> None:
    cloud = make(faults=Faults(pool_quota=1))
    cloud.pool()
    with pytest.raises(ResourceExistsError) as caught:
        cloud.pool("q")
    assert caught.value.error.code == "PoolQuotaReached"


def _options(**changes: Any) -> m.BatchPoolCreateOptions:
    options: dict[str, Any] = {"id": "p", "vm_size": "standard_d2s_v5", **changes}
    image = m.BatchVmImageReference(publisher="microsoft-dsvm", offer="ubuntu-hpc", sku="2204")
    machine = m.VirtualMachineConfiguration(
        image_reference=image, node_agent_sku_id="batch.node.ubuntu 22.04"
    )
    return m.BatchPoolCreateOptions(virtual_machine_configuration=machine, **options)


def test_images_that_cannot_run_containers(make: Any) -> None:
    cloud = make(Settings(containers_as_processes=True))
    options = _options()
    machine = options.virtual_machine_configuration
    registry = m.ContainerRegistryReference(registry_server="zoo", username="us", password="secret")
    machine.container_configuration = m.BatchContainerConfiguration(
        type="dockerCompatible", container_image_names=["zoo/a"], container_registries=[registry]
    )
    cloud.client.create_pool(options)
    shown = cloud.client.get_pool("p").virtual_machine_configuration.container_configuration
    assert shown.container_image_names == ["zoo/a"]
    assert shown.container_registries[0].as_dict() == {"registryServer": "zoo", "username": "us"}
    options.id = "q"
    machine.image_reference = m.BatchVmImageReference(
        publisher="canonical", offer="ubuntu-24_04-lts", sku="server"
    )
    machine.node_agent_sku_id = "batch.node.ubuntu 24.04"
    with pytest.raises(HttpResponseError) as caught:
        cloud.client.create_pool(options)
    assert (caught.value.status_code, caught.value.error.code) == (400, "InvalidPropertyValue")
