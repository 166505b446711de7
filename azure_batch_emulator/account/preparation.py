"""Job preparation: what a node does once for a job, before the first of its tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure_batch_emulator import times
from azure_batch_emulator.account.task_runs import TaskRun
from azure_batch_emulator.host.execution import Execution, Work
from azure_batch_emulator.host.host import Host
from azure_batch_emulator.host.outcomes import Outcome
from azure_batch_emulator.host.stops import Stop

Document = dict[str, Any]
_LATE = Stop("fail", "the job preparation exceeded its maximum wall clock time")


class Preparation:
    """The preparation task of a job on a node. Its methods are called under the account's lock.

    Parameters
    ----------
    host : Host
        Where it is executed.
    task : dict
        The ``jobPreparationTask`` of the job.
    work : Work
        What it executes.
    node : dict
        ``poolId``, ``nodeId`` and ``nodeUrl``, for the list of a job's preparations.
    root : str
        Its folder, from the root of the node.
    on_end : callable
        Called with this when it has ended, and what waited for it has begun.
    """

    def __init__(
        self,
        host: Host,
        task: Document,
        work: Work,
        *,
        node: Document,
        root: str,
        on_end: Callable[[Preparation], None],
    ) -> None:
        self._host = host
        self._task = task
        self._work = work
        self._node = node
        self._on_end = on_end
        self._waiting: list[TaskRun] = []
        self._execution: Execution | None = None
        self.info: Document = {
            "state": "running",
            "startTime": times.now(),
            "retryCount": 0,
            "taskRootDirectory": root,
            "taskRootDirectoryUrl": f"{node['nodeUrl']}/files/{root}",
        }

    @property
    def failed(self) -> bool:
        """Whether the node is barred for the job."""
        return bool(self._task["waitForSuccess"]) and self.info.get("result") == "failure"

    @property
    def outlives_reboot(self) -> bool:
        """Whether it need not be done again when the node was rebooted."""
        again = self._task["rerunOnNodeRebootAfterSuccess"]
        return not again and self.info.get("result") == "success"

    @property
    def was_interrupted(self) -> bool:
        """Whether it was ended from outside, which is nobody's failure."""
        return self._execution is not None and self._execution.stopped not in {None, _LATE}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._execution = execution = self._host.execute(self._work, self._ended)
        limit = times.limit_of(self._task["constraints"]["maxWallClockTime"])
        if limit is not None:
            self._host.background.after(limit, lambda: execution.stop(_LATE))

    def stop(self, stop: Stop) -> None:
        """End it from outside."""
        if self._execution is not None:
            self._execution.stop(stop)

    def then(self, run: TaskRun) -> bool:
        """Whether a run may begin now; else it begins, or is requeued, when this has ended."""
        if self.info["state"] == "completed" or not self._task["waitForSuccess"]:
            return True
        self._waiting.append(run)
        return False

    def document(self) -> Document:
        """As it stands in the list of a job's preparations."""
        return {**self._node, "jobPreparationTaskExecutionInfo": self.info}

    def _ended(self, outcome: Outcome, retries: int) -> None:
        self.info.update(outcome.info(), state="completed", endTime=times.now(), retryCount=retries)
        waiting, self._waiting = self._waiting, []
        for run in waiting:
            if outcome.failure is None:
                run.start()
            else:
                run.stop(Stop("requeue", "the preparation of the job failed on the node"))
        self._on_end(self)
