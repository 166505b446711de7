"""When an image of a field camera was taken: from its name, or from its Exif."""

from __future__ import annotations

import io
import re
from datetime import datetime
from typing import NamedTuple

from PIL import Image

__all__ = ["SITE", "Named", "file_name", "named", "taken_of_exif"]

SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
"""A name of a site; it becomes part of names of files, and "_" divides those."""
_NAME = re.compile(
    r"(?P<site>[A-Za-z0-9][A-Za-z0-9-]*)_(?P<when>\d{4}_\d\d_\d\d_\d{6})\.(?:jpe?g|png)",
    re.IGNORECASE,
)
_WHEN = "%Y_%m_%d_%H%M%S"
_EXIF_PART = 0x8769
_EXIF_TIMES = ((_EXIF_PART, 0x9003), (_EXIF_PART, 0x9004), (None, 0x0132))
"""DateTimeOriginal, DateTimeDigitized, DateTime."""


class Named(NamedTuple):
    """What the name of an image says."""

    site: str
    taken: datetime
    """Local standard time, without a zone."""


def named(name: str) -> Named | None:
    """Read the name of an image; None where it is of another form.

    Examples
    --------
    >>> named("harvard_2009_06_30_120138.jpg")
    Named(site='harvard', taken=datetime.datetime(2009, 6, 30, 12, 1, 38))
    >>> named("harvard_2009_06_31_120138.jpg"), named("IMG_0001.jpg")
    (None, None)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        return Named(found["site"], datetime.strptime(found["when"], _WHEN))
    except ValueError:  # the 31st of June
        return None


def file_name(site: str, taken: datetime, ending: str = "jpg") -> str:
    """The name of an image, as PhenoCam has it.

    Examples
    --------
    >>> file_name("harvard", datetime(2009, 6, 30, 12, 1, 38))
    'harvard_2009_06_30_120138.jpg'
    """
    # Not strftime, which writes years before 1000 with fewer digits.
    clock = f"{taken.hour:02d}{taken.minute:02d}{taken.second:02d}"
    return f"{site}_{taken.year:04d}_{taken.month:02d}_{taken.day:02d}_{clock}.{ending}"


def taken_of_exif(data: bytes) -> datetime | None:
    """When the camera says that it took a photograph; None where it does not.

    Parameters
    ----------
    data : bytes
        Of the file.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            exif = image.getexif()
            times = [
                str((exif if part is None else exif.get_ifd(part)).get(tag))
                for part, tag in _EXIF_TIMES
            ]
    except Exception:  # noqa: BLE001 - Exif that is damaged tells nothing
        return None
    for text in times:
        try:
            return datetime.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
    return None
