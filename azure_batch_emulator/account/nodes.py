"""Nodes: working directories that live as virtual machines do."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from azure_batch_emulator import times
from azure_batch_emulator.account import work
from azure_batch_emulator.account.node_specs import NodeSpec
from azure_batch_emulator.account.preparation import Preparation
from azure_batch_emulator.account.records import Record
from azure_batch_emulator.account.task_runs import TaskRun
from azure_batch_emulator.dice import hits
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.host import environment
from azure_batch_emulator.host.execution import Execution
from azure_batch_emulator.host.host import Host
from azure_batch_emulator.host.outcomes import Outcome
from azure_batch_emulator.host.stops import Stop, StopKind, Stoppable

WORKING = frozenset({"idle", "running"})
"""States in which tasks may run."""


def kind_of(option: str) -> StopKind:
    """What becomes of tasks when a request ends them with an option."""
    return "fail" if option.lower() == "terminate" else "requeue"


class Node(Record):
    """A node of a pool. Its methods are called under the lock of the account.

    Parameters
    ----------
    host : Host
        Where it keeps its files and executes its start task.
    spec : NodeSpec
        What it is.
    number : int
        Its place in the order in which the nodes of its pool were made.
    dedicated : bool
        False is low-priority, that is Spot.
    on_change : callable
        Called when it has come to another state and may be able to take tasks.
    on_leave : callable
        Called with it when it has left.
    """

    def __init__(
        self,
        host: Host,
        spec: NodeSpec,
        number: int,
        dedicated: bool,
        *,
        on_change: Callable[[], None],
        on_leave: Callable[[Node], None],
    ) -> None:
        id_ = f"tvmps_{secrets.token_hex(8)}_{'d' if dedicated else 'p'}"
        super().__init__(id_, f"{spec.pool_url}/nodes/{id_}", "creating", {})
        for name in ("eTag", "lastModified", "creationTime"):  # nodes have none of these
            del self.document[name]
        self.document.update(spec.document(id_, dedicated))
        self.spec = spec
        self.number = number
        self.dedicated = dedicated
        self.runs: set[TaskRun] = set()
        self.leaving = False
        self.lives = 0
        self.root: Path = host.folders.root / spec.pool_id / id_
        self.variables = environment.of_node(
            host.settings,
            host.url,
            pool_id=spec.pool_id,
            node_id=id_,
            dedicated=dedicated,
            root=self.root,
        )
        self._host = host
        self._on_change = on_change
        self._on_leave = on_leave
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
        return self.spec.slots - int(self.document["runningTaskSlotsCount"])

    def folder_of(self, job_id: str, task_id: str) -> Path:
        """Where it keeps a task."""
        return self.root / work.task_root(job_id, task_id)

    # Job preparation

    def prepare(self, job_key: str, preparation: Preparation) -> None:
        """Begin the preparation of a job."""
        self._preparations[job_key] = preparation
        preparation.start()

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

    # Tasks

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
            self._on_leave(self)

    def _count(self, slots: int) -> None:
        self.document["runningTasksCount"] = len(self.runs)
        self.document["runningTaskSlotsCount"] += slots
        if self.state in WORKING:
            self.move("running" if self.runs else "idle")

    def stop(self, stop: Stop) -> None:
        """End everything that runs on it."""
        running: list[Stoppable] = [*self.runs, *self._preparations.values()]
        if self._start_task:
            running.append(self._start_task)
        for each in running:
            each.stop(stop)

    def disable(self, option: str) -> None:
        """Take no tasks any more, and end those that run unless they may complete."""
        self.document["schedulingState"] = "disabled"
        for run in self.runs if option.lower() != "taskcompletion" else ():
            run.stop(Stop(kind_of(option), "scheduling was disabled on the node"))

    def enable(self) -> None:
        """Take tasks again."""
        self.document["schedulingState"] = "enabled"

    # Coming up

    def boot(self) -> None:
        """Come up, from nothing."""
        self.lives += 1
        self._preparations.clear()
        self.move("creating")
        self._later(0.6, self._power_on)

    def _later(self, share: float, step: Callable[[], None]) -> None:
        """Take the next step in a share of the time that a start takes."""
        seconds = share * self._host.faults.node_start_seconds
        self._host.background.after(seconds, partial(self._if_alive, self.lives, step))

    def _if_alive(self, life: int, step: Callable[[], None]) -> None:
        """Take a step of one life, unless the node was started anew or taken away meanwhile."""
        if life == self.lives:
            step()

    def _power_on(self) -> None:
        self.document["lastBootTime"] = times.now()
        self.move("starting")
        self._later(0.4, self._come_up)
        self._on_change()

    def _come_up(self) -> None:
        faults, pool_key = self._host.faults, self.spec.pool_id.lower()
        if hits(faults.unusable_rate, faults.seed, "unusable", pool_key, self.number):
            code, text = "EmulatedFault", "The node was made unusable by the emulator"
            self.document["errors"] = [{"code": code, "message": text, "errorDetails": []}]
            self.move("unusable")
        else:
            for name in ("startup/wd", "shared", "workitems", "fsmounts"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
            self._begin()
        self._on_change()

    def _begin(self) -> None:
        """Execute the start task, if there is one."""
        task = self.spec.start_task
        if not task:
            self.move("idle")
            return
        info = {"state": "running", "startTime": times.now(), "retryCount": 0}
        self.document.update(startTask=task, startTaskInfo=info)
        self.move("waitingforstarttask" if task["waitForSuccess"] else "idle")
        ended = partial(self._start_task_ended, self.lives, task["waitForSuccess"])
        self._start_task = self._host.execute(
            work.of_start_task(task, self.variables, self.root / "startup"), ended
        )

    def _start_task_ended(self, life: int, waited: bool, outcome: Outcome, retries: int) -> None:
        if life != self.lives or self._host.background.closed:
            return
        self._start_task = None
        info = self.document["startTaskInfo"]
        info.update(outcome.info(), state="completed", endTime=times.now(), retryCount=retries)
        if waited:
            self.move("starttaskfailed" if outcome.failure else "idle")
            self._on_change()

    # Going down

    def preempt(self, life: int) -> None:
        """Be taken away, and come back empty after a while."""
        if life != self.lives or self.state not in WORKING or self.leaving:
            return
        self.lives += 1
        self.move("preempted")
        self.stop(Stop("requeue", "the node was preempted"))
        self._host.folders.discard(self.root)
        self._later(0.5, self._come_back)

    def _come_back(self) -> None:
        if not self.leaving:
            self.boot()

    def reboot(self, option: str) -> None:
        """Start anew; files stay."""
        self._refuse_if_away()
        self.lives += 1
        self.move("rebooting")
        self.stop(Stop(kind_of(option), "the node was rebooted"))
        kept = {key: done for key, done in self._preparations.items() if done.outlives_reboot}
        self._preparations = kept
        self._later(0.4, self._power_on)

    def reimage(self, option: str) -> None:
        """Start anew, without files."""
        self._refuse_if_away()
        self.lives += 1
        self.move("reimaging")
        self.stop(Stop(kind_of(option), "the node was reimaged"))
        self._preparations.clear()
        self._host.folders.discard(self.root)
        self._later(0.4, self._power_on)

    def _refuse_if_away(self) -> None:
        if self.leaving or self.state not in WORKING | {"unusable", "starttaskfailed"}:
            raise BatchError("NodeStateUnusable", NodeState=self.state)

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
            self._on_leave(self)
