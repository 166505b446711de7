"""Bundles: the Tasks that one task of the service does, one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyveg.core.layout import TASK_FILES, TASK_LOGS
from pyveg.core.tasks import Task
from pyveg.runners.azure_batch import names


@dataclass(frozen=True)
class Bundle:
    """One task of the service."""

    id: str
    tasks: tuple[Task, ...]
    after: tuple[str, ...] = ()
    """Ids of tasks of the same job that it waits for."""
    adopted: bool = False
    """Whether an earlier attempt has submitted it."""

    @property
    def label(self) -> str:
        """What people see of it."""
        first, last = self.tasks[0], self.tasks[-1]
        more = f" to {last.item.name}, {len(self.tasks)} in all" if first is not last else ""
        return f"{first.id}{more}"

    @property
    def minutes(self) -> float | None:
        """Its time limit: that of all its Tasks together."""
        limits = [task.step.timeout for task in self.tasks]
        return None if None in limits else math.fsum(limit or 0 for limit in limits)


def task_file_key(job: str, bundle: str) -> str:
    """Where the description of a task of the service is kept for its node."""
    return f"{TASK_FILES}/{job}/{bundle}.json"


def log_folder(job: str, bundle: str) -> str:
    """Where the logs of a task of the service end up."""
    return f"{TASK_LOGS}/{job}/{bundle}"


def make_bundles(
    tasks: Sequence[Task],
    in_hand: Mapping[str, str],
    taken: names.Ids,
    totals: Mapping[str, int],
) -> list[Bundle]:
    """Deal Tasks of one Sequence to tasks of the service.

    Parameters
    ----------
    tasks : sequence of Task
        In an order in which they can be done.
    in_hand : mapping of str to str
        Id of a Task that has not ended -> id of the task of the service that does it.
    taken : Ids
        Ids that the job has used up.
    totals : mapping of str to int
        Label of a Step -> how many Tasks it has in the whole run, for ``n_batch_tasks``.

    Returns
    -------
    list of Bundle
        Each behind those that it waits for.
    """
    # Nothing here may cost what the run already has: it is called for each few Tasks of many.
    used = names.Ids()
    does: dict[str, str] = {}
    bundles = []
    for group in _groups(tasks, totals):
        id_ = _free_id(group, used, taken)
        used.add(id_)
        earlier = (does.get(id_) or in_hand.get(id_) for task in group for id_ in task.after)
        before = dict.fromkeys(one for one in earlier if one is not None)
        bundles.append(Bundle(id_, group, tuple(before)))
        does.update((task.id, id_) for task in group)
    return bundles


def waves(bundles: Sequence[Bundle]) -> Iterator[list[Bundle]]:
    """Bundles that may be added at once: none of them waits for another."""
    level: dict[str, int] = {}
    by_level: dict[int, list[Bundle]] = {}
    for bundle in bundles:
        number = max((level[id_] + 1 for id_ in bundle.after if id_ in level), default=0)
        level[bundle.id] = number
        by_level.setdefault(number, []).append(bundle)
    yield from by_level.values()


def _groups(tasks: Sequence[Task], totals: Mapping[str, int]) -> Iterator[tuple[Task, ...]]:
    """Tasks of one Module, as many together as it wants."""
    by_step: dict[tuple[str, bool], list[Task]] = {}
    for task in tasks:
        by_step.setdefault((task.step.label, task.more_memory), []).append(task)
    for (label, _), members in by_step.items():
        size = members[0].step.together(totals.get(label, len(members)))
        for begin in range(0, len(members), size):
            yield tuple(members[begin : begin + size])


def _free_id(group: Sequence[Task], *used: names.Ids) -> str:
    items = [task.item.name for task in group]
    attempt = 1
    while any((id_ := names.task_id(group[0].step.name, items, attempt)) in ids for ids in used):
        attempt += 1
    return id_
