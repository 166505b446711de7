"""Pools that follow a formula: what is measured of them, and when they are evaluated."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from azure_batch_emulator import times
from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.account.pools import Pool
from azure_batch_emulator.errors import BatchError, not_supported
from azure_batch_emulator.formulas import evaluation
from azure_batch_emulator.formulas.evaluation import DEALLOCATION, DEDICATED, LOW_PRIORITY
from azure_batch_emulator.formulas.samples import PERIOD, History, Interval
from azure_batch_emulator.formulas.syntax import Assignment, FormulaSyntaxError, parse
from azure_batch_emulator.host.host import Host
from azure_batch_emulator.host.timers import Timer

Document = dict[str, Any]
LONGEST = 8192
"""Characters of a formula."""


class Autoscaling:
    """The pools of an account that have a formula. Its methods are called under its lock.

    Parameters
    ----------
    host : Host
        Its timers say when; its settings how long a minute is.
    jobs : mapping
        All of the account, by key.
    """

    def __init__(self, host: Host, jobs: Mapping[str, Job]) -> None:
        self._host = host
        self._jobs = jobs
        self._histories: dict[Pool, History] = {}
        self._timers: dict[Pool, dict[str, Timer]] = {}

    def enable(self, pool: Pool, formula: str, interval: str) -> None:
        """Let a pool follow a formula from now on, which is evaluated at once."""
        pool.follow(formula, interval)
        self._stop_timers(pool)
        self._sample(pool)
        self._scale(pool)

    def disable(self, pool: Pool) -> None:
        """Let a pool have the nodes that it wants now."""
        pool.follow_nothing()
        self._stop_timers(pool)
        self._histories.pop(pool, None)

    def evaluate(self, pool: Pool, formula: str) -> Document:
        """What a formula says of a pool: an ``autoScaleRun``; nothing is changed."""
        if pool not in self._histories:
            raise BatchError("OperationNotValidOnPool", "The pool has no autoscaling.")
        return self._run(pool, formula)[0]

    def _stop_timers(self, pool: Pool) -> None:
        for timer in self._timers.pop(pool, {}).values():
            timer.cancel()

    @property
    def _second(self) -> float:
        """How long a second of autoscaling is."""
        return self._host.settings.autoscale_minute / 60

    @property
    def _now(self) -> float:
        return time.monotonic() / self._second

    def _later(self, pool: Pool, seconds: float, act: Callable[[Pool], None]) -> None:
        def do() -> None:
            if pool.state == "active":
                act(pool)
            else:  # it is being deleted
                self._histories.pop(pool, None)
                self._timers.pop(pool, None)

        timers = self._timers.setdefault(pool, {})
        timers[act.__name__] = self._host.background.after(seconds * self._second, do)

    def _sample(self, pool: Pool) -> None:
        self._histories.setdefault(pool, History()).add(self._now, self._measured(pool))
        self._later(pool, PERIOD, self._sample)

    def _scale(self, pool: Pool) -> None:
        """Evaluate the formula of a pool, and do what it says."""
        run, targets = self._run(pool, pool.document["autoScaleFormula"])
        pool.document["autoScaleRun"] = run
        if targets is not None:
            pool.scale(*targets)
        interval = times.parse_duration(pool.document["autoScaleEvaluationInterval"])
        self._later(pool, interval, self._scale)

    def _measured(self, pool: Pool) -> dict[str, float]:
        """The variables of the service, as they are now."""
        found = dict.fromkeys(("Active", "Running", "Succeeded", "Failed"), 0)
        for job in self._jobs.values():
            if job.pool_key == pool.key:
                for name, count in job.measured().items():
                    found[name] += count
        nodes = list(pool.nodes.values())
        dedicated = sum(node.dedicated for node in nodes)
        counts = {
            **{f"${name}Tasks": count for name, count in found.items()},
            "$PendingTasks": found["Active"] + found["Running"],
            "$CurrentDedicatedNodes": dedicated,
            "$CurrentLowPriorityNodes": len(nodes) - dedicated,
            "$PreemptedNodeCount": sum(node.state == "preempted" for node in nodes),
            "$SampleNodeCount": len(nodes),
        }
        return {name: float(count) for name, count in counts.items()}

    def _run(self, pool: Pool, formula: str) -> tuple[Document, tuple[int, int, str] | None]:
        """The ``autoScaleRun``, and the targets and the option; None where there is an error."""
        history, now = self._histories[pool], self._now
        before: dict[str, evaluation.Value] = {
            DEDICATED: float(pool.document["targetDedicatedNodes"]),
            LOW_PRIORITY: float(pool.document["targetLowPriorityNodes"]),
            DEALLOCATION: "requeue",
        }
        measured = {name: history.of(name, now) for name in self._measured(pool)}
        run: Document = {"timestamp": times.now()}
        found, targets = before, None
        try:
            found = evaluation.evaluate(statements_of(formula), measured, before)
            targets = _targets(found)
        except evaluation.FormulaError as error:
            found = before
            run["error"] = {
                "code": "AutoScalingFormulaEvaluationError",
                "message": "The specified autoscale formula could not be evaluated.",
                "values": [{"name": "Message", "value": str(error)}],
            }
        run["results"] = ";".join(f"{name}={_shown(value)}" for name, value in found.items())
        return run, targets


def statements_of(formula: str) -> tuple[Assignment, ...]:
    """The statements of a formula.

    Raises
    ------
    BatchError
        If it is too long, or none, or has what the emulator does not know.
    """
    if len(formula) > LONGEST:
        raise BatchError("AutoScaleFormulaTooLong")
    try:
        statements = parse(formula)
    except FormulaSyntaxError as error:
        raise BatchError("AutoScalingFormulaSyntaxError", Reason=str(error)) from None
    if missing := evaluation.not_evaluated(statements):
        raise not_supported(f"{missing} of an autoscale formula")
    return statements


def _targets(found: Mapping[str, evaluation.Value]) -> tuple[int, int, str]:
    """How many nodes of each kind there should be, and what becomes of tasks on those that go."""
    numbers = []
    for name in (DEDICATED, LOW_PRIORITY):
        number = found[name]
        if not isinstance(number, float) or not math.isfinite(number) or number < 0:
            raise evaluation.FormulaError(f"{name} = {_shown(number)} is no number of nodes")
        numbers.append(math.floor(number))
    option = found[DEALLOCATION]
    if option not in evaluation.OPTIONS:
        raise evaluation.FormulaError(f"{DEALLOCATION} = {_shown(option)} is none of its words")
    return numbers[0], numbers[1], str(option)


def _shown(value: evaluation.Value) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"[{','.join(map(_shown, value))}]"
    return f"{value.seconds:g}s" if isinstance(value, Interval) else str(value)
