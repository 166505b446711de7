"""Animals, people and whatever else a detector saw in a camera's images, counted by period."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import ClassVar

import numpy as np

from pyveg.cameras.detections import Detections, Looked, read_detections
from pyveg.core import params
from pyveg.core.errors import ConfigError, SkipItem
from pyveg.core.params import setting
from pyveg.core.tasks import digest
from pyveg.core.types import Item
from pyveg.earth import periods
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.formats import Raster

VERSION = 1
LOOKED_AT = "images"
"""The band of how many images were looked at."""
SEEN, WITH = "seen:", "with:"
"""What bands of a category begin with: how many were seen, and in how many images."""
_SIDE = 1e-4
"""Of the one pixel that it has, degrees."""


@dataclass(frozen=True, kw_only=True)
class CameraTrapSettings:
    """Settings of `CameraTrapSource`."""

    path: str = setting(doc="results in MegaDetector's format, such as detections.json of a run")
    images: str = setting(
        "", doc="folder of the images, whose Exif is read where their names have no time"
    )
    threshold: float = setting(
        0.2, doc="least confidence of a detection that is counted", low=0.0, high=1.0
    )


class CameraTrapSource:
    """Counts of what a detector saw, by the clock of the camera.

    Parameters
    ----------
    settings : CameraTrapSettings

    Raises
    ------
    ConfigError
        If there is no such file.
    """

    Settings: ClassVar[type] = CameraTrapSettings
    by_period: ClassVar[bool] = True
    must_agree: ClassVar[tuple[str, ...]] = ()
    ignores: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: CameraTrapSettings) -> None:
        self.settings = settings
        self._path = Path(settings.path).expanduser().absolute()
        if not self._path.is_file():
            raise ConfigError(f"there is no file {self._path}", "score the images first")
        folder = settings.images
        self._images = Path(folder).expanduser().absolute() if folder else None

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """Whole periods of the date range."""
        del place
        _ = self._detections
        return periods.items(dates, collection.time_per_point)

    def fingerprint(self, request: Request) -> str:
        """What was seen in the period: images of other periods change nothing."""
        own = params.to_json(self.settings, results_only=True)
        seen = [[str(one.taken), one.counts] for one in self._of(period_of(request.item))]
        return digest([VERSION, own["threshold"], self._detections.categories, seen])

    def fetch(self, request: Request) -> Scene:
        """Counts of one period.

        Raises
        ------
        SkipItem
            If no image of it was looked at: that nothing was seen is a zero, and no gap.
        ConfigError
            For a category that the detector does not know.
        """
        for name, band in request.bands.items():
            self._check(band, optional=name in request.optional)
        found = self._of(period_of(request.item))
        if not found:
            raise SkipItem("no image of it was looked at")
        counts = _counted(found)
        rasters = {
            name: _raster(counts[band], request.place) for name, band in request.bands.items()
        }
        data = self._detections
        record = {
            "source": "camera_traps",
            "detector": data.detector,
            "images": len(found),
            "images_without_time": data.timeless,
            "images_that_failed": data.failed,
        }
        return Scene(rasters, record)

    def _check(self, band: str, *, optional: bool) -> None:
        category = band.partition(":")[2]
        known = self._detections.categories
        if band == LOOKED_AT or optional or (band.startswith((SEEN, WITH)) and category in known):
            return
        raise ConfigError(
            f'{self._path}: its detector knows no "{category or band}"',
            f"set categories to some of: {', '.join(known) or 'none'}",
        )

    @property
    def _detections(self) -> Detections:
        return read_detections(self._path, self._images, self.settings.threshold)

    def _of(self, period: DateRange) -> Sequence[Looked]:
        """The images of a period."""
        images, taken = self._detections.images, attrgetter("taken")
        first, last = (
            bisect_left(images, datetime(day.year, day.month, day.day), key=taken)
            for day in (period.start, period.end)
        )
        return images[first:last]


def _counted(images: Sequence[Looked]) -> Counter[str]:
    """Band -> its value; a category that was not seen is 0."""
    found: Counter[str] = Counter({LOOKED_AT: len(images)})
    for one in images:
        for category, count in one.counts:
            found[f"{SEEN}{category}"] += count
            found[f"{WITH}{category}"] += 1
    return found


def _raster(value: float, place: Place) -> Raster:
    """One pixel at the camera."""
    left, top = place.longitude - _SIDE / 2, place.latitude + _SIDE / 2
    transform = (_SIDE, 0.0, left, 0.0, -_SIDE, top)
    return Raster(np.full((1, 1), value, np.float32), "EPSG:4326", transform, nodata=float("nan"))
