"""Starts tasks on nodes, and does what their ends mean."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from azure_batch_emulator import times
from azure_batch_emulator.account import work
from azure_batch_emulator.account.fate import Fate
from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.account.nodes import Node
from azure_batch_emulator.account.preparation import Preparation
from azure_batch_emulator.account.task_runs import TaskRun
from azure_batch_emulator.account.tasks import Task
from azure_batch_emulator.host.execution import Work
from azure_batch_emulator.host.host import Host
from azure_batch_emulator.host.outcomes import Outcome
from azure_batch_emulator.host.stops import Stop

_LATE = Stop("fail", "the task exceeded its maximum wall clock time")


class Dispatcher:
    """Runs tasks on nodes. Its methods are called under the lock of the account.

    Parameters
    ----------
    host : Host
        Where they are executed.
    on_end : callable
        Called, under the lock, with a job of which a task or the preparation of a node has ended:
        others may start now.
    """

    def __init__(self, host: Host, on_end: Callable[[Job], None]) -> None:
        self._host = host
        self._background = host.background
        self._on_end = on_end
        self._runs: set[TaskRun] = set()

    def start(self, job: Job, task: Task, node: Node) -> None:
        """Start a task on a node, behind the preparation of the node if the job has one."""
        task.tries += 1
        fate = Fate(self._host.faults, (job.key, task.key, task.tries))
        lost = not node.dedicated and fate.loses_node
        lose_node = partial(node.preempt, node.lives)

        def begin(run: TaskRun) -> None:
            task.began()
            self._set_limit(job, run)
            if lost:
                self._background.after(fate.moment, lose_node)

        run = TaskRun(
            self._host,
            task,
            _work(job, task, node),
            dies=fate.dies,
            on_start=begin,
            on_retry=partial(self._background.do, task.retried),
            before_end=partial(self._background.do, lose_node) if lost else _nothing,
            on_end=partial(self._finish, job, node),
        )
        job.running[task] = run
        self._runs.add(run)
        node.occupy(run)
        task.placed(_node_info(job, task, node))
        if "jobPreparationTask" not in job.document or self._preparation(job, node).then(run):
            run.start()

    def stop(self, stop: Stop) -> None:
        """End all runs."""
        for run in self._runs:
            run.stop(stop)

    def _preparation(self, job: Job, node: Node) -> Preparation:
        """The preparation of a node for a job, which begins with the first task."""
        if (found := node.preparation(job.key)) is None:
            task = job.document["jobPreparationTask"]
            found = Preparation(
                self._host,
                task,
                work.of_preparation(
                    job.document, node.variables, node.folder_of(job.id, task["id"])
                ),
                node={"poolId": node.spec.pool_id, "nodeId": node.id, "nodeUrl": node.url},
                root=work.task_root(job.id, task["id"]),
                on_end=partial(self._prepared, job, node),
            )
            job.preparing.add(found)
            node.prepare(job.key, found)
        return found

    def _prepared(self, job: Job, node: Node, preparation: Preparation) -> None:
        job.preparing.discard(preparation)
        if preparation.was_interrupted:
            node.forget(job.key, preparation)
        self._on_end(job)

    def _set_limit(self, job: Job, run: TaskRun) -> None:
        limit = times.limit_of(run.task.document["constraints"]["maxWallClockTime"])
        if limit is None:
            return

        def expire() -> None:
            if job.running.get(run.task) is run:
                run.stop(_LATE)

        self._background.after(limit, expire)

    def _finish(self, job: Job, node: Node, run: TaskRun, outcome: Outcome) -> None:
        """A run has ended: say what became of its task."""
        task = run.task
        with self._background.lock:
            self._runs.discard(run)
            del job.running[task]
            kind = run.stopped.kind if run.stopped else None
            if kind == "requeue" and not task.deleted:
                task.requeued()
                job.make_ready(task)
            elif kind != "drop" and not task.deleted:
                job.complete(task, outcome)
                self._retain(job, run)
            node.release(run, kind is None and outcome.failure is None)
            job.settle()
            self._on_end(job)

    def _retain(self, job: Job, run: TaskRun) -> None:
        """Remove the files of a task when they need not be kept any more."""
        task = run.task

        def clean() -> None:
            if not task.deleted and task not in job.running:
                task.cleaned = True
                self._host.folders.discard(run.folder)

        seconds = times.parse_duration(task.document["constraints"]["retentionTime"])
        self._background.after(seconds, clean)


def _nothing() -> None:
    pass


def _work(job: Job, task: Task, node: Node) -> Work:
    before = job.document.get("jobPreparationTask")
    return work.of_task(
        job.document,
        task.document,
        node.variables,
        node.folder_of(job.id, task.id),
        node.folder_of(job.id, before["id"]) if before else None,
    )


def _node_info(job: Job, task: Task, node: Node) -> dict[str, str]:
    root = work.task_root(job.id, task.id)
    return {
        "affinityId": f"TVM:{node.id}",
        "nodeUrl": node.url,
        "poolId": node.spec.pool_id,
        "nodeId": node.id,
        "taskRootDirectory": root,
        "taskRootDirectoryUrl": f"{node.url}/files/{root}",
    }
