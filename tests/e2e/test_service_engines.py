"""Jobs of the service on other machines: a cluster, and nodes of Azure Batch, seen live."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from pyveg.core import registry
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.gate import Gate
from pyveg.testing.service_server import ServiceServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="jobs are found by /proc"),
]

ELSEWHERE = '''"""Steps on nodes."""

from dataclasses import dataclass

from pyveg.core.params import setting


@dataclass(frozen=True, kw_only=True)
class Inputs:
    count: int = setting(2, doc="how many Items")
    gate: str = setting("", doc="folder of a gate where Items wait")


def settings(inputs):
    fakes = "pyveg.testing.fakes"
    elsewhere = {{"run_mode": "{engine}"}}
    return {{
        "name": "nodes",
        "runner": "threads",
        "modules_to_use": {{
            "nodes": [f"{{fakes}}:Start", f"{{fakes}}:Follow"],
            "combine": [f"{{fakes}}:Gather"],
        }},
        "special_config": {{
            "Start": {{"count": inputs.count, **elsewhere}},
            "Follow": {{"gate": inputs.gate, **elsewhere}},
        }},
    }}
'''


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


@pytest.fixture
def cloud(make_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return make_cloud()


@pytest.fixture
def server(cloud: LocalCloud, tmp_path: Path) -> Iterator[ServiceServer]:
    del cloud
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "nodes.py").write_text(ELSEWHERE.format(engine="batch"))
    name = f"svc-{uuid.uuid4().hex[:8]}"
    where = f"azure_config = {str(tmp_path / 'azure_config.py')!r}\nruns = 'azure://{name}'"
    with ServiceServer(folder, f"processes = ['nodes.py']\n{where}") as running:
        yield running


def left_of(cloud: LocalCloud) -> list[str]:
    client = BatchClient(
        cloud.batch.url, AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    )
    return [*(pool.id for pool in client.list_pools()), *(job.id for job in client.list_jobs())]


def secrets_of(cloud: LocalCloud) -> list[str]:
    """The keys of the accounts, by their values."""
    names: dict[str, Any] = {}
    exec(compile(cloud.config(), "azure_config.py", "exec"), names)
    return [value for name, value in names.items() if "key" in name and isinstance(value, str)]


def until(condition: Callable[[], Any], seconds: float = 150.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found


def test_a_job_on_nodes_is_seen_live_and_tells_no_secret(
    server: ServiceServer, cloud: LocalCloud, gate: Gate
) -> None:
    job = server.submit("nodes", gate=str(gate.folder))
    gate.wait_for("00000")
    seen = until(
        lambda: [one for one in server.get(f"/jobs/{job}/nodes").json["nodes"] if one["tasks"]]
    )
    assert any("nodes/Follow/00000" in one["tasks"] for one in seen)
    gate.open()
    found = server.ended(job, 150)
    assert (found["status"], found["done"]) == ("successful", 5)
    links = server.get(f"/jobs/{job}/results").json
    made = server.request("GET", links["combine/Gather/all"]["href"], token="")
    assert made.body.decode().splitlines() == ["00000+", "00001+"]
    until(lambda: not left_of(cloud))
    said = [made.body]
    here = f"/jobs/{job}"
    paths = (here, f"{here}/logs", f"{here}/tasks", f"{here}/results", "/metrics", "/readyz")
    said += [server.get(path).body for path in paths]
    store = registry.store_at(found["run"])
    said += [store.read(key) for key in store.list()]
    kept = [path for path in (server.folder / "service").rglob("*") if path.is_file()]
    said += [path.read_bytes() for path in kept if path.name != "service.key"]
    keys = [*secrets_of(cloud), server.token, (server.folder / "service/service.key").read_bytes()]
    for key in keys:
        value = key if isinstance(key, bytes) else key.encode()
        assert len(value) > 20
        assert not [text for text in said if value in text]
    assert not [text for text in said if b"sig=" in text and b"sig=***" not in text]


def test_nothing_is_left_on_nodes_when_a_job_is_dismissed(
    server: ServiceServer, cloud: LocalCloud, gate: Gate
) -> None:
    job = server.submit("nodes", gate=str(gate.folder))
    gate.wait_for("00000")
    server.request("DELETE", f"/jobs/{job}")
    assert server.ended(job, 150)["status"] == "dismissed"
    assert left_of(cloud) == []


def test_nothing_is_left_on_nodes_of_a_job_that_died_before_it_was_dismissed(
    server: ServiceServer, cloud: LocalCloud, gate: Gate
) -> None:
    job = server.submit("nodes", gate=str(gate.folder))
    gate.wait_for("00000")
    assert server.process
    os.kill(server.process.pid, signal.SIGSTOP)  # so that it cannot resume it at once
    for pid in server.children(job):
        os.kill(pid, signal.SIGKILL)
    os.kill(server.process.pid, signal.SIGCONT)
    server.request("DELETE", f"/jobs/{job}")
    assert server.ended(job, 280)["status"] == "dismissed"
    assert left_of(cloud) == []


def test_a_job_on_a_cluster(tmp_path: Path, gate: Gate) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "nodes.py").write_text(ELSEWHERE.format(engine="dask"))
    config = "processes = ['nodes.py']\nn_workers = 2"
    with ServiceServer(folder, config) as server:
        job = server.submit("nodes", gate=str(gate.folder))
        gate.wait_for("00000", "00001")
        assert server.when(job, "running")["status"] == "running"
        nodes = server.get(f"/jobs/{job}/nodes").json["nodes"]
        doing = sorted(task for one in nodes for task in one["tasks"])
        assert doing == ["nodes/Follow/00000", "nodes/Follow/00001"]
        gate.open()
        found = server.ended(job)
        assert (found["status"], found["done"]) == ("successful", 5)
