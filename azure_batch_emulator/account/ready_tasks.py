"""The queue of the tasks of a job that could start."""

from __future__ import annotations

import heapq

from azure_batch_emulator.account.tasks import Task

Entry = tuple[int, int, Task]


class ReadyTasks:
    """Tasks that wait for a node, ordered by number, apart for each number of slots.

    An entry of a task that waits no more, or was queued again, stays until it is met.
    """

    def __init__(self) -> None:
        self._heaps: dict[int, list[Entry]] = {}

    def add(self, task: Task) -> None:
        """Queue a task, in the place that its number gives it."""
        task.ticket += 1
        heapq.heappush(self._heaps.setdefault(task.slots, []), (task.number, task.ticket, task))

    def take(self, widest: int) -> Task | None:
        """The first task that needs at most so many slots; it leaves the queue."""
        heaps = [heap for slots, heap in self._heaps.items() if slots <= widest]
        for heap in heaps:
            while heap and not _is_valid(heap[0]):
                heapq.heappop(heap)
        first = min((heap for heap in heaps if heap), key=lambda heap: heap[0][0], default=None)
        return heapq.heappop(first)[2] if first else None


def _is_valid(entry: Entry) -> bool:
    """Whether an entry is the newest of a task that still waits."""
    _, ticket, task = entry
    return ticket == task.ticket and task.state == "active" and not task.deleted
