"""One run of a task on a node, in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from azure_batch_emulator.account.tasks import Task
from azure_batch_emulator.host.execution import Work
from azure_batch_emulator.host.host import Host
from azure_batch_emulator.host.outcomes import Failure, Outcome
from azure_batch_emulator.host.stops import Stop

_log = logging.getLogger(__name__)


class TaskRun:
    """A run of a task. It is started and stopped under the lock of the account.

    Parameters
    ----------
    host : Host
        Where it is executed.
    task : Task
        What runs.
    work : Work
        What is executed.
    dies : callable
        Whether the try of a number is made to fail.
    on_start : callable
        Called with this run when it begins, under the lock.
    on_retry : callable
        Called before another try.
    before_end : callable
        Called when all is done and before it is reported: the last moment to take the node away.
    on_end : callable
        Called with this run and its outcome.
    """

    def __init__(
        self,
        host: Host,
        task: Task,
        work: Work,
        *,
        dies: Callable[[int], bool],
        on_start: Callable[[TaskRun], None],
        on_retry: Callable[[], None],
        before_end: Callable[[], None],
        on_end: Callable[[TaskRun, Outcome], None],
    ) -> None:
        self.task = task
        self._host = host
        self._work = work
        self._execution = host.execution(work)
        self._started = False
        self._dies = dies
        self._on_start = on_start
        self._on_retry = on_retry
        self._before_end = before_end
        self._on_end = on_end

    @property
    def folder(self) -> Path:
        """Where the task keeps its files."""
        return self._work.folder

    @property
    def stopped(self) -> Stop | None:
        """The end from outside, if there was one."""
        return self._execution.stopped

    def start(self) -> None:
        """Begin, if it has not begun."""
        if not self._started:
            self._on_start(self)
            self._spawn()

    def stop(self, stop: Stop) -> None:
        """End it from outside; what waited for its node begins now, so that it can end."""
        self._execution.stop(stop)
        if not self._started:
            self._spawn()

    def _spawn(self) -> None:
        self._started = True
        self._host.background.spawn(self._main, f"batch-{self.task.id}")

    def _main(self) -> None:
        try:
            outcome = self._attempts()
        except Exception as error:  # noqa: BLE001 - the task fails, and the emulator lives on
            if not self.stopped:  # the folder may go while it is being stopped
                _log.exception("the run of a task failed inside the emulator")
            failure = Failure("InternalError", f"{type(error).__name__}: {error}", "servererror")
            outcome = Outcome(None, failure)
        self._before_end()
        self._on_end(self, outcome)

    def _attempts(self) -> Outcome:
        """Tries until one succeeds, none is left or it is stopped."""
        tried = 0
        while True:
            if self._dies(tried):
                outcome = self._execution.fail("ended by the emulator's fail_rate")
            else:
                outcome = self._execution.attempt()
            used_up = 0 <= self._work.retries <= tried
            if self.stopped or used_up or not outcome.may_be_retried:
                return self._execution.finish(outcome)
            tried += 1
            self._on_retry()
