"""Whether this machine has room for one more Task beside those that run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pyveg.core import memory
from pyveg.core.errors import ConfigError
from pyveg.core.tasks import Step, Task


def check(steps: Sequence[Step], n_workers: int) -> None:
    """Refuse Modules whose Tasks this machine can never do.

    Raises
    ------
    ConfigError
    """
    there = memory.of_machine()
    for step in steps:
        needs = step.resources
        if there and needs.most_gb > there:
            raise ConfigError(
                f"{step.label}: resources: a Task needs {needs.most_gb:g} GiB of memory, and this "
                f"machine has {there:.1f}",
                "lower it, or have it run on a larger machine (run_mode)",
            )
        if needs.cpus > n_workers:
            raise ConfigError(
                f"{step.label}: resources: a Task needs {needs.cpus:g} cpus, and {n_workers} "
                "Tasks may run at once here (n_workers)",
                "lower it or raise n_workers",
            )


class Room:
    """What this machine has for Tasks that say what they need.

    Parameters
    ----------
    n_workers : int
        Tasks at once; each that says nothing takes one of so many cores.
    """

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._memory = memory.of_machine() or math.inf

    def has(self, task: Task, running: Iterable[Task]) -> bool:
        """Whether a Task may begin beside others; one that is alone always may."""
        others = list(running)
        if not others or not (task.step.resources.said or any(_says(one) for one in others)):
            return True
        tasks = [task, *others]
        if sum(one.memory_gb for one in tasks) > self._memory:
            return False
        if sum(one.step.resources.cpus or 1.0 for one in tasks) > self._n_workers:
            return False
        # How many processors for graphics there are is not known: such Tasks come one by one.
        return not task.step.resources.gpu or not any(one.step.resources.gpu for one in others)


def _says(task: Task) -> bool:
    return task.step.resources.said or task.more_memory
