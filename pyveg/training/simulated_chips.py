"""Chips of simulated places, labelled by what is known of them: patterned, or bare.

A place that has had enough rain for years is covered by a vegetation pattern; one with too little
is bare. The simulator tells the biomass behind each picture, and that decides the label: places
between the two are left out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyveg.core.types import Item
from pyveg.earth import periods
from pyveg.earth.source import Request, open_source
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.kernels.images import index_grey
from pyveg.kernels.ndvi import ndvi
from pyveg.training.catalogue import FILE, ID

LABELS = ("bare", "patterned")
DRY, WET = 0.35, 1.2
"""Mean rain of bare and of patterned places, mm per day; single places have a fifth more or less.
"""
_SIZE = 0.0052
"""Degrees; a little more than one chip of 500 m."""
_LEAST, _MOST = 0.15, 0.95
"""Share of vegetated ground between which plants form a pattern."""
_BARE = 0.02
"""Share of vegetated ground below which a place counts as bare."""


class Chip(NamedTuple):
    """A labelled picture."""

    name: str
    """Of the place."""
    label: str
    picture: NDArray[np.uint8]
    """Grey NDVI, shape (50, 50), as runs keep it."""


def chips(places: int, seed: int = 0) -> Iterator[Chip]:
    """Chips of simulated places, half of them with much rain and half with little.

    Parameters
    ----------
    places : int
        How many to simulate; one whose state is neither is left out.
    seed : int
        Another seed gives other places.
    """
    rng = np.random.default_rng(seed)
    for number in range(places):
        rain = (WET if number % 2 else DRY) * float(rng.uniform(0.8, 1.2))
        noise = float(rng.uniform(0.003, 0.02))
        made = _picture(rain, noise, int(rng.integers(2**31)))
        label = _label(made.record["truth"]["vegetated_share"])
        if label:
            yield Chip(f"place{seed}_{number:04d}", label, _grey(made))


def write(folder: Path, places: int, seed: int = 0) -> Path:
    """Write chips as PNG files, and their catalogue.

    Parameters
    ----------
    folder : Path
    places, seed : int
        As `chips` takes them.

    Returns
    -------
    Path
        The catalogue.
    """
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow([ID, FILE, *LABELS])
    for chip in chips(places, seed):
        name = f"{chip.name}/chip.png"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chip.picture).save(path)
        table.writerow([chip.name, name, *(int(chip.label == label) for label in LABELS)])
    catalogue = folder / "catalogue.csv"
    catalogue.write_text(rows.getvalue(), encoding="utf-8")
    return catalogue


def _label(share: float) -> str:
    if share <= _BARE:
        return LABELS[0]
    return LABELS[1] if _LEAST <= share <= _MOST else ""


def _picture(rain: float, noise: float, seed: int) -> Any:
    settings = {"rainfall": rain, "seed": seed, "noise": noise, "cloud_cover": 0.0}
    collection = Collection("chips", "chips", "vegetation", "simulated", settings)
    place = Place(27.95, 11.57, _SIZE)
    (item,) = _items()
    source = open_source("simulated", settings, "chips")
    request = Request(place, collection, item, {"B4": "B4", "B8": "B8"})
    return source.fetch(request)


def _items() -> list[Item]:
    return list(periods.items(DateRange(date(2015, 6, 1), date(2015, 7, 1)), "1m"))


def _grey(made: Any) -> NDArray[np.uint8]:
    values = ndvi(made.rasters["B8"].array, made.rasters["B4"].array)
    return index_grey(values, (-1.0, 1.0))[:50, :50]
