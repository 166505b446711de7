"""Sizes of nodes: what they have, which of some is large enough, and slots of tasks on them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.core.tasks import Step, Task

MOST_SLOTS = 256
"""Of one node, as the service has it; and four for each core."""
_NAME = re.compile(r"standard_([def])(\d+)[a-z]*_v(\d+)", re.IGNORECASE)
_GIB_PER_CORE = {"d": 4.0, "e": 8.0, "f": 2.0}
"""Of the common series, from version 3 on (F: 2), for sizes up to `_PLAIN` cores."""
_PLAIN = 48


@dataclass(frozen=True, kw_only=True)
class VmSize:
    """What a node of some size has."""

    name: str = setting("", doc="as Azure has it")
    cpus: int = setting(doc="cores", low=1, high=1024)
    memory_gb: float = setting(doc="memory, GiB", low=0.1, high=1e5)
    gpus: int = setting(0, doc="graphics processors", low=0, high=64)


def size_of(name: str, told: Mapping[str, Any], where: str = "") -> VmSize | None:
    """What a size has: as the user tells it, or as the names of the common series say.

    Parameters
    ----------
    name : str
    told : mapping
        Name -> ``cpus``, ``memory_gb`` and ``gpus``.
    where : str
        Begins the messages of errors.

    Examples
    --------
    >>> size = size_of("Standard_E4s_v5", {})
    >>> size.cpus, size.memory_gb
    (4, 32.0)
    >>> size_of("Standard_NC6", {}) is None
    True
    """
    by_name = {one.lower(): about for one, about in told.items()}
    if name.lower() in by_name:
        return params.build(VmSize, {"name": name, **by_name[name.lower()]}, f"{where}{name}")
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    series, cores, version = found[1].lower(), int(found[2]), int(found[3])
    if version < (2 if series == "f" else 3) or not 0 < cores <= _PLAIN:
        return None
    return VmSize(name=name, cpus=cores, memory_gb=cores * _GIB_PER_CORE[series])


@dataclass(frozen=True)
class Fit:
    """How tasks share a node.

    Parameters
    ----------
    size : VmSize
    slots : int
        Of the node.
    usual : int
        Tasks on a node at once of those that say nothing.
    """

    size: VmSize
    slots: int
    usual: int

    def slots_of(self, task: Task) -> int:
        """Slots that a Task takes: its share of the cores or of the memory, whichever is larger."""
        needs = task.step.resources
        if not (needs.said or task.memory_gb):
            return max(1, self.slots // self.usual)
        shares = (
            needs.cpus / self.size.cpus,
            task.memory_gb / self.size.memory_gb,
            needs.gpu / self.size.gpus if self.size.gpus else 0.0,
        )
        wanted = math.ceil(max(shares) * self.slots - 1e-9)
        return min(self.slots, max(1, wanted))

    def on(self, size: VmSize, slots: int) -> Fit:
        """The same on the nodes of a pool that is there."""
        return Fit(size, slots, max(1, min(self.usual, slots)))


def fit(
    sizes: Sequence[str], told: Mapping[str, Any], steps: Iterable[Step], usual: int, where: str
) -> Fit | None:
    """The smallest of some sizes on which all Modules fit; None where none says what it needs.

    Parameters
    ----------
    sizes : sequence of str
        Names.
    told : mapping
        As of `size_of`.
    steps : iterable of Step
    usual : int
        Tasks on a node at once of those that say nothing.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If none of them fits, or what they have is not known.
    """
    needing = [step for step in steps if step.resources.said]
    if not needing:
        return None
    known = []
    for name in sizes:
        size = size_of(name, told, f"{where}: vm_sizes: ")
        if size is None:
            raise ConfigError(
                f"{where}: {needing[0].label} says what it needs (resources), and what a node of "
                f"{name} has is not known",
                f'tell it: vm_sizes = {{"{name}": {{"cpus": ..., "memory_gb": ...}}}}',
            )
        known.append(size)
    fitting = [size for size in known if all(_holds(size, step) for step in needing)]
    if not fitting:
        raise _too_small(known, needing, where)
    size = min(fitting, key=lambda one: (one.gpus, one.cpus, one.memory_gb))
    return Fit(size, min(4 * size.cpus, MOST_SLOTS), usual)


def next_sizes(sizes: Sequence[str], told: Mapping[str, Any], chosen: Fit | None) -> list[str]:
    """Sizes that may stand in for the chosen one, in the order in which they are tried.

    Parameters
    ----------
    sizes : sequence of str
        Names.
    told : mapping
        As of `size_of`.
    chosen : Fit or None
        As of `fit`. Its slots are shared by tasks already, so a size that stands in has as much of
        everything, and the smaller go first. Where it is None all sizes will do, in their order.

    Examples
    --------
    >>> next_sizes(["Standard_D4s_v5", "Standard_F2s_v2", "Standard_D2s_v5"], {}, None)
    ['Standard_F2s_v2', 'Standard_D2s_v5']
    >>> first = Fit(VmSize(name="Standard_D2s_v5", cpus=2, memory_gb=8), slots=8, usual=2)
    >>> next_sizes(["Standard_D4s_v5", "Standard_F2s_v2", "Standard_D2s_v5"], {}, first)
    ['Standard_D4s_v5']
    """
    if chosen is None:
        return list(dict.fromkeys(sizes))[1:]
    least = chosen.size
    known = {name: size for name in sizes if (size := size_of(name, told)) is not None}
    enough = [
        size
        for name, size in known.items()
        if name != least.name
        and size.cpus >= least.cpus
        and size.memory_gb >= least.memory_gb
        and size.gpus >= least.gpus
    ]
    return [one.name for one in sorted(enough, key=lambda one: (one.gpus, one.cpus, one.memory_gb))]


def _holds(size: VmSize, step: Step) -> bool:
    needs = step.resources
    return needs.most_gb <= size.memory_gb and needs.cpus <= size.cpus and needs.gpu <= size.gpus


def _too_small(known: Sequence[VmSize], needing: Sequence[Step], where: str) -> ConfigError:
    alone = (one for one in needing if not any(_holds(size, one) for size in known))
    step = next(alone, needing[0])
    needs = step.resources
    wanted = f"{needs.most_gb:g} GiB of memory, {needs.cpus:g} cpus and {needs.gpu} GPU"
    has = ", ".join(f"{one.name} ({one.cpus} cpus, {one.memory_gb:g} GiB)" for one in known)
    return ConfigError(
        f"{where}: a task of {step.label} needs {wanted}, and no node has so much: {has}",
        "add a larger size to pool_vm_sizes, or lower what it needs",
    )
