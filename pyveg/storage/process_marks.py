"""Whether a process that wrote its number down is still there, and still the same one."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

_ENDED = frozenset("ZXx")
"""States of a process that has ended and was not yet waited for."""


def mark_of(pid: int) -> str:
    """What tells a process of this machine from a later one of the same number.

    Returns
    -------
    str
        The machine's start, the space of numbers and the process's start; empty where the system
        does not tell them (no ``/proc``), or the process has ended.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it points to no path
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name of the program, in parentheses, may hold blanks and parentheses.
    state, *more = text.rpartition(")")[2].split()
    return "" if state in _ENDED else f"{boot} {space} {more[18]}"


def is_alive(host: str, pid: int, mark: str) -> bool | None:
    """Whether that process lives; None where it cannot be seen from here.

    Parameters
    ----------
    host : str
        Where it ran.
    pid : int
        Its number.
    mark : str
        What `mark_of` gave it; may be empty.
    """
    if host != socket.gethostname():
        return None
    mine = mark_of(os.getpid())
    if not (mark and mine):
        return _exists(pid)
    if mark.split()[:2] != mine.split()[:2]:  # a container, or another machine of the same name
        return None
    return mark_of(pid) == mark


def is_of_other_start(host: str, mark: str) -> bool:
    """Whether that process ran on this machine, or one of its name, before the last restart."""
    boot, _, _ = mark_of(os.getpid()).partition(" ")
    return host == socket.gethostname() and "" not in (mark, boot) and not mark.startswith(boot)


def _exists(pid: int) -> bool | None:
    """Whether there is a process of that number; also one that is not ours."""
    if sys.platform == "win32":
        return _exists_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


if sys.platform == "win32":

    def _exists_on_windows(pid: int) -> bool:
        # os.kill would end it there, whatever the signal.
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x00100000, False, pid)  # SYNCHRONIZE
        if not handle:
            return False
        try:
            return bool(kernel.WaitForSingleObject(handle, 0) == 0x102)  # WAIT_TIMEOUT: it runs
        finally:
            kernel.CloseHandle(handle)
