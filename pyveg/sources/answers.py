"""Whole answers of services, stored so that nothing is asked for twice.

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
from pyveg.core.values import read_json
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.sources.file_cache import FileCache

FORMAT = 1
SETTLED_AFTER = 30
"""Days after the end of a period, from which no more scenes of it are expected (our choice; most
arrive within three days)."""
DAY = 86_400.0
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, KeyError, TypeError)
"""What reading a file may end with that is not as it was written."""


def request_digest(request: Request, fingerprint: str) -> str:
    """Digest of all that an answer depends on; `fingerprint` is what the Source says of itself."""
    collection, place = request.collection, request.place
    plain = {
        **params.plain(asdict(request)),
        "collection": [collection.source, collection.data_type],
        # The square that Sources fetch, whatever of it is looked at.
        "place": [float(place.longitude), float(place.latitude), float(place.region_size)],
        "item": [str(period_of(request.item).start), str(period_of(request.item).end)],
        "scale": float(request.scale),
        "cloudy_pix_frac": float(request.cloudy_pix_frac),
    }
    if request.index == Request.index:  # as before there was a choice: what is kept stays right
        del plain["index"]
    return digest([FORMAT, plain, fingerprint])


class Answers:
    """What was answered, by request.

    Parameters
    ----------
    folder : str
        As for `FileCache`.
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, folder: str = "", clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._files = FileCache(folder, "answers")

    def fetch(self, request: Request, fingerprint: str, ask: Callable[[], Scene]) -> Scene:
        """The answer to a request, stored or new.

        Raises
        ------
        SkipItem
            If there is no image, as `ask` said now or before.
        """
        if self._files.folder is None:
            return ask()
        name = f"{request_digest(request, fingerprint)}.zip"
        stored = self._stored(name, period_of(request.item).end)
        if stored is not None:
            return _scene_or_skip(stored)
        try:
            answer: Scene | str = _encoded(ask())
        except SkipItem as skipped:
            answer = str(skipped)  # stored like a scene, or each run would ask for it again
        self._files.write(name, self._packed(answer))
        return _scene_or_skip(answer)

    def has(self, request: Request, fingerprint: str) -> bool:
        """Whether an answer is stored that `fetch` would take; its rasters are not looked at."""
        if self._files.empty:
            return False
        path = self._files.path(f"{request_digest(request, fingerprint)}.zip")
        if path is None:
            return False
        try:
            with zipfile.ZipFile(path) as file:
                head = read_json(file.read("answer.json"))
                return self._settled(head["asked"], period_of(request.item).end)
        except (*_DAMAGED, OSError):
            return False

    def _stored(self, name: str, end: date) -> Scene | str | None:
        """A scene, or why there is none; None where nothing is stored that can be relied on."""
        data = self._files.read(name)
        if data is None:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as file:
                head = read_json(file.read("answer.json"))
                if not self._settled(head["asked"], end):
                    return None
                if head["empty"] is not None:
                    return str(head["empty"])
                files = {name: file.read(f"{n}.tif") for n, name in enumerate(head["rasters"])}
                rasters = {name: _decoded(tif) for name, tif in files.items()}
                return Scene(rasters, head["record"])
        except _DAMAGED:
            return None  # damaged, and not by us, who write files whole: asked again

    def _settled(self, asked: float, end: date) -> bool:
        last = datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()
        return asked >= last + SETTLED_AFTER * DAY or self._clock() - asked < DAY

    def _packed(self, answer: Scene | str) -> bytes:
        data = io.BytesIO()
        head: dict[str, Any] = {"asked": self._clock(), "empty": None}
        with zipfile.ZipFile(data, "w") as file:  # not compressed: GeoTIFFs already are
            if isinstance(answer, str):
                head["empty"] = answer
            else:
                # By number: the name of a raster need not be one that a file can have.
                head |= {"rasters": list(answer.rasters), "record": dict(answer.record)}
                for number, raster in enumerate(answer.rasters.values()):
                    file.writestr(f"{number}.tif", formats.encode_geotiff(raster))
            file.writestr("answer.json", json.dumps(head))
        return data.getvalue()


def _encoded(scene: Scene) -> Scene:
    """A scene with its GeoTIFFs, which whoever writes its rasters then need not encode again."""
    rasters = {
        name: formats.with_encoding(raster, formats.encode_geotiff(raster))
        for name, raster in scene.rasters.items()
    }
    return Scene(rasters, scene.record)


def _decoded(data: bytes) -> formats.Raster:
    return formats.with_encoding(formats.decode_geotiff(data), data)


def _scene_or_skip(answer: Scene | str) -> Scene:
    if isinstance(answer, str):
        raise SkipItem(answer)
    return answer
