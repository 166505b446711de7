"""Tasks that wait while nodes idle: why, what to do about it, and when to give up.

Batch tells of nothing that keeps a task from its node: it waits, and the nodes are paid. So
whenever tasks are ready and nothing moves, what can keep them back is looked at, from the likeliest
to the rarest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyveg.core.events import EngineStatus
from pyveg.runners.azure_batch.pool import NODE_COMES_UP, NODE_WORKS
from pyveg.runners.azure_batch.service import BatchService, Preparation, state_of
from pyveg.runners.azure_batch.settings import BatchSettings
from pyveg.runners.azure_batch.watch import JobWatch

if TYPE_CHECKING:
    from azure.batch import models as m

    from pyveg.runners.azure_batch.bundles import Bundle
    from pyveg.runners.azure_batch.pool import RunPool

_LINES = 3
"""Last lines of a log that are told."""
_SOON = 5.0
"""Seconds between two looks at preparations while it is not told yet why tasks wait."""
_SHOWN = 3
"""Nodes that are named, and whose logs are read."""


@dataclass(frozen=True)
class Cause:
    """Why the tasks of a job wait."""

    wrong: str
    cure: str
    hopeless: bool = False
    """Whether waiting longer is of no use, so that it is given up at once."""
    patient: bool = False
    """Whether it is somebody else's turn, so that it is never given up."""

    def __str__(self) -> str:
        return f"{self.wrong}; {self.cure}" if self.cure else self.wrong


@dataclass
class _Wait:
    """How long the ready tasks of one job have waited while nothing moved."""

    since: float
    looks: int = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since


class Waiting:
    """Watches how the jobs of a run wait.

    Parameters
    ----------
    service : BatchService
    settings : BatchSettings
    pool : RunPool
    tell : callable
        Told of each cause, once.
    """

    def __init__(
        self,
        service: BatchService,
        settings: BatchSettings,
        pool: RunPool,
        tell: Callable[[EngineStatus], None],
    ) -> None:
        self._service, self._settings, self._pool, self._tell = service, settings, pool, tell
        self._waits: dict[str, _Wait] = {}
        self._due: dict[str, float] = {}
        """Id of a job -> when what keeps its tasks back may be looked at again."""
        self._told: set[str] = set()

    def look(self, watch: JobWatch, *, moved: bool) -> str:
        """See whether a job waits for what will not come.

        Parameters
        ----------
        watch : JobWatch
        moved : bool
            Whether a task of it has begun or ended since the last look.

        Returns
        -------
        str
            Why its tasks are to be given up; empty where they are not.
        """
        if moved or watch.paused or not self._stands(watch):
            self._waits.pop(watch.id, None)
            return ""
        wait = self._waits.setdefault(watch.id, _Wait(time.monotonic()))
        wait.looks += 1
        now = time.monotonic()
        # Between two tasks nodes idle for a moment; and one that is barred idles all the time.
        if wait.looks < 2 or now < self._due.get(watch.id, 0.0):
            return ""
        patience = self._settings.waiting_minutes * 60
        thorough = wait.seconds >= patience
        self._due[watch.id] = now + (patience / 2 if thorough else _SOON)
        cause = self._cause(watch, thorough=thorough)
        return self._judge(watch, cause, wait) if cause is not None else ""

    def _stands(self, watch: JobWatch) -> bool:
        """Whether a task could begin and does not: nodes idle, or work for others only."""
        nodes = self._pool.nodes
        if not nodes.working or (not nodes.counts.get("idle") and watch.runs):
            return False
        return watch.ready is not None

    def _judge(self, watch: JobWatch, cause: Cause, wait: _Wait) -> str:
        if str(cause) not in self._told:
            self._told.add(str(cause))
            self._tell(EngineStatus(f"job {watch.id}: {cause}", urgent=True))
        if cause.patient or watch.runs:
            return ""
        minutes = wait.seconds / 60
        hopeless = cause.hopeless or minutes > self._settings.node_start_minutes
        return str(cause) if hopeless else ""

    # What can keep tasks back

    def _cause(self, watch: JobWatch, *, thorough: bool) -> Cause | None:
        """The first that is found; only what costs one request, unless it is thorough."""
        if watch.prepares and (found := self._unprepared(watch)) is not None:
            return found
        ready = watch.ready
        if not thorough or ready is None:
            return None
        causes = (self._of_job(watch), self._of_task(watch, ready), self._of_nodes(watch))
        return next((cause for cause in causes if cause is not None), self._unknown(watch))

    def _unprepared(self, watch: JobWatch) -> Cause | None:
        """Nodes that the job's preparation has failed on; they take no task of it any more."""
        failed = [one for one in self._service.preparations(watch.id) if one.failed]
        if not failed:
            return None
        barred = {one.node for one in failed}
        nodes = {node.id: state_of(node).lower() for node in self._service.nodes(self._pool.id)}
        left = [id_ for id_, state in nodes.items() if state in NODE_WORKS | NODE_COMES_UP]
        everywhere = not any(id_ not in barred for id_ in left)
        where = "on every node" if everywhere else f"on {len(barred)} of {len(nodes)} nodes"
        wrong = f"setting up a node failed {where}: {'; '.join(self._said(failed))}"
        cure = "see what it needs from the network, or use a pool that the run makes itself"
        return Cause(wrong, cure, hopeless=everywhere)

    def _said(self, failed: Iterable[Preparation]) -> Iterator[str]:
        """Node and last lines of some; equal lines once."""
        lines: dict[str, list[str]] = {}
        failed = list(failed)
        for one in failed[:_SHOWN]:
            log = self._service.node_log(self._pool.id, one.node, one.folder)
            text = " | ".join(log.splitlines()[-_LINES:]) or one.why
            lines.setdefault(text, []).append(one.node)
        yield from (f"{', '.join(nodes)}: {text}" for text, nodes in lines.items())
        if len(failed) > _SHOWN:
            yield f"and {len(failed) - _SHOWN} more"

    def _of_job(self, watch: JobWatch) -> Cause | None:
        """A limit of the job itself."""
        job = self._service.job(watch.id)
        most = job.max_parallel_tasks if job is not None else None
        running = watch.counts.get("running", 0)
        if most is None or most < 0 or running < most:
            return None
        wrong = f"max_parallel_tasks of the job is {most}"
        return Cause(wrong, "raise that in the portal", patient=bool(most))

    def _of_task(self, watch: JobWatch, ready: Bundle) -> Cause | None:
        """What the next task asks for, and no node has."""
        task, pool = self._service.task(watch.id, ready.id), self._service.pool(self._pool.id)
        if task is None:
            wrong = f"the task {ready.id} was deleted by somebody"
            return Cause(wrong, "finish the run with --from_cache", hopeless=True)
        needed, slots = task.required_slots or 1, (pool.task_slots_per_node if pool else None) or 1
        if needed <= slots:
            return None
        wrong = f"the task {ready.id} needs {needed} slots, and nodes of the pool have {slots}"
        return Cause(wrong, "raise task_slots_per_node of the pool", hopeless=True)

    def _of_nodes(self, watch: JobWatch) -> Cause | None:
        """Nodes that are kept for something else."""
        nodes = self._service.nodes(self._pool.id)
        working = [node for node in nodes if state_of(node).lower() in NODE_WORKS]
        off = [node for node in working if _scheduling(node) == "disabled"]
        if off and len(off) == len(working):
            wrong = "somebody has disabled scheduling on the nodes of the pool"
            return Cause(wrong, "enable it in the portal")
        if self._pool.nodes.counts.get("idle"):
            return None
        return self._others(watch)

    def _others(self, watch: JobWatch) -> Cause:
        """Jobs of others that the nodes work for."""
        jobs = self._service.jobs_on(self._pool.id)
        mine = next((job.priority or 0 for job in jobs if job.id == watch.id), 0)
        before = [job.id for job in jobs if (job.priority or 0) > mine]
        if not before:
            return Cause(
                "the nodes of the pool work for other jobs", "wait, or add nodes", False, True
            )
        wrong = (
            f"the nodes of the pool work for jobs of a higher priority ({', '.join(before[:3])})"
        )
        return Cause(wrong, f"wait, add nodes, or raise the priority of {watch.id}", patient=True)

    def _unknown(self, watch: JobWatch) -> Cause:
        waiting = watch.counts.get("waiting", 0)
        wrong = f"{waiting} tasks wait while nodes are idle, and the service does not tell why"
        return Cause(wrong, f"look at the job and the pool {self._pool.id} in the portal")


def _scheduling(node: m.BatchNode) -> str:
    state = node.scheduling_state
    return str(getattr(state, "value", state)).lower()
