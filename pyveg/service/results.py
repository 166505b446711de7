"""What a job has made, as links that expire; whoever has a link needs no token."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from pyveg.core.errors import KeyMissingError, StoreError
from pyveg.core.layout import LEDGER
from pyveg.runs import outputs
from pyveg.runs.run import Run
from pyveg.service import keys
from pyveg.service.records import JobRecord, moment
from pyveg.service.refusals import NOT_READY, Refusal
from pyveg.service.telling import run_at, store_at
from pyveg.storage.keys import check_key

_STAMP = re.compile(r"(\d{1,12})\.([0-9a-f]{64})")
_TITLES = {
    "summary": "Results of all dates and collections",
    "series": "The same as a table",
    "picture": "The series, drawn",
    "report": "The analysis, with its verdict",
    "items": "How each input ended",
    "roistats": "Each image of the camera, as PhenoCam writes it",
    "1day": "Greenness of each day",
    "3day": "Greenness of each three days",
}
_OF_CAMERA = re.compile(r"[^/]+/[A-Za-z0-9-]+_[A-Za-z]{2}_\d{4}_(roistats|1day|3day)\.csv")


@dataclass(frozen=True)
class ResultLink:
    """A file that a job has made."""

    name: str
    title: str
    href: str
    """Path below the root of the service, with the right to read it."""
    type: str
    """Media type."""
    length: int
    """Bytes."""
    expires: str
    """ISO 8601."""

    def to_json(self) -> dict[str, Any]:
        """As OGC API - Processes has a result by reference."""
        return dict(vars(self))


@dataclass(frozen=True)
class OpenedFile:
    """A file of a run, to be sent."""

    key: str
    type: str
    length: int
    url: str
    """Of the run."""

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """Its bytes."""
        with store_at(self.url).open_read(self.key) as stream:
            yield stream


def links(job: JobRecord, data: Path, minutes: float) -> dict[str, ResultLink]:
    """The results of a job by name.

    Raises
    ------
    Refusal
        404 where there is none, or not yet.
    """
    run = run_at(job.url)
    if run is None or not job.state.over:
        raise Refusal(
            404,
            f"the job {job.id} is {job.state} and has no results",
            "wait until it is successful" if not job.state.over else "look at its message",
            kind=NOT_READY,
        )
    expires = int(time.time() + 60 * minutes)
    stamp = f"{expires}.{keys.signature(data, 'files', f'{job.id} {expires}')}"
    known = {run.summary_key: "summary", run.figure_key: "picture", LEDGER: "items"}
    found: dict[str, ResultLink] = {}
    for one in _outputs(run):
        name = _name(known.get(one.key, ""), one.key, found)
        href = f"/files/{job.id}/{stamp}/{quote(one.key)}"
        title = _TITLES.get(name, one.name)
        found[name] = ResultLink(name, title, href, one.type, one.length, moment(expires) or "")
    return found


def open_file(job: JobRecord | None, data: Path, job_id: str, stamp: str, key: str) -> OpenedFile:
    """A file that a link leads to.

    Parameters
    ----------
    job : JobRecord or None
        None where there is none of that id.
    data : Path
        The folder of the service.
    job_id, stamp, key : str
        The parts of the link.

    Raises
    ------
    Refusal
        403 where the link has expired or was not made here; 404 where there is no such file.
    """
    found = _STAMP.fullmatch(stamp)
    signed = found is not None and keys.is_signed(data, "files", f"{job_id} {found[1]}", found[2])
    if found is None or not signed:
        raise Refusal(403, "this link was not made by this service", "ask for the results again")
    if int(found[1]) < time.time():
        raise Refusal(403, "this link has expired", f"ask for another at /jobs/{job_id}/results")
    missing = Refusal(404, f"the job has no file {key[:200]}", "list them at its results")
    try:
        private = outputs.is_private(check_key(key))
        size = None if job is None or private else store_at(job.url).size(key)
    except (KeyMissingError, StoreError) as error:
        if isinstance(error, KeyMissingError) or "cannot be a key" in error.wrong:
            raise missing from None
        raise
    if size is None or job is None:
        raise missing
    return OpenedFile(key, outputs.media_type(key), size, job.url)


def _outputs(run: Run) -> list[outputs.Output]:
    found = outputs.outputs_of(run, [outputs.ANALYSES])
    if [one for one in found if one.key != LEDGER]:
        return found
    store = run.store
    more = [outputs.Output(key, store.size(key) or 0) for key in outputs.files_of(run)]
    return [*found, *(one for one in more if one.key != LEDGER)]


def _name(name: str, key: str, taken: Collection[str]) -> str:
    """The name of a result: a word for what most ask for, else its key."""
    if not name and key.endswith("/series.csv") and "/" not in key.removesuffix("/series.csv"):
        name = "series"
    camera = _OF_CAMERA.fullmatch(key)
    if not name and camera:
        name = camera[1]
    if not name and key.rpartition("/")[2] == outputs.REPORT:
        name = "report"
    return name if name and name not in taken else key
