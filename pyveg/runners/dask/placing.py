"""Which workers have room for a Task that says what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyveg.core.resources import GIB
from pyveg.core.tasks import Task

GPU = "GPU"
"""Name of the resource that workers declare, as in ``dask worker --resources "GPU=1"``."""
_SLACK = 1.001
"""Limits of workers are whole bytes, and what users write is rounded."""


@dataclass(frozen=True)
class Placing:
    """What Dask is told of where a chunk may run."""

    workers: tuple[str, ...] = ()
    """Addresses; any worker where empty."""
    gpus: int = 0

    def options(self) -> dict[str, Any]:
        """As `Client.map` takes them."""
        found: dict[str, Any] = {}
        if self.workers:
            found |= {"workers": list(self.workers), "allow_other_workers": False}
        if self.gpus:
            found["resources"] = {GPU: self.gpus}
        return found


@dataclass
class Workers:
    """The workers of a scheduler, by what they have."""

    memory: dict[str, float] = field(default_factory=dict)
    """Address -> GiB that it may have; infinite where it has no limit."""
    gpus: dict[str, float] = field(default_factory=dict)

    def learn(self, identity: Mapping[str, Any]) -> None:
        """Take what the scheduler says of itself."""
        told = identity.get("workers", {})
        self.memory = {
            name: (one.get("memory_limit") or float("inf")) / GIB for name, one in told.items()
        }
        self.gpus = {name: one.get("resources", {}).get(GPU, 0) for name, one in told.items()}

    def why_not(self, task: Task) -> str:
        """Why no worker can do a Task; empty where one can, or none is there yet."""
        needs = task.step.resources
        largest = max(self.memory.values(), default=float("inf"))
        if task.memory_gb > largest * _SLACK:
            return (
                f"it needs {task.memory_gb:g} GiB of memory (resources), and no worker may have "
                f"more than {largest:.2f}; start larger ones (--memory-limit) or lower memory_gb"
            )
        if needs.gpu and self.gpus and needs.gpu > max(self.gpus.values()):
            return (
                f"it needs {needs.gpu} GPU, which no worker declares; start them with --resources "
                f'"{GPU}={needs.gpu}"'
            )
        return ""

    def place(self, task: Task) -> Placing:
        """Where a Task may run."""
        fit = [name for name, gib in self.memory.items() if task.memory_gb <= gib * _SLACK]
        some = tuple(sorted(fit)) if len(fit) < len(self.memory) else ()
        return Placing(some, task.step.resources.gpu)
