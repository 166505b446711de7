"""Images of a camera -> rows of its table, and what could not be measured and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pyveg.cameras.masks import Masks
from pyveg.cameras.names import named, taken_of_exif
from pyveg.cameras.roistats import ImageRow
from pyveg.core.errors import ConfigError, DataError
from pyveg.core.reading import read_whole
from pyveg.core.texts import said
from pyveg.formats import FormatError
from pyveg.kernels.greenness import colours
from pyveg.photos import ENDINGS, decode_photo

__all__ = ["NotMeasured", "images_below", "measure", "measure_file"]


class NotMeasured(NamedTuple):
    """An image without a row."""

    filename: str
    reason: str


@dataclass(frozen=True)
class Found:
    """An image in a folder."""

    path: Path
    taken: datetime | None
    """None where its name does not say it; then its Exif may."""


def images_below(folder: Path, site: str = "") -> tuple[str, list[Found]]:
    """The images of a site in a folder and all folders below it.

    Parameters
    ----------
    folder : Path
    site : str
        Whose; where empty, the one that names of images say, if they all say the same.

    Returns
    -------
    str
        The site.
    list of Found
        In the order of their paths.

    Raises
    ------
    ConfigError
        If there is none, or there are images of several sites.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}", "give the folder of the images")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    read = [(path, named(path.name)) for path in paths]
    sites = sorted({one.site for _, one in read if one})
    if not site and len(sites) > 1:
        raise ConfigError(
            f"{folder} has images of several sites: {', '.join(sites[:5])}", "name one with --site"
        )
    chosen = site or (sites[0] if sites else folder.resolve().name.replace("_", "-"))
    found = [
        Found(path, one.taken if one else None)
        for path, one in read
        if one is None or one.site == chosen
    ]
    if not found:
        raise ConfigError(f"{folder} has no image of {chosen}", "give a folder with its images")
    return chosen, found


def measure(data: bytes, filename: str, taken: datetime, masks: Masks) -> ImageRow:
    """Measure one image.

    Raises
    ------
    DataError
        If it cannot be read, no mask holds at its time, or the mask is of another size.
    """
    held = masks.at(taken)
    if held is None:
        raise DataError(f"no mask holds at {taken}", "extend the dates of one")
    number, mask = held
    try:
        image = decode_photo(data)
    except FormatError as error:
        raise DataError(str(error)) from error
    if mask.region.shape != image.shape[:2]:
        raise DataError(
            f"it has {image.shape[1]} x {image.shape[0]} pixels, and the mask {mask.name} "
            f"{mask.region.shape[1]} x {mask.region.shape[0]}",
            "list a mask of its size for its time",
        )
    three, together = colours(image, mask.region)
    return ImageRow(taken, filename, number, three, together)


def measure_file(found: Found, masks: Masks) -> ImageRow | NotMeasured:
    """Measure an image in a folder; what is wrong with one image ends nothing."""
    name = found.path.name
    try:
        data = read_whole(found.path)
        taken = found.taken or taken_of_exif(data)
        if taken is None:
            return NotMeasured(
                name,
                "neither its name (SITE_YYYY_MM_DD_HHMMSS.jpg) nor its Exif says when it was taken",
            )
        return measure(data, name, taken, masks)
    except DataError as error:
        return NotMeasured(name, str(error))
    except OSError as error:
        return NotMeasured(name, f"it cannot be read: {said(error)}")


def measured(found: list[Found], masks: Masks) -> Iterator[ImageRow | NotMeasured]:
    """Measure images in turn; a second one of the same time is none of the series."""
    seen: dict[datetime, str] = {}
    for one in found:
        row = measure_file(one, masks)
        if isinstance(row, ImageRow) and row.taken in seen:
            row = NotMeasured(row.filename, f"{seen[row.taken]} is of the same time")
        elif isinstance(row, ImageRow):
            seen[row.taken] = row.filename
        yield row
