"""What is removed of jobs that ended, and when."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from pyveg.service.config import ServiceConfig
from pyveg.service.jobs_table import Jobs
from pyveg.service.records import JobRecord
from pyveg.service.telling import store_at
from pyveg.storage.removal import remove_all


def expired(jobs: Jobs, config: ServiceConfig) -> Iterator[JobRecord]:
    """Jobs whose runs have been kept for long enough."""
    for process in sorted({process for process, _ in jobs.counts()}):
        special = config.of(process).keep_days
        days = config.keep_days if special is None else special
        if days is not None:
            yield from jobs.ended_before(process, time.time() - 86400 * days)


def remove(job: JobRecord, config: ServiceConfig) -> None:
    """Remove the run of a job, and the notes about it.

    Raises
    ------
    StoreError, OSError
        If something of it cannot be removed; the rest is, and it can be tried again.
    """
    if "://" not in job.url:
        folder = Path(job.url)
        if folder.is_dir():
            shutil.rmtree(folder)
    else:
        remove_all(store_at(job.url))
    shutil.rmtree(config.job_folder(job.id), ignore_errors=True)
