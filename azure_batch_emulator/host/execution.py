"""One command with all that belongs to it: files before, a process, files after, more tries."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure_batch_emulator.host.outcomes import KILLED, Failure, Outcome, of_exit_code
from azure_batch_emulator.host.processes import LaunchError, Process
from azure_batch_emulator.host.stops import Stop
from azure_batch_emulator.host.transfers import TransferError, download, upload
from azure_batch_emulator.host.watchdog import Watchdog

Document = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """What is to be executed.

    Parameters
    ----------
    command : str
        The command line.
    folder : Path
        For ``stdout.txt``, ``stderr.txt`` and the working directory ``wd``.
    environment : mapping
        All variables.
    resource_files, output_files : list
        Their specifications.
    retries : int
        How often it is tried again after a non-zero exit code; -1 is without end.
    """

    command: str
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    resource_files: list[Document] = field(default_factory=list, repr=False)
    output_files: list[Document] = field(default_factory=list, repr=False)
    retries: int = 0


class Execution:
    """Executes work in the calling thread; other threads may stop it.

    Parameters
    ----------
    work : Work
        What is to be done.
    watchdog : Watchdog
        Kills its process when the emulator is killed.
    """

    def __init__(self, work: Work, watchdog: Watchdog) -> None:
        self._work = work
        self._watchdog = watchdog
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._launched = False
        self.stopped: Stop | None = None

    def stop(self, stop: Stop) -> None:
        """End it; the first reason counts."""
        with self._lock:
            self.stopped = self.stopped or stop
            if self._process is not None:
                self._process.kill()

    def run(self) -> tuple[Outcome, int]:
        """Try until it succeeds or no try is left: the last outcome and the number of retries."""
        tried, outcome = 0, self.attempt()
        while outcome.may_be_retried and not 0 <= self._work.retries <= tried:
            tried, outcome = tried + 1, self.attempt()
        return outcome, tried

    def attempt(self) -> Outcome:
        """One try: resource files and the command."""
        work = self._work
        wd = work.folder / "wd"
        wd.mkdir(parents=True, exist_ok=True)
        try:
            for resource in work.resource_files:
                if self.stopped:
                    break
                download(resource, wd)
            outcome = self._command(wd)
        except (TransferError, LaunchError) as error:
            outcome = Outcome(None, error.failure)
        return self._judged(outcome)

    def fail(self, message: str) -> Outcome:
        """One try that ends before the command has run."""
        (self._work.folder / "wd").mkdir(parents=True, exist_ok=True)
        (self._work.folder / "stdout.txt").touch()
        (self._work.folder / "stderr.txt").write_text(message + "\n", encoding="utf-8")
        return of_exit_code(KILLED)

    def finish(self, outcome: Outcome) -> Outcome:
        """Upload output files; a failure of that is one of the task."""
        if not self._work.folder.is_dir() or self.stopped:
            return self._judged(outcome)
        for output in self._work.output_files:
            try:
                upload(output, self._work.folder / "wd", outcome.failure is None)
            except TransferError as error:
                if outcome.failure is None:
                    outcome = Outcome(outcome.exit_code, error.failure)
        return self._judged(outcome)

    def _command(self, wd: Path) -> Outcome:
        work = self._work
        with self._lock:
            if self.stopped:
                return Outcome()
            self._launched = True
            self._process = process = Process(
                work.command,
                wd,
                work.environment,
                stdout=work.folder / "stdout.txt",
                stderr=work.folder / "stderr.txt",
                watchdog=self._watchdog,
            )
        code = process.wait()
        with self._lock:
            self._process = None
        return of_exit_code(code)

    def _judged(self, outcome: Outcome) -> Outcome:
        """The outcome, or the end from outside where there was one."""
        stop = self.stopped
        if stop is None:
            return outcome
        details = (("Message", stop.message),)
        code = KILLED if self._launched else None
        return Outcome(code, Failure("TaskEnded", "The task was ended", details=details))
