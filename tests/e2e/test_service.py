"""The service as its users have it: a real server, real clients, real runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyveg.runs.run import open_run
from pyveg.testing.gate import Gate
from pyveg.testing.service_server import ServiceServer

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="processes are found by /proc"
)

PLACE = {
    "longitude": 27.95,
    "latitude": 11.57,
    "start_date": "2016-01-01",
    "end_date": "2016-03-01",
    "analysis": False,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceServer]:
    config = "max_running = 4\nn_workers = 1\nrunner = 'serial'"
    with ServiceServer(tmp_path_factory.mktemp("service"), config) as running:
        yield running


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path / "gate")


def file_of(server: ServiceServer, job: str, name: str) -> bytes:
    links = server.get(f"/jobs/{job}/results").json
    return server.request("GET", links[name]["href"], token="").body


def test_a_place_by_http_gives_what_the_command_gives(
    server: ServiceServer, tmp_path: Path
) -> None:
    job = server.submit("resilience", **PLACE)
    kinds: list[str] = []
    progress: list[int] = []
    for kind, _, data in server.events(f"/jobs/{job}/events"):
        kinds.append(kind)
        if kind == "status":
            progress.append(data["progress"])
        if kind == "end":
            break
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert kinds.count("log") > 10
    assert server.job(job)["status"] == "successful"
    links = server.get(f"/jobs/{job}/results").json
    assert {"summary", "series", "picture"} <= set(links)
    assert links["summary"]["type"] == "application/json"
    config = tmp_path / "place.py"
    demo = "from pyveg.configs.demo import *\n"
    own = 'output_location = "out"\ndate_range = ["2016-01-01", "2016-03-01"]\nanalysis = False\n'
    config.write_text(f"{demo}{own}")
    words = ["--config_file", str(config), "--runner", "serial", "--n_workers", "1"]
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", *words]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (expected,) = tmp_path.glob("out_*/gee_*_combine/results_summary.json")
    assert plain(file_of(server, job, "summary")) == plain(expected.read_bytes())
    tasks = server.get(f"/jobs/{job}/tasks?limit=1000").json["tasks"]
    assert {one["state"] for one in tasks} == {"succeeded"}
    assert len(tasks) == server.job(job)["tasks"]


def plain(data: bytes) -> Any:
    """A summary without the name of its config."""
    found = json.loads(data)
    return json.loads(json.dumps(found).replace("place.py", "demo.py"))


def test_a_real_client_of_the_standard(server: ServiceServer) -> None:
    from owslib.ogcapi.processes import Processes

    headers = {"Authorization": f"Bearer {server.token}"}
    client = Processes(server.address, headers=headers)
    assert {"resilience", "steps"} <= {one["id"] for one in client.processes()}
    assert client.process("steps")["inputs"]["count"]["schema"]["type"] == "integer"
    status = client.execute("steps", {"count": 2}, async_=True)
    assert (status["status"], status["type"]) == ("accepted", "process")
    assert server.ended(status["jobID"])["status"] == "successful"


def test_a_lost_connection_goes_on_where_it_was(server: ServiceServer, gate: Gate) -> None:
    job = server.submit("steps", count=2, gate=str(gate.folder))
    first = []
    last = ""
    for kind, last, data in server.events(f"/jobs/{job}/events"):  # noqa: B007
        first.append((kind, data.get("id")))
        if kind == "log":
            break
    gate.open()
    server.ended(job)
    rest = list(server.events(f"/jobs/{job}/events", after=last))
    log = [data["id"] for kind, _, data in rest if kind == "log"]
    assert not set(log) & {one for kind, one in first if kind == "log"}
    whole = [data["id"] for kind, _, data in server.events(f"/jobs/{job}/events") if kind == "log"]
    assert [one for kind, one in first if kind == "log"] + log == whole
    assert rest[-1][0] == "end"


def test_what_a_plan_refuses_has_failed_and_written_nothing(server: ServiceServer) -> None:
    job = server.submit("resilience", **{**PLACE, "end_date": "2016-01-03"})
    found = server.ended(job)
    assert found["status"] == "failed"
    assert "shorter than one period" in found["message"]
    assert "Traceback" not in found["message"]
    assert not Path(found["run"]).exists()
    assert server.get(f"/jobs/{job}/results").status == 404


def test_a_job_of_which_some_tasks_failed(server: ServiceServer) -> None:
    job = server.submit("steps", count=3, fail=["00001"])
    found = server.ended(job)
    assert found["status"] == "failed"
    assert found["message"].startswith("1 of 7 tasks failed, 1 were blocked: steps/Start/00001")
    assert found["failures"] == [{"task": "steps/Start/00001", "reason": "00001 is bad"}]
    (task,) = server.get(f"/jobs/{job}/tasks?state=failed").json["tasks"]
    assert (task["id"], task["reason"]) == ("steps/Start/00001", "00001 is bad")
    errors = server.get(f"/jobs/{job}/logs?level=error").json["logs"]
    assert [one["task"] for one in errors] == ["steps/Start/00001"]
    one = server.get(f"/jobs/{job}/tasks/steps/Start/00001").json
    assert one["state"] == "failed"


def test_a_running_job_stops_when_it_is_dismissed(server: ServiceServer) -> None:
    job = server.submit("steps", count=50, seconds=0.3)
    server.when(job, "running")
    begin = time.monotonic()
    asked = [server.request("DELETE", f"/jobs/{job}").json for _ in range(2)]
    assert all(one["stopping"] for one in asked)
    assert server.ended(job)["status"] == "dismissed"
    assert time.monotonic() - begin < 30
    assert server.request("DELETE", f"/jobs/{job}").status == 409
    assert server.children(job) == []
    run = Path(server.job(job)["run"])
    assert server.request("DELETE", f"/jobs/{job}?purge=true").status == 200
    end = time.monotonic() + 30
    while server.get(f"/jobs/{job}").status == 200 and time.monotonic() < end:
        time.sleep(0.1)
    assert server.get(f"/jobs/{job}").status == 404
    assert not run.exists()


def test_a_server_that_is_killed_finds_its_jobs_again(tmp_path: Path, gate: Gate) -> None:
    with ServiceServer(tmp_path / "s") as server:
        living = server.submit("steps", count=2, gate=str(gate.folder))
        dying = server.submit("steps", count=3, seconds=0.2)
        gate.wait_for("00000")
        server.when(dying, "running")
        process = server.child(living)
        server.kill()
        for pid in server.children(dying):
            os.kill(pid, signal.SIGKILL)
        gate.open()
        server.start()
        assert server.ended(living)["restarts"] == 0
        assert server.child(living) == process, "it was adopted"
        resumed = server.ended(dying)
        assert (resumed["status"], resumed["done"]) == ("successful", 7)
        for job in (living, dying):
            ends = [
                one.record.task
                for one in open_run(server.run_folder(job)).events()
                if one.record.state == "succeeded" and one.record.task
            ]
            assert len(ends) == len(set(ends)), "nothing is done twice"
        second = server.command("--port", "0")
        assert second.returncode == 2
        assert f"served by process {server.process.pid}" in second.stderr  # type: ignore[union-attr]
        assert len(second.stderr.strip().splitlines()) == 1
        assert server.stop() == 0
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            third = server.command("--port", str(port))
        assert third.returncode == 2
        assert f"the port {port} of 127.0.0.1 cannot be had" in third.stderr
        assert len(third.stderr.strip().splitlines()) == 1
