"""The main job on nodes of Azure Batch, rehearsed on this machine, through the commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobLeaseClient, BlobServiceClient
from click.testing import CliRunner, Result

from pyveg.azure_config import IMAGE
from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import LOCK
from pyveg.runners.azure_batch.service import BatchService
from pyveg.scripts.azure_cleanup import main as cleanup_command
from pyveg.scripts.run_pipeline import main as run_command
from pyveg.storage import azure
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.keys import LOCKS
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.azurite import ACCOUNT, Azurite
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import fake_config

SUMMARY = "gee_27.95_11.57_combine/results_summary.json"
BATCH = {"run_mode": "batch"}
ON_NODES = {
    "VegetationImageProcessor": BATCH,
    "NetworkCentralityCalculator": {"n_sub_images": 10, "n_threads": 1, **BATCH},
    "NDVICalculator": BATCH,
    "SimulatedSentinel2": {"spin_up": 200},
}


GATHERED = "combine/Gather/all"
LINES = ["00000+", "00001+", "00000", "00001"]
"""What two dates of the fakes, and two of another Sequence, make in the end."""


@pytest.fixture
def fakes(tmp_path: Path) -> Callable[..., str]:
    """Writes a config of two dates on nodes; one waits at a gate if there is one."""

    def write(gate: Gate | None = None) -> str:
        held = {} if gate is None else {"gate": str(gate.folder), "held": ["00001"]}
        special: dict[str, Any] = {"A": {"count": 2, **BATCH}, "Follow": held, "B": {"count": 2}}
        where = {"output_location_type": "azure", "runner": "threads"}
        path = tmp_path / "fakes.py"
        name = f"fakes-{uuid.uuid4().hex[:8]}"
        path.write_text(fake_config(name, special_config=special, **where))
        return str(path)

    return write


def _invoke(command: Any, *arguments: str) -> Result:
    result = CliRunner().invoke(command, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _config(write_config: Any, special: dict[str, Any], **more: Any) -> str:
    location = f"place-{uuid.uuid4().hex[:8]}"
    settings = {"output_location": location, "output_location_type": "azure", **more}
    return str(write_config(special_config=special, **settings))


def _container(output: str) -> str:
    (name,) = set(re.findall("azure://([a-z0-9-]+)", output))
    return str(name)


def _client(cloud: LocalCloud) -> BatchClient:
    credential = AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    return BatchClient(cloud.batch.url, credential)


def _left(cloud: LocalCloud) -> list[str]:
    client = _client(cloud)
    return [*(pool.id for pool in client.list_pools()), *(job.id for job in client.list_jobs())]


@contextmanager
def _started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _until(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.1)
    return found


def _first_line(process: subprocess.Popen[str]) -> AzureBlobStore:
    """The container that a run prints first."""
    assert process.stdout is not None
    line = ""
    while not line.startswith("run: "):
        line = process.stdout.readline()
        assert line, "the run ended early"
    return azure.open_store(_container(line))


GPU = {
    "vm_size": "Standard_NC4as_T4_v3",
    "max_nodes": 2,
    "slots": 2,
    "container_image": "zoo.azurecr.io/train:1",
    "container_registry": "zoo.azurecr.io",
    "registry_user": "zoo",
    "registry_password_variable": "ZOO_PASSWORD",
}


def test_modules_of_one_run_go_to_pools_of_their_own(
    make_cloud: Any, fakes: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a Sequence one Module is on nodes that are set up, the next in a container elsewhere."""
    emulator = {"containers_as_processes": True, "autoscale_minute": 0.1}
    cloud = make_cloud(emulator=emulator, pools={"gpu": GPU})
    monkeypatch.setenv("ZOO_PASSWORD", "a password of the registry")
    sent: dict[str, list[dict[str, Any]]] = {"add_pool": [], "add_job": [], "add_tasks": []}
    for name, kept in sent.items():
        _record(monkeypatch, name, kept)
    result = _invoke(run_command, fakes(), "--engine", 'batch.module_pools={"Follow": "gpu"}')
    assert result.exit_code == 0, result.output
    store = azure.open_store(_container(result.output))
    assert store.read(GATHERED).decode().split() == LINES
    assert _left(cloud) == []

    pools = {pool["vmSize"]: pool for pool in sent["add_pool"]}
    plain, gpu = pools["Standard_D2s_v5"], pools["Standard_NC4as_T4_v3"]
    machine = gpu["virtualMachineConfiguration"]
    assert machine["containerConfiguration"]["containerImageNames"] == ["zoo.azurecr.io/train:1"]
    (registry,) = machine["containerConfiguration"]["containerRegistries"]
    assert registry == {
        "registryServer": "zoo.azurecr.io",
        "username": "zoo",
        "password": "a password of the registry",
    }
    assert (gpu["enableAutoScale"], gpu["taskSlotsPerNode"]) == (True, 2)
    assert "min(2, ($pending + 1) / 2)" in gpu["autoScaleFormula"]
    assert "startTask" not in gpu
    assert "targetDedicatedNodes" not in gpu
    assert (plain["targetDedicatedNodes"], plain["taskSlotsPerNode"]) == (1, 2)
    assert "startTask" in plain
    assert "containerConfiguration" not in plain["virtualMachineConfiguration"]
    jobs = {job["id"]: job["poolInfo"]["poolId"] for job in sent["add_job"]}
    assert sorted(jobs.values()) == sorted(pool["id"] for pool in sent["add_pool"])
    images = {task["id"]: (task.get("containerSettings") or {}).get("imageName")
              for task in sent["add_tasks"]}  # fmt: skip
    gpu_image = "zoo.azurecr.io/train:1"
    assert images == {
        "Start-00000": None,
        "Start-00001": None,
        "Follow-00000": gpu_image,
        "Follow-00001": gpu_image,
    }
    # Follow waits for Start in another job, so its tasks came when those of Start had ended.
    assert not any(task.get("dependsOn") for task in sent["add_tasks"])


def _record(monkeypatch: pytest.MonkeyPatch, name: str, kept: list[dict[str, Any]]) -> None:
    """Keep what a method of the service sends, and send it."""
    really = getattr(BatchService, name)

    def record(self: BatchService, *arguments: Any) -> Any:
        last = arguments[-1]
        kept.extend(one.as_dict() for one in (last if isinstance(last, list) else [last]))
        return really(self, *arguments)

    monkeypatch.setattr(BatchService, name, record)


@pytest.mark.parametrize("bare", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_nodes_give_the_numbers_of_this_machine(
    make_cloud: Any, write_config: Any, *, bare: bool
) -> None:
    cloud = make_cloud(bare=bare, pool_dedicated_node_count=2)
    dates = {"date_range": ["2016-01-01", "2016-03-01"]}
    on_nodes = _invoke(run_command, "--config_file", _config(write_config, ON_NODES, **dates))
    assert on_nodes.exit_code == 0, on_nodes.output
    store = azure.open_store(_container(on_nodes.output))
    _nothing_secret(cloud, store, on_nodes.output)
    assert _left(cloud) == []
    _weather_went_on(store)

    special = {
        "NetworkCentralityCalculator": {"n_sub_images": 10},
        "SimulatedSentinel2": {"spin_up": 200},
    }
    config = write_config(special_config=special, runner="threads", **dates)
    here = _invoke(run_command, "--config_file", str(config))
    assert here.exit_code == 0, here.output
    (folder,) = write_config.runs()
    local = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.glob("gee_*/**/*")
        if path.is_file()
    }
    assert SUMMARY in local
    assert {key: store.read(key) for key in store.list("gee_")} == local
    _few_blobs(store, dates=2)


def _few_blobs(store: AzureBlobStore, dates: int) -> None:
    """Each blob is a request that is paid for."""
    keys = list(store.list())
    imagery = [key for key in keys if key.startswith("gee_") and "Sentinel2/" in key]
    assert 0 < len(imagery) <= 12 * dates
    tasks = [key for key in keys if key.startswith("_pyveg/tasks/")]
    logs = [key for key in keys if key.startswith("_pyveg/logs/")]
    assert len(tasks) == 3 * dates
    assert len(logs) == 2 * len(tasks)


def _nothing_secret(cloud: LocalCloud, store: AzureBlobStore, output: str) -> None:
    """No key anywhere; a SAS only where the service needs it."""
    texts = {f"blob {key}": store.read(key) for key in store.list()}
    texts["output"] = output.encode()
    texts |= {
        f"node {path}": path.read_bytes()
        for path in cloud.node_folders.rglob("*")
        if path.is_file() and path.stat().st_size < 10_000_000
    }
    assert len(texts) > 50
    for name, data in texts.items():
        for secret in (Azurite.key.encode(), cloud.batch.key.encode(), b"sig="):
            assert secret not in data, name


def _weather_went_on(store: AzureBlobStore) -> None:
    """Submission returned at once, and the combiner waited for all."""
    log = store.read("_pyveg/run.log").decode()
    ended = re.findall(r" (\w+)/(\w+)/[\d-]+ succeeded", log)
    modules = [module for _, module in ended]
    assert max(i for i, m in enumerate(modules) if m == "WeatherImageToJSON") < min(
        i for i, m in enumerate(modules) if m == "NDVICalculator"
    )
    assert log.index("combine/VegAndWeatherJsonCombiner") > log.rindex("NDVICalculator/")


def test_a_pool_that_was_there_is_used_and_left(make_cloud: Any, fakes: Any) -> None:
    """Its nodes lack this pyveg: the job prepares them."""
    from azure.batch import models as m

    cloud = make_cloud(batch_pool_id="ours")
    client = _client(cloud)
    image = m.BatchVmImageReference(**IMAGE)
    machine = m.VirtualMachineConfiguration(
        image_reference=image, node_agent_sku_id="batch.node.ubuntu 22.04"
    )
    client.create_pool(
        m.BatchPoolCreateOptions(
            id="ours",
            vm_size="standard_d2s_v5",
            virtual_machine_configuration=machine,
            target_dedicated_nodes=1,
            task_slots_per_node=2,
        )
    )
    result = _invoke(run_command, "--config_file", fakes())
    assert result.exit_code == 0, result.output
    assert _left(cloud) == ["ours"]


def test_a_pool_to_be_kept_is_kept_and_used_again(make_cloud: Any, fakes: Any) -> None:
    cloud = make_cloud(batch_pool_id="kept", keep_pool=True)
    for _ in range(2):
        result = _invoke(run_command, "--config_file", fakes())
        assert result.exit_code == 0, result.output
        assert _left(cloud) == ["kept"]
    assert cloud.batch.requests.counts["create_pool"] == 1


def _done(store: AzureBlobStore) -> dict[str, str]:
    """Manifests and their versions."""
    return {
        blob.key: blob.etag
        for blob in store.inventory()
        if blob.key.startswith("_pyveg/manifests/")
    }


def _until_all_but_one_are_done(store: AzureBlobStore) -> None:
    """The second date is held in its second Module; all else that can be done is."""
    _until(lambda: len(_done(store)) == 2 + 1 + 2)


def _lines(store: AzureBlobStore) -> list[str]:
    return store.read(GATHERED).decode().splitlines()


OTHER = {"vm_size": "Standard_D4s_v5", "dedicated": 1, "slots": 2}


@pytest.mark.parametrize("pools", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_client_that_is_killed(make_cloud: Any, fakes: Any, gate: Gate, pools: int) -> None:
    """Nodes go on; the next try joins them, and nothing that was done is done again."""
    chosen = {"pools": {"other": OTHER}, "module_pools": {"Follow": "other"}} if pools > 1 else {}
    cloud = make_cloud(**chosen)
    with _started("--config_file", fakes(gate)) as process:
        store = _first_line(process)
        _until_all_but_one_are_done(store)
        process.kill()
        process.wait()
    assert len(_left(cloud)) == 2 * pools

    refused = _invoke(run_command, "--from_cache", store.container)
    assert refused.exit_code == 2
    assert "if it was killed, wait" in refused.output
    _end_lease(store)
    before = _done(store)
    asked = cloud.batch.requests.counts["list_tasks"]
    joined = threading.Thread(
        target=lambda: (
            _until(lambda: cloud.batch.requests.counts["list_tasks"] > asked + 1) and gate.open()
        )
    )
    joined.start()
    again = _invoke(run_command, "--from_cache", store.container)
    joined.join()
    assert again.exit_code == 0, again.output
    assert before.items() <= _done(store).items()
    assert cloud.batch.requests.counts["create_job"] == pools
    assert _left(cloud) == []
    assert _lines(store) == LINES


def _end_lease(store: AzureBlobStore) -> None:
    """What the service does by itself half a minute after the client was killed."""
    service = BlobServiceClient(store.account_url, AzureNamedKeyCredential(ACCOUNT, Azurite.key))
    blob = service.get_blob_client(store.container, f"{LOCKS}/{LOCK}")
    assert blob.get_blob_properties().lease.duration == "fixed"
    BlobLeaseClient(blob).break_lease(lease_break_period=0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("cancel", signal.SIGINT),
        ("detach", signal.SIGINT),
        pytest.param("cancel", signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_an_interrupt(make_cloud: Any, fakes: Any, gate: Gate, how: str, number: int) -> None:
    """Ctrl-C, or a request to end, removes everything, or leaves it and says how to come back."""
    cloud = make_cloud()
    with _started("--config_file", fakes(gate), "--on_interrupt", how) as process:
        store = _first_line(process)
        _until_all_but_one_are_done(store)
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"pyveg_run_pipeline --from_cache {store.url}" in output
    _until(lambda: len(_left(cloud)) == (2 if how == "detach" else 0))
    gate.open()
    again = _invoke(run_command, "--from_cache", store.container)
    assert again.exit_code == 0, again.output
    assert cloud.batch.requests.counts["create_job"] == (1 if how == "detach" else 2)
    assert _lines(store) == LINES
    assert _left(cloud) == []


def test_cleanup_removes_what_a_killed_run_left(make_cloud: Any, fakes: Any, gate: Gate) -> None:
    """And nothing of a run that goes on, unless it is told to."""
    cloud = make_cloud()
    with _started("--config_file", fakes(gate)) as process:
        store = _first_line(process)
        gate.wait_for("00001")
        busy = _invoke(cleanup_command, "--remove")
        assert busy.output.count("(its run goes on)") == 2
        assert len(_left(cloud)) == 2
        process.kill()
        process.wait()
    listed = _invoke(cleanup_command, "--going_on")
    assert f"pool pyveg_{store.container}: active, " in listed.output
    assert "2 of 2 can be removed" in listed.output
    removed = _invoke(cleanup_command, "--remove", "--going_on")
    assert removed.exit_code == 0, removed.output
    assert removed.output.count(": removed") == 2
    _until(lambda: not _left(cloud))  # the service lets a pool go when its last task has ended
    assert "nothing was left behind" in _invoke(cleanup_command).output
    with pytest.raises(KeyMissingError):
        store.read(GATHERED)
