"""From Sequences to Tasks: Items, dependencies and fingerprints, settled before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyveg.core import html, manifest, params
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.module import Planning, SequencePlan
from pyveg.core.ports import Store
from pyveg.core.sequence import ModuleSpec, Sequence
from pyveg.core.tasks import State, Step, Task, TaskGraph, digest
from pyveg.core.texts import LONGEST_REPR, cut
from pyveg.core.types import Item, Scope


@dataclass(frozen=True, repr=False)
class Plan:
    """All Tasks of a run, and what the user should know before it starts.

    Examples
    --------
    >>> import pyveg
    >>> plan = pyveg.load_pipeline("demo").plan()
    >>> len(plan.graph), plan.states()["SimulatedSentinel2/NDVICalculator"]["to do"]
    (721, 120)
    """

    graph: TaskGraph
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(tasks)} {label}" for label, tasks in self._by_module().items())
        return cut(f"<Plan of {len(self.graph)} tasks: {counts}>", LONGEST_REPR)

    def _repr_html_(self) -> str:
        rows = [
            (label, len(tasks), tasks[0].item.name, tasks[-1].item.name)
            for label, tasks in self._by_module().items()
        ]
        title = f"Plan of {len(self.graph)} tasks"
        return html.table(title, ["module", "tasks", "first", "last"], rows, self.warnings)

    def _by_module(self) -> dict[str, list[Task]]:
        """Tasks of each Module, by its label."""
        found: dict[str, list[Task]] = {}
        for task in self.graph:
            found.setdefault(task.step.label, []).append(task)
        return found

    def states(self, store: Store | None = None) -> dict[str, Counter[str]]:
        """How many Tasks of each Module are to do and how many are done already.

        Parameters
        ----------
        store : Store, optional
            The Store of an earlier run to be finished; without one everything is to do.

        Returns
        -------
        dict
            ``<sequence>/<module>`` -> number of Tasks ``to do``, ``cached`` and ``skipped``.
        """
        table: dict[str, Counter[str]] = {step.label: Counter() for step in self.graph.steps}
        for task in self.graph:
            done = manifest.valid(store, task) if store else None
            if done is None:
                state = "to do"
            else:
                state = "skipped" if done.state is State.SKIPPED else "cached"
            table[task.step.label][state] += 1
        return table


@dataclass
class _Progress:
    """One Sequence while its Modules are being planned."""

    sequence: Sequence
    upstream: tuple[SequencePlan, ...]
    about: Mapping[str, Any]
    told: dict[str, None] = field(default_factory=dict)
    """What Modules had to say, each sentence once."""
    steps: list[tuple[ModuleSpec, dict[str, Task]]] = field(default_factory=list)
    """Modules planned so far, each with its Tasks by name of the Item."""

    def tell(self, text: str) -> None:
        self.told[text] = None

    def finished(self) -> SequencePlan:
        ids: dict[str, list[str]] = {}
        items: dict[str, Item] = {}
        for _, tasks in self.steps:
            for name, task in tasks.items():
                ids.setdefault(name, []).append(task.id)
                items.setdefault(name, task.item)
        task_ids = {name: tuple(made) for name, made in ids.items()}
        modules = tuple(spec.module for spec, _ in self.steps)
        settings = tuple(spec.settings for spec, _ in self.steps)
        return SequencePlan(self.sequence.scope, tuple(items.values()), task_ids, modules, settings)


def plan(
    sequences: Iterable[Sequence], about: Mapping[str, Any], warnings: Iterable[str] = ()
) -> Plan:
    """Make and check all Tasks of some Sequences."""
    done: dict[str, SequencePlan] = {}
    tasks: dict[str, Task] = {}
    told = dict.fromkeys(warnings)
    for sequence in _in_order(list(sequences)):
        upstream = tuple(done[name] for name in sequence.depends_on)
        progress = _Progress(sequence, upstream, about, told)
        for spec in sequence.modules:
            made = _plan_module(spec, progress, tasks)
            twice = next((task.id for task in made.values() if task.id in tasks), None)
            if twice:
                raise ConfigError(f'two Modules would do "{twice}"', "name each Module once")
            progress.steps.append((spec, made))
            tasks.update((task.id, task) for task in made.values())
        done[sequence.name] = progress.finished()
    return Plan(TaskGraph(tasks.values()), tuple(told))


def _in_order(sequences: list[Sequence]) -> list[Sequence]:
    """Each behind those that it depends on, otherwise as they stand in the config."""
    import networkx as nx

    by_name = {sequence.name: sequence for sequence in sequences}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(by_name)
    for sequence in sequences:
        for name in sequence.depends_on:
            if name not in by_name:
                raise UnknownNameError("sequence", name, by_name, f'"{sequence.name}" depends_on')
            graph.add_edge(name, sequence.name)
    try:
        order = nx.lexicographical_topological_sort(graph, key=list(by_name).index)
        return [by_name[name] for name in order]
    except nx.NetworkXUnfeasible:
        raise ConfigError(
            "sequences depend on each other in a circle", "let none of them depend on a later one"
        ) from None


def _plan_module(
    spec: ModuleSpec, progress: _Progress, known: Mapping[str, Task]
) -> dict[str, Task]:
    scope = progress.sequence.scope
    cls, settings = spec.cls, spec.settings
    where = f'"{scope.sequence}": {cls.__name__}'
    providers = _providers(spec, progress, where)
    module = cls()
    planning = Planning(
        scope, _common_items(providers), progress.upstream, progress.about, progress.tell
    )
    items = module.items(planning, settings)
    items = _chosen(items, settings.dates_to_process, where)
    if not items and not module.may_have_no_items(settings):
        raise ConfigError(
            f"{where} has nothing to do: there is no date in the date range", "give another one"
        )
    gathers = _gathered(progress.upstream) if cls.role == "combine" else ()
    inputs = (*gathers, *(task.id for tasks_of in providers for task in tasks_of.values()))
    replaced = any(known[task_id].step.replace for task_id in inputs)
    step = _step(spec, scope, replace=settings.replace_existing_files or replaced)
    tasks: dict[str, Task] = {}
    for item in items:
        if item.name in tasks:
            raise ConfigError(
                f'{where} has two items of the name "{item.name}"', "rename one of them"
            )
        after = tuple(tasks_of[item.name].id for tasks_of in providers if item.name in tasks_of)
        outside = module.fingerprint(scope, item, settings)
        before = [[task_id, known[task_id].fingerprint] for task_id in (*after, *gathers)]
        about_item = [item.name, params.plain(item.details)]
        fingerprint = digest([step.identity, about_item, outside, before])
        tasks[item.name] = Task(step, item, after, gathers, fingerprint)
    return tasks


def _gathered(upstream: Iterable[SequencePlan]) -> tuple[str, ...]:
    """Ids of all Tasks of the Sequences before a combiner."""
    tables = (before.task_ids for before in upstream)
    return tuple(task_id for table in tables for ids in table.values() for task_id in ids)


def _step(spec: ModuleSpec, scope: Scope, *, replace: bool) -> Step:
    """A Module, settled. What replaces its results makes those behind it do the same."""
    settings = spec.settings
    return Step(
        module=spec.module,
        version=spec.cls.version,
        scope=scope,
        settings=params.to_json(settings),
        result_settings=params.to_json(settings, results_only=True),
        run_mode=settings.run_mode,
        timeout=None if spec.cls.keeps_time else settings.timeout,
        replace=replace,
        listed=spec.cls.listed,
    )


def _providers(spec: ModuleSpec, progress: _Progress, where: str) -> list[dict[str, Task]]:
    """Tasks of the Modules that this one takes its input from."""
    cls, steps = spec.cls, progress.steps
    if cls.role == "combine":
        if not progress.upstream:
            raise ConfigError(
                f"{where} combines other sequences, but there are none before it",
                "name Modules of at least one other sequence in modules_to_use",
            )
        return []
    if cls.role == "start":
        if steps:
            raise ConfigError(f"{where} starts a sequence", "put it first")
        return []
    if not steps:
        raise ConfigError(
            f"{where} has no input", "put a Module before it that gets it, a downloader"
        )
    if not cls.consumes:
        return [steps[-1][1]]
    providers: dict[str, dict[str, Task]] = {}
    for kind in cls.consumes:
        for earlier, tasks in reversed(steps):
            if kind in earlier.cls.provides:
                providers[earlier.module] = tasks
                break
        else:
            raise ConfigError(f"{where} needs {kind}", "put a Module before it that makes them")
    return list(providers.values())


def _common_items(providers: list[dict[str, Task]]) -> tuple[Item, ...]:
    if not providers:
        return ()
    first, *others = providers
    return tuple(
        task.item for name, task in first.items() if all(name in other for other in others)
    )


def _chosen(items: Iterable[Item], names: tuple[str, ...], where: str) -> list[Item]:
    """Only the dates that were asked for."""
    items = list(items)
    known = {item.name for item in items}
    for name in names:
        if name not in known:
            raise UnknownNameError("date", name, known, f"{where}: dates_to_process")
    return [item for item in items if not names or item.name in names]
