"""What a run has used: nodes, requests and bytes, and how long its Tasks took; kept in run.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import RUN_FILE
from pyveg.core.nodes import HOUR, LOCAL, NodeUse
from pyveg.core.ports import Store
from pyveg.core.transfers import Transfers
from pyveg.core.values import read_json

KEY = "usage"
"""In run.json: a list, with an entry for each attempt."""


@dataclass(frozen=True)
class ModuleUse:
    """What the Tasks of one Module have used that were done."""

    tasks: int = 0
    seconds: float = 0.0
    """Summed over the Tasks."""
    moved: Transfers = field(default_factory=Transfers)

    def __add__(self, other: ModuleUse) -> ModuleUse:
        return ModuleUse(
            self.tasks + other.tasks, self.seconds + other.seconds, self.moved + other.moved
        )

    def times(self, factor: float) -> ModuleUse:
        """So many times as much."""
        moved = {name: round(value * factor) for name, value in vars(self.moved).items()}
        return ModuleUse(round(self.tasks * factor), self.seconds * factor, Transfers(**moved))


@dataclass(frozen=True)
class RunUse:
    """What a run, or one attempt at it, has used."""

    attempt: int = 0
    seconds: float = 0.0
    """Wall-clock time."""
    nodes: tuple[NodeUse, ...] = ()
    moved: Transfers = field(default_factory=Transfers)
    """By Tasks, and by what directs them."""
    modules: Mapping[str, ModuleUse] = field(default_factory=dict)
    """By label: ``<sequence>/<module>``."""
    once: Transfers = field(default_factory=Transfers)
    """Of `moved`, what does not grow with the number of Tasks."""

    @property
    def hours(self) -> float:
        """Wall-clock time in hours."""
        return self.seconds / HOUR

    @property
    def node_hours(self) -> float:
        """Summed over all nodes."""
        return sum(use.hours for use in self.nodes)

    @property
    def tasks(self) -> ModuleUse:
        """The same of all Modules together."""
        return sum(self.modules.values(), ModuleUse())

    def __add__(self, other: RunUse) -> RunUse:
        modules = dict(self.modules)
        for label, use in other.modules.items():
            modules[label] = modules.get(label, ModuleUse()) + use
        return RunUse(
            max(self.attempt, other.attempt),
            self.seconds + other.seconds,
            summed([*self.nodes, *other.nodes]),
            self.moved + other.moved,
            modules,
            self.once + other.once,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        return {
            **asdict(self),
            "seconds": round(self.seconds, 3),
            "nodes": [{**asdict(use), "seconds": round(use.seconds, 3)} for use in self.nodes],
            "moved": self.moved.to_json(),
            "once": self.once.to_json(),
            "modules": {
                label: {
                    "tasks": use.tasks,
                    "seconds": round(use.seconds, 3),
                    "moved": use.moved.to_json(),
                }
                for label, use in self.modules.items()
            },
        }

    @classmethod
    def from_json(cls, data: Any) -> RunUse:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is damaged.
        """
        try:
            modules = {
                str(label): ModuleUse(
                    int(use["tasks"]), float(use["seconds"]), Transfers.from_json(use["moved"])
                )
                for label, use in data["modules"].items()
            }
            nodes = tuple(
                NodeUse(
                    str(use["size"]), bool(use["spot"]), float(use["seconds"]), _price(use["price"])
                )
                for use in data["nodes"]
            )
            moved, once = (Transfers.from_json(data.get(name)) for name in ("moved", "once"))
            attempt, seconds = int(data["attempt"]), float(data["seconds"])
            return cls(attempt, seconds, nodes, moved, modules, once)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"no record of what a run has used: {error}") from error


def summed(nodes: Iterable[NodeUse]) -> tuple[NodeUse, ...]:
    """Nodes of the same kind as one.

    Examples
    --------
    >>> [use.seconds for use in summed([NodeUse("D2", seconds=1), NodeUse("D2", seconds=2)])]
    [3]
    """
    found: dict[tuple[str, bool, float | None], NodeUse] = {}
    for use in nodes:
        key = use.size, use.spot, use.price
        before = found[key].seconds if key in found else 0
        found[key] = replace(use, seconds=before + use.seconds)
    return tuple(found.values())


def words(used: RunUse) -> str:
    """What was used, as people read it.

    Examples
    --------
    >>> moved = Transfers(120, 3_400_000, 20_000)
    >>> print(words(RunUse(nodes=(NodeUse("D2", seconds=5400),), moved=moved)))
    1.50 node-hours; 120 requests, 3.4 MB received, 20.0 kB sent
    >>> print(words(RunUse(seconds=90)))
    no nodes; no requests
    """
    return f"{_nodes(used.nodes)}; {_moved(used.moved)}"


def _nodes(nodes: Iterable[NodeUse]) -> str:
    total = sum(use.hours for use in nodes)
    if not total:
        return "no nodes"
    here = all(use.size == LOCAL for use in nodes)
    return f"{amount(total)} node-hours{' of this machine' if here else ''}"


def amount(value: float) -> str:
    """A number with two digits behind the point, or more where it is small.

    Examples
    --------
    >>> amount(1.5), amount(0.00123), amount(0)
    ('1.50', '0.00123', '0.00')
    """
    return f"{value:.3g}" if 0 < value < 0.1 else f"{value:.2f}"


def _price(value: Any) -> float | None:
    return None if value is None else float(value)


def _moved(moved: Transfers) -> str:
    if not moved:
        return "no requests"
    return f"{moved.requests} requests, {in_bytes(moved.received)} received, " + (
        f"{in_bytes(moved.sent)} sent"
    )


def in_bytes(number: float) -> str:
    """A number of bytes.

    Examples
    --------
    >>> in_bytes(12), in_bytes(20_000), in_bytes(3.2e9)
    ('12 B', '20.0 kB', '3.2 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f} B"


def of_run(store: Store) -> list[RunUse]:
    """What the attempts at a run have used; nothing of those that have left no record."""
    with suppress(KeyMissingError, ValueError, TypeError, RecursionError):
        record = read_json(store.read(RUN_FILE))
        kept = record.get(KEY, []) if isinstance(record, dict) else []
        return [RunUse.from_json(one) for one in kept]
    return []


def keep(store: Store, attempts: Iterable[RunUse], more: Mapping[str, Any]) -> None:
    """Write it to run.json, beside what is there.

    Parameters
    ----------
    store : Store
    attempts : iterable of RunUse
    more : mapping
        What else is kept of the whole run, such as its cost.
    """
    record = read_json(store.read(RUN_FILE))
    record |= {KEY: [one.to_json() for one in attempts], **more}
    store.write(RUN_FILE, (json.dumps(record, indent=1) + "\n").encode())
