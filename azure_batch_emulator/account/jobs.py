"""Jobs: their tasks, what is ready, and how a job ends."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from typing import Any

from azure_batch_emulator import times
from azure_batch_emulator.account import dependencies, job_documents
from azure_batch_emulator.account.exit_conditions import actions
from azure_batch_emulator.account.ready_tasks import ReadyTasks
from azure_batch_emulator.account.records import Record
from azure_batch_emulator.account.tasks import Task, ended_by
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.host.outcomes import Outcome
from azure_batch_emulator.host.stops import Stop, StopKind, Stoppable

Document = dict[str, Any]


class Job(Record):
    """A job and its tasks. Its methods are called under the lock of the account.

    Parameters
    ----------
    number : int
        Its place in the order in which the jobs of the account were made.
    url : str
        Its address.
    body : dict
        What the client sent, already checked.
    """

    def __init__(self, number: int, url: str, body: Document) -> None:
        super().__init__(body["id"], url, "active", job_documents.complete(body))
        self.number = number
        self.tasks: dict[str, Task] = {}
        self.sent: Counter[str] = Counter()
        self.running: dict[Task, Stoppable] = {}
        self.preparing: set[Stoppable] = set()
        self._ordered: list[str] = []
        self._open = 0
        self._added = 0
        self._ready = ReadyTasks()
        self._dependencies = dependencies.Dependencies()

    @property
    def pool_key(self) -> str:
        """Key of the pool where its tasks run."""
        return str(self.document["poolInfo"]["poolId"]).lower()

    @property
    def is_over(self) -> bool:
        """Whether nothing of it will run any more."""
        return self.state in {"completed", "terminating", "deleting"}

    def change(self, body: Document) -> None:
        """Take a client's changes."""
        self.refuse_if_over()
        if "constraints" in body:
            body = {**body, "constraints": job_documents.constraints(body)}
        self.modify({name: value for name, value in body.items() if value is not None})
        self.settle()

    def refuse_if_over(self) -> None:
        """Raise the error for a job that takes nothing any more."""
        codes = {
            "completed": "JobCompleted",
            "terminating": "JobBeingTerminated",
            "deleting": "JobBeingDeleted",
        }
        if self.state in codes:
            raise BatchError(codes[self.state])

    # Tasks

    def find(self, id_: str) -> Task:
        """A task by its id."""
        try:
            return self.tasks[id_.lower()]
        except KeyError:
            raise BatchError("TaskNotFound") from None

    def add(self, body: Document) -> Task:
        """Take a new task."""
        self.refuse_if_over()
        if body["id"].lower() in self.tasks:
            raise BatchError("TaskExists")
        preparation = self.document.get("jobPreparationTask")
        if preparation and preparation["id"].lower() == body["id"].lower():
            raise BatchError("TaskIdSameAsJobPreparationTask")
        depends_on = body.get("dependsOn") or {}
        if depends_on and not self.document["usesTaskDependencies"]:
            raise BatchError("TaskDependenciesNotSpecifiedOnJob")
        names = dependencies.needed(depends_on)
        retries = self.document["constraints"]["maxTaskRetryCount"]
        self._added += 1
        task = Task(self._added, f"{self.url}/tasks/{body['id']}", body, retries)
        self.tasks[task.key] = task
        insort(self._ordered, task.key)
        self._open += 1
        self._dependencies.add(task, names)
        self.make_ready(task)
        return task

    def documents(self, after: str | None = None) -> Iterator[Document]:
        """Documents of its tasks behind an id, ordered by id."""
        start = bisect_left(self._ordered, after) if after else 0
        return (self.tasks[key].document for key in self._ordered[start:])

    def remove(self, task: Task) -> None:
        """Forget a task; what waits for it waits for ever."""
        if task.state != "completed":
            self._open -= 1
        task.deleted = True
        if run := self.running.get(task):
            run.stop(Stop("drop", "the task was deleted"))
        del self.tasks[task.key]
        self._ordered.pop(bisect_left(self._ordered, task.key))
        self._dependencies.forget(task)
        self.settle()

    def terminate_task(self, task: Task) -> None:
        """End a task from outside."""
        message = "the task was terminated by a request of the user"
        if task.state == "completed":
            raise BatchError("TaskCompleted")
        if run := self.running.get(task):
            run.stop(Stop("fail", message))
        else:
            self.complete(task, ended_by(message))

    def reactivate(self, task: Task) -> None:
        """Run a failed task again."""
        self.refuse_if_over()
        task.reactivated()
        self._open += 1
        self._dependencies.forget(task)
        self.make_ready(task)

    def counts(self) -> Document:
        """Tasks and slots by state."""
        tasks = dict.fromkeys(("active", "running", "completed", "succeeded", "failed"), 0)
        slots = dict(tasks)
        for task in self.tasks.values():
            names = ["running" if task.state == "preparing" else task.state]
            if task.state == "completed":
                names.append("succeeded" if task.info["result"] == "success" else "failed")
            for name in names:
                tasks[name] += 1
                slots[name] += task.slots
        return {"taskCounts": tasks, "taskSlotCounts": slots}

    def measured(self) -> dict[str, int]:
        """Tasks by what autoscaling measures: those that wait for others do not count."""
        found = dict.fromkeys(("Active", "Running", "Succeeded", "Failed"), 0)
        for task in self.tasks.values():
            if task.state == "completed":
                found["Succeeded" if task.info["result"] == "success" else "Failed"] += 1
            elif task.state != "active":
                found["Running"] += 1
            elif task.unmet == 0 and not self.is_over:
                found["Active"] += 1
        return found

    # Scheduling

    def make_ready(self, task: Task) -> None:
        """Queue a task that waits for nothing, in its old place."""
        if task.unmet == 0 and task.state == "active":
            self._ready.add(task)

    def take(self, widest: int) -> Task | None:
        """The first ready task that needs at most so many slots; it leaves the queue."""
        limit = self.document["maxParallelTasks"]
        if self.state != "active" or 0 <= limit <= len(self.running):
            return None
        return self._ready.take(widest)

    def complete(self, task: Task, outcome: Outcome) -> None:
        """A task has ended: do what that means for others."""
        task.ended(outcome)
        self._open -= 1
        then = actions(task.document.get("exitConditions") or {}, outcome)
        if then.satisfies:
            for ready in self._dependencies.satisfy(task):
                self.make_ready(ready)
        if self.document["onTaskFailure"].lower() == "performexitoptionsjobaction":
            if then.job == "terminate" and not self.is_over:
                self.terminate("TaskFailed")
            elif then.job == "disable" and self.state == "active":
                self.disable("requeue")
        self.settle()

    # The job as a whole

    def terminate(self, reason: str) -> None:
        """Stop what runs; what never ran stays active."""
        self.refuse_if_over()
        self.document["executionInfo"]["terminateReason"] = reason
        self.move("terminating")
        self._stop_all(Stop("fail", f"the job was terminated: {reason}"))
        self.settle()

    def disable(self, tasks: str) -> None:
        """Start nothing; tasks that run are requeued, ended or waited for."""
        self.refuse_if_over()
        if self.state != "active":
            raise BatchError("JobDisabled")
        self.move("disabling")
        if tasks != "wait":
            kind: StopKind = "fail" if tasks == "terminate" else "requeue"
            self._stop_all(Stop(kind, "the job was disabled"))
        self.settle()

    def enable(self) -> None:
        """Start tasks again."""
        self.refuse_if_over()
        if self.state == "active":
            return
        self.move("enabling")
        self.move("active")

    def delete(self) -> None:
        """Stop everything; the account removes the job when nothing of it runs."""
        if self.state == "deleting":
            raise BatchError("JobBeingDeleted")
        self.move("deleting")
        self._stop_all(Stop("drop", "the job was deleted"))

    def settle(self) -> None:
        """Take the step that is due: nothing runs any more, or all tasks are completed."""
        if not self.running and self.state == "terminating":
            self.document["executionInfo"]["endTime"] = times.now()
            self.move("completed")
        elif not self.running and self.state == "disabling":
            self.move("disabled")
        elif (
            self._open == 0
            and self.state == "active"
            and self.document["onAllTasksComplete"].lower() == "terminatejob"
        ):
            self.terminate("AllTasksComplete")

    def _stop_all(self, stop: Stop) -> None:
        for each in (*self.running.values(), *self.preparing):
            each.stop(stop)
