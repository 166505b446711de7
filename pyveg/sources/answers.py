"""Answers of services, kept in a folder, so that nothing is asked for twice.

One file per request, named by the digest of all that the answer depends on. A file appears whole
or not at all. That a period has no image is an answer too. What is not settled yet, because scenes
of the last weeks still arrive, is asked again after a day.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pyveg.core import params
from pyveg.core.errors import SkipItem
from pyveg.core.ports import Request, Scene
from pyveg.core.tasks import digest

log = logging.getLogger(__name__)

NONE = "none"
"""The setting of somebody who wants nothing kept."""
FORMAT = 1
SETTLED_AFTER = 30
"""Days after the end of a period, from which no more scenes of it are expected (our choice; most
arrive within three days)."""
DAY = 86_400.0


def default_folder() -> Path:
    """Where answers are kept: below ``PYVEG_CACHE``, or where the system has such things."""
    given = os.environ.get("PYVEG_CACHE")
    if given:
        return Path(given) / "answers"
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    else:
        base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pyveg" / "answers"


def request_digest(request: Request, fingerprint: str) -> str:
    """Digest of all that an answer depends on; `fingerprint` is what the Source says of itself."""
    collection = request.collection
    plain = {
        **params.plain(asdict(request)),
        "collection": [collection.source, collection.data_type],
        "place": [float(value) for value in asdict(request.place).values()],
        "item": [str(request.item.period.start), str(request.item.period.end)],
        "scale": float(request.scale),
        "cloudy_pix_frac": float(request.cloudy_pix_frac),
    }
    return digest([FORMAT, plain, fingerprint])


class Answers:
    """A folder of answers.

    Parameters
    ----------
    folder : str
        ``"none"`` keeps nothing; empty stands for `default_folder`.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, folder: str = "", clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.folder: Path | None = None
        if folder != NONE:
            self.folder = Path(folder).expanduser() if folder else default_folder()

    def fetch(self, request: Request, fingerprint: str, ask: Callable[[], Scene]) -> Scene:
        """The answer to a request, kept or new.

        Raises
        ------
        SkipItem
            If there is no image, as `ask` said now or before.
        """
        if self.folder is None:
            return ask()
        name = request_digest(request, fingerprint)
        path = self.folder / name[:2] / f"{name}.zip"
        kept = self._read(path, request.item.period.end)
        if kept is not None:
            return _told(kept)
        try:
            scene: Scene | str = ask()
        except SkipItem as skipped:
            scene = str(skipped)
        try:
            self._write(path, scene)
        except OSError as error:  # the answer is good all the same
            log.warning("%s cannot be written, and answers are not kept: %s", path.parent, error)
        return _told(scene)

    def _read(self, path: Path, end: date) -> Scene | str | None:
        """What is kept; None where nothing is, or nothing that can be relied on."""
        try:
            with zipfile.ZipFile(path) as file:
                head = json.loads(file.read("answer.json"))
                if not self._settled(head["asked"], end):
                    return None
                if head["empty"] is not None:
                    return str(head["empty"])
                rasters = {name: file.read(f"{n}.tif") for n, name in enumerate(head["rasters"])}
                return Scene(rasters, head["record"])
        except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError):
            return None  # missing, or damaged by something that is not ours: asked again

    def _settled(self, asked: float, end: date) -> bool:
        last = datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()
        return asked >= last + SETTLED_AFTER * DAY or self._clock() - asked < DAY

    def _write(self, path: Path, scene: Scene | str) -> None:
        data = io.BytesIO()
        head: dict[str, Any] = {"asked": self._clock(), "empty": None}
        with zipfile.ZipFile(data, "w") as file:  # not compressed: GeoTIFFs are
            if isinstance(scene, str):
                head["empty"] = scene
            else:
                head |= {"rasters": list(scene.rasters), "record": dict(scene.record)}
                for number, raster in enumerate(scene.rasters.values()):
                    file.writestr(f"{number}.tif", raster)
            file.writestr("answer.json", json.dumps(head))
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, data.getvalue())


def _told(answer: Scene | str) -> Scene:
    if isinstance(answer, str):
        raise SkipItem(answer)
    return answer


def _write_whole(path: Path, data: bytes) -> None:
    """By another name first, so that nobody ever reads half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
