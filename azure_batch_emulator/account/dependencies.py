"""Which tasks of a job wait for which: each change costs only what it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from azure_batch_emulator.account.tasks import Task
from azure_batch_emulator.errors import BatchError, not_supported

Document = dict[str, Any]
LONGEST_LIST = 64_000
"""Characters that the ids of a dependency list may have together."""

WIDEST_RANGE = 1_000_000
"""Ids that the ranges of a task may name together; a limit of the emulator."""


def needed(depends_on: Document) -> set[str]:
    """Names of the tasks that a task depends on; numbers of ranges are written ``#7``."""
    ids = [text.lower() for text in depends_on.get("taskIds") or ()]
    if sum(map(len, ids)) > LONGEST_LIST:
        raise BatchError("TaskDependencyListTooLong", MaximumCharacters=LONGEST_LIST)
    ranges = depends_on.get("taskIdRanges") or ()
    if sum(max(0, part["end"] - part["start"] + 1) for part in ranges) > WIDEST_RANGE:
        raise not_supported(f"ranges of more than {WIDEST_RANGE} task ids")
    numbers = (n for part in ranges for n in range(part["start"], part["end"] + 1))
    return {*ids, *(f"#{n}" for n in numbers)}


def _names(task: Task) -> Iterator[str]:
    yield task.key
    if task.id.isdecimal():
        yield f"#{int(task.id)}"


class Dependencies:
    """The dependencies between the tasks of one job.

    A task that names one that was not added yet waits for it (the service's behaviour here is not
    documented).
    """

    def __init__(self) -> None:
        self._satisfied: set[str] = set()
        self._waiting: defaultdict[str, list[Task]] = defaultdict(list)

    def add(self, task: Task, names: set[str]) -> None:
        """Count what a new task waits for."""
        missing = names - self._satisfied
        task.unmet = len(missing)
        for name in missing:
            self._waiting[name].append(task)

    def satisfy(self, task: Task) -> list[Task]:
        """Tasks that wait for nothing any more, in the order in which they were added."""
        ready = []
        for name in _names(task):
            self._satisfied.add(name)
            for waiting in self._waiting.pop(name, ()):
                waiting.unmet -= 1
                if waiting.unmet == 0:
                    ready.append(waiting)
        return sorted(ready, key=lambda task: task.number)

    def forget(self, task: Task) -> None:
        """Take back what a task satisfied: it was deleted, or runs again."""
        self._satisfied.difference_update(_names(task))
