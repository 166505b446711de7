"""From a folder of images to the record of a collection that fits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pyveg.core import params
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.types import Item
from pyveg.earth.source import Request
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources.folder.bands import spellings
from pyveg.sources.folder.names import listed
from pyveg.sources.folder.settings import FolderSettings
from pyveg.sources.folder.source import FolderSource

Bands = tuple[str, str, str, str]
"""Red, green, blue and near infrared."""
_SENTINEL2: Bands = ("B4", "B3", "B2", "B8")
_HLS: Bands = ("B4", "B3", "B2", "B8A")
_LANDSAT8: Bands = ("B4", "B3", "B2", "B5")
_LANDSAT7: Bands = ("B3", "B2", "B1", "B4")
_NAMED: Bands = ("red", "green", "blue", "nir")
_INDEX = "NDVI"
_MASKS = ("SCL", "QA_PIXEL", "Fmask", "UDM2", "MSK_CLDPRB")


@dataclass(frozen=True)
class Proposal:
    """What a folder holds, in the words of a config."""

    record: dict[str, Any]
    """Of the collection."""
    place: Place | None
    """Where its images are; None where they do not say."""
    dates: DateRange
    """From the first image to the day after the last."""
    found: tuple[str, ...]
    """Sentences for the user."""


def propose(path: Path) -> Proposal:
    """Look at a folder of images.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ConfigError
        If it holds no dates, or no bands that can be told from one another.
    """
    source = _source(path)
    ever = DateRange(date.min, date.max)
    days = [item.name for item in source.items(_collection(path), Place(0, 0), ever)]
    record: dict[str, Any] = {"data_type": "vegetation", "source": "folder", "path": str(path)}
    bands = _bands(path, source, days)
    if bands is not None:
        record |= {"RGB_bands": list(bands[:3]), "NIR_band": bands[3]}
    mask = next((m for m in _MASKS if _usable(path, bands or (_INDEX,), days[-1:], m)), "")
    if mask:
        record["mask_band"] = mask
    layout = source.finder.layout
    found = [f"{len(days)} dates from {days[0]} to {days[-1]}"]
    if layout is not None:
        found.append(f"names as of {layout.title}")
    found.append(f"bands {', '.join(bands)}" if bands else f"{_INDEX} alone")
    if mask:
        found.append(f"clouds are masked by {mask}")
    else:
        found.append("no mask band of a known name: clouds are not masked")
        found += _others(source, bands or (_INDEX,))
    last = date.fromisoformat(days[-1]) + timedelta(days=1)
    dates = DateRange(date.fromisoformat(days[0]), last)
    return Proposal(record, source.place(), dates, tuple(found))


def _source(path: Path, mask: str = "") -> FolderSource:
    given = {"path": str(path), **({"mask_band": mask} if mask else {})}
    return FolderSource(params.build(FolderSettings, given, "--path"))


def _collection(path: Path) -> Collection:
    return Collection(path.name, path.name, "vegetation", "folder")


def _bands(path: Path, source: FolderSource, days: Sequence[str]) -> Bands | None:
    """Bands that the folder has; None for a folder of NDVI alone."""
    layout = source.finder.layout
    candidates = [_SENTINEL2, _HLS, _NAMED]
    if layout is not None and layout.name == "landsat":
        first = source.finder.first_files()[0].path.name
        candidates = [_LANDSAT8 if first.startswith(("LC", "LO")) else _LANDSAT7]
    elif layout is not None and layout.name == "hls":
        candidates = [_HLS]
    # The first and the last date: one of them alone may be incomplete.
    looked_at = list(dict.fromkeys((days[0], days[-1])))
    for bands in candidates:
        if any(_usable(path, bands, [day]) for day in looked_at):
            return bands
    if any(_usable(path, (_INDEX,), [day]) for day in looked_at):
        return None
    raise ConfigError(
        f"--path {path}: which bands are red, green, blue and near infrared cannot be told from "
        f"names such as {listed(source.finder.some_names())}{_inside(source)}",
        'write the config by hand, with RGB_bands, NIR_band and bands = {"B4": 1, ...} or a '
        "pattern (docs/own_images.md)",
    )


def _inside(source: FolderSource) -> str:
    """What is in the first of the files, where it has several bands."""
    texts = _descriptions(source)
    if len(texts) < 2:
        return ""
    return f", whose bands are {listed([f'{n} {t}'.strip() for n, t in enumerate(texts, start=1)])}"


def _others(source: FolderSource, bands: Sequence[str]) -> list[str]:
    """Bands that the files name and nobody has asked for: one of them may be a mask."""
    known = {spelling.lower() for band in bands for spelling in spellings(band)}
    more = [text for text in _descriptions(source) if text and text.lower() not in known]
    if not more:
        return []
    return [
        f"bands that are not used: {listed(more)}; if one says what is clear, add it as mask_band "
        "with clear_values"
    ]


def _descriptions(source: FolderSource) -> tuple[str, ...]:
    try:
        return source.header(source.finder.first_files()[0].path).descriptions
    except DataError:
        return ()


def _usable(path: Path, bands: Sequence[str], days: Sequence[str], mask: str = "") -> bool:
    """Whether dates have all of some bands, and a mask."""
    source, collection = _source(path, mask), _collection(path)
    wanted = {band: band for band in bands}
    try:
        for day in days:
            source.tiles(Request(Place(0, 0), collection, Item(day), wanted))
    except (DataError, SkipItem):
        return False
    return True
