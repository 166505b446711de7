"""``<site>_<roi>_roistats.csv``: what is known of each image, as PhenoCam writes it."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import DataError
from pyveg.kernels.camera_series import Images
from pyveg.kernels.greenness import QUANTILES, Colour
from pyveg.kernels.sun import solar_elevation

__all__ = [
    "COLUMNS",
    "MISSING",
    "Camera",
    "ImageRow",
    "RoiStats",
    "read_roistats",
    "write_roistats",
]

MISSING = "NA"
_COLOURS = "rgb"
_BANDS = [
    f"{colour}_{name}"
    for colour in _COLOURS
    for name in ("mean", "std", *(f"{level}_qtl" for level in QUANTILES))
]
COLUMNS = [
    "date",
    "local_std_time",
    "doy",
    "filename",
    "solar_elev",
    "exposure",
    "awbflag",
    "mask_index",
    "gcc",
    "rcc",
    *_BANDS,
    "r_g_correl",
    "g_b_correl",
    "b_r_correl",
]
_NEEDED = ("date", "local_std_time", "filename", "solar_elev", "gcc", "r_mean", "g_mean", "b_mean")
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Camera:
    """Which region of interest of which camera, and where it stands."""

    site: str
    roi: str
    """Kind of vegetation and number, such as DB_0001."""
    latitude: float | None = None
    """Degrees north."""
    longitude: float | None = None
    """Degrees east."""
    elevation: float | None = None
    """Metres."""
    utc_offset: float | None = None
    """Hours that local standard time is ahead of UTC, without daylight saving."""

    @property
    def prefix(self) -> str:
        """What names of its tables begin with."""
        return f"{self.site}_{self.roi}"

    def sun(self, seconds: NDArray[np.int64]) -> NDArray[np.float64]:
        """Elevation of the sun at times in local standard time; NaN where nobody said the place.

        Parameters
        ----------
        seconds : array of int64
            Since 1970, as `Images` has them.
        """
        if self.latitude is None or self.longitude is None or self.utc_offset is None:
            return np.full(len(seconds), np.nan)
        return solar_elevation(seconds - 3600 * self.utc_offset, self.longitude, self.latitude)


@dataclass(frozen=True)
class ImageRow:
    """What one image says."""

    taken: datetime
    """Local standard time."""
    filename: str
    mask_index: int
    """Of the mask in its list, from 1."""
    colours: tuple[Colour, Colour, Colour]
    correlations: tuple[float, float, float]
    """Of red and green, green and blue, blue and red."""


@dataclass(frozen=True, eq=False)
class RoiStats:
    """A table of images, in order of time."""

    camera: Camera
    images: Images
    filenames: Sequence[str]
    header: dict[str, str] = field(default_factory=dict)
    """What its comment says, such as ``Lat``."""


def write_roistats(camera: Camera, rows: Iterable[ImageRow], made: datetime | None = None) -> bytes:
    """Write the table of a region of interest.

    Parameters
    ----------
    camera : Camera
    rows : iterable of ImageRow
        In any order.
    made : datetime, optional
        When it was made; now where left out.

    Returns
    -------
    bytes
        CSV with a comment in front, as PhenoCam's tools read it.
    """
    ordered = sorted(rows, key=lambda row: (row.taken, row.filename))
    seconds = np.array([_seconds(row.taken) for row in ordered], dtype=np.int64)
    sun = camera.sun(seconds)
    lines = [*_comment(camera, made or datetime.now(UTC)), ",".join(COLUMNS)]
    lines += [_line(row, float(sun[place])) for place, row in enumerate(ordered)]
    return ("\n".join(lines) + "\n").encode()


def read_roistats(data: bytes, name: str) -> RoiStats:
    """Read a table of a region of interest.

    Parameters
    ----------
    data : bytes
        The CSV.
    name : str
        Of the file, for messages, and for site and region where its comment does not say them.

    Raises
    ------
    DataError
        If a column is missing, or a value cannot be what it should be.

    Notes
    -----
    Images for which the column ``awbflag`` is 1 have no greenness here: the white balance of the
    camera was automatic, so its colours cannot be compared.
    """
    import pandas as pd  # not for all that only have to do with images: it takes 60 MB

    text = data.decode("utf-8-sig", "replace")
    header = dict(_said(text))
    lines = text.splitlines(keepends=True)
    # By hand: to pandas the rest of a line is a comment too, and names of files may have a "#".
    rows = itertools.dropwhile(lambda line: line.startswith("#"), lines)
    try:
        table = pd.read_csv(
            io.StringIO("".join(rows)),
            usecols=lambda column: column in {*_NEEDED, "awbflag"},
            dtype={"date": str, "local_std_time": str, "filename": str},
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{name} is no table: {error}", "give a _roistats.csv") from error
    for column in _NEEDED:
        if column not in table:
            raise DataError(f"{name} has no column {column}", "give a _roistats.csv of PhenoCam")
    if table.empty:
        raise DataError(f"{name} has no rows", "measure images first")
    try:
        when = pd.to_datetime(
            table["date"] + " " + table["local_std_time"], format="%Y-%m-%d %H:%M:%S"
        )
        numbers = table[["r_mean", "g_mean", "b_mean", "gcc", "solar_elev"]].to_numpy(np.float64)
    except ValueError as error:
        raise DataError(f"{name} holds what is no time or number: {error}", "mend it") from error
    if when.isna().any():
        raise DataError(f"{name} has rows without a time", "mend it")
    if "awbflag" in table:
        numbers[(table["awbflag"] == 1).to_numpy(), 3] = np.nan
    seconds: NDArray[np.int64] = when.to_numpy("datetime64[s]").astype(np.int64)
    order = np.argsort(seconds, kind="stable")
    images = Images(seconds[order], numbers[order, :3], numbers[order, 3], numbers[order, 4])
    filenames = table["filename"].fillna(MISSING).to_numpy()[order].tolist()
    return RoiStats(_camera(header, name), images, filenames, header)


def time_of(seconds: int) -> datetime:
    """Seconds as `Images` has them -> local standard time.

    Examples
    --------
    >>> time_of(86_400)
    datetime.datetime(1970, 1, 2, 0, 0)
    """
    return _EPOCH + timedelta(seconds=int(seconds))


def comment_of(camera: Camera) -> list[str]:
    """What all tables say of a camera in front."""
    kind, _, number = camera.roi.partition("_")
    return [
        f"# Site: {camera.site}",
        f"# Veg Type: {kind}",
        f"# ROI ID Number: {number}",
        f"# Lat: {_or_missing(camera.latitude)}",
        f"# Lon: {_or_missing(camera.longitude)}",
        f"# Elev: {_or_missing(camera.elevation)}",
        f"# UTC Offset: {_or_missing(camera.utc_offset)}",
    ]


def stamps(made: datetime) -> list[str]:
    """When a table was made, as its comment says it."""
    day, clock = f"{made:%Y-%m-%d}", f"{made:%H:%M:%S}"
    parts = (("Creation", day, clock), ("Update", day, clock))
    return [line for what, d, c in parts for line in (f"# {what} Date: {d}", f"# {what} Time: {c}")]


def number(value: float) -> str:
    """As all tables write one."""
    return MISSING if not np.isfinite(value) else f"{value:.5f}"


def csv_line(cells: Iterable[str]) -> str:
    """A row of a table; the name of a file may have a comma.

    Examples
    --------
    >>> csv_line(["2009-06-30", "a, b.jpg"])
    '2009-06-30,"a, b.jpg"'
    """
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(cells)
    return stream.getvalue()


def _seconds(taken: datetime) -> int:
    return int((taken - _EPOCH).total_seconds())


def _comment(camera: Camera, made: datetime) -> list[str]:
    title = f"# ROI color statistics timeseries for {camera.site}"
    more = ["# Resize Flag: False", "# Version: 1"]
    return ["#", title, "#", *comment_of(camera), *more, *stamps(made), "#"]


def _line(row: ImageRow, sun: float) -> str:
    red, green, blue = (colour.mean for colour in row.colours)
    total = red + green + blue
    shares = (green / total, red / total) if total else (np.nan, np.nan)
    cells = [
        f"{row.taken:%Y-%m-%d}",
        f"{row.taken:%H:%M:%S}",
        str(row.taken.timetuple().tm_yday),
        row.filename,
        number(sun),
        MISSING,
        MISSING,
        str(row.mask_index),
        *map(number, shares),
    ]
    for colour in row.colours:
        cells += [number(colour.mean), number(colour.sd)]
        # Digital numbers are whole, and so are their quantiles in these tables.
        cells += [f"{int(np.floor(value + 0.5))}" for value in colour.quantiles]
    return csv_line([*cells, *map(number, row.correlations)])


def _said(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        key, colon, value = line[1:].partition(":")
        if colon:
            yield key.strip(), value.strip()


def _camera(header: dict[str, str], name: str) -> Camera:
    parts = name.rsplit("/", 1)[-1].split("_")
    site = header.get("Site") or parts[0]
    roi = "_".join(parts[1:3])
    if "Veg Type" in header and "ROI ID Number" in header:
        roi = f"{header['Veg Type']}_{header['ROI ID Number']}"
    numbers: dict[str, Any] = {
        key: _float(header.get(said, ""))
        for key, said in (
            ("latitude", "Lat"),
            ("longitude", "Lon"),
            ("elevation", "Elev"),
            ("utc_offset", "UTC Offset"),
        )
    }
    return Camera(site, roi, **numbers)


def _float(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def _or_missing(value: float | None) -> str:
    return MISSING if value is None else f"{value:g}"
