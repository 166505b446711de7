"""How much a service has done in a day: images, by instance, with where they come from."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pyveg.core import manifest
from pyveg.core.errors import PyvegError
from pyveg.core.tasks import task_id
from pyveg.jobs.scoring import JOIN, SCORE
from pyveg.modules.scoring.shards import n_listed
from pyveg.runs.run import Run
from pyveg.service.jobs_table import Jobs
from pyveg.service.records import JobRecord
from pyveg.service.states import JobState
from pyveg.service.telling import run_at

PROCESS = "score-images"
"""Whose jobs are counted where no other is asked for."""
INSTANCE = "default"
"""Of jobs that name none."""
UNKNOWN = "unknown"
"""Stands for a country or organisation that a job does not name."""
_ORGANISATION = ("organization_name", "organization", "organisation")


@dataclass
class Activity:
    """What came in at one instance in a day."""

    instance: str
    jobs: int = 0
    images: int = 0
    completed: int = 0
    """Images of jobs that were successful, without those that could not be looked at."""
    countries: set[str] = field(default_factory=set)
    organisations: set[str] = field(default_factory=set)
    uncounted: int = 0
    """Jobs whose images are not known: they have not begun, or their runs are removed."""

    def add(self, job: JobRecord) -> None:
        """Count a job in."""
        self.jobs += 1
        self.countries.add(str(job.inputs.get("country") or UNKNOWN))
        named = (job.inputs.get(name) for name in _ORGANISATION)
        self.organisations.add(str(next(filter(None, named), UNKNOWN)))
        found = None
        with suppress(PyvegError):  # its Store is away
            run = None if job.purged else run_at(job.url)
            found = images_of(run) if run is not None else None
        if found is None:
            self.uncounted += 1
            return
        images, failed = found
        self.images += images
        if job.state is JobState.SUCCESSFUL:
            self.completed += images - failed

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        names = ("countries", "organisations")
        return {**vars(self), **{name: sorted(getattr(self, name)) for name in names}}


def window_of(day: date) -> tuple[float, float]:
    """Beginning and end of a day of UTC, seconds since 1970; the end is no part of it.

    Examples
    --------
    >>> window_of(date(1970, 1, 2))
    (86400.0, 172800.0)
    """
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return begin.timestamp(), (begin + timedelta(days=1)).timestamp()


def activity(jobs: Jobs, day: date, process: str = PROCESS) -> list[Activity]:
    """What came in on a day, instance by instance.

    Parameters
    ----------
    jobs : Jobs
    day : date
        Of UTC; jobs that were submitted in [day, day + 1).
    process : str
        Whose jobs.
    """
    found: dict[str, Activity] = {}
    for job in jobs.created_in(process, *window_of(day)):
        name = str(job.inputs.get("instance") or INSTANCE)
        found.setdefault(name, Activity(name)).add(job)
    return [found[name] for name in sorted(found)]


def images_of(run: Run) -> tuple[int, int] | None:
    """Images of a run and how many of them could not be looked at; None before it lists them."""
    steps = [(step.scope.sequence, step.module.rpartition(":")[2]) for step in run.steps]
    for sequence, module in steps:
        done = manifest.read(run.store, task_id(sequence, module, "all"))
        if module == JOIN and done is not None and "images" in done.notes:
            return int(done.notes["images"]), int(done.notes.get("failed_images", 0))
    if not any(module == SCORE for _, module in steps):
        return None
    listed = n_listed(run.store)
    return (listed, 0) if listed else None
