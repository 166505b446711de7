"""The program of `azure_batch_emulator.host.watchdog`; it is never imported.

``python watchdog_process.py PARENT LEFTOVER MARK ...``: lines on the standard input say which
process groups run: ``+GROUP`` where one has begun and ``-GROUP`` where it has ended. When the input
ends or the parent has gone, the groups that run are killed and, on Linux, every process whose
environment has all the marks; then the folder LEFTOVER is removed. An emulator that has ended all
of them itself kills this process. It imports little, because it starts with each emulator.
"""

from __future__ import annotations

import os
import select
import sys
import time

LOOK_SECONDS = 0.5
"""How often it looks whether the parent is there: a process that the parent has forked may hold
the pipe open."""

GATHER_SECONDS = 0.05
"""How long lines may gather before they are read, so that thousands of short tasks wake it only
some times in a second."""

SWEEPS = (0.0, 0.1, 0.4)
"""Seconds before each search for processes with the marks: one that was being launched when the
emulator was killed gets its own environment a moment later."""

SIGKILL = 9
"""Everywhere; the module `signal` takes longer to import than everything else."""


def main(parent: int, leftover: str, marks: list[str]) -> None:
    """Listen until the parent has gone, and then kill."""
    for group in _left_by(parent):
        try:
            os.killpg(int(group), SIGKILL)
        except OSError:  # it has ended
            continue
    for seconds in SWEEPS if marks else ():
        time.sleep(seconds)
        for pid in _marked([b"\0" + mark.encode() for mark in marks]):
            try:
                os.kill(pid, SIGKILL)
            except OSError:
                continue
    if leftover:
        import shutil

        shutil.rmtree(leftover, ignore_errors=True)


def _left_by(parent: int) -> set[str]:
    """The groups that run when the parent has gone."""
    groups: set[str] = set()
    unread = ""
    while os.getppid() == parent:
        if not select.select([0], [], [], LOOK_SECONDS)[0]:
            continue
        time.sleep(GATHER_SECONDS)
        if not (said := os.read(0, 1 << 20)):
            break
        *lines, unread = (unread + said.decode()).split("\n")
        for line in lines:
            (groups.add if line[0] == "+" else groups.discard)(line[1:])
    return groups


def _marked(marks: list[bytes]) -> list[int]:
    """Processes whose environment has all marks; none where the system does not show it."""
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - pathlib takes time to import
    except FileNotFoundError:
        return []
    pids = [name for name in names if name.isdigit()]
    return [int(pid) for pid in pids if all(mark in _environment(pid) for mark in marks)]


def _environment(pid: str) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
            return b"\0" + file.read()
    except OSError:  # it has ended, or is another user's
        return b""


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
