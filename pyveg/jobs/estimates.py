"""What a run will use, before it begins: from an earlier run of its kind, or measured Items.

Nothing is guessed. What a Task of a Module takes comes from a record of Tasks of that Module with
the same settings, and where there is none it is not known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyveg.core import params, prices, registry, transfers
from pyveg.core.errors import PyvegError
from pyveg.core.execute import run_task
from pyveg.core.nodes import LOCAL, Capacity, NodeUse
from pyveg.core.prices import Cost
from pyveg.core.tasks import State, Step, Task, TaskGraph
from pyveg.core.transfers import Transfers
from pyveg.jobs import engines, run_use
from pyveg.jobs.run import PreparedRun
from pyveg.jobs.run_use import ModuleUse, RunUse
from pyveg.jobs.watching import AZURE, runs_at
from pyveg.runs.run import RecordedStep, Run

LOOKED_AT = 20
"""Earlier runs that are looked at, the latest first."""
MEASURED = 2
"""Items of each Sequence that are measured: the first alone has what is done once in a run."""


@dataclass(frozen=True)
class Estimate:
    """What a run will use, as far as that is known."""

    tasks: int
    basis: str
    """Where it comes from; empty where nothing is known."""
    seconds: float | None = None
    """Wall-clock time."""
    nodes: tuple[NodeUse, ...] = ()
    moved: Transfers = field(default_factory=Transfers)
    unknown: tuple[str, ...] = ()
    """What is left out, as nobody knows it."""
    cost: Cost | None = None
    """None without prices."""

    def lines(self) -> Iterator[str]:
        """The same for people."""
        if not self.basis:
            yield (
                f"estimate: not known: {', '.join(self.unknown)}; --measure does "
                f"{MEASURED} items first"
            )
            return
        yield f"estimate: {run_use.words(RunUse(nodes=self.nodes, moved=self.moved))}"
        if self.seconds is not None:
            yield f"estimate: takes about {in_time(self.seconds)}"
        if self.cost is not None:
            yield f"estimate: {self.cost}"
        yield f"from: {self.basis}"
        if self.unknown:
            yield f"not known, and left out: {', '.join(self.unknown)}"


def in_time(seconds: float) -> str:
    """A time that nobody knows to the second.

    Examples
    --------
    >>> in_time(42), in_time(600), in_time(90_000)
    ('42 seconds', '10 minutes', '25.0 hours')
    """
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


@dataclass(frozen=True)
class _Work:
    """How many Tasks of each Module there are to do, and how many of them are done at once."""

    counts: Mapping[str, int]
    steps: Mapping[str, Step]
    capacities: Mapping[str, Capacity]

    def seconds(self, uses: Mapping[str, ModuleUse]) -> float:
        """How long Tasks take, side by side as their engines do them."""
        return sum(
            use.seconds / max(1, self.capacities[self.steps[label].run_mode].at_once)
            for label, use in uses.items()
            if label in self.steps
        )

    def uses(self, known: Mapping[str, ModuleUse]) -> dict[str, ModuleUse]:
        """What all Tasks to do will use, as those of their Modules have."""
        return {
            label: replace(known[label].times(count / known[label].tasks), tasks=count)
            for label, count in self.counts.items()
            if label in known and known[label].tasks
        }


def estimate(
    prepared: PreparedRun,
    *,
    measure: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Estimate:
    """What a run will use that has been planned.

    Parameters
    ----------
    prepared : PreparedRun
    measure : bool
        Do some Items first, in a temporary folder, and take what they use.
    tell : callable
        Told what is measured.

    Raises
    ------
    PyvegError
        If an Item that is measured fails.
    """
    work = _work_of(prepared)
    known, overhead, basis = _known(prepared, work, measure=measure, tell=tell)
    table = prices.build(prepared.pipeline.prices)
    if known is None:
        lacking = ("no earlier run at this output_location has the same modules and settings",)
        return Estimate(sum(work.counts.values()), "", unknown=lacking)
    made = _scaled(work, known, overhead, basis)
    if not prepared.pipeline.prices:
        return made
    return replace(made, cost=prices.cost(table, made.nodes, made.moved))


def _work_of(prepared: PreparedRun) -> _Work:
    states = prepared.plan.states(prepared.resumed)
    graph = prepared.plan.graph
    return _Work(
        {label: counts["to do"] for label, counts in states.items()},
        {step.label: step for step in graph.steps},
        engines.capacities(prepared.pipeline, graph, prepared.place.store),
    )


def _known(
    prepared: PreparedRun, work: _Work, *, measure: bool, tell: Callable[[str], None]
) -> tuple[RunUse | None, bool, str]:
    """What Tasks have used, whether an engine's own work is in it, and where it comes from."""
    if measure:
        return _measured(prepared.plan.graph, work, tell), False, "items that were measured now"
    earlier = [] if prepared.resumed is None else [Run(prepared.resumed)]
    for run in (*earlier, *_earlier(prepared)):
        used = sum(run_use.of_run(run.store), RunUse())
        if used.tasks.tasks and _is_like(run, work.steps.values()):
            return used, True, run.url
    return None, False, ""


def _earlier(prepared: PreparedRun) -> list[Run]:
    """Runs at the same place, the latest first."""
    pipeline = prepared.pipeline
    kind = pipeline.output_location_type
    where = {"azure": AZURE, "local": ""}.get(kind, f"{kind}://") + pipeline.output_location
    try:
        found = runs_at(where)
    except PyvegError:  # there is none, or nobody is let in, which the run itself will tell
        return []
    return sorted(found, key=lambda run: run.url, reverse=True)[:LOOKED_AT]


def _is_like(run: Run, steps: Iterable[Step]) -> bool:
    """Whether it has each of these Modules with the same settings, about the same subject."""
    try:
        there = {_key(one.scope.sequence, one.module): one for one in run.steps}
    except PyvegError:
        return False
    return all(
        _same(there.get(_key(step.scope.sequence, step.module)), step)
        for step in steps
        if step.scope.subject or step.result_settings
    )


def _key(sequence: str, module: str) -> tuple[str, str]:
    return sequence, module.rpartition(":")[2]


def _same(there: RecordedStep | None, step: Step) -> bool:
    """Whether it was the same Module; which dates it looked at does not matter."""
    if there is None or params.plain(there.scope.subject) != params.plain(step.scope.subject):
        return False
    settings = {"run_mode": "local", **params.plain(there.settings)}
    wanted = {**params.plain(step.result_settings), "run_mode": step.run_mode}
    return all(settings.get(name, value) == value for name, value in wanted.items())


def _scaled(work: _Work, known: RunUse, overhead: bool, basis: str) -> Estimate:
    """What was used by some Tasks, as what those to do will use."""
    uses = work.uses(known.modules)
    tasks = sum(use.tasks for use in uses.values())
    moved = sum((use.moved for use in uses.values()), Transfers())
    then, now = work.seconds(known.modules), work.seconds(uses)
    unknown = [f"tasks of {label}" for label, n in work.counts.items() if n and label not in uses]
    if not overhead:
        nodes = _nodes_for(work, now)
        if any(capacity.nodes for capacity in work.capacities.values()):
            unknown.append("the start of nodes")
        return Estimate(sum(work.counts.values()), basis, now, nodes, moved, tuple(unknown))
    # What directs the Tasks makes requests for each of them; starts and ends it makes once.
    own = transfers.less(known.moved, known.tasks.moved + known.once)
    share = ModuleUse(1, 0.0, own).times(tasks / known.tasks.tasks).moved
    nodes = tuple(
        replace(use, seconds=_span(use.seconds, _side(use, known), then, now))
        for use in known.nodes
    )
    seconds = _span(known.seconds, 1.0, then, now)
    whole = sum(work.counts.values())
    return Estimate(whole, basis, seconds, nodes, moved + share + known.once, tuple(unknown))


def _side(use: NodeUse, known: RunUse) -> float:
    """How many nodes of a kind stood side by side, over the time of the run."""
    return max(1.0, use.seconds / known.seconds) if known.seconds else 1.0


def _span(seconds: float, side: float, then: float, now: float) -> float:
    """A time that holds the work of some Tasks, where there is other work to do.

    What is over and above the work was done once: nodes that came up, an analysis.
    """
    once = max(0.0, seconds - side * then)
    worked = seconds - once
    return once + worked * (now / then if then else 0.0)


def _nodes_for(work: _Work, seconds: float) -> tuple[NodeUse, ...]:
    """Nodes that stand as long as the work takes; this machine where no others do."""
    kinds = [pair for capacity in work.capacities.values() for pair in capacity.nodes]
    if not kinds:
        return (NodeUse(LOCAL, seconds=seconds),)
    unique = {(use.size, use.spot): (use, count) for use, count in kinds if count}
    return tuple(replace(use, seconds=seconds * count) for use, count in unique.values())


# Measuring


def _measured(graph: TaskGraph, work: _Work, tell: Callable[[str], None]) -> RunUse:
    """What the first Items of each Sequence use, done here one after the other."""
    found: dict[str, list[ModuleUse]] = {}
    with tempfile.TemporaryDirectory(prefix="pyveg-measure-") as folder:
        store = registry.load("store", "local")(Path(folder))
        transfers.take()
        bad: set[str] = set()
        for task in _first_tasks(graph):
            if bad.intersection(task.after):
                bad.add(task.id)
                continue
            tell(f"measuring {task.id}")
            result = run_task(task, store)
            if result.state is State.FAILED:
                raise PyvegError(f"{task.id}: {result.reason}", "mend it before the run")
            if result.state is not State.SUCCEEDED:
                bad.add(task.id)
                continue
            moved = Transfers.from_json(result.notes.get(transfers.NOTE))
            use = ModuleUse(1, result.seconds, moved)
            found.setdefault(task.step.label, []).append(use)
    return RunUse(
        modules={label: _of_all(uses, work.counts[label]) for label, uses in found.items()}
    )


def _of_all(uses: list[ModuleUse], count: int) -> ModuleUse:
    """What so many Tasks use: the first, and as many as are left of the last."""
    first, last = uses[0], uses[-1]
    return replace(first + last.times(max(0, count - 1)), tasks=max(1, count))


def _first_tasks(graph: TaskGraph) -> Iterator[Task]:
    """The Tasks on the first Items of each Sequence, in order; none that gathers others."""
    items: dict[str, list[str]] = {}
    taken: set[str] = set()
    for task in graph:
        if task.after_any or not set(task.after) <= taken:
            continue
        names = items.setdefault(task.step.scope.sequence, [])
        if task.item.name not in names and len(names) < MEASURED:
            names.append(task.item.name)
        if task.item.name in names:
            taken.add(task.id)
            yield task
