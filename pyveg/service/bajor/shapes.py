"""Jobs in the words of BaJoR's client: those of Azure Batch, in snake_case."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from pyveg.core.layout import item_folder
from pyveg.service.builtin.train import NAME
from pyveg.service.records import JobRecord, moment
from pyveg.service.states import JobState

KINDS: Mapping[str, str] = {"training": "train", "prediction": "predict"}
"""The client's word -> the process."""
RESULTS = {"train": "TRAINING_JOB_RESULTS_DIR", "predict": "PREDICTIONS_JOB_RESULTS_DIR"}
"""Process -> the variable that tells where its results are."""
FULL = (
    "Active Jobs are running in the batch system - please wait till they are fininshed processing."
)
"""The client's own text, its spelling included."""


def public_id(job: str) -> str:
    """The id of a job as the client knows it, a UUID with hyphens.

    Examples
    --------
    >>> public_id("0123456789abcdef0123456789abcdef")
    '01234567-89ab-cdef-0123-456789abcdef'
    """
    return str(uuid.UUID(job))


def own_id(given: str) -> str:
    """The id of a job in the table; empty where it is none."""
    try:
        return uuid.UUID(given).hex
    except ValueError:
        return ""


def results_folder(job: JobRecord) -> str:
    """Where the results of a job are, as the client asks for them.

    It is made of what the table has of the job, so it never changes; and holds no colon.
    """
    when = datetime.fromtimestamp(job.created, UTC)
    return f"jobs/{when:%Y-%m-%dT%H-%M}_{public_id(job.id)}/results"


def results_key(job: JobRecord) -> str:
    """Folder of the same in the Store of the run."""
    if job.process == "predict":
        manifest = PurePath(str(job.inputs["manifest"])).name
        return f"{NAME}/_predictions/{item_folder(manifest)}"
    return f"{NAME}/{item_folder(PurePath(str(job.inputs['catalog'])).name)}"


def shown(job: JobRecord, *, tasks: bool = False) -> dict[str, Any]:
    """A job as the client reads it.

    Parameters
    ----------
    job : JobRecord
    tasks : bool
        Whether its task is wanted too. There is always one, so that an empty list is never taken
        for a success.
    """
    found: dict[str, Any] = {
        "id": public_id(job.id),
        "state": "completed" if job.state.over else "active",
        "creation_time": moment(job.created),
        "last_modified": moment(job.updated),
        "execution_info": _without_none(
            {"start_time": moment(job.started), "end_time": moment(job.finished)}
        ),
        "common_environment_settings": [
            {"name": RESULTS[job.process], "value": results_folder(job)}
        ],
    }
    if tasks:
        found["tasks"] = [_task(job)]
    return found


def _task(job: JobRecord) -> dict[str, Any]:
    """Its only task; ``result`` appears when it has ended, and not before."""
    info: dict[str, Any] = {
        "start_time": moment(job.started),
        "end_time": moment(job.finished),
        "retry_count": job.restarts,
    }
    if job.state is JobState.SUCCESSFUL:
        info |= {"result": "success", "exit_code": 0}
    elif job.state.over:
        why = job.message or str(job.state)
        info |= {"result": "failure", "exit_code": 1, "failure_info": {"message": why}}
    state = {JobState.ACCEPTED: "active", JobState.RUNNING: "running"}.get(job.state, "completed")
    return {"id": "1", "state": state, "execution_info": _without_none(info)}


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
