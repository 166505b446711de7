"""Jobs that an earlier attempt at the same run has left at the service.

Its client has died, was suspended, or has left them on purpose. What still runs of them is adopted
or ended before anything else is submitted, so that no two tasks do the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyveg.core import bulk
from pyveg.core.errors import ConfigError, KeyMissingError
from pyveg.core.execute import task_file, tasks_in
from pyveg.core.ports import Store
from pyveg.core.tasks import Task
from pyveg.core.values import read_json
from pyveg.runners.azure_batch import models
from pyveg.runners.azure_batch.bundles import Bundle, task_file_key
from pyveg.runners.azure_batch.service import state_of

if TYPE_CHECKING:
    from azure.batch import models as m

    from pyveg.runners.azure_batch.service import BatchService, Change
    from pyveg.runners.azure_batch.settings import BatchSettings

_BEGUN = ("preparing", "running")


@dataclass(frozen=True)
class OldJob:
    """A job of this run that was there before."""

    id: str
    sequence: str
    attempt: int
    usable: bool
    """Whether Tasks may go on in it: it is active, and its SAS lasts for a while."""
    delivery: str = ""
    """Digest of what its nodes have installed."""
    tasks: dict[str, Change] = field(default_factory=dict)
    """Id of a task -> what the service knows of it."""


@dataclass(frozen=True)
class OldJobs:
    """The jobs that an earlier attempt has left."""

    mine: dict[str, OldJob]
    """Sequence -> the latest job that this run has made for it in this lane."""
    strays: list[str]
    """Ids of those of lanes that there are no more."""


def find_jobs(service: BatchService, settings: BatchSettings, lanes: Collection[str]) -> OldJobs:
    """Jobs of this run that were there before.

    Parameters
    ----------
    service : BatchService
    settings : BatchSettings
        Of one lane. In the second half of a job's hours nothing new is begun in it.
    lanes : collection of str
        Names of all lanes of the run.
    """
    found = OldJobs({}, [])
    for job in service.jobs():
        tags = {item.name: item.value for item in job.metadata or ()}
        if tags.get(models.TAG) != settings.run or models.SEQUENCE not in tags:
            continue
        lane = tags.get(models.LANE, "")
        if lane not in lanes:
            found.strays.append(job.id)
            continue
        sequence, attempt = tags[models.SEQUENCE], int(tags[models.ATTEMPT])
        known = found.mine.get(sequence)
        if lane != settings.lane or (known is not None and known.attempt > attempt):
            continue
        usable = state_of(job) == "active" and _is_fresh(job, settings.hours)
        tasks = {task.id: task for task in service.all_tasks(job.id)} if usable else {}
        delivery = tags.get(models.DELIVERY, "")
        found.mine[sequence] = OldJob(job.id, sequence, attempt, usable, delivery, tasks)
    return found


_FEW = 100
"""Tasks that are ended one by one; more are ended by removing their job."""


def adopt(
    service: BatchService, store: Store, old: OldJob, tasks: Sequence[Task]
) -> list[Bundle] | None:
    """Make what still runs of an old job part of this attempt, and end the rest of it.

    The descriptions of adopted tasks are written anew with the Tasks of now, which carry the epoch
    of this attempt: nodes read them again when they find their own epoch outdated.

    Parameters
    ----------
    service : BatchService
    store : Store
    old : OldJob
    tasks : sequence of Task
        All of its Sequence in this run, with the epoch of this attempt.

    Returns
    -------
    list of Bundle or None
        What goes on; None where the job is of no use and was removed.
    """
    alive, dead = still_alive(store, old, tasks) if old.usable else ([], [])
    if not old.usable or not (alive or len(dead) <= _FEW):
        service.delete_job(old.id)
        return None
    service.terminate_tasks(old.id, dead)
    bulk.write_many(store, {task_file_key(old.id, b.id): task_file(b.tasks, store) for b in alive})
    return alive


def still_alive(store: Store, old: OldJob, tasks: Sequence[Task]) -> tuple[list[Bundle], list[str]]:
    """What still runs or will run of an old job, and what should not.

    Parameters
    ----------
    store : Store
        Has the descriptions of the job's tasks.
    old : OldJob
    tasks : sequence of Task
        Those of this run.

    Returns
    -------
    alive : list of Bundle
        Tasks of the service that do nothing but what is to be done.
    dead : list of str
        Ids of tasks that wait for a failed one, or do what nobody wants any more.
    """
    unfinished = [task for task in old.tasks.values() if task.state != "completed"]
    going = _going(old, unfinished)
    candidates = [task for task in unfinished if task.id in going]
    wanted = {task.id: task for task in tasks}
    bundles = bulk.each(store, lambda task: _bundle(store, old.id, task, wanted), candidates)
    alive = [bundle for bundle in bundles if bundle is not None]
    going_on = {bundle.id for bundle in alive}
    # What waits for something that is given up must be given up too.
    while lost := [b for b in alive if any(_lost(id_, old, going_on) for id_ in b.after)]:
        going_on -= {bundle.id for bundle in lost}
        alive = [bundle for bundle in alive if bundle.id in going_on]
    return alive, [task.id for task in unfinished if task.id not in going_on]


def _is_fresh(job: m.BatchJob, hours: float) -> bool:
    made = job.creation_time
    return made is not None and datetime.now(UTC) - made < timedelta(hours=hours / 2)


def _going(old: OldJob, unfinished: Sequence[Change]) -> set[str]:
    """Ids of tasks that run, or will because all that they wait for did well or is going."""
    going = {task.id for task in unfinished if task.state in _BEGUN}
    waiting = [task for task in unfinished if task.id not in going]
    grown = True
    while grown:
        ready = [
            task
            for task in waiting
            if all(id_ in going or _did_well(old, id_) for id_ in task.after)
        ]
        going.update(task.id for task in ready)
        waiting = [task for task in waiting if task.id not in going]
        grown = bool(ready)
    return going


def _did_well(old: OldJob, id_: str) -> bool:
    task = old.tasks.get(id_)
    return task is not None and task.state == "completed" and task.succeeded


def _lost(id_: str, old: OldJob, going_on: set[str]) -> bool:
    return id_ not in going_on and not _did_well(old, id_)


def _bundle(store: Store, job: str, old: Change, wanted: dict[str, Task]) -> Bundle | None:
    """The Tasks of a task of the service; None where it does others than are wanted."""
    try:
        described = tasks_in(read_json(store.read(task_file_key(job, old.id))))
    except (KeyMissingError, ConfigError, ValueError, LookupError, TypeError):
        return None  # gone, of another version, damaged
    now = [wanted[task.id] for task in described if task.id in wanted]
    before = {task.id: task.fingerprint for task in described}
    if not now or any(before[task.id] != task.fingerprint for task in now):
        return None
    return Bundle(old.id, tuple(now), old.after, adopted=True)
