"""The engines of a run: which it needs, whether they can work, and how they are made.

Nothing here names one. What an engine is, is said by its class (`pyveg.core.ports.Runner`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyveg.core import engines as engine_settings
from pyveg.core import params, registry
from pyveg.core.errors import ConfigError, EngineError, PyvegError
from pyveg.core.execute import describe
from pyveg.core.nodes import Capacity
from pyveg.core.pipeline import Pipeline
from pyveg.core.ports import Listener, Runner, Store, Work
from pyveg.core.tasks import TaskGraph

WAITING = "threads"
"""Run mode of downloads, which wait for a service."""
WAITING_TASKS = 16
"""Tasks at once in that mode."""
_SHOWN_OPTION = "NAME.SETTING=VALUE"


@dataclass(frozen=True)
class _Share:
    """What one engine does of a run."""

    name: str
    work: Work
    settings: Mapping[str, Any]

    @property
    def cls(self) -> type[Runner]:
        """Its class; an unknown name is told as the setting that gave it."""
        local = "local" in self.work.run_modes
        return registry.runner_class(self.name, "runner" if local else "run_mode")

    def typed_settings(self) -> Any:
        """Its settings, of the class that it declares."""
        return engine_settings.settings_of(self.name, self.settings)


def check(pipeline: Pipeline, graph: TaskGraph, store: Store) -> list[str]:
    """Refuse what cannot work together, before anything is started or written.

    Parameters
    ----------
    pipeline : Pipeline
    graph : TaskGraph
    store : Store
        That of the run, or one like it, to which nothing is written.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    ConfigError
    """
    notes: list[str] = []
    for step in graph.steps:
        _ = step.resources  # raises where they are wrong
    for share in _shares(pipeline, graph, store):
        _check_abilities(share)
        with _told(share.name):
            notes += share.cls.check(share.typed_settings(), share.work)
    return notes


def make(pipeline: Pipeline, graph: TaskGraph, store: Store) -> dict[str, Runner]:
    """Run mode -> its engine, not started yet; one that serves several is one object."""
    made: dict[str, Runner] = {}
    for share in _shares(pipeline, graph, store):
        with _told(share.name):
            engine = share.cls(share.typed_settings(), share.work)
        made |= dict.fromkeys(sorted(share.work.run_modes), engine)
    return made


def capacities(pipeline: Pipeline, graph: TaskGraph, store: Store) -> dict[str, Capacity]:
    """Run mode -> what its engine will have for the run, as far as it knows before."""
    found: dict[str, Capacity] = {}
    for share in _shares(pipeline, graph, store):
        with _told(share.name):
            capacity = share.cls.capacity(share.typed_settings(), share.work)
        found |= dict.fromkeys(sorted(share.work.run_modes), capacity)
    return found


def start_engine(engine: Runner, store: Store, listener: Listener) -> None:
    """Have an engine get ready; `EngineError` where it cannot."""
    with _told(type(engine).__name__):
        engine.start(store, listener)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn whatever an engine raises, which may be anyone's, into one sentence."""
    try:
        yield
    except PyvegError:
        raise
    except Exception as error:
        raise EngineError(
            f'the engine "{name}" cannot be used: {describe(error)}',
            "tell those who made it; --debug shows where it happened",
        ) from error


def far_modes(pipeline: Pipeline, graph: TaskGraph) -> frozenset[str]:
    """Run modes of which Tasks may run on other machines."""
    modes = {step.run_mode for step in graph.steps}
    return frozenset(
        mode for mode in modes if registry.runner_class(pipeline.engine_of(mode)).elsewhere
    )


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shares(pipeline: Pipeline, graph: TaskGraph, store: Store) -> Iterator[_Share]:
    """What each engine is to do; run modes that differ in their number of workers go apart."""
    groups: dict[tuple[str, int], set[str]] = {}
    for mode in sorted({step.run_mode for step in graph.steps}):
        groups.setdefault((pipeline.engine_of(mode), _workers(pipeline, mode)), set()).add(mode)
    for (name, workers), modes in groups.items():
        work = Work(graph, frozenset(modes), store, workers)
        yield _Share(name, work, pipeline.engines.get(name, {}))


def _workers(pipeline: Pipeline, mode: str) -> int:
    """Tasks at once: one per core, and more of those beside them that mostly wait."""
    return pipeline.n_workers or (WAITING_TASKS if mode == WAITING else cores())


def _check_abilities(share: _Share) -> None:
    cls, work = share.cls, share.work
    mode = min(work.run_modes)
    local = "local" in work.run_modes
    if cls.needs_shared_store and not work.store.shared:
        cure = 'set runner = "threads"' if local else f'leave out run_mode = "{mode}"'
        raise ConfigError(
            f'the runner "{share.name}" works in other processes, which cannot reach '
            f"{work.store.url}",
            f"{cure} or another output_location_type",
        )
    limited = [step.label for step in work.steps if step.timeout is not None]
    if limited and not cls.enforces_timeout:
        raise ConfigError(
            f'the runner "{share.name}" cannot end a Task at a time limit, but {limited[0]} has '
            "timeout",
            'set runner = "processes" or leave out timeout',
        )


# From configs and command lines


def given_in(settings: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """Those names at the top of a config that are older names of engines' settings.

    Parameters
    ----------
    settings : mapping
        Names at the top of a config and their values.
    known : sequence of str
        Names that a config has itself.
    """
    others = [name for name in settings if name not in known]
    if not others:  # so that no engine is imported
        return {}
    old = engine_settings.old_names()
    return {name: settings[name] for name in others if name in old}


def from_options(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Settings of engines from what a command line says.

    Parameters
    ----------
    texts : sequence of str
        Each ``NAME.SETTING=VALUE``.

    Raises
    ------
    ConfigError
        If one of them is no such text, or names what is not there.
    """
    engines: dict[str, dict[str, Any]] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        name, dot, setting = path.rpartition(".")
        if not (equals and dot):
            raise ConfigError(f'--engine "{text}" sets nothing', f"write --engine {_SHOWN_OPTION}")
        cls = registry.runner_class(name, "--engine").Settings
        read = params.from_text(cls, setting, value, f"--engine {name}")
        if engines.setdefault(name, {}).setdefault(setting, read) != read:
            raise ConfigError(f"--engine {path} is given twice, and differently", "give it once")
    return engines


def older_options() -> list[str]:
    """Names that settings of engines had when they were options of their own."""
    return sorted(engine_settings.old_names())


def option_of(old: str) -> str | None:
    """``NAME.SETTING`` of an option's older name; None where it is none."""
    found = engine_settings.old_names().get(old)
    return None if found is None else ".".join(found)
