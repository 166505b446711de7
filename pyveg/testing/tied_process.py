"""Processes that end with the one that started them, also where that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_SUPERVISOR = Path(__file__).with_name("tied_supervisor.py")


class TiedProcess:
    """A program in a process group of its own, which ends as a whole.

    It ends when it is told to, and a second later at most when this process has gone without
    telling it, by SIGKILL for example. Windows has no process groups: there it is a child like any
    other.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    output : file
        Where it writes, on both ways.
    environment : mapping of str to str, optional
        All its variables; those of this process where left out.
    leftover : Path, optional
        A folder to be removed where this process has gone.
    """

    def __init__(
        self,
        command: Sequence[str],
        output: IO[bytes],
        *,
        environment: Mapping[str, str] | None = None,
        leftover: Path | None = None,
    ) -> None:
        supervisor = [str(_SUPERVISOR), str(os.getpid()), str(leftover or "")]
        between = [sys.executable, "-I", "-S", *supervisor] if os.name != "nt" else []
        self._process = subprocess.Popen(
            [*between, *command],
            stdin=subprocess.PIPE,
            bufsize=0,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for the one who started it
        )

    @property
    def pid(self) -> int:
        """Id of the process that stands for it."""
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def end(self, grace: float = 0.0) -> None:
        """End it and all its children, and wait until that is done.

        Parameters
        ----------
        grace : float
            Seconds between the request (SIGTERM) and the end (SIGKILL); without them it ends as if
            its machine had gone.
        """
        if os.name == "nt":
            self._process.kill()
        elif self.poll() is None:
            self._ask(f"{grace:g}\n")
        self._process.wait()
        self._close()

    def _ask(self, line: str) -> None:
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it has just ended
                self._process.stdin.write(line.encode())

    def _close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
