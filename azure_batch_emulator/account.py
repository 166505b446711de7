"""The account: all pools and jobs, the lock that guards them, quotas, folders and threads."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from azure_batch_emulator import scheduling, times
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.execution import Stop
from azure_batch_emulator.jobs import Job
from azure_batch_emulator.nodes import Node
from azure_batch_emulator.pools import Pool
from azure_batch_emulator.running import TaskRun
from azure_batch_emulator.settings import Settings
from azure_batch_emulator.tasks import Task
from azure_batch_emulator.timers import Timer, Timers

Document = dict[str, Any]
HOST_VARIABLES = ("PATH", "HOME", "LANG")
"""What tasks get to see of the environment of the emulator."""


class Account:
    """Everything that an emulated account holds.

    Whoever reads or changes anything in it holds `lock`; threads that run tasks take it only for
    the moment of a change.

    Parameters
    ----------
    settings : Settings
        How it is set up.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.faults = settings.faults
        self.lock = threading.RLock()
        self.timers = Timers()
        self._sweeper = Timers()  # removing many files takes long, and time limits must not wait
        self.url = ""
        self.pools: dict[str, Pool] = {}
        self.jobs: dict[str, Job] = {}
        self.runs: set[TaskRun] = set()
        self.closed = False
        self._jobs_made = 0
        self._deadlines: dict[Job, Timer] = {}
        self._going: set[Pool | Job] = set()
        self._threads: list[threading.Thread] = []
        self.root = settings.location or Path()
        self._trash = self.root

    # Pools and jobs

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
        quota = self.faults.pool_quota
        if quota is not None and len(self.pools) >= quota:
            raise BatchError("PoolQuotaReached", PoolQuota=quota)
        pool = Pool(self, f"{self.url}/pools/{body['id']}", body)
        self.pools[pool.key] = pool
        pool.resize(
            {name: body.get(name) for name in ("targetDedicatedNodes", "targetLowPriorityNodes")}
        )
        return pool

    def add_job(self, body: Document) -> Job:
        """Make a job; the pool that it names may not be there yet."""
        if (old := self.jobs.get(body["id"].lower())) is not None:
            raise BatchError("JobBeingDeleted" if old.state == "deleting" else "JobExists")
        quota = self.faults.job_quota
        active = sum(job.state != "completed" for job in self.jobs.values())
        if quota is not None and active >= quota:
            raise BatchError("ActiveJobAndScheduleQuotaReached", ActiveJobQuota=quota)
        self._jobs_made += 1
        job = Job(self._jobs_made, f"{self.url}/jobs/{body['id']}", body)
        self.jobs[job.key] = job
        self.watch(job)
        job.settle()
        return job

    def room_for(self, cores: int, dedicated: bool, wanted: int) -> int:
        """How many of the wanted nodes the core quota allows."""
        quota = self.faults.core_quota
        if quota is None:
            return wanted
        nodes = (node for pool in self.pools.values() for node in pool.nodes.values())
        used = sum(node.pool.cores for node in nodes if node.dedicated == dedicated)
        return max(0, min(wanted, (quota - used) // cores))

    def watch(self, job: Job) -> None:
        """End a job when its time is over."""
        if (old := self._deadlines.pop(job, None)) is not None:
            old.cancel()
        limit = times.limit_of(job.document["constraints"]["maxWallClockTime"])
        if limit is not None:
            self._deadlines[job] = self.timers.after(limit, lambda: self._expire(job))

    def _expire(self, job: Job) -> None:
        with self.lock:
            if not job.is_over:
                job.terminate("MaxWallClockTimeExpiry")

    # Work

    def schedule(self, pool_key: str) -> None:
        """Start what can start in a pool."""
        if not self.closed:
            scheduling.assign(self, pool_key)

    def settle(self) -> None:
        """Let go what is being deleted and has nothing that runs."""
        for job in list(self.jobs.values()):
            if job.state == "deleting" and not job.running:
                self._let_go(job)
        for pool in list(self.pools.values()):
            if pool.state == "deleting" and not pool.nodes:
                self._let_go(pool)

    def _let_go(self, record: Pool | Job) -> None:
        if record in self._going:
            return
        self._going.add(record)
        if self.faults.deleting_seconds:
            self.timers.after(self.faults.deleting_seconds, lambda: self._forget(record))
        else:
            self._forget(record)

    def _forget(self, record: Pool | Job) -> None:
        with self.lock:
            self._going.discard(record)
            if isinstance(record, Pool):
                del self.pools[record.key]
                self.discard(self.root / record.id)
                return
            del self.jobs[record.key]
            if (timer := self._deadlines.pop(record, None)) is not None:
                timer.cancel()
            for pool in self.pools.values():
                for node in pool.nodes.values():
                    node.forget(record.key)
                    self.discard(node.root / "workitems" / record.id)

    def spawn(self, thread: threading.Thread) -> None:
        """Start a thread that `close` waits for."""
        self._threads = [old for old in self._threads if old.is_alive()]
        self._threads.append(thread)
        thread.start()

    def environment(
        self,
        node: Node,
        folder: Path,
        *settings: Iterable[Document] | None,
        job: str | None = None,
        task: str | None = None,
        preparation: Path | None = None,
    ) -> dict[str, str]:
        """Variables of a command on a node.

        Parameters
        ----------
        node : Node
            Where it runs.
        folder : Path
            The task's folder.
        *settings : lists of name and value
            Of the job and of the task; the later is stronger.
        job, task : str, optional
            Their ids; a start task has neither.
        preparation : Path, optional
            The folder of the job's preparation task, if it has one.
        """
        root = node.root
        variables = {name: os.environ[name] for name in HOST_VARIABLES if name in os.environ}
        variables |= self.settings.environment
        variables |= {
            "AZ_BATCH_ACCOUNT_NAME": self.settings.account,
            "AZ_BATCH_ACCOUNT_URL": f"{self.url}/",
            "AZ_BATCH_POOL_ID": node.pool.id,
            "AZ_BATCH_NODE_ID": node.id,
            "AZ_BATCH_NODE_IS_DEDICATED": str(node.dedicated).lower(),
            "AZ_BATCH_NODE_ROOT_DIR": str(root),
            "AZ_BATCH_NODE_SHARED_DIR": str(root / "shared"),
            "AZ_BATCH_NODE_STARTUP_DIR": str(root / "startup"),
            "AZ_BATCH_NODE_MOUNTS_DIR": str(root / "fsmounts"),
            "AZ_BATCH_TASK_DIR": str(folder),
            "AZ_BATCH_TASK_WORKING_DIR": str(folder / "wd"),
        }
        if job is not None and task is not None:
            variables |= {"AZ_BATCH_JOB_ID": job, "AZ_BATCH_TASK_ID": task}
        if preparation is not None:
            variables["AZ_BATCH_JOB_PREP_DIR"] = str(preparation)
            variables["AZ_BATCH_JOB_PREP_WORKING_DIR"] = str(preparation / "wd")
        for layer in settings:
            variables |= {pair["name"]: pair.get("value") or "" for pair in layer or ()}
        return variables

    # Files

    def folder_of(self, job: Job, task: Task) -> Path | None:
        """Where a task keeps its files; None where it has no node, or the node has gone."""
        info = task.document.get("nodeInfo")
        pool = self.pools.get(info["poolId"].lower()) if info else None
        node = pool.nodes.get(info["nodeId"].lower()) if info and pool else None
        return node.folder_of(job.id, task.id) if node else None

    def discard(self, folder: Path) -> None:
        """Remove a folder: its name is free at once, its files go behind the scenes."""
        target = self._trash / uuid.uuid4().hex
        try:
            folder.rename(target)
        except FileNotFoundError:
            return
        self._sweeper.after(0, lambda: shutil.rmtree(target, ignore_errors=True))

    # Life

    def open(self, url: str) -> None:
        """Be there, at some address."""
        self.url = url
        if self.settings.location is None:
            self.root = Path(tempfile.mkdtemp(prefix="azure-batch-"))
        self._trash = self.root / ".trash"
        self._trash.mkdir(parents=True, exist_ok=True)
        self.timers.start()
        self._sweeper.start()

    def close(self) -> None:
        """Kill everything that was started, and remove the files if nobody else wants them."""
        with self.lock:
            self.closed = True
            stop = Stop("drop", "the emulator was stopped")
            for pool in self.pools.values():
                for node in pool.nodes.values():
                    node.stop(stop)
            for run in self.runs:
                run.stop(stop)
            waiting: list[TaskRun | threading.Thread] = [*self.runs, *self._threads]
        self.timers.stop()
        self._sweeper.stop()
        for thread in waiting:
            thread.join()
        shutil.rmtree(self._trash if self.settings.location else self.root, ignore_errors=True)
