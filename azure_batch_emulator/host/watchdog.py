"""Ends the processes of nodes when the emulator itself was killed and could not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_PROGRAM = Path(__file__).with_name("watchdog_process.py")


class Watchdog:
    """A process beside the emulator that hears which process groups run on its nodes.

    It starts with the first of them. It learns from the end of a pipe that the emulator has gone,
    and then kills all of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._arguments: list[str] = []

    def open(self, marks: Sequence[str], leftover: Path | None) -> None:
        """Be told how to know the processes of this emulator.

        Parameters
        ----------
        marks : sequence of str
            How variables in the environment of each of them begin, ``NAME=value``.
        leftover : Path or None
            A folder that is removed when they have been killed.
        """
        self._arguments = [str(os.getpid()), str(leftover or ""), *marks]

    def start(self) -> None:
        """Watch; called before a process is launched."""
        with self._lock:
            if self._process is None:
                # a session of its own: Ctrl-C in a terminal is for the emulator, not for it
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_PROGRAM), *self._arguments],
                    stdin=subprocess.PIPE,
                    bufsize=0,
                    start_new_session=True,
                )

    def add(self, group: int) -> None:
        """A process group runs."""
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """A process group has ended, and its number may become another's."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """All of them have ended."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _tell(self, line: str) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(BrokenPipeError):  # somebody has killed it; the emulator works without
                process.stdin.write(line.encode())  # short enough to be written as a whole
