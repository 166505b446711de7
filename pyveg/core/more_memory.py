"""Which Tasks are tried once more with more memory."""

from __future__ import annotations

from pyveg.core.memory import SHORT
from pyveg.core.tasks import State, Task, TaskResult


def may_have_more(task: Task, result: TaskResult) -> bool:
    """Whether a Task died for want of memory, or may have, and its user gives it more once.

    Parameters
    ----------
    task : Task
        As it was tried.
    result : TaskResult
        How it ended.
    """
    asked = task.step.resources.retry_memory_gb > 0 and not task.more_memory
    return asked and result.state is State.FAILED and bool(result.notes.get(SHORT))


def told_of_more(task: Task) -> str:
    """What is told of it."""
    needs = task.step.resources
    before = f" with {needs.memory_gb:g} GiB" if needs.memory_gb else ""
    return (
        f"{task.id} died for want of memory{before}; it is tried once more with "
        f"{needs.retry_memory_gb:g} GiB"
    )
