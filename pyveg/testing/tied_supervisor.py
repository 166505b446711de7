"""The program between `pyveg.testing.tied_process` and what it starts; it is never imported.

``python tied_supervisor.py PARENT LEFTOVER PROGRAM ...``: the program gets a process group of its
own, which ends as a whole. A line on the standard input asks for that: the number of seconds
between SIGTERM and SIGKILL. When the input ends or the parent has gone, nobody is left to ask: the
group ends likewise, and the folder LEFTOVER is removed. It needs the standard library only.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL when the parent has gone."""

LOOK_SECONDS = 0.25
"""How often it looks whether the program has ended and the parent is there. The end of the pipe
does not always tell: a process that the parent has forked may hold it open."""


def main(parent: int, leftover: str, command: list[str]) -> int:
    """Run the program to its end: its exit code."""
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    grace, alone = _wait(program, parent)
    if grace:
        _end_group(program.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            program.wait(grace)
    _end_group(program.pid, signal.SIGKILL)
    code = program.wait()
    if leftover and (alone or os.getppid() != parent):
        import shutil

        shutil.rmtree(leftover, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _wait(program: subprocess.Popen[bytes], parent: int) -> tuple[float, bool]:
    """Until the program ends or is to end: the seconds that it is given, and if nobody is left.

    The input of a parent that dies ends before the parent has gone, so its end says enough.
    """
    while program.poll() is None and os.getppid() == parent:
        if select.select([0], [], [], LOOK_SECONDS)[0]:
            asked = os.read(0, 64)
            return (float(asked), False) if asked else (GRACE, True)
    return GRACE, False


def _end_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
