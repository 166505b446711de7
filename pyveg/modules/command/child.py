"""A program as a child of this process: with a time limit, and never left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pyveg.core.errors import CommandError
from pyveg.core.memory import lifted
from pyveg.core.values import read_json

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_NO_ROOM = 75
"""Exit code of a supervisor that has no room to tell how it went."""
_WAIT = 30.0
"""How long a supervisor may take to end what it has in hand, seconds."""

PASSED = (
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "PATH",
    "LD_LIBRARY_PATH",
    "LANG",
    "LANGUAGE",
    "LC_",
    "TZ",
    "TMPDIR",
    "SSL_CERT_",
    "REQUESTS_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "CUDA_",
    "NVIDIA_",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
"""Variables, or beginnings of their names, that every program gets. No others: this process has
keys and tokens in some."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int | None
    """Its exit code, negative for a signal; None where it was never started."""
    seconds: float
    why: str = ""
    """"late" where it was ended at its limit, "memory" where it took too much, "asked" where
    somebody asked for its end, or why it could not be started; empty where it ended by itself."""
    cpu_seconds: float = 0.0
    """Of it and of all that it has started."""
    peak_memory_mb: float = 0.0
    """Largest resident size of one of its processes, MiB."""

    @property
    def well(self) -> bool:
        """Whether it did what it should."""
        return self.code == 0 and not self.why


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    work: Path,
    limit: float | None,
    *,
    memory: int = 0,
) -> Ended:
    """Run a program to its end; its output goes to ``stdout.txt`` and ``stderr.txt`` in `work`.

    No shell has a part in it. When this process dies, the program and all that it has started
    end too.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    folder : Path
        Its working directory.
    environment : mapping of str to str
        All its variables.
    work : Path
        A folder for the two files.
    limit : float or None
        Seconds after which it is ended.
    memory : int
        Bytes of all its processes together beyond which it is ended, on Linux; 0 for any.
    """
    status = work / "status.json"
    status.unlink(missing_ok=True)
    begin = time.monotonic()
    # Isolated and without site-packages, so that it starts quickly whatever is installed.
    limits = [str(limit or 0), str(memory)]
    call = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(status), *limits, *command]
    with (work / "stdout.txt").open("wb") as out, (work / "stderr.txt").open("wb") as err:
        try:
            with lifted():
                process = subprocess.Popen(
                    call, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=folder, env=environment
                )
        except (OSError, ValueError) as error:  # an argument that is too long, or holds a NUL
            return Ended(None, 0.0, f"it cannot be started: {error}")
        try:
            process.wait()
        finally:
            with suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()  # lets the supervisor end the program
            process.wait(_WAIT)
    if process.returncode == _NO_ROOM:
        raise no_room(work)
    return _ended(status, work, time.monotonic() - begin)


def no_room(work: Path) -> CommandError:
    """The error of a program for whose files there is no room."""
    return CommandError(
        f"no space is left in {work.parent}, where programs keep their temporary files",
        "set TMPDIR to a folder with more, or take machines with larger disks",
    )


def _ended(status: Path, work: Path, seconds: float) -> Ended:
    try:
        document = read_json(status.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        document = {"begun": True}
    if "error" in document:
        return Ended(None, seconds, f"it cannot be started: {document['error']}")
    if "code" not in document:
        _end_all_of(work)
        raise CommandError(
            "the process that watched over the program was killed, perhaps for want of memory",
            "run fewer at once (n_workers), and finish the run with --from_cache",
        )
    cpu, peak = document.get("cpu", 0.0), document.get("peak", 0.0)
    return Ended(document["code"], seconds, document["ended"], cpu, peak)


def _end_all_of(work: Path) -> None:
    """End what a program has started and its supervisor, which was killed, could not end.

    They are known by the folder of their item, where they are or keep temporary files.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid != os.getpid() and _is_of(folder, f"{work}/"):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _is_of(process: Path, work: str) -> bool:
    """Whether a process, by its folder below /proc, is of the item with that folder."""
    # Others' processes cannot be looked at, and some end at this moment.
    with suppress(OSError):
        if f"{(process / 'cwd').readlink()}/".startswith(work):
            return True
        return f"={work}".encode() in (process / "environ").read_bytes()
    return False


def passed_on(environment: Mapping[str, str], more: Sequence[str] = ()) -> dict[str, str]:
    """What a program gets of this process's variables.

    Parameters
    ----------
    environment : mapping of str to str
    more : sequence of str
        Names that the user wants to be passed on too.
    """
    return {
        name: value
        for name, value in environment.items()
        if name in more or any(_begins(name, known) for known in PASSED)
    }


def _begins(name: str, known: str) -> bool:
    return name.startswith(known) if known.endswith("_") else name == known
