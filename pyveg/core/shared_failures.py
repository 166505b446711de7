"""Failures that no Item is to blame for, and when to stop asking for more of them."""

from __future__ import annotations

from pyveg.core.tasks import Step, TaskResult

ENOUGH = 3
"""Equal ones in a row after which the Tasks that are left would fail alike."""


class SharedFailures:
    """Counts, for each Step, failures that its other Tasks would meet too.

    Examples
    --------
    >>> from pyveg.core.tasks import State
    >>> from pyveg.core.types import Scope
    >>> step = Step("a:B", 1, Scope("A"), {}, {})
    >>> away = TaskResult("A/B/1", State.FAILED, "no network", shared=True)
    >>> failures = SharedFailures()
    >>> [failures.seen(step, away) for _ in range(3)]
    [False, False, True]
    """

    def __init__(self) -> None:
        self._in_a_row: dict[str, tuple[str, int]] = {}
        """Label of a Step -> the reason of its last Task, and how many ended with it."""

    def seen(self, step: Step, result: TaskResult) -> bool:
        """Take note of the end of a Task.

        Returns
        -------
        bool
            Whether the Tasks that are left of its Step are not worth trying.
        """
        if not result.shared:
            self._in_a_row.pop(step.label, None)
            return False
        reason, count = self._in_a_row.get(step.label, ("", 0))
        count = count + 1 if reason == result.reason else 1
        self._in_a_row[step.label] = result.reason, count
        return count == ENOUGH
