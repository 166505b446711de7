"""A client is suspended, another takes its run over: two never work at one run on Azure Batch."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
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

from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import LOCK
from pyveg.storage import azure
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.keys import LOCKS
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.azurite import ACCOUNT
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import fake_config

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows suspends no processes")

GATHERED = "combine/Gather/all"


def _config(path: Path, gate: Gate, count: int) -> str:
    """Some dates on nodes, of which the second waits at a gate in its second Module."""
    special: dict[str, Any] = {
        "A": {"count": count, "run_mode": "batch"},
        "Follow": {"gate": str(gate.folder), "held": ["00001"]},
        "B": {"count": 2},
    }
    name = f"taken-{uuid.uuid4().hex[:8]}"
    where = {"output_location_type": "azure", "runner": "threads"}
    path.write_text(fake_config(name, special_config=special, **where))
    return str(path)


@contextmanager
def _started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def _store_of(process: subprocess.Popen[str]) -> AzureBlobStore:
    """The container that a run prints first."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("run: "):
            (name,) = re.findall("azure://([a-z0-9-]+)", line)
            return azure.open_store(name)
    pytest.fail("the run ended early")


def _until(condition: Callable[[], Any], seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.1)
    return found


def _client(cloud: LocalCloud) -> BatchClient:
    credential = AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    return BatchClient(cloud.batch.url, credential)


def _left(cloud: LocalCloud) -> list[str]:
    client = _client(cloud)
    return [*(pool.id for pool in client.list_pools()), *(job.id for job in client.list_jobs())]


def _end_lease(cloud: LocalCloud, store: AzureBlobStore) -> None:
    """What the service does by itself when a client has not renewed its lease in time."""
    credential = AzureNamedKeyCredential(ACCOUNT, cloud.azurite.key)
    service = BlobServiceClient(store.account_url, credential)
    blob = service.get_blob_client(store.container, f"{LOCKS}/{LOCK}")
    BlobLeaseClient(blob).break_lease(lease_break_period=0)


def _epochs(store: AzureBlobStore) -> dict[str, int]:
    """Key of the description of each task at the service -> the attempt that it belongs to."""
    keys = list(store.list("_pyveg/tasks/"))
    return {key: json.loads(store.read(key))["tasks"][0].get("epoch", 0) for key in keys}


def _is_done(store: AzureBlobStore) -> bool:
    try:
        return bool(store.read(GATHERED))
    except KeyMissingError:
        return False


def _suspended(cloud: LocalCloud, process: subprocess.Popen[str], gate: Gate) -> AzureBlobStore:
    """The run of a client that sleeps while a task of it runs, and whose lease has ended."""
    store = _store_of(process)
    gate.wait_for("00001")
    process.send_signal(signal.SIGSTOP)
    _end_lease(cloud, store)
    return store


@pytest.mark.parametrize("told_to_end", [pytest.param(True, marks=pytest.mark.slow), False])
def test_what_a_suspended_client_has_in_hand_is_adopted(
    make_cloud: Any, tmp_path: Path, gate: Gate, told_to_end: bool
) -> None:
    """The task goes on for the one that took over; the first removes nothing when it wakes."""
    cloud = make_cloud()
    with _started("--config_file", _config(tmp_path / "fakes.py", gate, 2)) as first:
        store = _suspended(cloud, first, gate)
        assert set(_epochs(store).values()) == {1}
        with _started("--from_cache", store.container) as second:
            _until(lambda: 2 in _epochs(store).values())
            before = _left(cloud)
            if told_to_end:
                first.send_signal(signal.SIGTERM)
            first.send_signal(signal.SIGCONT)
            said, _ = first.communicate(timeout=60)
            assert first.returncode == 2, said
            assert "taken over" in said or "taken it over" in said
            assert _left(cloud) == before
            assert not _is_done(store)
            gate.open()
            output, _ = second.communicate(timeout=120)
        assert second.returncode == 0, output
    lines = store.read(GATHERED).decode().splitlines()
    assert lines == ["00000+", "00001+", "00000", "00001"]
    assert cloud.batch.requests.counts["create_job"] == 1
    assert _left(cloud) == []


def test_tasks_of_another_config_are_ended_before_others_begin(
    make_cloud: Any, tmp_path: Path, gate: Gate
) -> None:
    cloud = make_cloud()
    with _started("--config_file", _config(tmp_path / "one.py", gate, 2)) as first:
        store = _suspended(cloud, first, gate)
        (job,) = _client(cloud).list_jobs()
        old = {task.id for task in _client(cloud).list_tasks(job.id)}
        other = _config(tmp_path / "two.py", gate, 3)
        with _started("--config_file", other, "--from_cache", store.container) as second:
            _until(lambda: 2 in _epochs(store).values())
            now = {task.id: task for task in _client(cloud).list_tasks(job.id)}
            assert {str(now[id_].state.value) for id_ in old} == {"completed"}
            first.send_signal(signal.SIGCONT)
            said, _ = first.communicate(timeout=60)
            assert first.returncode == 2, said
            gate.open()
            output, _ = second.communicate(timeout=120)
        assert second.returncode == 0, output
    lines = store.read(GATHERED).decode().splitlines()
    assert lines == ["00000+", "00001+", "00002+", "00000", "00001"]
    assert _left(cloud) == []
