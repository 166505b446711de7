"""The batch API by a real server, its processes killed; and by containers with real signatures."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

from pyveg.service import access
from pyveg.testing.azurite import Azurite
from pyveg.testing.service_server import ServiceServer
from pyveg.testing.small_models import colour_model

from .conftest import PREFIX, Photos, Trap, png

pytestmark = pytest.mark.slow

RED, BLUE = (255, 0, 0), (0, 0, 255)
DEADLY = """
import os
import time
from pathlib import Path

from pyveg.scorers.onnx import OnnxScorer


class Deadly(OnnxScorer):
    def score(self, images):
        time.sleep(0.01)
        if images[0][0, 0, 2] == 255 and Path({marker!r}).exists():
            os._exit(9)
        return super().score(images)
"""


@pytest.fixture
def make_server(
    tmp_path: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ServiceServer]:
    """Makes a server whose scorer takes its time, and ends its process at the sight of blue."""
    colour_model(tmp_path)
    (tmp_path / "deadly_scorer.py").write_text(DEADLY.format(marker=str(tmp_path / "marker")))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "callers.json").write_text('{"zoo": "default"}')
    model = {
        "model": "colours.onnx",
        "scorer": "deadly_scorer:Deadly",
        "record": str(tmp_path / "colours.json"),
        "images_per_task": 100,
    }
    trap = {"allow_list": "callers.json", "default_model_version": "4.1"}

    def make(more: str) -> ServiceServer:
        lines = [f"scoring_models = {{'4.1': {model!r}}}", f"camera_trap = {trap!r}"]
        lines += [f"scoring_hosts = [{photos.host!r}]", more]
        return ServiceServer(tmp_path, "\n".join(lines))

    return make


def _submit(server: ServiceServer, photos: Photos, blue: int = -1) -> tuple[str, list[str]]:
    """A job of 600 images; gives its id and their addresses."""
    urls = [photos.put(f"k{n}.png", png(BLUE if n == blue else RED)) for n in range(600)]
    listed = photos.put("killed.json", urls)
    body = {"caller": "zoo", "use_url": "true", "images_requested_json_sas": listed}
    answer = server.request("POST", f"{PREFIX}/request_detections", body)
    assert answer.status == 200, answer.body
    return answer.json["request_id"], urls


def _state(server: ServiceServer, job: str, *wanted: str) -> dict[str, Any]:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        status: dict[str, Any] = server.get(f"{PREFIX}/task/{job}").json["Status"]
        if status["request_status"] in wanted:
            return status
        assert status["request_status"] in ("created", "running"), status
        time.sleep(0.02)
    raise AssertionError(f"it is not {wanted}: {status}")


def _results(server: ServiceServer, status: dict[str, Any]) -> list[dict[str, Any]]:
    url = status["message"]["output_file_urls"]["detections"]
    images: list[dict[str, Any]] = server.get(urlsplit(url).path).json["images"]
    return images


def test_a_server_that_is_killed_in_mid_job(
    make_server: Callable[..., ServiceServer], photos: Photos, tmp_path: Path
) -> None:
    """The job goes on, and the next server answers for it."""
    with make_server('runner = "serial"') as server:
        job, urls = _submit(server, photos)
        _state(server, job, "running")
        server.kill()
        assert len(server.children(job)) == 1
        server.start()
        status = _state(server, job, "completed")
        assert {one["file"] for one in _results(server, status)} == set(urls)
        assert status["message"]["num_failed_shards"] == 0
        assert not list((tmp_path / "service/jobs").rglob("access"))


def test_a_job_that_is_canceled_while_it_goes_on_stays_so(
    make_server: Callable[..., ServiceServer], photos: Photos
) -> None:
    with make_server('runner = "serial"') as server:
        job, _ = _submit(server, photos)
        _state(server, job, "running")
        body = {"caller": "zoo", "request_id": job}
        assert server.request("POST", f"{PREFIX}/cancel_request", body).status == 200
        assert _state(server, job, "canceled")
        end = time.monotonic() + 60
        while server.children(job) and time.monotonic() < end:
            time.sleep(0.05)
        assert not server.children(job)
        assert server.request("POST", f"{PREFIX}/cancel_request", body).status == 400
        assert _state(server, job, "canceled")


def test_a_worker_that_is_killed_loses_no_image(
    make_server: Callable[..., ServiceServer], photos: Photos, tmp_path: Path
) -> None:
    """Images of its shard are failures; --from_cache does that shard alone."""
    (tmp_path / "marker").touch()
    with make_server('runner = "processes"\nn_workers = 2') as server:
        job, urls = _submit(server, photos, blue=250)
        status = _state(server, job, "completed")
        images = _results(server, status)
        assert {one["file"] for one in images} == set(urls)
        assert [one["file"] for one in images if "failure" in one] == urls[200:300]
        assert status["message"]["num_failed_shards"] == 1
        (tmp_path / "marker").unlink()
        _finish(tmp_path / "runs" / f"score-images-{job}")
        status = _state(server, job, "completed")
        assert status["message"]["num_failed_shards"] == 0
        assert not [one for one in _results(server, status) if "failure" in one]


def _finish(run: Path) -> None:
    """As a person does by the command, who sees what was done."""
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--from_cache", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"images/ScoreImages +1 +5\b", done.stdout), done.stdout


def _container(azurite: Azurite, name: str, until: timedelta) -> str:
    """A container with two images; gives its address with a signature."""
    client = ContainerClient(azurite.url, name, credential=azurite.key)
    if not client.exists():
        client.create_container()
        for blob, colour in (("north/#1 50%.PNG", RED), ("south/2.png", BLUE)):
            client.upload_blob(blob, png(colour))
        client.upload_blob("north/notes.txt", b"")
    now = datetime.now(UTC)
    sas = generate_container_sas(
        azurite.account,
        name,
        account_key=azurite.key,
        permission=ContainerSasPermissions(read=True, list=True),
        start=now - timedelta(days=2),
        expiry=now + until,
    )
    return f"{azurite.url}/{name}?{sas}"


def test_a_container_with_a_real_signature(
    azurite: Azurite, make_trap: Callable[..., Trap]
) -> None:
    host = urlsplit(azurite.url).netloc
    trap = make_trap(scoring_hosts=(host,))
    good = trap.submit(input_container_sas=_container(azurite, "traps", timedelta(days=1)))
    late = trap.submit(input_container_sas=_container(azurite, "traps", timedelta(days=-1)))
    trap.work()
    status = trap.status(good)
    assert (status["request_status"], status["num_images"]) == ("completed", 2), status
    url = urlsplit(status["message"]["output_file_urls"]["detections"]).path
    images = trap.client.get(url).json["images"]
    found = {one["file"]: [d["category"] for d in one["detections"]] for one in images}
    assert found == {"north/#1 50%.PNG": ["1"], "south/2.png": ["3"]}
    failed = trap.status(late)
    assert failed["request_status"] == "failed"
    assert "HTTP 403" in failed["message"]
    for job in (good, late):
        assert not access.kept(trap.desk.config.job_folder(job))
