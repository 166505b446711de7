"""What a detector saw in a camera's images, and when: from a file in MegaDetector's format.

When an image was taken is what the file says of it (``datetime``, or in its metadata), or else its
name, or else the Exif of the image itself: local time, as cameras have it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from pyveg.cameras.names import taken_of_exif
from pyveg.core.errors import DataError
from pyveg.core.reading import LARGEST, read_whole
from pyveg.core.texts import brief, said

__all__ = ["Detections", "Looked", "read_detections", "taken_of_name"]

_IN_NAME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.:]?(\d\d)[-_.:]?(\d\d)[-_.:T ]{0,3}"
    r"(\d\d)[-_.:h]?(\d\d)(?:[-_.:m]?(\d\d))?(?!\d)"
)
_EXIF = "%Y:%m:%d %H:%M:%S"
_KEYS = ("datetime", "datetime_original", "DateTimeOriginal", "taken", "timestamp")
"""Where metadata have the time of an image."""


@dataclass(frozen=True, slots=True)
class Looked:
    """An image that the detector has looked at."""

    taken: datetime
    """Local time, without a zone."""
    counts: tuple[tuple[str, int], ...]
    """Name of a category -> how many were seen, at least as sure as asked."""


@dataclass(frozen=True)
class Detections:
    """What a file says."""

    detector: str
    categories: tuple[str, ...]
    """Names of what the detector knows."""
    images: tuple[Looked, ...]
    """In order of time."""
    failed: int
    """Images that could not be looked at."""
    timeless: int
    """Images of which nobody knows when they were taken."""


def read_detections(path: Path, images: Path | None, threshold: float) -> Detections:
    """Read a results file of MegaDetector's format, such as ``detections.json`` of ScoreImages.

    Parameters
    ----------
    path : Path
    images : Path, optional
        Folder that names of images begin at; their Exif is read where nothing else has a time.
    threshold : float
        Least confidence of a detection that is counted.

    Raises
    ------
    DataError
        If it cannot be read, or is no such file, or no image has a time.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {said(error)}", "score its images first") from None
    return _read(path, images, threshold, (stat.st_mtime_ns, stat.st_size))


# Each period asks, and the file has all of them.
@lru_cache(maxsize=4)
def _read(path: Path, images: Path | None, threshold: float, state: tuple[int, int]) -> Detections:
    del state
    try:
        data = json.loads(read_whole(path, LARGEST))
        known = {str(k): str(v) for k, v in data["detection_categories"].items()}
        detector = str(data.get("info", {}).get("detector", "unknown"))
        entries = list(data["images"])
        counted = [(one["file"], _counts(one, known, threshold), one) for one in entries]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {said(error)}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is no results file of a detector: {said(error)}",
            "give detections.json of ScoreImages, or another file in MegaDetector's format",
        ) from None
    seen = [(name, counts, one) for name, counts, one in counted if counts is not None]
    timed = [(_taken(str(name), one, images), counts) for name, counts, one in seen]
    found = [Looked(taken, counts) for taken, counts in timed if taken is not None]
    if seen and not found:
        raise DataError(
            f"{path} does not say when its images were taken, nor do their names, such as "
            f"{brief(str(seen[0][0]))}",
            "name the folder of the images as images; their Exif is read then",
        )
    found.sort(key=lambda one: one.taken)
    failed, timeless = len(entries) - len(seen), len(seen) - len(found)
    return Detections(detector, tuple(known.values()), tuple(found), failed, timeless)


def _counts(
    entry: Mapping[str, Any], known: Mapping[str, str], threshold: float
) -> tuple[tuple[str, int], ...] | None:
    """How many of each category are in an image; None where it could not be looked at."""
    if entry.get("failure") or entry.get("detections") is None:
        return None
    sure = (one for one in entry["detections"] if float(one["conf"]) >= threshold)
    return tuple(sorted(Counter(known[str(one["category"])] for one in sure).items()))


def _taken(name: str, entry: Mapping[str, Any], images: Path | None) -> datetime | None:
    """When an image was taken; None where nobody knows."""
    meta = entry.get("meta")
    of_meta = [meta.get(key) for key in _KEYS] if isinstance(meta, Mapping) else [meta]
    for value in (entry.get("datetime"), *of_meta):
        found = _time(value)
        if found is not None:
            return found
    return taken_of_name(name) or _by_exif(name, images)


def _time(value: Any) -> datetime | None:
    """A time by the clock of the camera, whatever its zone."""
    if not isinstance(value, str):
        return None
    for read in (datetime.fromisoformat, lambda text: datetime.strptime(text, _EXIF)):
        try:
            return read(value.strip()).replace(tzinfo=None)
        except ValueError:
            continue
    return None


def taken_of_name(name: str) -> datetime | None:
    """When an image was taken by its name; None where that has no date with a time.

    Examples
    --------
    >>> taken_of_name("oak/IMG_20260131_120510.JPG"), taken_of_name("2026-01-31 12h05.jpg")
    (datetime.datetime(2026, 1, 31, 12, 5, 10), datetime.datetime(2026, 1, 31, 12, 5))
    >>> taken_of_name("oak_2026_02_31_120510.jpg"), taken_of_name("IMG_0001.JPG")
    (None, None)
    """
    for found in _IN_NAME.finditer(PurePosixPath(name).name):
        try:
            return datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]
        except ValueError:  # the 31st of February
            continue
    return None


def _by_exif(name: str, images: Path | None) -> datetime | None:
    place = PurePosixPath(name)
    # Names are whatever somebody wrote; nothing beside the folder is looked at.
    if images is None or place.is_absolute() or ".." in place.parts or "://" in name:
        return None
    try:
        return taken_of_exif(read_whole(images / place))
    except (OSError, ValueError):
        return None
