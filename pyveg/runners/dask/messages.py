"""What travels to workers and back; plain data, and none of it secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyveg.core.tasks import State, Task, TaskResult
from pyveg.core.usage import Usage

TOPIC = "pyveg"
"""Topic of the events by which workers tell of chunks. One for all runs, as a scheduler never
forgets a topic."""


@dataclass(frozen=True)
class Chunk:
    """Some Tasks that a worker does one after the other, under one key of Dask."""

    token: str
    number: int
    tasks: tuple[Task, ...]
    isolated: bool = False
    """Whether they run in a process of their own."""


@dataclass(frozen=True)
class Unready:
    """Instead of results: the worker of that address has not been told how to open the Store."""

    worker: str


def started(chunk: Chunk) -> list[Any]:
    """The event of a chunk that begins."""
    return [chunk.token, chunk.number, None]


def ended(chunk: Chunk, results: Sequence[TaskResult]) -> list[Any]:
    """The event of a chunk that has been done."""
    plain = [
        [
            r.state.value,
            r.reason,
            r.seconds,
            r.details,
            dict(r.notes),
            r.shared,
            r.usage and r.usage.to_json(),
        ]
        for r in results
    ]
    return [chunk.token, chunk.number, plain]


def results_in(chunk: Chunk, plain: Sequence[Sequence[Any]]) -> list[TaskResult]:
    """The results that `ended` told of."""
    return [
        TaskResult(
            task.id, State(state), reason, seconds, details, notes, shared, Usage.from_json(usage)
        )
        for task, (state, reason, seconds, details, notes, shared, usage) in zip(
            chunk.tasks, plain, strict=True
        )
    ]
