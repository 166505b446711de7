"""Which task goes to which node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from azure_batch_emulator.account.dispatch import Dispatcher
from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.account.nodes import Node
from azure_batch_emulator.account.pools import Pool


class Scheduler:
    """Gives ready tasks to nodes. Its methods are called under the lock of the account.

    Parameters
    ----------
    pools, jobs : mapping
        All of the account, by key.
    dispatcher : Dispatcher
        Starts the tasks.
    """

    def __init__(
        self, pools: Mapping[str, Pool], jobs: Mapping[str, Job], dispatcher: Dispatcher
    ) -> None:
        self._pools = pools
        self._jobs = jobs
        self._dispatcher = dispatcher

    def assign(self, pool_key: str) -> None:
        """Start ready tasks of a pool's jobs while there are free slots.

        Jobs come by priority, then age; tasks in the order in which they were added. A task that
        needs more slots than any node has free does not hold up those behind it.
        """
        pool = self._pools.get(pool_key)
        if pool is None or pool.state != "active":
            return
        jobs = [job for job in self._jobs.values() if job.pool_key == pool_key]
        jobs.sort(key=lambda job: (-job.document["priority"], job.number))
        for job in jobs:
            while self._start_one(pool, job):
                pass

    def _start_one(self, pool: Pool, job: Job) -> bool:
        """Start the next task of a job, if there is one and a node for it."""
        nodes = [node for node in pool.nodes.values() if node.takes(job.key)]
        widest = max((node.free for node in nodes), default=0)
        task = job.take(widest) if widest else None
        if task is None:
            return False
        self._dispatcher.start(job, task, _node_for(nodes, task.slots, pool.packs))
        return True


def _node_for(nodes: Iterable[Node], slots: int, packs: bool) -> Node:
    """The fullest node with room if the pool packs, else the emptiest."""
    fitting = [node for node in nodes if node.free >= slots]
    return min(fitting, key=lambda node: node.free if packs else -node.free)
