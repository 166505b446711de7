"""The documents of jobs: what a client sent, and the defaults of what it left out."""

from __future__ import annotations

from typing import Any

from azure_batch_emulator import times

Document = dict[str, Any]


def complete(body: Document) -> Document:
    """A new job with all that it has, from what the client sent."""
    pool = body["poolInfo"]["poolId"]
    document = {
        "priority": 0,
        "maxParallelTasks": -1,
        "usesTaskDependencies": False,
        "allowTaskPreemption": False,
        "onAllTasksComplete": "noaction",
        "onTaskFailure": "noaction",
        **_given(body),
        "constraints": constraints(body),
        "executionInfo": {"startTime": times.now(), "poolId": pool},
    }
    if preparation := document.get("jobPreparationTask"):
        document["jobPreparationTask"] = _preparation(preparation)
    return document


def constraints(body: Document) -> Document:
    """The constraints of a job, from those that a body has."""
    defaults = {"maxWallClockTime": times.UNLIMITED, "maxTaskRetryCount": 0}
    return {**defaults, **_given(body.get("constraints") or {})}


def _preparation(given: Document) -> Document:
    defaults = {
        "maxWallClockTime": times.UNLIMITED,
        "retentionTime": "P7D",
        "maxTaskRetryCount": 0,
    }
    return {
        "id": "jobpreparation",
        "waitForSuccess": True,
        "rerunOnNodeRebootAfterSuccess": True,
        **_given(given),
        "constraints": {**defaults, **_given(given.get("constraints") or {})},
    }


def _given(body: Document) -> Document:
    """Without what is null, which is the same as left out."""
    return {name: value for name, value in body.items() if value is not None}
