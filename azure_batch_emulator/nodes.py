"""Nodes: working directories that live as virtual machines do."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure_batch_emulator import times
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.execution import Execution, Stop, StopKind, Work
from azure_batch_emulator.faults import hits
from azure_batch_emulator.outcomes import Outcome
from azure_batch_emulator.preparation import Preparation
from azure_batch_emulator.records import Record

if TYPE_CHECKING:
    from azure_batch_emulator.account import Account
    from azure_batch_emulator.jobs import Job
    from azure_batch_emulator.pools import Pool
    from azure_batch_emulator.running import TaskRun

Document = dict[str, Any]
WORKING = frozenset({"idle", "running"})
"""States in which tasks may run."""


def kind_of(option: str) -> StopKind:
    """What becomes of tasks when a request ends them with an option."""
    return "fail" if option.lower() == "terminate" else "requeue"


class Node(Record):
    """A node of a pool. Its methods are called under the lock of the account.

    Parameters
    ----------
    account
        Where it belongs.
    pool
        Its pool.
    number : int
        The how manieth of its pool.
    dedicated : bool
        False is low-priority, that is Spot.
    """

    def __init__(self, account: Account, pool: Pool, number: int, dedicated: bool) -> None:
        id_ = f"tvmps_{secrets.token_hex(8)}_{'d' if dedicated else 'p'}"
        size = pool.document["vmSize"]
        super().__init__(id_, f"{pool.url}/nodes/{id_}", "creating", {})
        moment = times.now()
        for name in ("eTag", "lastModified", "creationTime"):  # nodes have none of these
            del self.document[name]
        self.document.update(
            schedulingState="enabled",
            lastBootTime=moment,
            allocationTime=moment,
            ipAddress="127.0.0.1",
            affinityId=f"TVM:{id_}",
            vmSize=size,
            totalTasksRun=0,
            totalTasksSucceeded=0,
            runningTasksCount=0,
            runningTaskSlotsCount=0,
            isDedicated=dedicated,
            virtualMachineInfo={
                "imageReference": pool.document["virtualMachineConfiguration"]["imageReference"]
            },
        )
        self._account = account
        self.pool = pool
        self.number = number
        self.dedicated = dedicated
        self.runs: set[TaskRun] = set()
        self.leaving = False
        self.lives = 0
        self.root: Path = account.root / pool.id / id_
        self._start_task: Execution | None = None
        self._preparations: dict[str, Preparation] = {}

    @property
    def free(self) -> int:
        """Slots that tasks may take now."""
        if (
            self.state not in WORKING
            or self.leaving
            or self.document["schedulingState"] != "enabled"
        ):
            return 0
        return self.pool.slots - int(self.document["runningTaskSlotsCount"])

    def folder_of(self, job_id: str, task_id: str) -> Path:
        """Where it keeps a task."""
        return self.root / "workitems" / job_id / "job-1" / task_id

    # Job preparation

    def prepared(self, job: Job) -> Preparation:
        """The preparation of a job, which begins with the first call."""
        if (found := self._preparations.get(job.key)) is None:
            found = self._preparations[job.key] = Preparation(self._account, job, self)
            found.start()
        return found

    def preparation(self, job_key: str) -> Preparation | None:
        """The preparation of a job, if there was one."""
        return self._preparations.get(job_key)

    def takes(self, job_key: str) -> bool:
        """Whether the preparation of a job has not failed here."""
        found = self._preparations.get(job_key)
        return found is None or not found.failed

    def forget(self, job_key: str, only: Preparation | None = None) -> None:
        """Prepare anew for a job; with ``only``, if that is still the newest."""
        if only is None or self._preparations.get(job_key) is only:
            self._preparations.pop(job_key, None)

    # Life

    def boot(self) -> None:
        """Come up, from nothing."""
        self.lives += 1
        self._preparations.clear()
        self.move("creating")
        self._later(0.6, "starting")

    def _later(self, share: float, state: str) -> None:
        """Take the next step in a share of the time that a start takes."""
        life = self.lives
        seconds = share * self._account.faults.node_start_seconds

        def step() -> None:
            with self._account.lock:
                if life == self.lives and not self._account.closed:
                    self._step(state)

        self._account.timers.after(seconds, step)

    def _step(self, state: str) -> None:
        account, faults = self._account, self._account.faults
        if state == "starting":
            self.document["lastBootTime"] = times.now()
            self.move("starting")
            self._later(0.4, "begin")
        elif hits(faults.unusable_rate, faults.seed, "unusable", self.pool.key, self.number):
            code, text = "EmulatedFault", "The node was made unusable by the emulator"
            self.document["errors"] = [{"code": code, "message": text, "errorDetails": []}]
            self.move("unusable")
        else:
            for name in ("startup/wd", "shared", "workitems", "fsmounts"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            self._begin()
        self.pool.settle()
        account.schedule(self.pool.key)

    def _begin(self) -> None:
        task = self.pool.document.get("startTask")
        if not task:
            self.move("idle")
            return
        self.document["startTask"] = task
        self.document["startTaskInfo"] = {
            "state": "running",
            "startTime": times.now(),
            "retryCount": 0,
        }
        self.move("waitingforstarttask" if task["waitForSuccess"] else "idle")
        self._start_task = execution = Execution(self._start_work(task))
        arguments = (execution, self.lives, task)
        self._account.spawn(
            threading.Thread(target=self._run_start_task, args=arguments, daemon=True)
        )

    def _start_work(self, task: Document) -> Work:
        folder = self.root / "startup"
        return Work(
            task["commandLine"],
            folder,
            self._account.environment(self, folder, task.get("environmentSettings")),
            resource_files=task.get("resourceFiles") or [],
            retries=task["maxTaskRetryCount"],
        )

    def _run_start_task(self, execution: Execution, life: int, task: Document) -> None:
        outcome, tried = execution.run()
        with self._account.lock:
            if life == self.lives and not self._account.closed:
                self._start_task = None
                self._started(outcome, tried, task["waitForSuccess"])

    def _started(self, outcome: Outcome, tried: int, waited: bool) -> None:
        info = self.document["startTaskInfo"]
        info.update(outcome.info(), state="completed", endTime=times.now(), retryCount=tried)
        if waited:
            self.move("starttaskfailed" if outcome.failure else "idle")
            self._account.schedule(self.pool.key)

    def occupy(self, run: TaskRun) -> None:
        """A run takes its slots."""
        self.runs.add(run)
        self._count(run.task.slots)

    def release(self, run: TaskRun, succeeded: bool) -> None:
        """A run gives its slots back."""
        self.runs.discard(run)
        self._count(-run.task.slots)
        self.document["totalTasksRun"] += 1
        self.document["totalTasksSucceeded"] += succeeded
        if self.leaving and not self.runs:
            self.pool.drop(self)

    def _count(self, slots: int) -> None:
        self.document["runningTasksCount"] = len(self.runs)
        self.document["runningTaskSlotsCount"] += slots
        if self.state in WORKING:
            self.move("running" if self.runs else "idle")

    def stop(self, stop: Stop) -> None:
        """End everything that runs on it."""
        for run in self.runs:
            run.stop(stop)
        for preparation in self._preparations.values():
            preparation.stop(stop)
        if self._start_task:
            self._start_task.stop(stop)

    def preempt(self, life: int) -> None:
        """Be taken away, and come back empty after a while."""
        if life != self.lives or self.state not in WORKING or self.leaving:
            return
        self.lives += 1
        self.move("preempted")
        self.stop(Stop("requeue", "the node was preempted"))
        self._account.discard(self.root)
        life = self.lives

        def back() -> None:
            with self._account.lock:
                if life == self.lives and not self._account.closed and not self.leaving:
                    self.boot()

        self._account.timers.after(self._account.faults.node_start_seconds / 2, back)

    def reboot(self, option: str) -> None:
        """Start anew; files stay."""
        self._refuse_if_away()
        self.lives += 1
        self.move("rebooting")
        self.stop(Stop(kind_of(option), "the node was rebooted"))
        kept = {key: done for key, done in self._preparations.items() if done.outlives_reboot}
        self._preparations = kept
        self._later(0.4, "starting")

    def reimage(self, option: str) -> None:
        """Start anew, without files."""
        self._refuse_if_away()
        self.lives += 1
        self.move("reimaging")
        self.stop(Stop(kind_of(option), "the node was reimaged"))
        self._preparations.clear()
        self._account.discard(self.root)
        self._later(0.4, "starting")

    def _refuse_if_away(self) -> None:
        if self.leaving or self.state not in WORKING | {"unusable", "starttaskfailed"}:
            raise BatchError("NodeStateUnusable", NodeState=self.state)

    def disable(self, option: str) -> None:
        """Take no tasks any more, and end those that run unless they may complete."""
        self.document["schedulingState"] = "disabled"
        for run in self.runs if option.lower() != "taskcompletion" else ():
            run.stop(Stop(kind_of(option), "scheduling was disabled on the node"))

    def enable(self) -> None:
        """Take tasks again."""
        self.document["schedulingState"] = "enabled"

    def leave(self, option: str) -> None:
        """Go from the pool: at once, or when its tasks have ended."""
        if self.leaving:
            return
        self.leaving = True
        if option != "taskcompletion":
            self.lives += 1
            self.move("leavingpool")
            self.stop(Stop(kind_of(option), "the node was removed"))
        if not self.runs:
            self.pool.drop(self)
