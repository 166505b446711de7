"""Whole answers of services, kept so that nothing is asked for twice.

One file per request, named by the digest of all that the answer depends on. That a period has no
image is an answer too. What is not settled yet, because scenes of the last weeks still arrive, is
asked again after a day.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from pyveg import formats
from pyveg.core import params
from pyveg.core.errors import SkipItem
from pyveg.core.tasks import digest
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.sources.kept import KeptFiles

FORMAT = 1
SETTLED_AFTER = 30
"""Days after the end of a period, from which no more scenes of it are expected (our choice; most
arrive within three days)."""
DAY = 86_400.0
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, KeyError, TypeError)
"""What reading a file may end with that is not as it was written."""


def request_digest(request: Request, fingerprint: str) -> str:
    """Digest of all that an answer depends on; `fingerprint` is what the Source says of itself."""
    collection = request.collection
    plain = {
        **params.plain(asdict(request)),
        "collection": [collection.source, collection.data_type],
        "place": [float(value) for value in asdict(request.place).values()],
        "item": [str(period_of(request.item).start), str(period_of(request.item).end)],
        "scale": float(request.scale),
        "cloudy_pix_frac": float(request.cloudy_pix_frac),
    }
    return digest([FORMAT, plain, fingerprint])


class Answers:
    """What was answered, by request.

    Parameters
    ----------
    folder : str
        As for `KeptFiles`.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, folder: str = "", clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._files = KeptFiles(folder, "answers")

    def fetch(self, request: Request, fingerprint: str, ask: Callable[[], Scene]) -> Scene:
        """The answer to a request, kept or new.

        Raises
        ------
        SkipItem
            If there is no image, as `ask` said now or before.
        """
        if self._files.folder is None:
            return ask()
        name = f"{request_digest(request, fingerprint)}.zip"
        kept = self._kept(name, period_of(request.item).end)
        if kept is not None:
            return _told(kept)
        try:
            scene: Scene | str = _encoded(ask())
        except SkipItem as skipped:
            scene = str(skipped)
        self._files.write(name, self._packed(scene))
        return _told(scene)

    def _kept(self, name: str, end: date) -> Scene | str | None:
        """What is kept; None where nothing is, or nothing that can be relied on."""
        data = self._files.read(name)
        if data is None:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as file:
                head = json.loads(file.read("answer.json"))
                if not self._settled(head["asked"], end):
                    return None
                if head["empty"] is not None:
                    return str(head["empty"])
                files = {name: file.read(f"{n}.tif") for n, name in enumerate(head["rasters"])}
                rasters = {name: _decoded(tif) for name, tif in files.items()}
                return Scene(rasters, head["record"])
        except _DAMAGED:
            return None  # damaged by something that is not ours: asked again

    def _settled(self, asked: float, end: date) -> bool:
        last = datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()
        return asked >= last + SETTLED_AFTER * DAY or self._clock() - asked < DAY

    def _packed(self, scene: Scene | str) -> bytes:
        data = io.BytesIO()
        head: dict[str, Any] = {"asked": self._clock(), "empty": None}
        with zipfile.ZipFile(data, "w") as file:  # not compressed: GeoTIFFs are
            if isinstance(scene, str):
                head["empty"] = scene
            else:
                head |= {"rasters": list(scene.rasters), "record": dict(scene.record)}
                for number, raster in enumerate(scene.rasters.values()):
                    file.writestr(f"{number}.tif", formats.encode_geotiff(raster))
            file.writestr("answer.json", json.dumps(head))
        return data.getvalue()


def _encoded(scene: Scene) -> Scene:
    """With the files that are kept of it, so that who writes its rasters has them ready."""
    rasters = {
        name: formats.with_encoding(raster, formats.encode_geotiff(raster))
        for name, raster in scene.rasters.items()
    }
    return Scene(rasters, scene.record)


def _decoded(data: bytes) -> formats.Raster:
    return formats.with_encoding(formats.decode_geotiff(data), data)


def _told(answer: Scene | str) -> Scene:
    if isinstance(answer, str):
        raise SkipItem(answer)
    return answer
