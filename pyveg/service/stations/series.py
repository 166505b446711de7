"""Rows of a station -> JSON, and PhenoCam's tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from pyveg.cameras.names import file_name
from pyveg.cameras.roistats import Camera, RoiStats, time_of
from pyveg.cameras.summaries import day_of, summary_of, write_summary
from pyveg.core.errors import DataError
from pyveg.kernels.camera_series import PERCENTILES, Images
from pyveg.service.stations.records import ImageRecord

EPOCH = datetime(1970, 1, 1)
_DECIMALS = 5


def answer(record: ImageRecord) -> dict[str, Any]:
    """What the answer to an image says, and the series of it."""
    return {
        "taken": time_of(record.taken).isoformat(),
        "gcc": _rounded(record.gcc),
        "rcc": _rounded(record.rcc),
        "n_pixels": record.n_pixels,
        "masked_pixels": record.masked_pixels,
        "brightness": _rounded(record.brightness, 1),
        "quality": record.quality,
        "mask": record.mask,
        "score": _rounded(record.score),
        "people": record.people,
        "stored": bool(record.file),
        "clock_off_seconds": record.clock or None,
        "note": record.note or None,
        "sequence": record.sequence,
    }


def stats_of(camera: Camera, records: Sequence[ImageRecord]) -> RoiStats:
    """Rows as a table of images; those without figures are left out.

    Raises
    ------
    DataError
        If none has figures.
    """
    kept = [one for one in records if one.red is not None]
    if not kept:
        raise DataError(f"{camera.site} has no measured image in that time", "widen from and to")
    seconds = np.array([one.taken for one in kept], dtype=np.int64)
    colours = np.array([(one.red, one.green, one.blue) for one in kept], dtype=np.float64)
    gcc = np.array([np.nan if one.gcc is None else one.gcc for one in kept], dtype=np.float64)
    names = [
        one.file.rsplit("/", 1)[-1] or file_name(camera.site, time_of(one.taken)) for one in kept
    ]
    return RoiStats(camera, Images(seconds, colours, gcc, camera.sun(seconds)), names)


def table(camera: Camera, records: Sequence[ImageRecord], days: int) -> bytes:
    """PhenoCam's table of periods.

    Raises
    ------
    DataError
        If no image counts.
    """
    return write_summary(stats_of(camera, records), days)


def periods(camera: Camera, records: Sequence[ImageRecord], days: int) -> list[dict[str, Any]]:
    """The main figures of that table; empty where no image counts."""
    try:
        found, _ = summary_of(stats_of(camera, records), days)
    except DataError:
        return []
    columns = ("gcc_mean", "gcc_std", *(f"gcc_{level}" for level in PERCENTILES))
    return [
        {
            "date": day_of(found.date[place]).isoformat(),
            "image_count": int(found.images[place]),
            **{name: _rounded(float(found.gcc[place, k])) for k, name in enumerate(columns)},
        }
        for place in range(len(found.date))
    ]


def _rounded(value: float | None, decimals: int = _DECIMALS) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, decimals)
