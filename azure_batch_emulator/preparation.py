"""Job preparation: what a node does once for a job, before the first of its tasks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from azure_batch_emulator import times
from azure_batch_emulator.execution import Execution, Stop, Work
from azure_batch_emulator.outcomes import Outcome

if TYPE_CHECKING:
    from azure_batch_emulator.account import Account
    from azure_batch_emulator.jobs import Job
    from azure_batch_emulator.nodes import Node
    from azure_batch_emulator.running import TaskRun

Document = dict[str, Any]


class Preparation:
    """The preparation task of a job on a node. Its methods are called under the account's lock.

    Parameters
    ----------
    account, job, node
        Of which account, for what and where.
    """

    def __init__(self, account: Account, job: Job, node: Node) -> None:
        self._account = account
        self._job = job
        self._node = node
        self._task: Document = job.document["jobPreparationTask"]
        self._waiting: list[TaskRun] = []
        self._execution = Execution(self._work())
        self._late = Stop("fail", "the job preparation exceeded its maximum wall clock time")
        root = f"workitems/{job.id}/job-1/{self._task['id']}"
        self.info: Document = {
            "state": "running",
            "startTime": times.now(),
            "retryCount": 0,
            "taskRootDirectory": root,
            "taskRootDirectoryUrl": f"{node.url}/files/{root}",
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

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._job.preparing.add(self)
        limit = times.limit_of(self._task["constraints"]["maxWallClockTime"])
        if limit is not None:
            self._account.timers.after(limit, lambda: self._execution.stop(self._late))
        self._account.spawn(threading.Thread(target=self._main, daemon=True))

    def stop(self, stop: Stop) -> None:
        """End it from outside."""
        self._execution.stop(stop)

    def then(self, run: TaskRun) -> bool:
        """Whether a run may begin now; else it begins, or is requeued, when this has ended."""
        if self.info["state"] == "completed" or not self._task["waitForSuccess"]:
            return True
        self._waiting.append(run)
        return False

    def document(self) -> Document:
        """As it stands in the list of a job's preparations."""
        return {
            "poolId": self._node.pool.id,
            "nodeId": self._node.id,
            "nodeUrl": self._node.url,
            "jobPreparationTaskExecutionInfo": self.info,
        }

    def _work(self) -> Work:
        task, job, node = self._task, self._job, self._node
        folder = node.folder_of(job.id, task["id"])
        variables = self._account.environment(
            node,
            folder,
            job.document.get("commonEnvironmentSettings"),
            task.get("environmentSettings"),
            job=job.id,
            task=task["id"],
            preparation=folder,
        )
        return Work(
            task["commandLine"],
            folder,
            variables,
            task.get("resourceFiles") or [],
            retries=task["constraints"]["maxTaskRetryCount"],
        )

    def _main(self) -> None:
        outcome, retries = self._execution.run()
        with self._account.lock:
            self._ended(outcome, retries)

    def _ended(self, outcome: Outcome, retries: int) -> None:
        self._job.preparing.discard(self)
        self.info.update(outcome.info(), state="completed", endTime=times.now(), retryCount=retries)
        if self._execution.stopped not in {None, self._late}:  # it is nobody's failure
            self._node.forget(self._job.key, self)
        waiting, self._waiting = self._waiting, []
        for run in waiting:
            if outcome.failure is None:
                run.start()
            else:
                run.stop(Stop("requeue", "the preparation of the job failed on the node"))
        self._account.schedule(self._job.pool_key)
