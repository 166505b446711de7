"""Which Tasks of a run go to which pool.

A job of the service belongs to one pool, and its tasks can wait for one another only. So the Tasks
that one pool does are a lane: what they wait for in another lane has ended before they are given
to the service.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pyveg.azure_config import AzureConfig, of_its_pool, pool_record
from pyveg.core import registry
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.ports import Work
from pyveg.core.tasks import Step
from pyveg.runners.azure_batch.sizes import Fit, fit, next_sizes

MAIN = ""
"""Name of the lane of the pool that ``batch_pool_id`` names."""


@dataclass(frozen=True)
class Lane:
    """The Tasks of a run that one pool does."""

    name: str
    """Of the pool; empty for that of all Modules that name none."""
    config: AzureConfig
    """The accounts, with what is said of this pool."""
    labels: frozenset[str]
    """Labels of the Steps that are its own."""
    fit: Fit | None = None
    """How its tasks share a node; None where none of them says what it needs."""
    next_sizes: tuple[str, ...] = ()
    """Sizes of nodes to try in turn where Azure has none of the first."""


def lane_of(config: AzureConfig, step: Step) -> str:
    """Name of the lane of a Step, by ``module_pools``: its label goes before its Module's name."""
    named = config.module_pools
    pool = str(named.get(step.label, named.get(step.name, MAIN)))
    return MAIN if pool == config.batch_pool_id else pool


def lanes(config: AzureConfig, work: Work) -> list[Lane]:
    """The lanes of a run, the main one first; one at least.

    Raises
    ------
    ConfigError
        If ``module_pools`` is not right.
    """
    _check(config, work)
    steps: dict[str, list[Step]] = {}
    for step in work.steps:
        steps.setdefault(lane_of(config, step), []).append(step)
    return [_lane(config, name, steps.get(name, ())) for name in sorted(steps) or [MAIN]]


def _lane(config: AzureConfig, name: str, steps: Sequence[Step]) -> Lane:
    """A lane whose nodes are large enough for its Tasks."""
    own = _config_of(config, name)
    named = own.batch_pool_id in own.pools or not own.pool_vm_sizes
    sizes = (own.pool_vm_size,) if named else own.pool_vm_sizes
    found = fit(sizes, own.vm_sizes, steps, own.task_slots_per_node, own.source)
    size = sizes[0] if found is None else found.size.name
    labels = frozenset(step.label for step in steps)
    others = tuple(next_sizes(sizes, own.vm_sizes, found))
    return Lane(name, replace(own, pool_vm_size=size), labels, found, others)


def unused(config: AzureConfig, work: Work) -> list[str]:
    """What the user should know of Modules that have a pool and go elsewhere."""
    here = _names(work.steps)
    others = _names(work.graph.steps)
    return [
        f'{config.source}: module_pools["{name}"] has no effect: its run_mode is not that of '
        "Azure Batch"
        for name in config.module_pools
        if name in others and name not in here
    ]


def _config_of(config: AzureConfig, name: str) -> AzureConfig:
    return of_its_pool(replace(config, batch_pool_id=name)) if name else config


def _check(config: AzureConfig, work: Work) -> None:
    where = f"{config.source}: module_pools"
    known = [*_names(work.graph.steps), *registry.known("module")]
    for module, pool in config.module_pools.items():
        if module not in known:
            raise UnknownNameError("Module", module, known, where)
        if not isinstance(pool, str):
            raise ConfigError(f'{where}["{module}"] is no name of a pool', "write it in quotes")
        if pool != config.batch_pool_id:
            pool_record(config, pool)


def _names(steps: Sequence[Step]) -> Collection[str]:
    """By which Modules may be named, labels included."""
    return dict.fromkeys(name for step in steps for name in (step.name, step.label))
