"""A command as a real process in a group of its own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from azure_batch_emulator.host.outcomes import Failure
from azure_batch_emulator.host.watchdog import Watchdog


class LaunchError(Exception):
    """A command that could not be started; it carries the service's `Failure`."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Process:
    """A running command. Its children die with it.

    Parameters
    ----------
    command : str
        A command line; it is split as a shell would, and no shell is started.
    folder : Path
        The working directory.
    environment : mapping
        All variables.
    stdout, stderr : Path
        Where its output goes.
    watchdog : Watchdog
        Kills it when the emulator is killed.
    """

    def __init__(
        self,
        command: str,
        folder: Path,
        environment: Mapping[str, str],
        *,
        stdout: Path,
        stderr: Path,
        watchdog: Watchdog,
    ) -> None:
        self._lock = threading.Lock()
        self._ended = False
        self._watchdog = watchdog
        watchdog.start()
        with stdout.open("wb") as out, stderr.open("wb") as err:
            self._process = _launch(command, folder, environment, out.fileno(), err.fileno())
        watchdog.add(self._process.pid)

    def wait(self) -> int:
        """Exit code; 128 + number of the signal that ended it."""
        pid = self._process.pid
        if hasattr(os, "waitid"):  # its group cannot be anybody else's before it is reaped
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        else:  # pragma: no cover - macOS before Python 3.13
            self._process.wait()
        with self._lock:
            self._ended = True
            _kill_group(pid)
        self._watchdog.remove(pid)
        code = self._process.wait()
        return 128 - code if code < 0 else code

    def kill(self) -> None:
        """End it, with all its children."""
        with self._lock:
            if not self._ended:
                _kill_group(self._process.pid)


def _launch(
    command: str, folder: Path, environment: Mapping[str, str], out: int, err: int
) -> subprocess.Popen[bytes]:
    try:
        words = shlex.split(command)
        if not words:
            raise ValueError("the command line is empty")  # noqa: TRY301
        return subprocess.Popen(
            words,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        text = "The specified command program is not found"
        details = (("Message", str(error)),)
        raise LaunchError(Failure("CommandProgramNotFound", text, details=details)) from error
    except (OSError, ValueError) as error:
        text = "The command line could not be launched"
        details = (("Message", str(error)),)
        raise LaunchError(Failure("CommandLaunchFailed", text, details=details)) from error


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
