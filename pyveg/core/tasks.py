"""Tasks: one Module on one Item, as frozen plain data, and the graph of all of them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from pyveg.core import params, resources
from pyveg.core.errors import ConfigError
from pyveg.core.layout import item_folder
from pyveg.core.resources import Resources
from pyveg.core.types import Item, Scope
from pyveg.core.usage import Usage

SANE_COUNT = 1000
"""How many tasks a service is given at most where Tasks may be put together as it suits."""


class State(StrEnum):
    """How a Task ended.

    Examples
    --------
    >>> State("cached").good, State.BLOCKED.good
    (True, False)
    >>> print(State.SKIPPED)
    skipped
    """

    SUCCEEDED = "succeeded"
    CACHED = "cached"
    SKIPPED = "skipped"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"

    @property
    def good(self) -> bool:
        """Whether Tasks that come after may run."""
        return self in (State.SUCCEEDED, State.CACHED)


@dataclass(frozen=True)
class Step:
    """One Module of a Sequence, settled: what all its Tasks share."""

    module: str
    """Name in the registry, or ``package.module:Class``."""
    version: int
    scope: Scope
    settings: Mapping[str, Any]
    """All settings, as plain data."""
    result_settings: Mapping[str, Any]
    """Those of them that can change results."""
    run_mode: str = "local"
    timeout: float | None = None
    """Wall-clock limit of one Task, minutes."""
    replace: bool = False
    """Whether to run again what has been done already."""
    listed: bool = False
    """Whether the ledger of the run tells how each of its Items ended."""

    @cached_property
    def name(self) -> str:
        """The Module's class name."""
        return self.module.rpartition(":")[2]

    @cached_property
    def label(self) -> str:
        """``<sequence>/<module>``, how people see it."""
        return f"{self.scope.sequence}/{self.name}"

    @cached_property
    def identity(self) -> str:
        """Digest of everything in it that can change results."""
        about = [self.scope.sequence, dict(self.scope.subject)]  # an Item says its own extent
        return digest([self.module, self.version, about, dict(self.result_settings)])

    @cached_property
    def resources(self) -> Resources:
        """What one of its Tasks needs."""
        return resources.of(self.settings.get("resources", {}), f"{self.label}: resources")

    def together(self, total: int) -> int:
        """How many of its Tasks an engine elsewhere had best do as one.

        Parameters
        ----------
        total : int
            How many Tasks it has in the whole run.
        """
        parts: int = self.settings.get("n_batch_tasks", -1)
        size: int = self.settings.get("items_per_task", 1)
        if parts > 0:
            return math.ceil(total / parts)
        return size if size > 0 else max(1, math.ceil(total / SANE_COUNT))

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        return {
            "module": self.module,
            "version": self.version,
            "scope": plain_scope(self.scope),
            "settings": dict(self.settings),
            "result_settings": dict(self.result_settings),
            "run_mode": self.run_mode,
            "timeout": self.timeout,
            "replace": self.replace,
            "listed": self.listed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        """Read what `to_json` wrote."""
        return cls(**{**data, "scope": scope_from_json(data["scope"])})


@dataclass(frozen=True)
class Task:
    """One Module on one Item.

    Examples
    --------
    >>> step = Step("NDVICalculator", 1, Scope("Sentinel2"), {}, {})
    >>> Task(step, Item("2016-01-16")).id
    'Sentinel2/NDVICalculator/2016-01-16'
    """

    step: Step
    item: Item
    after: tuple[str, ...] = ()
    """Ids of Tasks that must have succeeded."""
    after_any: tuple[str, ...] = ()
    """Ids of Tasks that must have ended, however."""
    fingerprint: str = ""
    """Digest of everything that its results depend on; equal means that they need not be redone."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Of `after_any`: id -> reason why it gave nothing. Known only when they have ended."""
    epoch: int = 0
    """Attempt at the run that it belongs to (`pyveg.core.ports.Lock`); 0 for none, as where it is
    run by hand."""
    more_memory: bool = False
    """Whether it died for want of memory, and this is its try with more."""

    @property
    def memory_gb(self) -> float:
        """Memory that it may have, GiB; 0 for any."""
        needs = self.step.resources
        return needs.retry_memory_gb if self.more_memory else needs.memory_gb

    @cached_property
    def id(self) -> str:
        """``<sequence>/<module>/<item>``, unique in a run and usable as a path."""
        return task_id(self.step.scope.sequence, self.step.module, self.item.name)

    def to_json(self, step: int) -> dict[str, Any]:
        """Plain data that `from_json` reads back.

        Parameters
        ----------
        step : int
            The number of its Step where Steps are written, each once for all Tasks.
        """
        return {
            "step": step,
            "item": {"name": self.item.name, "details": dict(self.item.details)},
            "after": list(self.after),
            "after_any": list(self.after_any),
            "fingerprint": self.fingerprint,
            "missing": dict(self.missing),
            "epoch": self.epoch,
            "more_memory": self.more_memory,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], steps: Sequence[Step]) -> Task:
        """Read what `to_json` wrote.

        Parameters
        ----------
        data : mapping
        steps : sequence of Step
            Has its Step at the number that `data` says.

        Returns
        -------
        Task
        """
        return cls(
            step=steps[data["step"]],
            item=Item(data["item"]["name"], data["item"]["details"]),
            after=tuple(data["after"]),
            after_any=tuple(data["after_any"]),
            fingerprint=data["fingerprint"],
            missing=data["missing"],
            epoch=data.get("epoch", 0),
            more_memory=bool(data.get("more_memory", False)),
        )


@dataclass(frozen=True)
class TaskResult:
    """How a Task ended, and why.

    Examples
    --------
    >>> TaskResult("a/B/c", State.FAILED, "the file is empty").reason
    'the file is empty'
    """

    task_id: str
    state: State
    reason: str = ""
    seconds: float = 0.0
    details: str = field(default="", repr=False)
    """The traceback of a failure, for `--debug` and the log."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Facts that its Module has kept, as in the manifest."""
    shared: bool = False
    """Whether it failed of something that is no fault of its Item, so that others will too."""
    usage: Usage | None = None
    """What it took; None where it did not run, or nobody could measure it."""


class TaskGraph:
    """All Tasks of a run, in an order in which they can be done.

    Parameters
    ----------
    tasks : iterable of Task

    Raises
    ------
    ConfigError
        If two Tasks have one id, one waits for a Task that is not there, or they wait in a circle.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks: dict[str, Task] = {}
        for task in tasks:
            if task.id in self._tasks:
                raise ConfigError(
                    f'two tasks would have the name "{task.id}"', "rename one of them"
                )
            self._tasks[task.id] = task
        self._check_order()
        self.dependants: dict[str, list[str]] = {id_: [] for id_ in self._tasks}
        for task in self:
            for before in dict.fromkeys((*task.after, *task.after_any)):
                self.dependants[before].append(task.id)

    def _check_order(self) -> None:
        """Sort so that every Task stands behind those that it waits for."""
        import networkx as nx  # half of the start of a process that only runs a Task

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self._tasks)
        for task in self._tasks.values():
            for before in (*task.after, *task.after_any):
                if before not in self._tasks:
                    raise ConfigError(f'"{task.id}" waits for "{before}", which is not there')
                graph.add_edge(before, task.id)
        try:
            order = list(nx.topological_sort(graph))
        except nx.NetworkXUnfeasible:
            circle = " -> ".join(edge[0] for edge in nx.find_cycle(graph))
            raise ConfigError(f"tasks wait for each other in a circle: {circle}") from None
        self._tasks = {id_: self._tasks[id_] for id_ in order}

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())

    def __getitem__(self, task_id: str) -> Task:
        return self._tasks[task_id]

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._tasks

    @property
    def steps(self) -> list[Step]:
        """The Modules, in the order of the plan."""
        return list({id(task.step): task.step for task in self}.values())


def task_id(sequence: str, module: str, item: str) -> str:
    """The id of a Task.

    Parameters
    ----------
    sequence : str
        Name of its Sequence.
    module : str
        Name of its Module in the registry, or ``package.module:Class``.
    item : str
        Name of its Item.

    Examples
    --------
    >>> task_id("Sentinel2", "NDVICalculator", "2016-01-01")
    'Sentinel2/NDVICalculator/2016-01-01'
    """
    name = module.rpartition(":")[2]
    return f"{sequence.replace('/', '-')}/{name}/{item_folder(item)}"


def digest(value: Any) -> str:
    """Short digest of plain data, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def plain_scope(scope: Scope) -> dict[str, Any]:
    """A Scope as it stands in a Task's JSON."""
    return dict(vars(scope))


def scope_from_json(data: Mapping[str, Any]) -> Scope:
    """Read a Scope as it stands in a Task's JSON.

    Raises
    ------
    ConfigError
        If it is none.
    """
    return params.build(Scope, data, "scope", kept=False)
