"""Ends jobs whose time is over."""

from __future__ import annotations

from azure_batch_emulator import times
from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.host.background import Background
from azure_batch_emulator.host.timers import Timer


class Deadlines:
    """The ``maxWallClockTime`` of jobs.

    Parameters
    ----------
    background : Background
        Its timers end the jobs.
    """

    def __init__(self, background: Background) -> None:
        self._background = background
        self._timers: dict[Job, Timer] = {}

    def watch(self, job: Job) -> None:
        """End a job when its time, counted from now, is over; an earlier limit is forgotten."""
        self.forget(job)
        limit = times.limit_of(job.document["constraints"]["maxWallClockTime"])
        if limit is not None:
            self._timers[job] = self._background.after(limit, lambda: _expire(job))

    def forget(self, job: Job) -> None:
        """Let a job live for ever."""
        if (timer := self._timers.pop(job, None)) is not None:
            timer.cancel()


def _expire(job: Job) -> None:
    if not job.is_over:
        job.terminate("MaxWallClockTimeExpiry")
