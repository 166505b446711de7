"""What travels to workers and back; plain data, and none of it secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyveg.core.layout import PRIVATE
from pyveg.core.tasks import State, Task, TaskResult

LOCAL = "local"
"""Instead of an address: workers of this machine, for this run alone."""

TOPIC = "pyveg"
"""Topic of the events by which workers tell of errands. One for all runs, as a scheduler never
forgets a topic."""


@dataclass(frozen=True)
class DaskSettings:
    """What the engine is told."""

    scheduler: str = LOCAL
    """Address of a scheduler, the JSON file that has it, or ``"local"``."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that open the Store on a worker; they may hold secrets, so no text shows them."""
    modules: tuple[str, ...] = ()
    """Modules that workers must have, as they are named in Tasks."""


@dataclass(frozen=True)
class Opening:
    """How a worker opens the Store of a run."""

    token: str
    """Names the run on the scheduler; new for each try."""
    store: Mapping[str, Any]
    """What `registry.open_store` needs."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def marker(self) -> str:
        """Key of a file by which a worker sees that it has opened the very same Store."""
        return marker_key(self.token)


def marker_key(token: str) -> str:
    """See `Opening.marker`."""
    return f"{PRIVATE}/dask/{token}"


@dataclass(frozen=True)
class Errand:
    """Some Tasks that a worker does one after the other, under one key of Dask."""

    token: str
    number: int
    tasks: tuple[Task, ...]
    apart: bool = False
    """Whether they run in a process of their own."""


@dataclass(frozen=True)
class Unready:
    """Instead of results: the worker of that address has not been told how to open the Store."""

    worker: str


def started(errand: Errand) -> list[Any]:
    """The event of an errand that begins."""
    return [errand.token, errand.number, None]


def ended(errand: Errand, results: Sequence[TaskResult]) -> list[Any]:
    """The event of an errand that has been done."""
    plain = [[r.state.value, r.reason, r.seconds, r.details, dict(r.notes)] for r in results]
    return [errand.token, errand.number, plain]


def results_in(errand: Errand, plain: Sequence[Sequence[Any]]) -> list[TaskResult]:
    """The results that `ended` told of."""
    return [
        TaskResult(task.id, State(state), reason, seconds, details, notes)
        for task, (state, reason, seconds, details, notes) in zip(errand.tasks, plain, strict=True)
    ]
