"""Jobs in the words of the API: their states, messages, and where their results are."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pyveg.core import manifest
from pyveg.core.errors import PyvegError
from pyveg.core.layout import COMBINE
from pyveg.core.tasks import task_id
from pyveg.jobs.scoring import JOIN, SCORE
from pyveg.service import keys
from pyveg.service.camera_trap.settings import CameraTrapSettings
from pyveg.service.config import ServiceConfig
from pyveg.service.image_lists import count_of
from pyveg.service.records import JobRecord
from pyveg.service.states import JobState
from pyveg.service.telling import run_at

PREFIX = "/v4/camera-trap/detection-batch"
CREATED, RUNNING, COMPLETED = "created", "running", "completed"
PROBLEM, FAILED, CANCELED = "problem", "failed", "canceled"
FULL = "Too many active jobs, please try again later"
CANCELING = "Canceling signal has been sent. You can verify the status at the /task endpoint"
_ID = re.compile("[0-9a-f]{32}")
_RESULTS = f"{COMBINE}/detections.json"
_CHECK = 600.0
"""Seconds of a check, as messages count them; clients poll about as often."""


def own_id(given: str) -> str:
    """The id of a job, which clients may write with hyphens; empty where it can be none.

    Examples
    --------
    >>> own_id("01234567-89ab-cdef-0123-456789abcdef")
    '0123456789abcdef0123456789abcdef'
    """
    found = given.replace("-", "").lower()
    return found if _ID.fullmatch(found) else ""


def state_of(job: JobRecord) -> str:
    """The state of a job by what the table has of it.

    A job that somebody wants stopped is canceled from then on, however it ends: the table may
    say `successful` where its last Task was done before the word arrived.
    """
    if job.wants_stop is not None:
        return CANCELED
    if job.state is JobState.FAILED:
        return FAILED if job.started is None else PROBLEM
    return _STATES[job.state]


_STATES: Mapping[JobState, str] = {
    JobState.ACCEPTED: CREATED,
    JobState.RUNNING: RUNNING,
    JobState.SUCCESSFUL: COMPLETED,
    JobState.DISMISSED: CANCELED,
}


def shown(
    job: JobRecord, config: ServiceConfig, settings: CameraTrapSettings, root: str
) -> dict[str, Any]:
    """What ``/task`` answers.

    Parameters
    ----------
    job : JobRecord
    config : ServiceConfig
    settings : CameraTrapSettings
    root : str
        How callers reach the service; links begin so.
    """
    status = _status(job, config, settings, root)
    images = count_of(config.job_folder(job.id))
    if images is not None:
        status["num_images"] = images
    return {
        "Status": status,
        "Endpoint": f"{PREFIX}/request_detections",
        "TaskId": job.id,
        "Timestamp": f"{datetime.fromtimestamp(job.updated, UTC):%Y-%m-%dT%H:%M:%S}Z",
    }


def _status(
    job: JobRecord, config: ServiceConfig, settings: CameraTrapSettings, root: str
) -> dict[str, Any]:
    state = state_of(job)
    if state != COMPLETED:
        return {"request_status": state, "message": _message(job, state)}
    failed = _failed_shards(job)
    if failed is None:
        return {
            "request_status": PROBLEM,
            "message": f"its results could not be joined. {_CONTACT} {job.message}".strip(),
        }
    link = _link(job, config, settings)
    urls = {"detections": f"{root}{link}"}
    message = {"num_failed_shards": failed, "output_file_urls": urls}
    return {"request_status": COMPLETED, "message": message}


_CONTACT = "Tell whoever runs this service."


def _message(job: JobRecord, state: str) -> str:
    if state == CREATED:
        return job.message or "The request was received; its images are listed next."
    if state == CANCELED:
        return "The request has been canceled by its caller."
    if state == RUNNING:
        return _progress(job)
    return f"{job.message} {_CONTACT}" if state == PROBLEM else job.message


def _progress(job: JobRecord) -> str:
    """How many shards are done, in the words that clients read numbers from."""
    rows = [row for row in job.told.modules if str(row.get("module", "")).endswith(f"/{SCORE}")]
    shards, done, failed = (
        sum(int(row.get(name, 0)) for row in rows) for name in ("tasks", "done", "failed")
    )
    check = 1 + int(max(0.0, time.time() - (job.started or job.created)) / _CHECK)
    return (
        f"Check number {check}, {done - failed} out of {shards} shards have completed "
        f"successfully, {failed} shards have failed."
    )


def _failed_shards(job: JobRecord) -> int | None:
    """Shards that gave nothing; None where there is no result."""
    try:
        run = run_at(job.url)
        done = None if run is None else manifest.read(run.store, task_id(COMBINE, JOIN, "all"))
    except PyvegError:
        return None
    return None if done is None else int(done.notes.get("num_failed_shards", 0))


def _link(job: JobRecord, config: ServiceConfig, settings: CameraTrapSettings) -> str:
    """Path of the results: a link of the service that holds for long, the same in every answer."""
    expires = int((job.finished or job.updated) + 86_400 * settings.output_days)
    stamp = f"{expires}.{keys.signature(config.folder, 'files', f'{job.id} {expires}')}"
    return f"/files/{job.id}/{stamp}/{quote(_RESULTS)}"
