"""What Modules send along with their Tasks, such as an application and its inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pyveg.core import manifest, registry
from pyveg.core.errors import StoreError
from pyveg.core.events import EngineStatus, Event
from pyveg.core.layout import manifest_key
from pyveg.core.module import Module, Shipment, settings_of
from pyveg.core.ports import Store
from pyveg.core.tasks import State, Step, Task, TaskGraph, TaskResult

_ENDED_WELL = frozenset({State.SUCCEEDED, State.CACHED, State.SKIPPED})


class Dispatch:
    """Lets Modules send what Tasks need, and remove it when they are done.

    Parameters
    ----------
    store : Store
        Of the run.
    about : mapping
        Facts of the run.
    notify : callable
        Takes events about how it goes.
    far_modes : collection of str
        Run modes of which Tasks may run on other machines.
    """

    def __init__(
        self,
        store: Store,
        about: Mapping[str, Any],
        notify: Callable[[Event], None],
        far_modes: Collection[str] = (),
    ) -> None:
        self._far_modes = far_modes
        self._store = store
        self._about = about
        self._notify = notify

    def prepare(self, tasks: Sequence[Task]) -> dict[str, str]:
        """Send what some Tasks need; ids of those that cannot be done, and why."""
        refused: dict[str, str] = {}
        for module, members in _by_module(tasks):
            reasons = module.prepare(self._shipment(members[0].step, members))
            refused |= {
                task.id: reasons[task.item.name] for task in members if task.item.name in reasons
            }
        return refused

    def recheck(self, task: Task) -> str:
        """Why a Task that succeeded elsewhere does not count; empty where it does.

        What it has written is removed then, its manifest first, as of a Task that failed.
        """
        if not is_far(task.step, self._store, self._far_modes):
            return ""
        ((module, members),) = _by_module([task])
        reason = module.recheck(self._shipment(task.step, members)).get(task.item.name, "")
        if reason:
            known = manifest.read(self._store, task.id)
            outputs = () if known is None else known.outputs
            for key in (manifest_key(task.id), *outputs):
                self._store.delete(key)
        return reason

    def tidy(self, graph: TaskGraph, results: Mapping[str, TaskResult]) -> None:
        """Remove what was sent, unless it will be needed to finish the run."""
        for module, members in _by_module(graph):
            left = [task for task in members if results[task.id].state not in _ENDED_WELL]
            try:
                module.tidy(self._shipment(members[0].step, left))
            except StoreError as error:  # the run is done; what is left only takes room
                text = f"could not remove what was sent along with {members[0].step.label}: {error}"
                self._notify(EngineStatus(text, urgent=True))

    def _shipment(self, step: Step, tasks: Sequence[Task]) -> Shipment[Any]:
        cls: type[Module[Any]] = registry.load("module", step.module)
        return Shipment(
            scope=step.scope,
            settings=settings_of(cls, step.settings),
            items=tuple(task.item for task in tasks),
            store=self._store,
            far=is_far(step, self._store, self._far_modes),
            tell=lambda text: self._notify(EngineStatus(text)),
            about=self._about,
        )


def is_far(step: Step, store: Store, far_modes: Collection[str]) -> bool:
    """Whether the Tasks of a Module reach the Store and not the files of this machine.

    Where the Store is a folder, who reaches it is taken to reach other folders too.
    """
    return step.run_mode in far_modes and store.spec()["type"] != "local"


def _by_module(tasks: Iterable[Task]) -> Iterator[tuple[Module[Any], list[Task]]]:
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.step.label, []).append(task)
    for members in groups.values():
        cls: type[Module[Any]] = registry.load("module", members[0].step.module)
        yield cls(), members
