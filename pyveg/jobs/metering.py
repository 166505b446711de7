"""Watches what a run uses up, and has it stop where a limit is reached."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from pyveg.core import prices, transfers
from pyveg.core.errors import ConfigError, PyvegError
from pyveg.core.events import Event, TaskEnded
from pyveg.core.limits import Limits, name_in
from pyveg.core.nodes import LOCAL, NodeUse
from pyveg.core.params import build
from pyveg.core.pipeline import Pipeline
from pyveg.core.ports import Runner, Store
from pyveg.core.prices import Cost, Prices
from pyveg.core.tasks import State, TaskResult
from pyveg.core.transfers import Transfers
from pyveg.jobs import run_use
from pyveg.jobs.run_use import ModuleUse, RunUse

LOOK = 0.2
"""Seconds between two looks at the limits."""
KEPT_EVERY = 60.0
"""Seconds between two records of a run with limits, so that one that is killed is not forgotten."""
_USED = (State.SUCCEEDED, State.SKIPPED, State.FAILED)


class RunMeter:
    """An observer that adds up what an attempt uses, and compares the run with its limits.

    Parameters
    ----------
    store : Store
        Of the run.
    pipeline : Pipeline
        Has the limits and the prices.
    far : collection of str
        Run modes of Tasks that are done on other machines.
    attempt : int
        The epoch of the lock.
    now : callable
        Gives seconds.
    """

    def __init__(
        self,
        store: Store,
        pipeline: Pipeline,
        far: Collection[str] = (),
        attempt: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._far, self._attempt, self._now = store, far, attempt, now
        self.limits: Limits = build(Limits, pipeline.limits, "limits")
        self.prices: Prices = prices.build(pipeline.prices)
        self._priced = bool(pipeline.prices)
        self._before = run_use.of_run(store)
        self._guard = threading.Lock()
        self._modules: dict[str, ModuleUse] = {}
        self._moved = self._once = Transfers()
        self._began = now()
        self._engines: Sequence[Runner] = ()
        self._working: tuple[float, float | None] | None = None
        """When engines were started, and when they had ended."""
        self.reached = ""
        """Which limit was, in words; empty while none is."""
        self._tell_limit: Callable[[str], None] = lambda _: None
        transfers.take_once()
        transfers.take()  # what this process has done before is no matter of this run

    def __call__(self, event: Event) -> None:
        """Add what a Task has used."""
        if isinstance(event, TaskEnded) and event.result.state in _USED:
            mode, label = event.task.step.run_mode, event.task.step.label
            use = _use(event.result, far=mode in self._far)
            with self._guard:
                self._modules[label] = self._modules.get(label, ModuleUse()) + use

    def on_limit(self, tell: Callable[[str], None]) -> None:
        """Have a function told of a limit that is reached."""
        self._tell_limit = tell

    @property
    def used(self) -> RunUse:
        """What this attempt has used until now."""
        with self._guard:
            self._moved += transfers.take()
            self._once += transfers.take_once()
            modules, own, once = dict(self._modules), self._moved, self._once
        moved = sum((use.moved for use in modules.values()), own)
        seconds = self._now() - self._began
        nodes = run_use.summed(self._nodes())
        return RunUse(self._attempt, seconds, nodes, moved, modules, once)

    @property
    def total(self) -> RunUse:
        """What all attempts have used."""
        return sum((*self._before, self.used), RunUse())

    @property
    def cost(self) -> Cost:
        """What all attempts cost, as far as prices are known."""
        return cost_of(self.total, self.prices)

    def _nodes(self) -> list[NodeUse]:
        found = [used for engine in self._engines if (used := engine.nodes_used()) is not None]
        far = any(engine.elsewhere for engine in self._engines)
        if far or self._working is None:
            return [use for uses in found for use in uses]
        begin, end = self._working
        return [NodeUse(LOCAL, seconds=(self._now() if end is None else end) - begin)]

    @contextmanager
    def watching(
        self, engines: Sequence[Runner], hold: Callable[[str], None], cancel: Callable[[str], None]
    ) -> Iterator[None]:
        """Watch engines while they work.

        Parameters
        ----------
        engines : sequence of Runner
        hold : callable
            Told why nothing more is to begin.
        cancel : callable
            Told why everything is to end.
        """
        self._engines = engines
        self._working = self._now(), None
        act = hold if self.limits.at_limit == "finish" else cancel
        over = threading.Event()
        watch = threading.Thread(
            target=self._watch, args=(over, act), name="pyveg-meter", daemon=True
        )
        if self.limits.any:
            watch.start()
        try:
            yield
        finally:
            self._working = self._working[0], self._now()
            over.set()
            if watch.is_alive():
                watch.join()

    def _watch(self, over: threading.Event, act: Callable[[str], None]) -> None:
        kept = self._now()
        while not over.wait(LOOK):
            with suppress(Exception):  # an engine's own trouble is told by the engine
                self.reached = self.limit_reached()
                if self.reached:
                    act(self.reached)
                    self._tell_limit(self.reached)
                    return
            if self._now() - kept > KEPT_EVERY:
                kept = self._now()
                self.keep()

    def limit_reached(self) -> str:
        """Which limit the run has reached, in words; empty where none."""
        total = self.total
        known = cost_of(total, self.prices).known
        return self.limits.reached(hours=total.hours, node_hours=total.node_hours, cost=known)

    def keep(self) -> None:
        """Write it to run.json. A record that cannot be written is not worth the run."""
        cost = self.cost
        more = {"cost": {"amount": round(cost.amount, 6), "currency": cost.currency}}
        more["cost"]["unknown"] = list(cost.unknown)
        with suppress(PyvegError, ValueError, OSError):
            run_use.keep(self._store, [*self._before, self.used], more)

    def lines(self) -> tuple[str, ...]:
        """What the run has used and what it costs, for people."""
        total, cost = self.total, self.cost
        told = [f"used: {run_use.words(total)}"]
        if self._priced:
            told.append(f"cost: {cost}")
        return tuple(told)


def _use(result: TaskResult, *, far: bool) -> ModuleUse:
    moved = Transfers.from_json(result.notes.get(transfers.NOTE))
    if far:  # nodes are beside their storage, and what stays in its region costs nothing
        moved = replace(moved, storage_received=0)
    # On a node the start of its process is part of what it takes, and known to the engine alone.
    seconds = max(result.seconds, result.usage.seconds if result.usage else 0.0)
    return ModuleUse(1, seconds, moved)


def cost_of(used: RunUse, table: Prices) -> Cost:
    """What it costs, as far as prices are known."""
    return prices.cost(table, used.nodes, used.moved)


def check_again(pipeline: Pipeline, store: Store) -> None:
    """Refuse to finish a run that has reached a limit already.

    Raises
    ------
    ConfigError
    """
    meter = RunMeter(store, pipeline)
    if reached := meter.limit_reached():
        name = name_in(reached)
        raise ConfigError(
            f"{reached} ({run_use.words(meter.total)})",
            f"give a larger --{name}, or a larger {name} in the config, to finish it",
        )
