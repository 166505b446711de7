"""Regions of interest of a camera: which pixels count, from when until when.

A mask is an image of the camera's size in which black pixels (0) count. A camera that is moved
gets another one; the list ``<site>_<roi>_roi.csv`` says which holds when.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyveg.core.errors import ConfigError
from pyveg.core.reading import read_whole
from pyveg.core.texts import said

__all__ = ["ROI", "Masks", "RegionMask", "decode_mask", "read_masks"]

ROI = re.compile(r"[A-Za-z]{2}_\d{4}")
"""A kind of vegetation and a number, such as DB_0001."""
_COLUMNS = ("start_date", "start_time", "end_date", "end_time", "maskfile")
_MOST_PIXELS = 50_000_000
_NOT_LISTED = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".gif"})


@dataclass(frozen=True, eq=False)
class RegionMask:
    """One mask, and when it holds."""

    start: datetime
    """Local standard time."""
    end: datetime
    name: str
    """Of its file."""
    region: NDArray[np.bool_]
    """Shape (height, width); True where a pixel counts."""


@dataclass(frozen=True)
class Masks:
    """The masks of a region of interest, in the order of its list."""

    masks: tuple[RegionMask, ...]

    def at(self, taken: datetime) -> tuple[int, RegionMask] | None:
        """The mask that holds at a time, and its number from 1; None where none does.

        Where two hold, as at the second at which one ends and the next begins, it is the first.
        """
        for number, mask in enumerate(self.masks, start=1):
            if mask.start <= taken <= mask.end:
                return number, mask
        return None


def decode_mask(data: bytes, name: str) -> NDArray[np.bool_]:
    """Read a mask.

    Parameters
    ----------
    data : bytes
        Of a TIFF or PNG.
    name : str
        Of the file, for messages.

    Returns
    -------
    array of bool, shape (height, width)
        True where the mask is black.

    Raises
    ------
    ConfigError
        If it is no image, is damaged, too large, or has no black pixel.

    Examples
    --------
    >>> stream = io.BytesIO()
    >>> Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).save(stream, "PNG")
    >>> decode_mask(stream.getvalue(), "mask.png").tolist()
    [[True, False]]
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            small = image.width * image.height <= _MOST_PIXELS
            region = np.asarray(image.convert("L")) == 0 if small else None
    except Exception as error:
        raise ConfigError(
            f"the mask {name} cannot be read: {said(error)}", "give a TIFF or PNG of 8 bits"
        ) from error
    if region is None:
        raise ConfigError(
            f"the mask {name} has more than {_MOST_PIXELS / 1e6:.0f} million pixels",
            "give one of the size of the images",
        )
    if not region.any():
        raise ConfigError(
            f"no pixel of the mask {name} is black, so none counts",
            "draw what counts in black (0) and the rest in white (255)",
        )
    return np.asarray(region)


def read_masks(path: Path) -> Masks:
    """Read the masks of a region.

    Parameters
    ----------
    path : Path
        One mask, which holds always, or a list ``<site>_<roi>_roi.csv`` beside its masks.

    Raises
    ------
    ConfigError
        If a file is not there, or is not what it should be.
    """
    if path.suffix.lower() in _NOT_LISTED:
        region = decode_mask(_bytes(path), path.name)
        return Masks((RegionMask(datetime.min, datetime.max, path.name, region),))
    rows = _rows(path)
    masks = tuple(_listed(path, number, row) for number, row in enumerate(rows, start=1))
    if not masks:
        raise ConfigError(f"{path} lists no mask", f"write rows of {', '.join(_COLUMNS)}")
    return Masks(masks)


def _rows(path: Path) -> Sequence[dict[str, str]]:
    text = _bytes(path).decode("utf-8-sig", "replace")  # Excel puts a mark before it
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    reader = csv.DictReader(lines)
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigError(
            f"{path} has no column {missing[0]}", f"its columns are {','.join(_COLUMNS)}"
        )
    return list(reader)


def _listed(path: Path, number: int, row: dict[str, str]) -> RegionMask:
    name = (row["maskfile"] or "").strip()
    # A list of somebody else must not lead out of its folder.
    if not name or Path(name).name != name:
        raise ConfigError(f"{path}, mask {number}: {name!r} is no name of a file beside it")
    region = decode_mask(_bytes(path.parent / name), str(path.parent / name))
    start = _moment(path, number, row["start_date"], row["start_time"])
    end = _moment(path, number, row["end_date"], row["end_time"])
    if end <= start:
        raise ConfigError(f"{path}, mask {number}: it ends before it begins", "mend its dates")
    return RegionMask(start, end, name, region)


def _moment(path: Path, number: int, date: str | None, time: str | None) -> datetime:
    try:
        found = datetime.fromisoformat(f"{(date or '').strip()} {(time or '').strip()}")
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise ConfigError(
            f"{path}, mask {number}: {date} {time} is no time without a zone",
            "write local standard time, as 2008-04-04 and 00:00:00",
        )
    return found


def _bytes(path: Path) -> bytes:
    try:
        return read_whole(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {said(error)}", "give a file") from error
