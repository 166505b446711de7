"""Removes pools and jobs that are being deleted, when nothing of them runs any more."""

from __future__ import annotations

from functools import partial

from azure_batch_emulator.account.deadlines import Deadlines
from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.account.pools import Pool
from azure_batch_emulator.host.host import Host


class Deletions:
    """Takes what was deleted out of an account. Its methods are called under its lock.

    Parameters
    ----------
    host : Host
        Where its files are, and its faults say how long it stays.
    pools, jobs : dict
        All of the account, by key.
    deadlines : Deadlines
        Those of the jobs.
    """

    def __init__(
        self, host: Host, pools: dict[str, Pool], jobs: dict[str, Job], deadlines: Deadlines
    ) -> None:
        self._host = host
        self._pools = pools
        self._jobs = jobs
        self._deadlines = deadlines
        self._going: set[Pool | Job] = set()

    def settle(self) -> None:
        """Let go what is being deleted and has nothing that runs."""
        for job in list(self._jobs.values()):
            if job.state == "deleting" and not job.running and job not in self._going:
                self._let_go(job)
        for pool in list(self._pools.values()):
            if pool.state == "deleting" and not pool.nodes and pool not in self._going:
                self._let_go(pool)

    def _let_go(self, record: Pool | Job) -> None:
        self._going.add(record)
        if seconds := self._host.faults.deleting_seconds:
            self._host.background.after(seconds, partial(self._forget, record))
        else:
            self._forget(record)

    def _forget(self, record: Pool | Job) -> None:
        self._going.discard(record)
        if isinstance(record, Pool):
            self._forget_pool(record)
        else:
            self._forget_job(record)

    def _forget_pool(self, pool: Pool) -> None:
        del self._pools[pool.key]
        self._host.folders.discard(self._host.folders.root / pool.id)

    def _forget_job(self, job: Job) -> None:
        del self._jobs[job.key]
        self._deadlines.forget(job)
        for pool in self._pools.values():
            for node in pool.nodes.values():
                node.forget(job.key)
                self._host.folders.discard(node.root / "workitems" / job.id)
