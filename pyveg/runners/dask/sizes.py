"""How many Tasks are worth one chunk."""

from __future__ import annotations

from collections.abc import Sequence

from pyveg.core.tasks import State, Task, TaskResult

SECONDS = 0.2
"""What a chunk should take; a scheduler needs about two thousandths for each."""
MOST = 200
"""Tasks in one chunk."""
_WEIGHT = 0.3
"""Share of what came last in the mean."""


class Sizes:
    """Learns how long the Tasks of each Module take."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        """Label of a Module -> running mean of the seconds of one Task."""

    def learn(self, task: Task, results: Sequence[TaskResult]) -> None:
        """Note how a chunk went.

        Parameters
        ----------
        task : Task
            One of its Tasks.
        results : sequence of TaskResult
        """
        done = [result.seconds for result in results if result.state is not State.FAILED]
        if not done:  # a failure may come much sooner than a result
            return
        mean = sum(done) / len(done)
        before = self._seconds.get(task.step.label, mean)
        self._seconds[task.step.label] = before + _WEIGHT * (mean - before)

    def of(self, task: Task, waiting: int, threads: int) -> int:
        """How many Tasks like that one go out together; one until some have come back.

        Parameters
        ----------
        task : Task
        waiting : int
            How many more wait; all threads should get some of them.
        threads : int
            Of all workers.
        """
        seconds = self._seconds.get(task.step.label)
        if seconds is None:
            return 1
        worth = int(SECONDS / max(seconds, SECONDS / MOST))
        fair = waiting // (2 * max(threads, 1)) + 1
        return max(1, min(worth, fair))
