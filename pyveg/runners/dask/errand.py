"""What travels to workers and back; plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyveg.core.layout import PRIVATE
from pyveg.core.tasks import Task

LOCAL = "local"
"""Instead of an address: workers of this machine, for this run alone."""

STARTED = "pyveg-started"
"""Topic of the events by which workers tell that they begin an errand."""


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
    """All that a worker needs to know of a run."""

    token: str
    """Names the run on the scheduler; new for each try."""
    store: Mapping[str, Any]
    """What `registry.open_store` needs."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    modules: tuple[str, ...] = ()

    @property
    def marker(self) -> str:
        """Key of a file by which a worker sees that it has opened the very same Store."""
        return f"{PRIVATE}/dask/{self.token}"


@dataclass(frozen=True)
class Errand:
    """Some Tasks that a worker does one after the other, under one key of Dask."""

    number: int
    tasks: tuple[Task, ...]
    apart: bool = False
    """Whether they run in a process of their own."""


@dataclass(frozen=True)
class Unfit:
    """Instead of results: why a worker can do no Task of this run."""

    worker: str
    reason: str
