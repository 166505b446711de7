"""What an image says beside its picture is taken off, and people on it are made unknowable."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pyveg.formats import FormatError

__all__ = ["Area", "areas", "blurred", "encoded", "stripped"]

GROWN = 0.15
"""Share of its width and height by which the box of a person grows on each side."""
BLOCKS = 12
"""Blocks along each side of a box that are all that is left of it."""
QUALITY = 92
"""Of a JPEG that has to be encoded anew."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB"})
_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
"""In the coded data of a JPEG: what is no stuffed byte and no restart."""
_APP0, _APP14, _APP15, _COMMENT, _SCAN, _END = 0xE0, 0xEE, 0xEF, 0xFE, 0xDA, 0xD9
_ORIENTATION = 0x0112


class Area(NamedTuple):
    """Part of an image, in pixels; the last row and column are outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def pixels(self) -> tuple[slice, slice]:
        """To index an image with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def areas(boxes: Iterable[tuple[float, float, float, float]], shape: Sequence[int]) -> list[Area]:
    """Boxes that have grown, cut off at the border of the image.

    Parameters
    ----------
    boxes : iterable of (left, top, width, height)
        Shares of the image.
    shape : sequence of int
        Height and width of the image in pixels.

    Examples
    --------
    >>> areas([(0.5, 0.0, 0.5, 0.5)], (100, 200))
    [Area(top=0, left=85, bottom=58, right=200)]
    """
    height, width = shape[:2]
    found = []
    for left, top, wide, high in boxes:
        first = Area(
            int(max(0.0, np.floor((top - GROWN * high) * height))),
            int(max(0.0, np.floor((left - GROWN * wide) * width))),
            int(min(height, np.ceil((top + (1 + GROWN) * high) * height))),
            int(min(width, np.ceil((left + (1 + GROWN) * wide) * width))),
        )
        if first.bottom > first.top and first.right > first.left:
            found.append(first)
    return found


def blurred(
    image: NDArray[np.uint8], where: Iterable[Area], blocks: int = BLOCKS
) -> NDArray[np.uint8]:
    """Make parts of an image unknowable.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
    where : iterable of Area
    blocks : int
        Along each side of an area.

    Returns
    -------
    array of uint8, shape (height, width, 3)
        A copy.

    Notes
    -----
    A blur alone can be undone to a degree. Here an area becomes the means of a few blocks first:
    what they had is gone, and the blur after it only rounds their edges.
    """
    made = image.copy()
    for area in where:
        part = Image.fromarray(image[area.pixels])
        size = part.size
        coarse = part.resize((blocks, blocks), Image.Resampling.BOX)
        large = coarse.resize(size, Image.Resampling.NEAREST)
        radius = max(1.0, max(size) / blocks)
        made[area.pixels] = np.asarray(large.filter(ImageFilter.GaussianBlur(radius)))
    return made


def encoded(image: NDArray[np.uint8], ending: str) -> bytes:
    """An image as a file that says nothing but its picture.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
    ending : {"jpg", "png"}
    """
    stream = io.BytesIO()
    if ending == "jpg":
        Image.fromarray(image).save(stream, "JPEG", quality=QUALITY)
    else:
        Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def stripped(data: bytes) -> bytes:
    """Take off where an image was taken, serial numbers, thumbnails and comments.

    Parameters
    ----------
    data : bytes
        A JPEG or PNG.

    Returns
    -------
    bytes
        The same picture, pixel by pixel; what stood behind its end is gone too. Of Exif only the
        way the camera was held is left.

    Raises
    ------
    FormatError
        If it is neither, or is damaged.
    """
    if data.startswith(_PNG):
        return _stripped_png(data)
    if data.startswith(b"\xff\xd8"):
        return _stripped_jpeg(data)
    raise FormatError("it is neither JPEG nor PNG")


def _stripped_jpeg(data: bytes) -> bytes:
    kept = [data[:2], _held(data)]
    at = 2
    while True:
        found = _MARKER.search(data, at)
        if found is None:
            raise FormatError("it is damaged: it has no end")
        marker, begin, behind = found[1][0], found.start(), found.end()
        if kept_scan := data[at:begin]:
            kept.append(kept_scan)
        if marker == _END:
            return b"".join([*kept, b"\xff\xd9"])
        length = int.from_bytes(data[behind : behind + 2], "big")
        at = behind + length
        if length < 2 or at > len(data):
            raise FormatError("it is damaged: a part of it is cut off")
        if not _tells(marker):
            kept.append(b"\xff" + found[1] + data[behind:at])


def _tells(marker: int) -> bool:
    """Whether a segment of a JPEG is no part of its picture."""
    return marker == _COMMENT or (_APP0 < marker <= _APP15 and marker != _APP14)


def _held(data: bytes) -> bytes:
    """A segment of Exif that says how the camera was held, if it was turned."""
    with Image.open(io.BytesIO(data)) as image:
        turned = image.getexif().get(_ORIENTATION, 1)
    if turned not in range(2, 9):
        return b""
    exif = Image.Exif()
    exif[_ORIENTATION] = turned
    text = exif.tobytes()
    return b"\xff\xe1" + (len(text) + 2).to_bytes(2, "big") + text


def _stripped_png(data: bytes) -> bytes:
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            break
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    raise FormatError("it is damaged: it has no end")
