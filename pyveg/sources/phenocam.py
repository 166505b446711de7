"""Field cameras in PhenoCam's layout, and so those of the service: greenness of periods.

``<path>/<YYYY>/<mm>/<site>_<YYYY>_<mm>_<dd>_<HHMMSS>.jpg`` are images, and
``<path>/ROI/<site>_<roi>_roi.csv`` lists the masks. Where ``<path>/ROI/<site>_<roi>_roistats.csv``
is there, its rows are taken and no image is looked at.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pyveg.cameras.kept import Kept, Tables
from pyveg.cameras.masks import read_masks
from pyveg.cameras.measuring import Found, NotMeasured, measured
from pyveg.cameras.names import named
from pyveg.cameras.roistats import (
    Camera,
    ImageRow,
    RoiStats,
    read_roistats,
    write_roistats,
)
from pyveg.cameras.table_parts import FAILURES, ROISTATS, Dated
from pyveg.core import params
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.params import setting
from pyveg.core.reading import read_whole
from pyveg.core.tasks import digest
from pyveg.core.texts import said
from pyveg.core.types import Item
from pyveg.earth import periods
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.formats import Raster
from pyveg.kernels.camera_series import selected
from pyveg.photos import ENDINGS

VERSION = 2
BANDS = (
    *("gcc_mean", "gcc_std", "gcc_50", "gcc_75", "gcc_90", "rcc_90"),
    *("r_mean", "g_mean", "b_mean", "camera_images"),
)
"""What it has of each period; NaN, and 0 images, where none counts."""
_SIDE = 1e-4
"""Of the one pixel that a region of interest is, degrees."""
_LIST = "_roi.csv"


@dataclass(frozen=True, kw_only=True)
class PhenoCamSettings:
    """Settings of `PhenoCamSource`."""

    path: str = setting(doc="folder of the camera, in PhenoCam's layout")
    site: str = setting("", doc="name of the camera; that of the folder where empty")
    roi: str = setting("", doc="region of interest, such as DB_0001; needed where there are many")
    utc_offset: float | None = setting(
        None,
        doc="hours of local standard time ahead of UTC; without it none is left out for a low sun",
        low=-14,
        high=14,
    )
    elevation: float | None = setting(
        None, doc="of the camera, metres above the sea; tables say it", low=-500, high=9_000
    )
    keep: str = setting(
        "",
        doc="folder where what was measured of each period is kept for later runs; none if empty",
        results=False,
    )


class PhenoCamSource:
    """Greenness of a field camera by the rules of PhenoCam.

    Periods are those of local standard time.

    Parameters
    ----------
    settings : PhenoCamSettings

    Raises
    ------
    ConfigError
        If there is no such folder, or no region of interest, or it has to be named.
    """

    Settings: ClassVar[type] = PhenoCamSettings
    by_period: ClassVar[bool] = True
    must_agree: ClassVar[tuple[str, ...]] = ()
    ignores: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: PhenoCamSettings) -> None:
        self.settings = settings
        self._folder = Path(settings.path).expanduser().absolute()
        if not self._folder.is_dir():
            raise ConfigError(f"there is no folder {self._folder}", "give that of the camera")
        self._site = settings.site or self._folder.name

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """Whole periods of the date range."""
        del place
        _ = self._roi
        return periods.items(dates, collection.time_per_point)

    def fingerprint(self, request: Request) -> str:
        """The table, or the images of the period and the masks."""
        own = params.to_json(self.settings, results_only=True)
        if self._table.is_file():
            rows = self._rows(period_of(request.item)) or b""
            return digest([VERSION, own, hashlib.sha256(rows).hexdigest()])
        files = [one.path for one in self._images(period_of(request.item))]
        files += sorted((self._folder / "ROI").iterdir())
        # Images are many, and are written once: their dates tell enough.
        stamps = [(one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in files]
        return digest([VERSION, own, stamps])

    def fetch(self, request: Request) -> Scene:
        """Greenness of one period.

        Raises
        ------
        SkipItem
            If there is no image of it.
        ConfigError
            For a band that there is not.
        DataError
            If the table, or each image of it, cannot be read.
        """
        unknown = [
            b for name, b in request.bands.items() if not (b in BANDS or name in request.optional)
        ]
        if unknown:
            raise ConfigError(
                f'collection "{request.collection.key}": a camera has no band "{unknown[0]}"',
                f"it has {', '.join(BANDS)}",
            )
        period = period_of(request.item)
        table, failed = self._known(request, period)
        if table is None:
            raise SkipItem("there is no image of it")
        stats = read_roistats(table, self._table.name)
        values = _figures(stats, request.place, self.settings.utc_offset)
        place = request.place
        rasters = {
            name: _raster(values[band], place.longitude, place.latitude)
            for name, band in request.bands.items()
            if band in BANDS
        }
        record = {
            "source": "phenocam",
            "site": self._site,
            "roi": self._roi,
            "images": int(values["camera_images"]),
            "not_measured": [f"{one.filename}: {one.reason}" for one in failed],
            "period": [str(period.start), str(period.end)],
        }
        tables = {ROISTATS: table, **({FAILURES: _failures(failed)} if failed else {})}
        return Scene(rasters, record, tables)

    @cached_property
    def _roi(self) -> str:
        """The region of interest: the one that is named, or the only one."""
        home, begin = self._folder / "ROI", f"{self._site}_"
        names = sorted(p.name for p in home.glob(f"{begin}*")) if home.is_dir() else []
        ends = (_LIST, "_roistats.csv")
        found = sorted(
            {n[len(begin) :].removesuffix(end) for n in names for end in ends if n.endswith(end)}
        )
        if self.settings.roi in found:
            return self.settings.roi
        if len(found) != 1 or self.settings.roi:
            there = f"has the regions {', '.join(found)}" if found else f"has no {begin}...{_LIST}"
            wanted = f", and not {self.settings.roi}" if self.settings.roi else ""
            raise ConfigError(f"{home} {there}{wanted}", "name a region of interest as roi")
        return found[0]

    @property
    def _table(self) -> Path:
        return self._folder / "ROI" / f"{self._site}_{self._roi}_roistats.csv"

    def _rows(self, period: DateRange) -> bytes | None:
        """What the table says of a period; None where it has no row of it."""
        try:
            there = self._table.stat()
        except OSError as error:
            raise _unread(self._table, error) from error
        table = _dated(self._table, (there.st_ino, there.st_size, there.st_mtime_ns))
        return table.between(period.start, period.end)

    def _known(self, request: Request, period: DateRange) -> tuple[bytes | None, list[NotMeasured]]:
        """The table of a period and what failed, as an earlier run kept it if nothing changed."""
        if not self.settings.keep or self._table.is_file():
            return self._measured(period, request.place)
        place = request.place
        name = f"{period.start}_{period.end}"
        now = digest([self.fingerprint(request), self._site, place.latitude, place.longitude])
        tables = Tables(Path(self.settings.keep).expanduser() / self._roi)
        found = tables.find(name, now)
        if found is not None:
            return found.table, found.failed
        table, failed = self._measured(period, place)
        if table is not None:
            tables.keep(name, now, Kept(table, failed))
        return table, failed

    def _measured(self, period: DateRange, place: Place) -> tuple[bytes | None, list[NotMeasured]]:
        """A table of the images of a period, and those that cannot be measured."""
        if self._table.is_file():
            return self._rows(period), []
        masks = read_masks(self._folder / "ROI" / f"{self._site}_{self._roi}{_LIST}")
        rows: list[ImageRow] = []
        failed: list[NotMeasured] = []
        for one in measured(self._images(period), masks):
            if isinstance(one, ImageRow):
                rows.append(one)
            else:
                failed.append(one)
        if not rows and failed:
            raise DataError(f"none of {len(failed)} images can be measured: {failed[0].reason}")
        if not rows:
            return None, failed
        return write_roistats(self._camera(place), rows), failed

    def _camera(self, place: Place) -> Camera:
        own = self.settings
        where = place.latitude, place.longitude, own.elevation
        return Camera(self._site, self._roi, *where, own.utc_offset)

    def _images(self, period: DateRange) -> list[Found]:
        """The images of a period; folders are those of months."""
        found = []
        length = (period.end - period.start).days
        days = [period.start + timedelta(days=number) for number in range(length)]
        begins = {f"{self._site}_{day.isoformat().replace('-', '_')}" for day in days}
        width = len(self._site) + len("_2009_06_30")
        for year, month in sorted({(day.year, day.month) for day in days}):
            home = self._folder / f"{year:04d}" / f"{month:02d}"
            # By their names first, as a month may have thousands of which a day has few.
            names = sorted(n for n in _names_in(home) if n[:width] in begins)
            for name in names:
                one = named(name)
                if one is not None and name.lower().endswith(ENDINGS):
                    found.append(Found(home / name, one.taken))
        return found


def _names_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


@lru_cache(maxsize=2)
def _dated(path: Path, stamp: tuple[int, ...]) -> Dated:
    """A table as it is at a time; kept, as a run asks for one period after the other."""
    del stamp
    try:
        return Dated(read_whole(path), path.name)
    except OSError as error:
        raise _unread(path, error) from error


def _unread(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {said(error)}")


def _figures(stats: RoiStats, place: Place, utc_offset: float | None) -> dict[str, float]:
    """Of the images that count; NaN where none does."""
    images = stats.images
    sun = images.sun
    if np.isnan(sun).all():
        there = Camera("", "", place.latitude, place.longitude, None, utc_offset)
        sun = there.sun(images.seconds) if utc_offset is not None else np.full(len(sun), 90.0)
    rows = selected(images._replace(sun=sun))
    if not rows.any():
        return {**dict.fromkeys(BANDS, float("nan")), "camera_images": 0.0}
    gcc, colours = images.gcc[rows], images.colours[rows]
    red: NDArray[np.float64] = colours[:, 0] / colours.sum(axis=1)
    levels = np.percentile(gcc, (50, 75, 90))
    means = colours.mean(axis=0)
    return {
        "gcc_mean": float(gcc.mean()),
        "gcc_std": float(gcc.std()),
        "gcc_50": float(levels[0]),
        "gcc_75": float(levels[1]),
        "gcc_90": float(levels[2]),
        "rcc_90": float(np.percentile(red, 90)),
        "r_mean": float(means[0]),
        "g_mean": float(means[1]),
        "b_mean": float(means[2]),
        "camera_images": float(rows.sum()),
    }


def _failures(failed: Sequence[NotMeasured]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([NotMeasured._fields, *failed])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _raster(value: float, longitude: float, latitude: float) -> Raster:
    """One pixel at the camera."""
    transform = (_SIDE, 0.0, longitude - _SIDE / 2, 0.0, -_SIDE, latitude + _SIDE / 2)
    return Raster(np.full((1, 1), value, np.float32), "EPSG:4326", transform, nodata=float("nan"))
