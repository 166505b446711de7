"""Which task goes to which node, and what happens when it has ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from azure_batch_emulator import times
from azure_batch_emulator.execution import Stop, Work
from azure_batch_emulator.faults import chance, hits
from azure_batch_emulator.outcomes import Outcome
from azure_batch_emulator.running import TaskRun

if TYPE_CHECKING:
    from azure_batch_emulator.account import Account
    from azure_batch_emulator.jobs import Job
    from azure_batch_emulator.nodes import Node
    from azure_batch_emulator.pools import Pool
    from azure_batch_emulator.tasks import Task


def assign(account: Account, pool_key: str) -> None:
    """Start ready tasks of a pool's jobs while there are free slots.

    Jobs come by priority, then age; tasks in the order in which they were added. A task that needs
    more slots than any node has free does not hold up those behind it.
    """
    pool = account.pools.get(pool_key)
    if pool is None or pool.state != "active":
        return
    jobs = [job for job in account.jobs.values() if job.pool_key == pool_key]
    jobs.sort(key=lambda job: (-job.document["priority"], job.number))
    for job in jobs:
        while True:
            nodes = [node for node in pool.nodes.values() if node.takes(job.key)]
            widest = max((node.free for node in nodes), default=0)
            task = job.take(widest) if widest else None
            if task is None:
                break
            _start(account, job, task, _node_for(pool, nodes, task.slots))


def _node_for(pool: Pool, nodes: list[Node], slots: int) -> Node:
    """The fullest node with room if the pool packs, else the emptiest."""
    fitting = [node for node in nodes if node.free >= slots]
    return min(fitting, key=lambda node: node.free if pool.packs else -node.free)


def _start(account: Account, job: Job, task: Task, node: Node) -> None:
    faults = account.faults
    task.tries += 1
    mark = (job.key, task.key, task.tries)

    def dies(tried: int) -> bool:
        return hits(faults.fail_rate, faults.seed, "fail", *mark, tried)

    def lose_node() -> None:
        with account.lock:
            if not account.closed:
                node.preempt(life)

    def nothing() -> None:
        pass

    def begin(run: TaskRun) -> None:
        task.began()
        _set_limit(account, task, run)
        if lost:
            moment = faults.preempt_within_seconds * chance(faults.seed, "moment", *mark)
            account.timers.after(moment, lose_node)

    life = node.lives
    lost = not node.dedicated and hits(faults.preempt_rate, faults.seed, "preempt", *mark)
    run = TaskRun(
        task,
        node,
        _work(account, job, task, node),
        dies=dies,
        on_start=begin,
        on_retry=partial(_retried, account),
        before_end=lose_node if lost else nothing,
        on_end=partial(_finish, account, job),
    )
    task.run = run
    job.running.add(task)
    account.runs.add(run)
    node.occupy(run)
    root = f"workitems/{job.id}/job-1/{task.id}"
    task.placed(
        {
            "affinityId": f"TVM:{node.id}",
            "nodeUrl": node.url,
            "poolId": node.pool.id,
            "nodeId": node.id,
            "taskRootDirectory": root,
            "taskRootDirectoryUrl": f"{node.url}/files/{root}",
        }
    )
    if "jobPreparationTask" not in job.document or node.prepared(job).then(run):
        run.start()


def _work(account: Account, job: Job, task: Task, node: Node) -> Work:
    body = task.document
    folder = node.folder_of(job.id, task.id)
    before = job.document.get("jobPreparationTask")
    return Work(
        body["commandLine"],
        folder,
        account.environment(
            node,
            folder,
            job.document.get("commonEnvironmentSettings"),
            body.get("environmentSettings"),
            job=job.id,
            task=task.id,
            preparation=node.folder_of(job.id, before["id"]) if before else None,
        ),
        body.get("resourceFiles") or [],
        body.get("outputFiles") or [],
        body["constraints"]["maxTaskRetryCount"],
    )


def _set_limit(account: Account, task: Task, run: TaskRun) -> None:
    limit = times.limit_of(task.document["constraints"]["maxWallClockTime"])
    if limit is None:
        return

    def expire() -> None:
        with account.lock:
            if task.run is run:
                run.stop(Stop("fail", "the task exceeded its maximum wall clock time"))

    account.timers.after(limit, expire)


def _retried(account: Account, task: Task) -> None:
    with account.lock:
        task.retried()


def _finish(account: Account, job: Job, run: TaskRun, outcome: Outcome) -> None:
    """A run has ended: say what became of its task and start what can start now."""
    task, node = run.task, run.node
    with account.lock:
        account.runs.discard(run)
        job.running.discard(task)
        task.run = None
        kind = run.stopped.kind if run.stopped else None
        if kind == "requeue" and not task.deleted:
            task.requeued()
            job.make_ready(task)
        elif kind != "drop" and not task.deleted:
            job.complete(task, outcome)
            _retain(account, task, run)
        node.release(run, kind is None and outcome.failure is None)
        job.settle()
        account.settle()
        account.schedule(job.pool_key)


def _retain(account: Account, task: Task, run: TaskRun) -> None:
    """Remove the files of a task when they need not be kept any more."""
    seconds = times.parse_duration(task.document["constraints"]["retentionTime"])

    def clean() -> None:
        with account.lock:
            if not task.deleted and task.run is None and not account.closed:
                task.cleaned = True
                account.discard(run.folder)

    account.timers.after(seconds, clean)
