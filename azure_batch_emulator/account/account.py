"""The account: all pools and jobs, and what is done when they change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from azure_batch_emulator.account import quotas
from azure_batch_emulator.account.autoscaling import Autoscaling, statements_of
from azure_batch_emulator.account.deadlines import Deadlines
from azure_batch_emulator.account.deletions import Deletions
from azure_batch_emulator.account.dispatch import Dispatcher
from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.account.pools import Pool
from azure_batch_emulator.account.scheduling import Scheduler
from azure_batch_emulator.account.tasks import Task
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.host.host import Host
from azure_batch_emulator.host.stops import Stop

Document = dict[str, Any]
EVALUATION_INTERVAL = "PT15M"
"""How often a formula is evaluated where the client does not say it."""


class Account:
    """The pools and jobs of an emulated account.

    Whoever reads or changes anything in it holds ``host.background.lock``.

    Parameters
    ----------
    host : Host
        What it stands on.

    Attributes
    ----------
    pools, jobs : dict
        By key.
    deadlines : Deadlines
        Of the jobs.
    autoscaling : Autoscaling
        The pools that follow a formula.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.pools: dict[str, Pool] = {}
        self.jobs: dict[str, Job] = {}
        self.deadlines = Deadlines(host.background)
        self.autoscaling = Autoscaling(host, self.jobs)
        self._deletions = Deletions(host, self.pools, self.jobs, self.deadlines)
        self._dispatcher = Dispatcher(host, self._job_went_on)
        self._scheduler = Scheduler(self.pools, self.jobs, self._dispatcher)
        self._jobs_made = 0

    def pool(self, id_: str) -> Pool:
        """A pool by its id."""
        try:
            return self.pools[id_.lower()]
        except KeyError:
            raise BatchError("PoolNotFound") from None

    def job(self, id_: str) -> Job:
        """A job by its id."""
        try:
            return self.jobs[id_.lower()]
        except KeyError:
            raise BatchError("JobNotFound") from None

    def add_pool(self, body: Document) -> Pool:
        """Make a pool and ask for its nodes."""
        if (old := self.pools.get(body["id"].lower())) is not None:
            raise BatchError("PoolBeingDeleted" if old.state == "deleting" else "PoolExists")
        quotas.check_pools(self.host.faults.pool_quota, self.pools.values())
        formula = body.get("autoScaleFormula") or ""
        if body.get("enableAutoScale"):
            statements_of(formula)  # before the pool is there
        url = f"{self.host.url}/pools/{body['id']}"
        pool = Pool(self.host, url, body, cores_left=self._cores_left, on_change=self.schedule)
        self.pools[pool.key] = pool
        if body.get("enableAutoScale"):
            interval = body.get("autoScaleEvaluationInterval") or EVALUATION_INTERVAL
            self.autoscaling.enable(pool, formula, interval)
            return pool
        pool.resize(
            {name: body.get(name) for name in ("targetDedicatedNodes", "targetLowPriorityNodes")}
        )
        return pool

    def _cores_left(self, dedicated: bool) -> int | None:
        return quotas.cores_left(self.host.faults.core_quota, self.pools.values(), dedicated)

    def add_job(self, body: Document) -> Job:
        """Make a job; the pool that it names may not be there yet."""
        if (old := self.jobs.get(body["id"].lower())) is not None:
            raise BatchError("JobBeingDeleted" if old.state == "deleting" else "JobExists")
        quotas.check_jobs(self.host.faults.job_quota, self.jobs.values())
        self._jobs_made += 1
        job = Job(self._jobs_made, f"{self.host.url}/jobs/{body['id']}", body)
        self.jobs[job.key] = job
        self.deadlines.watch(job)
        job.settle()
        return job

    def schedule(self, pool_key: str) -> None:
        """Start what can start in a pool."""
        if not self.host.background.closed:
            self._scheduler.assign(pool_key)

    def settle(self) -> None:
        """Let go what is being deleted and has nothing that runs."""
        self._deletions.settle()

    def _job_went_on(self, job: Job) -> None:
        self.settle()
        self.schedule(job.pool_key)

    def folder_of(self, job: Job, task: Task) -> Path | None:
        """Where a task keeps its files; None where it has no node, or the node has gone."""
        info = task.document.get("nodeInfo")
        pool = self.pools.get(info["poolId"].lower()) if info else None
        node = pool.nodes.get(info["nodeId"].lower()) if info and pool else None
        return node.folder_of(job.id, task.id) if node else None

    def close(self) -> None:
        """Kill everything that was started."""
        stop = Stop("drop", "the emulator was stopped")
        with self.host.background.lock:
            self.host.background.closed = True
            for pool in self.pools.values():
                for node in pool.nodes.values():
                    node.stop(stop)
            self._dispatcher.stop(stop)
