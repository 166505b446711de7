"""Photographs as people have them -> arrays of red, green and blue, and how large they may be.

A camera's JPEG says how the camera was held; a scan has 16 bits, a print four inks, an icon a
palette. All of them become 8 bits of three colours, the right way up.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from pyveg.formats import FormatError

ENDINGS = (".jpg", ".jpeg", ".png")
"""Of the files that are taken for photographs where a folder is given, in any case."""
MOST_BYTES = 256 * 2**20
"""Of a file."""
MOST_PIXELS = 50_000_000
"""Of an image as it is held in memory; about 150 MB."""
_DRAFTED = "JPEG"
_DEEP = ("I", "I;16", "I;16B", "I;16L")
"""Modes of more than 8 bits."""


def decode_photo(data: bytes, wanted: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read a photograph.

    Parameters
    ----------
    data : bytes
        Of a file in any format that Pillow knows.
    wanted : (int, int), optional
        Width and height that it will be resized to. A JPEG of more than four times that, along both
        sides, is read at a half, a quarter or an eighth of its size, which takes half the time.

    Returns
    -------
    array of uint8, shape (height, width, 3)
        Red, green, blue, turned as the camera was held.

    Raises
    ------
    FormatError
        If it is no image, is damaged or incomplete, or has more than `MOST_PIXELS`.

    Examples
    --------
    >>> picture = io.BytesIO()
    >>> Image.new("L", (4, 2), 7).save(picture, "PNG")
    >>> decode_photo(picture.getvalue())[0, 0].tolist()
    [7, 7, 7]
    """
    if not data:
        raise FormatError("the file is empty")
    with _told(), Image.open(io.BytesIO(data)) as image:
        if image.format == _DRAFTED and wanted is not None:
            image.draft("RGB", (2 * wanted[0], 2 * wanted[1]))
        pixels = image.width * image.height
        if pixels > MOST_PIXELS:
            raise FormatError(
                f"it has {pixels / 1e6:.0f} million pixels, of at most {MOST_PIXELS / 1e6:.0f}"
            )
        ImageOps.exif_transpose(image, in_place=True)  # a copy of a large image takes its time
        return np.asarray(_in_colours(image))


def _in_colours(image: Image.Image) -> Image.Image:
    """As 8 bits of red, green and blue."""
    if image.mode in _DEEP:
        deep = np.asarray(image).astype(np.int64)
        # A mode of 32 bits mostly holds 16, as PNG has no more.
        return Image.fromarray((np.clip(deep, 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise FormatError("it holds measurements (32-bit floats), and no picture")
    if image.mode == "P":
        # By way of its transparency, of which Pillow would warn.
        image = image.convert("RGBA")
    return image if image.mode == "RGB" else image.convert("RGB")


@contextmanager
def _told() -> Iterator[None]:
    """Say of whatever goes wrong in a reader what it means for the file."""
    # A half of an image must not be taken for the whole one; others set this for all when they are
    # imported, so it is looked after each time.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            # A file that claims more pixels than it has is our limit's business, and a doubtful
            # tag nobody's.
            warnings.simplefilter("ignore")
            yield
    except FormatError:
        raise
    except UnidentifiedImageError:
        raise FormatError("it is no image, or none of a format that is known here") from None
    except Image.DecompressionBombError:
        raise FormatError(
            f"it claims to have far more than {MOST_PIXELS / 1e6:.0f} million pixels"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        why = "; it is cut off" if "truncated" in str(error) else f": {error}"
        raise FormatError(f"it is damaged{why}") from error
    except (MemoryError, OverflowError, ZeroDivisionError, AttributeError) as error:
        raise FormatError(f"it is damaged: {type(error).__name__}") from error
