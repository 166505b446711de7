"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pyveg.testing.tied_process import TiedProcess

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")

HOLD = """
import os, sys
from pathlib import Path
from pyveg.testing.tied_process import TiedProcess
folder = Path(sys.argv[1])
with (folder / "log").open("ab") as log:
    TiedProcess(["sh", "-c", sys.argv[2]], log, leftover=folder / "leftover")
if sys.argv[3] == "fork" and os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("started", flush=True)
sys.stdin.read()
"""
"""A program that starts another and waits until it is killed."""

FAMILY = "sleep 100 & sleep 101"
"""A shell and two children of it."""

STUBBORN = "trap '' TERM; sleep 100 & while :; do sleep 0.05; done"
"""It goes on when it is asked to end."""


def _family(mark: Path) -> list[psutil.Process]:
    """Processes whose environment has the mark of a test."""

    def has(process: psutil.Process) -> bool:
        try:
            return process.environ().get("TIED_TEST") == str(mark)
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if has(process)]


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "how"), [(FAMILY, "alone"), (FAMILY, "fork"), (STUBBORN, "alone")]
)
def test_it_ends_when_its_starter_is_killed(tmp_path: Path, command: str, how: str) -> None:
    """Also where a fork of the starter holds the pipe, and where it does not want to end."""
    (tmp_path / "leftover").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), command, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TIED_TEST": str(tmp_path)},
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        forked = [] if how == "alone" else psutil.Process(starter.pid).children()
        staying = {process.pid for process in forked if "tied_supervisor" not in _words(process)}
        _until(lambda: len(_family(tmp_path)) >= 5 + len(staying))
        starter.kill()
        starter.wait()
        _until(lambda: {process.pid for process in _family(tmp_path)} == staying)
    _until(lambda: not (tmp_path / "leftover").exists())


def _words(process: psutil.Process) -> str:
    return " ".join(process.cmdline())


def _start(folder: Path, command: str) -> TiedProcess:
    with (folder / "log").open("ab") as log:
        return TiedProcess(
            ["sh", "-c", command], log, environment={**os.environ, "TIED_TEST": str(folder)}
        )


@pytest.mark.parametrize(("command", "grace"), [(FAMILY, 0.0), (FAMILY, 10.0), (STUBBORN, 0.2)])
def test_it_ends_when_it_is_told_to(tmp_path: Path, command: str, grace: float) -> None:
    process = _start(tmp_path, command)
    _until(lambda: len(_family(tmp_path)) >= 4)
    assert process.poll() is None
    process.end(grace)
    assert not _family(tmp_path)
    assert process.poll() == 128 + (9 if command == STUBBORN or not grace else 15)
    process.end(grace)  # nothing is left to do


def test_it_ends_by_itself(tmp_path: Path) -> None:
    """What it has left running ends with it."""
    process = _start(tmp_path, "echo said; sleep 100 & exit 7")
    _until(lambda: process.poll() is not None)
    assert process.poll() == 7
    assert not _family(tmp_path)
    assert (tmp_path / "log").read_text() == "said\n"
    process.end()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with (tmp_path / "log").open("ab") as log:
        process = TiedProcess([str(tmp_path / "missing")], log)
    _until(lambda: process.poll() is not None)
    assert "No such file or directory" in (tmp_path / "log").read_text()
    process.end()
