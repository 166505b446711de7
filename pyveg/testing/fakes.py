"""Small Modules for tests of engines, Stores and plans. They know nothing of vegetation."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pyveg.core import module
from pyveg.core.errors import DataError
from pyveg.core.layout import item_folder
from pyveg.core.module import Job, Planning
from pyveg.core.params import setting
from pyveg.core.types import Item, Scope
from pyveg.testing.gate import Gate


@dataclass(frozen=True, kw_only=True)
class StartSettings(module.Settings):
    """Settings of `Start`."""

    count: int = setting(3, doc="number of Items", low=0)
    names: tuple[str, ...] = setting((), doc="names of the Items, instead of numbers")
    fail: tuple[str, ...] = setting((), doc="Items that fail", results=False)
    skip: tuple[str, ...] = setting((), doc="Items that are skipped", results=False)
    die: tuple[str, ...] = setting((), doc="Items that kill their process", results=False)
    seconds: float = setting(0.0, doc="how long each Item takes", low=0, results=False)
    gate: str = setting("", doc="folder of a Gate where Items wait", results=False)
    held: tuple[str, ...] = setting((), doc="Items that wait; all if empty", results=False)


def _take_time(name: str, settings: StartSettings) -> None:
    """Sleep as long as an Item is to take, and wait at its gate."""
    time.sleep(settings.seconds)
    if settings.gate and (not settings.held or name in settings.held):
        Gate(settings.gate).wait_inside(name)


def key_of(scope: Scope, module_name: str, item: str) -> str:
    """Where the fakes write."""
    return f"{scope.sequence}/{module_name}/{item_folder(item)}"


class Start(module.Module[StartSettings]):
    """Makes Items and writes the name of each; fails, skips and dies as it is told."""

    Settings = StartSettings
    role: ClassVar[module.Role] = "start"

    def items(self, planning: Planning, settings: StartSettings) -> Sequence[Item]:
        """As many as the settings say."""
        del planning
        names = settings.names or tuple(f"{number:05}" for number in range(settings.count))
        return [Item(name) for name in names]

    def run(self, job: Job[StartSettings]) -> None:
        """Write the Item's name."""
        name, settings = job.item.name, job.settings
        _take_time(name, settings)
        if name in settings.fail:
            raise DataError(f"{name} is bad")
        if name in settings.skip:
            job.skip(f"{name} is empty")
        if name in settings.die:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        job.store.write(key_of(job.scope, "Start", name), name.encode())


class Follow(module.Module[StartSettings]):
    """Appends ``+`` to what the Module before it wrote."""

    Settings = StartSettings

    def run(self, job: Job[StartSettings]) -> None:
        """Read, append, write."""
        name, settings = job.item.name, job.settings
        _take_time(name, settings)
        if name in settings.fail:
            raise DataError(f"{name} is bad here")
        data = job.store.read(key_of(job.scope, "Start", name))
        job.store.write(key_of(job.scope, "Follow", name), data + b"+")


class Gather(module.Module[module.Settings]):
    """Joins what all Sequences before it wrote, and lists what is missing."""

    role: ClassVar[module.Role] = "combine"

    def items(self, planning: Planning, settings: module.Settings) -> Sequence[Item]:
        """One Item that knows where to look."""
        del settings
        keys = [
            key_of(before.scope, task_ids[-1].split("/")[1], name)
            for before in planning.upstream
            for name, task_ids in before.task_ids.items()
        ]
        return [Item("all", {"keys": keys})]

    def run(self, job: Job[module.Settings]) -> None:
        """Join the lines."""
        store, keys = job.store, job.item.details["keys"]
        lines = [store.read(key).decode() for key in keys if store.size(key) is not None]
        lines += [f"missing {task_id}: {why}" for task_id, why in sorted(job.missing.items())]
        store.write(key_of(job.scope, "Gather", "all"), "\n".join(lines).encode())


class Trivial(Start):
    """Does nothing at all; for measuring what a Task costs by itself."""

    def run(self, job: Job[StartSettings]) -> None:
        """Nothing."""
