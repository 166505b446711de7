"""Runs one program for `pyveg.modules.command.child`, as a process between the two.

``python supervisor.py STATUS LIMIT PROGRAM ...``: the program gets a process group of its own,
which ends as a whole: after LIMIT seconds (0: none), when the standard input of this process ends,
which it does when whoever started it is gone, and when the program itself has ended. How it ended
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


def main(status: str, limit: float, command: list[str]) -> None:
    """Run the program to its end."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # So that a signal ends select, which a handler alone lets sleep on (PEP 475).
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _note)
    try:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        _tell(status, {"error": f"{error.strerror or error}"})
        return
    why = _watch(program, reader, limit)
    if why:
        _end_group(program.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            program.wait(GRACE)
    # Also where the program has ended by itself: what it has started may still run.
    _end_group(program.pid, signal.SIGKILL)
    code = program.wait()
    if why == "stopped":  # nobody is left to tidy up
        import shutil

        shutil.rmtree(os.path.dirname(status), ignore_errors=True)  # noqa: PTH120
        return
    _tell(status, {"code": code, "ended": why})


def _watch(program: subprocess.Popen[bytes], reader: int, limit: float) -> str:
    """Wait for the first thing that ends it; "" where that is the program itself."""
    end = time.monotonic() + limit if limit else None
    while program.poll() is None:
        left = None if end is None else max(0.0, end - time.monotonic())
        ready, _, _ = select.select([sys.stdin.fileno(), reader], [], [], left)
        if not ready:
            return "late"
        if sys.stdin.fileno() in ready:
            return "stopped"
        if signal.SIGTERM in os.read(reader, 64):
            return "asked"
    return ""


def _note(*_: object) -> None:
    """Let a signal wake the watch, and the program have its default for it."""


def _end_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _tell(status: str, how: dict[str, object]) -> None:
    with open(status, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib takes time to load
        json.dump(how, file)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
