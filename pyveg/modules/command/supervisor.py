"""Runs one program for `pyveg.modules.command.child`, as a process between the two.

``python supervisor.py STATUS LIMIT MEMORY PROGRAM ...``: the program gets a process group of its
own, which ends as a whole: after LIMIT seconds (0: none), when all of its processes together take
more than MEMORY bytes (0: any), when the standard input of this process ends,
which it does when whoever started it is gone, and when the program itself has ended. On Linux the
same goes for what has left the group, such as daemons: whatever the program has started is handed
to this process when its parent ends, and the program ends when this process is killed. How it ended
is written to the file STATUS as JSON; its folder, where all the files of the program are, is
removed where nobody is left to read it. It needs the standard library only and is never imported.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

GRACE = 3.0
"""Seconds between the request to end and the end."""
NO_ROOM = 75
"""Exit code of this process where there is no room for the status; `child` knows it too."""
_RESERVED = 512
"""Bytes that the status may have, written before the program may fill the disk."""
_PATIENCE = 5.0
"""Seconds in which what the program has left behind is ended, again while it starts more."""
LOOK = 0.1
"""Seconds between two looks at the memory of a program that has a limit."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(status: str, limit: float, memory: int, command: list[str]) -> None:
    """Run the program to its end."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # So that a signal ends select, which a handler alone lets sleep on (PEP 475).
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _note)
    _tell(status, {"begun": True})
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    mine = os.getpid()
    try:
        # This process has one thread, so code between fork and exec is safe.
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _end_with(mine),  # noqa: PLW1509
        )
    except (OSError, subprocess.SubprocessError) as error:
        _tell(status, {"error": f"{getattr(error, 'strerror', '') or error}"})
        return
    why = _watch(program, reader, limit, memory)
    if why and why != "memory":  # what takes too much must not go on taking
        _end_group(program.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            program.wait(GRACE)
    # Also where the program has ended by itself: what it has started may still run.
    _end_group(program.pid, signal.SIGKILL)
    code = program.wait()
    _end_the_rest()
    if why == "stopped":  # nobody is left to tidy up
        import shutil

        shutil.rmtree(os.path.dirname(status), ignore_errors=True)  # noqa: PTH120
        return
    _tell(status, {"code": code, "ended": why, **_took()})


def _watch(program: subprocess.Popen[bytes], reader: int, limit: float, memory: int) -> str:
    """Wait for the first thing that ends it; "" where that is the program itself."""
    end = time.monotonic() + limit if limit else None
    while program.poll() is None:
        left = None if end is None else max(0.0, end - time.monotonic())
        look = left if not memory else LOOK if left is None else min(LOOK, left)
        ready, _, _ = select.select([sys.stdin.fileno(), reader], [], [], look)
        if memory and _resident() > memory:
            return "memory"
        if not ready and end is not None and time.monotonic() >= end:
            return "late"
        if sys.stdin.fileno() in ready:
            return "stopped"
        if reader in ready and signal.SIGTERM in os.read(reader, 64):
            return "asked"
    return ""


def _resident() -> int:
    """Bytes of memory of all processes below this one; 0 where the system does not tell."""
    total = 0
    for pid in _descendants(os.getpid()):
        total += _pages(pid)
    return total * os.sysconf("SC_PAGE_SIZE") if total else 0


def _pages(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - see below
            return int(file.read().split()[1])
    except (OSError, ValueError, IndexError):  # it has ended meanwhile
        return 0


def _note(*_: object) -> None:
    """Let a signal wake the watch, and the program have its default for it."""


def _end_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _prctl(option: int, value: int) -> None:
    """Ask something of Linux; other systems have nothing like it."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end_with(parent: int) -> None:
    """In the program, before it begins: have it killed when this process is."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # which has happened in between
        os._exit(1)


def _end_the_rest() -> None:
    """Kill what was handed to this process, until nothing is; a daemon may still start others."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        left = _descendants(os.getpid())
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        if not left:
            return
        time.sleep(0.005)


def _descendants(top: int) -> list[int]:
    """Processes below one; none where the system does not tell."""
    children: dict[int, list[int]] = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes time to load
            if name.isdigit():
                children.setdefault(_parent(name), []).append(int(name))
    found, waiting = [], [top]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - see above
            # Its name stands in brackets, and may have any bytes in it.
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except (OSError, ValueError):
        return 0
    return 0 if state == b"Z" else int(parent)


def _took() -> dict[str, float]:
    """CPU seconds of all that has ended below this process, and MiB of the largest of them."""
    with suppress(ImportError):  # Windows has none
        import resource

        took = resource.getrusage(resource.RUSAGE_CHILDREN)
        unit = 2**20 if sys.platform == "darwin" else 2**10
        cpu = took.ru_utime + took.ru_stime
        return {"cpu": round(cpu, 3), "peak": round(took.ru_maxrss / unit, 1)}
    return {}


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _tell(status: str, how: dict[str, object]) -> None:
    """Write how it is, over what was written before, so that there is room for it."""
    text = json.dumps(how)[:_RESERVED].ljust(_RESERVED).encode("ascii", "replace")
    try:
        file = os.open(status, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            if os.write(file, text) < len(text):
                raise OSError
        finally:
            os.close(file)
    except OSError:
        sys.exit(NO_ROOM)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
