"""All ways in which the process that started a run can end, and what becomes of the run.

Whatever happens, ``--from_cache`` gives the results of a run that nobody disturbed, what is done is
not done again, and no worker outlives its run.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from pyveg.core.layout import LOCK
from pyveg.core.ports import Store
from pyveg.jobs.locations import open_location
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import fake_config

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are of POSIX systems")

COMMAND = [sys.executable, "-m", "pyveg.scripts.run_pipeline"]
ITEMS = 6
HELD = "00002"
LEASE = 2.0
"""Seconds; of a lease that is renewed."""
EXPECTED = [f"{number:05}+" for number in range(ITEMS)] + ["00000", "00001"]


@dataclass
class Client:
    """A run that waits for one of its Tasks, and the process that started it."""

    process: subprocess.Popen[bytes]
    where: str
    gate: Gate
    config: Path
    workers: list[psutil.Process] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return open_location(self.where)

    def manifests(self) -> dict[str, bytes]:
        return {key: self.store.read(key) for key in self.store.list("_pyveg/manifests/")}

    def said(self) -> str:
        text, _ = self.process.communicate(timeout=60)
        return text.decode() if text else ""

    def finish(self) -> None:
        """Finish the run; nothing that is done is done again."""
        _until(lambda: (holder := self.store.holder(LOCK)) is None or holder.alive is False)
        done = self.manifests()
        self.gate.open()
        again = subprocess.run(
            [*COMMAND, "--from_cache", self.where],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert again.returncode == 0, again.stdout + again.stderr
        self.check_results()
        assert done.items() <= self.manifests().items()

    def check_results(self) -> None:
        assert self.store.read("combine/Gather/all").decode().splitlines() == EXPECTED

    def check_nobody_left(self) -> None:
        assert psutil.wait_procs(self.workers, timeout=20)[1] == []


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.02)


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVEG_LEASE_SECONDS", str(LEASE))


class Starter:
    """Starts runs on an engine and a kind of folder, and waits until a Task is held."""

    def __init__(self, folder: Path, gate: Gate, runner: str, protocol: str) -> None:
        self._folder, self._gate = folder, gate
        self._runner, self._protocol = runner, protocol
        self.started: list[subprocess.Popen[bytes]] = []

    def config(self, items: int = ITEMS) -> Path:
        special: dict[str, Any] = {
            "A": {"count": items},
            "Follow": {"gate": str(self._gate.folder), "held": [HELD]},
            "B": {"count": 2},
        }
        more = {"output_location_type": self._protocol} if self._protocol else {}
        path = self._folder / f"config_{items}.py"
        path.write_text(
            fake_config(
                str(self._folder / "out"),
                special_config=special, runner=self._runner, n_workers=2, **more,
            )
        )  # fmt: skip
        return path

    def __call__(self, *before: str, **options: Any) -> Client:
        config = self.config()
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
        process = subprocess.Popen([*before, *COMMAND, "--config_file", str(config)], **how)
        self.started.append(process)
        self._gate.wait_for(HELD)
        (folder,) = self._folder.glob("out_*")
        where = f"{self._protocol}://{folder}" if self._protocol else str(folder)
        workers = psutil.Process(process.pid).children(recursive=True)
        return Client(process, where, self._gate, config, workers)


@pytest.fixture(params=["serial", "processes", "dask"])
def runner(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["", "file"])
def protocol(request: pytest.FixtureRequest) -> str:
    """A folder locked by the operating system, or one with a lease that is renewed."""
    return str(request.param)


@pytest.fixture
def start(tmp_path: Path, gate: Gate, runner: str, protocol: str, lease: None) -> Iterator[Starter]:
    del lease
    starter = Starter(tmp_path, gate, runner, protocol)
    yield starter
    gate.open()
    for process in starter.started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


ENDS = {
    "interrupted once": ([signal.SIGINT], 130),
    "asked to terminate": ([signal.SIGTERM], 130),
    "terminal closed": ([signal.SIGHUP], 130),
}


@pytest.mark.parametrize("protocol", ["file"], indirect=True)
@pytest.mark.parametrize(
    ("runner", "end"),
    [
        ("serial", "interrupted once"),
        ("processes", "asked to terminate"),
        ("processes", "terminal closed"),
        pytest.param("dask", "interrupted once", marks=pytest.mark.slow),
    ],
    indirect=["runner"],
)
def test_asked_to_end(start: Starter, end: str) -> None:
    signals, code = ENDS[end]
    client = start()
    for number in signals:
        client.process.send_signal(number)
    client.gate.open()  # what runs in a thread ends by itself
    said = client.said()
    assert client.process.returncode == code
    assert "--from_cache" in said
    assert client.store.holder(LOCK) is None
    client.check_nobody_left()
    client.finish()


@pytest.mark.parametrize("runner", ["processes"], indirect=True)
@pytest.mark.parametrize("protocol", ["file"], indirect=True)
def test_interrupted_twice(start: Starter) -> None:
    """Who does not want to wait for the end gets it at once."""
    client = start()
    client.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    client.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    client.process.send_signal(signal.SIGINT)
    client.process.wait(timeout=20)
    assert client.process.returncode != 0
    client.gate.open()
    client.check_nobody_left()
    client.finish()


@pytest.mark.parametrize(
    ("runner", "protocol"),
    [
        ("serial", "file"),
        ("processes", ""),
        ("processes", "file"),
        pytest.param("dask", "", marks=pytest.mark.slow),
    ],
    indirect=True,
)
def test_killed(start: Starter) -> None:
    client = start()
    client.process.kill()
    client.process.wait()
    client.gate.open()
    client.check_nobody_left()
    client.finish()


@pytest.mark.parametrize("runner", ["processes"], indirect=True)
@pytest.mark.parametrize("protocol", ["file"], indirect=True)
def test_a_reader_that_leaves(start: Starter) -> None:
    """The run goes on to its end, and its exit code is its own."""
    client = start()
    assert client.process.stdout is not None
    client.process.stdout.close()
    client.gate.open()
    assert client.process.wait(timeout=60) == 0
    client.check_results()
    client.check_nobody_left()


@pytest.mark.parametrize("runner", ["processes"], indirect=True)
@pytest.mark.parametrize("protocol", [""], indirect=True)
def test_a_terminal_that_goes(start: Starter) -> None:
    """As when the window is closed or the connection is lost: the run ends in order."""
    master, slave = pty.openpty()

    def own_terminal() -> None:
        import fcntl
        import termios

        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    client = start(stdin=slave, stdout=slave, stderr=slave, preexec_fn=own_terminal)
    os.close(slave)
    os.close(master)
    client.gate.open()
    assert client.process.wait(timeout=60) == 130
    client.check_nobody_left()
    client.finish()


def _suspend(client: Client) -> None:
    """The lid of the laptop is closed, until the lease has run out."""
    client.process.send_signal(signal.SIGSTOP)
    _until(lambda: (holder := client.store.holder(LOCK)) is not None and holder.alive is False)


@pytest.mark.parametrize("runner", ["processes"], indirect=True)
@pytest.mark.parametrize("protocol", ["file"], indirect=True)
def test_suspended_and_nobody_took_over(start: Starter) -> None:
    """It goes on as if nothing had been."""
    client = start()
    _suspend(client)
    client.process.send_signal(signal.SIGCONT)
    client.gate.open()
    client.said()
    assert client.process.returncode == 0
    client.check_results()
    client.check_nobody_left()


@pytest.mark.parametrize("runner", ["processes", "dask"], indirect=True)
@pytest.mark.parametrize("protocol", ["file"], indirect=True)
def test_suspended_and_somebody_took_over_with_another_config(start: Starter) -> None:
    """The results are those of the second, whole; the first has written and removed nothing."""
    client = start()
    _suspend(client)
    client.gate.open()
    second = subprocess.run(
        [*COMMAND, "--config_file", str(start.config(4)), "--from_cache", client.where],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert second.returncode == 0, second.stdout + second.stderr
    before = _everything(client)
    client.process.send_signal(signal.SIGCONT)
    begin = time.monotonic()
    said = client.said()
    assert time.monotonic() - begin < LEASE + 5
    assert client.process.returncode == 2, said
    assert "was taken over by process" in said
    assert "Traceback" not in said
    client.check_nobody_left()
    assert _everything(client) == before
    lines = client.store.read("combine/Gather/all").decode().splitlines()
    assert lines == [f"{number:05}+" for number in range(4)] + ["00000", "00001"]


def _everything(client: Client) -> dict[str, bytes]:
    return {key: client.store.read(key) for key in client.store.list()}
