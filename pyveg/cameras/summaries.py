"""``<site>_<roi>_1day.csv`` and ``_3day.csv``: greenness of periods, as PhenoCam writes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from pyveg.cameras.roistats import MISSING, Camera, RoiStats, comment_of, csv_line, number, stamps
from pyveg.core.errors import DataError
from pyveg.kernels.camera_series import (
    BRIGHTNESS,
    LOWEST_SUN,
    PERCENTILES,
    Images,
    Summary,
    selected,
    summarise,
)

__all__ = ["COLUMNS", "DAYS", "summary_of", "write_summary"]

DAYS = (1, 3)
"""Lengths of periods."""
_FIGURES = ("mean", "std", *(str(level) for level in PERCENTILES))
COLUMNS = [
    "date",
    "year",
    "doy",
    "image_count",
    "midday_filename",
    "midday_r",
    "midday_g",
    "midday_b",
    "midday_gcc",
    "midday_rcc",
    "r_mean",
    "r_std",
    "g_mean",
    "g_std",
    "b_mean",
    "b_std",
]
COLUMNS += [f"{share}_{figure}" for share in ("gcc", "rcc") for figure in _FIGURES]
COLUMNS += ["max_solar_elev", "snow_flag"]
COLUMNS += [f"outlierflag_gcc_{name}" for name in ("mean", "50", "75", "90")]
_EPOCH = date(1970, 1, 1)
_FLAGS = [MISSING] * 5
_NO_FILE = "None"
"""What PhenoCam's tools write for the midday image of a period that has none."""


def summary_of(stats: RoiStats, days: int) -> tuple[Summary, RoiStats]:
    """Sum a table up, from the first image that counts to the last one.

    Parameters
    ----------
    stats : RoiStats
    days : {1, 3}

    Returns
    -------
    Summary
    RoiStats
        The rows that it has, which `Summary.midday` leads into.

    Raises
    ------
    DataError
        If no image counts.

    Notes
    -----
    Where nobody knows where the sun stood, that rule leaves nothing out.
    """
    images = stats.images
    if np.isnan(images.sun).all():
        images = images._replace(sun=np.full(len(images.sun), 90.0))
    rows = np.flatnonzero(selected(images))
    if not len(rows):
        raise DataError(
            f"no image of {stats.camera.prefix} counts: all are dark, white, of a low sun, or of a "
            "camera that balanced white by itself",
            f"the sum of the mean red, green and blue must be {BRIGHTNESS[0]:g} to "
            f"{BRIGHTNESS[1]:g}, the sun {LOWEST_SUN:g} degrees high, and awbflag 0",
        )
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    kept = Images(images.seconds[part], images.colours[part], images.gcc[part], images.sun[part])
    found = summarise(kept, days)
    if np.isnan(stats.images.sun).all():
        found = found._replace(sun=np.full(len(found.sun), np.nan))
    return found, RoiStats(stats.camera, kept, stats.filenames[part], stats.header)


def write_summary(stats: RoiStats, days: int, made: datetime | None = None) -> bytes:
    """Write the table of periods.

    Parameters
    ----------
    stats : RoiStats
        The images.
    days : {1, 3}
        Length of a period.
    made : datetime, optional
        When it was made; now where left out.

    Returns
    -------
    bytes
        CSV with a comment in front. A period without an image that counts has 0 and "NA".

    Raises
    ------
    DataError
        If no image counts.
    """
    found, kept = summary_of(stats, days)
    sunless = bool(np.isnan(stats.images.sun).all())
    lines = [*_comment(stats.camera, days, sunless, made or datetime.now(UTC)), ",".join(COLUMNS)]
    lines += [_line(found, kept, place) for place in range(len(found.date))]
    return ("\n".join(lines) + "\n").encode()


def day_of(days: int) -> date:
    """Days since 1970 -> a date.

    Examples
    --------
    >>> day_of(14_425)
    datetime.date(2009, 6, 30)
    """
    return _EPOCH + timedelta(days=int(days))


def _comment(camera: Camera, days: int, sunless: bool, made: datetime) -> list[str]:
    rules = [
        "# Image Count Threshold: 1",
        f"# Aggregation Period: {days}",
        f"# Solar Elevation Min: {MISSING if sunless else LOWEST_SUN}",
        "# Time of Day Min: 00:00:00",
        "# Time of Day Max: 23:59:59",
        f"# ROI Brightness Min: {BRIGHTNESS[0]:g}",
        f"# ROI Brightness Max: {BRIGHTNESS[1]:g}",
    ]
    title = f"# {days}-day summary product timeseries for {camera.site}"
    return ["#", title, "#", *comment_of(camera), *rules, *stamps(made), "#"]


def _line(found: Summary, kept: RoiStats, place: int) -> str:
    day = day_of(found.date[place])
    cells = [day.isoformat(), str(day.year), str(day.timetuple().tm_yday)]
    images = int(found.images[place])
    if not images:
        empty = [*cells, "0", _NO_FILE]
        return csv_line([*empty, *[MISSING] * (len(COLUMNS) - len(empty))])
    spread = np.column_stack([found.colour_mean[place], found.colour_sd[place]]).ravel()
    figures = [*spread, *found.gcc[place], *found.rcc[place], found.sun[place]]
    midday = _midday(kept, int(found.midday[place]))
    return csv_line([*cells, str(images), *midday, *map(number, figures), *_FLAGS])


def _midday(kept: RoiStats, row: int) -> Sequence[str]:
    """The image nearest to noon."""
    red, green, blue = kept.images.colours[row]
    shares = kept.images.gcc[row], red / (red + green + blue)
    return [kept.filenames[row], *map(number, (red, green, blue, *shares))]
