"""The processes of jobs: started in sessions of their own, found again, signalled, and gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyveg.service import access, notes
from pyveg.service.notes import ChildNote
from pyveg.sources import input_sas

VARIABLE = "PYVEG_SERVICE_JOB"
"""Tells the processes of a job from all others; whatever they start has it too."""
_PROC = Path("/proc")


class Children:
    """The processes of all jobs of this service, those of an earlier server too."""

    def __init__(self) -> None:
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, job: str, folder: Path, order: Mapping[str, Any]) -> None:
        """Start the process of a job; what it prints goes to a log in the folder.

        Raises
        ------
        OSError
            Where no process can be started, or nothing be written.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        notes.write(folder, notes.ORDER, order)
        # Signatures of the job alone: with those that the server has, callers could read by them.
        own = {VARIABLE: job, input_sas.VARIABLE: access.kept(folder)}
        with (folder / notes.LOG).open("ab") as log:
            self._started[job] = subprocess.Popen(
                [sys.executable, "-m", "pyveg.service.child", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **own},
            )

    def alive(self, job: str, folder: Path) -> bool:
        """Whether a process does the job, whoever has started it."""
        process = self._started.get(job)
        if process is not None:
            if process.poll() is None:
                return True
            del self._started[job]
        note = notes.read(folder, notes.CHILD, ChildNote)
        return note is not None and note.alive

    def end(self, folder: Path, number: signal.Signals) -> None:
        """Send the process of a job a signal, if it lives."""
        note = notes.read(folder, notes.CHILD, ChildNote)
        if note is not None and note.alive:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(note.pid, number)

    def left(self, job: str, folder: Path) -> list[int]:
        """What lives of the processes that the process of a job has started, itself included.

        Where there is no ``/proc`` it is the number of their group, negative.
        """
        if _PROC.is_dir() and (_PROC / "self" / "environ").exists():
            return [pid for pid in _numbers() if _is_of(pid, job)]
        note = notes.read(folder, notes.CHILD, ChildNote)
        return _group(note.pid) if note is not None else []

    def kill_left(self, job: str, folder: Path) -> None:
        """End all that lives of them at once."""
        for pid in self.left(job, folder):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def running(self) -> list[str]:
        """Jobs whose processes this server has started, and that live."""
        return [job for job, process in self._started.items() if process.poll() is None]

    def wait_all(self, seconds: float) -> None:
        """Wait until those have ended, and no longer than that."""
        end = time.monotonic() + seconds
        while self.running() and time.monotonic() < end:
            time.sleep(0.1)


def _numbers() -> list[int]:
    return [int(one.name) for one in _PROC.iterdir() if one.name.isdecimal()]


def _is_of(pid: int, job: str) -> bool:
    """Whether a process is of a job, by the environment that it was started with."""
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes()
        state = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # gone, or of another user
        return False
    return f"{VARIABLE}={job}".encode() in variables.split(b"\0") and state[0] not in "ZXx"


def _group(leader: int) -> list[int]:
    """Where nothing else tells: the group that a process leads, if anything is left of it."""
    try:
        os.killpg(leader, 0)
    except (ProcessLookupError, PermissionError):
        return []
    return [-leader]  # as signals name a group
