"""A real server of jobs in a folder, its callers, and a plain client.

::

    with ServiceServer(tmp_path) as server:
        job = server.submit("steps", count=3)
        assert server.ended(job)["status"] == "successful"
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

STEPS = '''"""Steps that take as long as they are told, for tests of the service."""

from dataclasses import dataclass

from pyveg.core.params import setting

title = "Steps"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    count: int = setting(3, doc="how many Items", low=0, high=100_000)
    seconds: float = setting(0.0, doc="how long each takes", low=0, high=600)
    fail: tuple[str, ...] = setting((), doc="Items that fail")
    die: tuple[str, ...] = setting((), doc="Items that kill their process")
    gate: str = setting("", doc="folder of a gate where Items wait")


def settings(inputs):
    fakes = "pyveg.testing.fakes"
    step = {"seconds": inputs.seconds}
    start = {**step, "count": inputs.count, "fail": inputs.fail, "die": inputs.die}
    return {
        "name": "steps",
        "runner": "serial",
        "modules_to_use": {
            "steps": [f"{fakes}:Start", f"{fakes}:Follow"],
            "combine": [f"{fakes}:Gather"],
        },
        "special_config": {"Start": {**start, "gate": inputs.gate}, "Follow": step},
    }
'''
"""The file of a process whose jobs take as long as a test wants."""
_PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """What a server has answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class ServiceServer:
    """A server of jobs.

    Parameters
    ----------
    folder : Path
        Of its config, table and runs.
    config : str
        Lines of ``service_config.py`` beside those that say where its files are.
    web_workers : int
    """

    def __init__(self, folder: Path, config: str = "", *, web_workers: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        (folder / "steps.py").write_text(STEPS)
        lines = ['processes = ["steps.py"]', f"web_workers = {web_workers}", config]
        (folder / "service_config.py").write_text("\n".join(lines) + "\n")
        self.address = ""
        self.process: subprocess.Popen[str] | None = None
        self._port = 0
        self.token = self.add_caller("kim")

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``pyveg_serve`` with some words in the folder."""
        return subprocess.run(
            [sys.executable, "-m", "pyveg.scripts.serve", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def add_caller(self, name: str, *options: str) -> str:
        """Let somebody in; gives the token."""
        done = self.command("add_caller", name, *options)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def start(self) -> None:
        """Start it, at the port that it had before, and wait until it answers."""
        errors = (self.folder / "server.err").open("a")
        with errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pyveg.scripts.serve", "--port", str(self._port)],
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((self.folder / "server.err").read_text())
        self.address = line.split()[1]
        self._port = urlsplit(self.address).port or 0
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                if self.get("/healthz").status == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.address} does not answer")

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        """End it by a signal; gives the exit code."""
        if self.process is None:
            return None
        with self.process as process:
            process.send_signal(number)
            code = process.wait(_PATIENCE)
        self.process = None
        return code

    def kill(self) -> None:
        """End it at once, without a word."""
        self.stop(signal.SIGKILL)

    def __enter__(self) -> ServiceServer:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and what is left of its jobs."""
        self.stop()
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)

    # A client

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask something; a token that is empty is not sent."""
        given = dict(headers or {})
        chosen = self.token if token is None else token
        if chosen:
            given.setdefault("Authorization", f"Bearer {chosen}")
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        url = path if "://" in path else f"{self.address}{path}"
        asked = urllib.request.Request(url, data, given, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=_PATIENCE) as reply:
                return Answer(reply.status, dict(reply.headers), reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def get(self, path: str, **given: Any) -> Answer:
        """Ask for something."""
        return self.request("GET", path, **given)

    def submit(self, process: str, **inputs: Any) -> str:
        """Submit a job; gives its id."""
        made = self.request("POST", f"/processes/{process}/execution", {"inputs": inputs})
        if made.status != 201:
            raise RuntimeError(made.body.decode())
        return str(made.json["jobID"])

    def job(self, job: str) -> dict[str, Any]:
        """How a job is."""
        found: dict[str, Any] = self.get(f"/jobs/{job}").json
        return found

    def when(self, job: str, *states: str, seconds: float = _PATIENCE) -> dict[str, Any]:
        """How a job is as soon as it is in one of some states."""
        end = time.monotonic() + seconds
        while True:
            found = self.job(job)
            if found["status"] in states:
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"the job is {found}; {self.said(job)}")
            time.sleep(0.1)

    def ended(self, job: str, seconds: float = _PATIENCE) -> dict[str, Any]:
        """How a job is when it is over."""
        return self.when(job, "successful", "failed", "dismissed", seconds=seconds)

    def events(self, path: str, *, after: str = "") -> Iterator[tuple[str, str, Any]]:
        """Events as they come: kind, id, data."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if after:
            headers["Last-Event-ID"] = after
        asked = urllib.request.Request(f"{self.address}{path}", headers=headers)
        with urllib.request.urlopen(asked, timeout=_PATIENCE) as reply:
            kind, identity = "", ""
            for raw in reply:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind, identity = value, ""
                elif name == "id":
                    identity = value
                elif name == "data":
                    yield kind, identity, json.loads(value)

    # What lies behind it

    def run_folder(self, job: str) -> Path:
        """Where the run of a job is."""
        return Path(self.job(job)["run"])

    def child(self, job: str) -> int | None:
        """The process that does a job, or did last."""
        try:
            note = json.loads((self.folder / "service/jobs" / job / "child.json").read_text())
        except (OSError, ValueError):
            return None
        return int(note["pid"])

    def said(self, job: str) -> str:
        """What the processes of a job have printed."""
        path = self.folder / "service/jobs" / job / "child.log"
        return path.read_text() if path.exists() else ""

    def children(self, job: str = "") -> list[int]:
        """Processes of jobs of this server that live, on Linux."""
        mine = os.fsencode(str(self.folder / "service" / "jobs"))
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            is_child = b"pyveg.service.child" in words
            if is_child and any(w.startswith(mine) and w.endswith(job.encode()) for w in words):
                found.append(int(entry.name))
        return found
