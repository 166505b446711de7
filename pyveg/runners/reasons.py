"""Why a Task failed that could not say so itself."""

from __future__ import annotations

from datetime import timedelta

from pyveg.core.memory import SHORT
from pyveg.core.tasks import State, Task, TaskResult


def overdue(task: Task) -> TaskResult:
    """A Task that was ended at its time limit."""
    limit = timedelta(minutes=task.step.timeout or 0)
    reason = f'took longer than its time limit of {limit}; raise "timeout" if it may'
    return TaskResult(task.id, State.FAILED, reason)


def process_died(task: Task) -> TaskResult:
    """A Task that took its process with it."""
    reason = "its worker process died (killed, out of memory, or a crash in a library)"
    return TaskResult(task.id, State.FAILED, reason, notes={SHORT: True})
