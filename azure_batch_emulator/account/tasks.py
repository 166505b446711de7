"""Tasks: their documents and how these change."""

from __future__ import annotations

from typing import Any

from azure_batch_emulator import times
from azure_batch_emulator.account.records import Record
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.host.outcomes import Failure, Outcome

Document = dict[str, Any]


class Task(Record):
    """A task of a job.

    Parameters
    ----------
    number : int
        Its place in the order in which the tasks of its job were added; they start in this order.
    url : str
        Its address.
    body : dict
        What the client sent, already checked.
    retries : int
        What the job says on that; the task's own word is stronger.
    """

    def __init__(self, number: int, url: str, body: Document, retries: int) -> None:
        user = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}
        document = {
            "userIdentity": user,
            "requiredSlots": 1,
            **{name: value for name, value in body.items() if value is not None},
            "constraints": _constraints(body.get("constraints") or {}, retries),
            "executionInfo": {"retryCount": 0, "requeueCount": 0},
        }
        super().__init__(body["id"], url, "active", document)
        self.number = number
        self.unmet = 0
        self.ticket = 0
        self.tries = 0
        self.deleted = False
        self.cleaned = False

    @property
    def slots(self) -> int:
        """How many slots of a node it takes."""
        return int(self.document["requiredSlots"])

    @property
    def info(self) -> Document:
        """Its ``executionInfo``."""
        info: Document = self.document["executionInfo"]
        return info

    def placed(self, node_info: Document) -> None:
        """It has a node, which gets ready for its job."""
        self.document["nodeInfo"] = node_info
        self.move("preparing")

    def began(self) -> None:
        """It runs."""
        self.info["startTime"] = times.now()
        self.move("running")

    def retried(self) -> None:
        """Its command runs once more."""
        self.info["retryCount"] += 1
        self.info["lastRetryTime"] = times.now()

    def change(self, constraints: Document, retries: int) -> None:
        """Take other constraints; what is not among them is as it was by default."""
        if self.state == "completed":
            raise BatchError("TaskCompleted")
        self.modify({"constraints": _constraints(constraints, retries)})

    def requeued(self) -> None:
        """It waits again: its node was lost, or its job disabled."""
        self.document.pop("nodeInfo", None)
        self.info.pop("startTime", None)
        self.info["requeueCount"] += 1
        self.info["lastRequeueTime"] = times.now()
        self.move("active")

    def ended(self, outcome: Outcome) -> None:
        """It is completed."""
        info = self.info
        info["endTime"] = times.now()
        info.setdefault("startTime", info["endTime"])
        info.update(outcome.info())
        self.move("completed")

    def reactivated(self) -> None:
        """It waits again, although it had failed."""
        if self.state != "completed":
            raise BatchError("TaskNotCompleted")
        if self.info["result"] == "success" or self.info.get("exitCode") == 0:
            raise BatchError("TaskSucceeded")
        self.document.pop("nodeInfo", None)
        self.document["executionInfo"] = {"retryCount": 0, "requeueCount": 0}
        self.move("active")


def _constraints(given: Document, retries: int) -> Document:
    return {
        "maxWallClockTime": times.UNLIMITED,
        "retentionTime": "P7D",
        "maxTaskRetryCount": retries,
        **{name: value for name, value in given.items() if value is not None},
    }


def ended_by(message: str) -> Outcome:
    """The outcome of a task that never ran and is ended."""
    details = (("Message", message),)
    return Outcome(None, Failure("TaskEnded", "The task was ended", details=details))
