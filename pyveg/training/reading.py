"""Images of a catalogue or a manifest as chips; what cannot be read is told with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyveg.core import registry
from pyveg.core.errors import PyvegError
from pyveg.formats import FormatError
from pyveg.photos import MOST_BYTES, decode_photo
from pyveg.training.texture import SIDE


class UnreadableError(Exception):
    """Why an image cannot be looked at, in a sentence."""


def chip_of(data: bytes) -> NDArray[np.uint8]:
    """An image as a chip; one of another size is resized.

    Returns
    -------
    (50, 50, 3) uint8 array

    Raises
    ------
    UnreadableError
        If it is no image, or damaged.
    """
    try:
        image = decode_photo(data)
    except FormatError as error:
        raise UnreadableError(str(error)) from error
    if image.shape[:2] != (SIDE, SIDE):
        resized = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        image = np.asarray(resized)
    return image


def fetch(where: str, folder: Path) -> bytes:
    """The bytes of an image.

    Parameters
    ----------
    where : str
        A path below `folder`, an absolute one, or an address. Addresses that lead to a private
        network are refused.
    folder : Path

    Raises
    ------
    UnreadableError
        If there is none, or it is too large.
    """
    pattern = where if "://" in where else str(folder / where)
    try:
        inputs = registry.open_inputs([pattern], ())
        (item,) = inputs.items()
        with inputs.open(item) as stream:
            data = stream.read(MOST_BYTES + 1)
    except (PyvegError, OSError, ValueError) as error:
        raise UnreadableError(getattr(error, "wrong", str(error))) from error
    if len(data) > MOST_BYTES:
        raise UnreadableError(f"it has more than {MOST_BYTES} bytes")
    return data
