"""What a job may read and nobody else: signatures that a caller gave, kept while it goes on.

They are in a file of the job's folder that this user alone can read, in the form that
`pyveg.sources.input_sas` wants, and reach the process of the job by its environment. In the table,
in logs, in the run and in replies are addresses without them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

_FILE = "access"
_OLD = 600.0
"""Seconds after which those of a job that is in no table are nobody's."""


def keep(folder: Path, text: str) -> None:
    """Put signatures into the folder of a job.

    Parameters
    ----------
    folder : Path
        Of the job; made where it is not there.
    text : str
        Addresses with their signatures, divided by spaces.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / _FILE
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)


def kept(folder: Path) -> str:
    """The signatures of a job; empty where it has none."""
    try:
        return (folder / _FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def forget(folder: Path) -> None:
    """Remove them: the job is over."""
    (folder / _FILE).unlink(missing_ok=True)


def sweep(jobs: Path, active: Collection[str]) -> None:
    """Remove those of jobs that are over, or were never taken in as a server was killed.

    Parameters
    ----------
    jobs : Path
        The folder that folders of jobs are in.
    active : collection of str
        Ids of jobs that may need theirs.
    """
    for path in jobs.glob(f"*/{_FILE}"):
        with suppress(FileNotFoundError):
            if path.parent.name not in active and time.time() - path.stat().st_mtime > _OLD:
                path.unlink()
