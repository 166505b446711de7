"""Small task graphs made of the fake Modules, and a way to run them on any engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pyveg.core import params, registry
from pyveg.core.coordinator import Coordinator
from pyveg.core.events import Event
from pyveg.core.pipeline import Pipeline
from pyveg.core.ports import Runner, Store, Work
from pyveg.core.sequence import ModuleSpec, Sequence
from pyveg.core.tasks import TaskGraph, TaskResult
from pyveg.core.types import Scope

FAKES = "pyveg.testing.fakes"


def spec(name: str, **settings: Any) -> ModuleSpec:
    """One of the fake Modules with settings."""
    path = f"{FAKES}:{name}"
    return ModuleSpec(path, params.build(registry.load("module", path).Settings, settings, name))


def fake_pipeline(
    start: Mapping[str, Any] | None = None,
    follow: Mapping[str, Any] | None = None,
    *,
    output_location: str = "run",
    **more: Any,
) -> Pipeline:
    """Two Modules in a Sequence "A", one in a Sequence "B", and a combiner behind both."""
    modules = (spec("Start", **(start or {})), spec("Follow", **(follow or {})))
    sequences = (
        Sequence(Scope("A"), modules),
        Sequence(Scope("B"), (spec("Start", count=2),)),
        Sequence(Scope("combine"), (spec("Gather"),), ("A", "B")),
    )
    return Pipeline("fakes", sequences, output_location, **more)


def fake_config(output_location: str, **more: Any) -> str:
    """Text of a config for the same Sequences as those of `fake_pipeline`.

    Parameters
    ----------
    output_location : str
        Where runs go; a date stamp is added.
    **more
        Other names of a config, such as ``runner`` or ``special_config``.
    """
    start, follow, gather = (f"{FAKES}:{name}" for name in ("Start", "Follow", "Gather"))
    settings = {
        "name": "fakes",
        "output_location": output_location,
        "modules_to_use": {"A": [start, follow], "B": [start], "combine": [gather]},
        **more,
    }
    return "".join(f"{name} = {value!r}\n" for name, value in settings.items())


def work_of(
    graph: TaskGraph,
    store: Store,
    run_modes: Collection[str] = ("local",),
    n_workers: int = 2,
) -> Work:
    """What one engine is to do of a graph; all of it where nothing else is said."""
    return Work(graph, frozenset(run_modes), store, n_workers)


def run_graph(
    graph: TaskGraph, store: Store, engines: Mapping[str, Runner], events: list[Event]
) -> dict[str, TaskResult]:
    """Run a graph to its end, noting every event."""
    coordinator = Coordinator(graph, store, engines, events.append)
    try:
        for engine in engines.values():
            engine.start(store, coordinator)
        return coordinator.run()
    finally:
        for engine in engines.values():
            engine.close()
