"""Looking at all images of a folder before a run begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.types import Item
from pyveg.earth import geojson
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Place
from pyveg.kernels import plausibility
from pyveg.sources.folder import agreement, beside, grid
from pyveg.sources.folder.finding import Finder
from pyveg.sources.folder.grid import Ground, Placed
from pyveg.sources.folder.names import listed
from pyveg.sources.folder.opening import Header
from pyveg.sources.folder.reading import Tile
from pyveg.sources.folder.settings import FolderSettings

LOOKED_AT = 12
"""Dates of weather of which the numbers are looked at before a run."""
LARGE = 3000
"""Pixels along a side from which `crop` is advised."""


@dataclass(frozen=True)
class View:
    """A folder as it is looked at before a run."""

    settings: FolderSettings
    root: Path
    finder: Finder
    tiles: Callable[[Request], list[Tile]]
    """The files of a date; `DataError` or `SkipItem` where it cannot be used."""
    fetch: Callable[[Request], Scene]


def survey(folder: View, requests: Sequence[Request], tell: Callable[[str], None]) -> list[Item]:
    """Agree on one grid for all dates; see `FolderSource.survey`."""
    where = f'"{requests[0].collection.key}": ' if requests else ""
    tiles, failed = _tiles(folder, requests)
    if failed and len(failed) == len(requests):
        raise ConfigError(f"{where}{failed[0].wrong}", failed[0].cure)
    names = {"names": folder.finder.way}
    _tell_of_left_out(folder, requests, where, tell)
    _tell_of_masks(folder, requests, where, tell)
    _check_weather(folder, [r for r in requests if r.item.name in tiles], where)
    if not tiles:
        return [replace(request.item, details=names) for request in requests]
    _tell_of_tiles(list(tiles.values()), folder.settings.join, where, tell)
    _tell_of_offsets(list(tiles.values()), folder, where, tell)
    days = {day: [tile.placed for tile in of_day] for day, of_day in tiles.items()}
    made = agreement.agree(days, regrid=folder.settings.regrid)
    for text in made.told:
        tell(where + text)
    if made.ground is None or made.like is None:
        return [replace(request.item, details=names) for request in requests]
    place = requests[0].place
    if requests[0].collection.data_type == "weather":  # its pixels are larger than most places
        place = replace(place, region_size=max(place.region_size, Place.region_size))
    pixels = _at_the_place(folder, made.ground, place, where, tell)
    agreed = {"pixels": pixels.to_json()}
    # The file that a date is compared with is named only where the date will fail by it: all others
    # need not be done again when another date comes to the folder.
    like = {
        "like": str(made.like.path.relative_to(folder.root)),
        "file": made.like.ground.to_json(),
    }
    sound, odd = {**names, "grid": agreed}, {**names, "grid": {**agreed, **like}}
    return [
        replace(r.item, details=odd if r.item.name in made.troubles else sound) for r in requests
    ]


def whereabouts(folder: View, headers: Callable[[Path], Header]) -> Place | None:
    """Where the images are: the middle of what all dates cover, and its longer side."""
    days: dict[str, list[list[Placed]]] = {}
    for name in folder.finder.first_files():
        try:
            found = Placed(name.path, headers(name.path).ground)
        except DataError:
            continue  # its date fails and says why
        if found.ground.placed:
            days.setdefault(str(name.day), []).append([found])
    if not days:
        return None
    made = agreement.agree(days, regrid=folder.settings.regrid)
    seen = None if made.ground is None else agreement.footprint(made.ground)
    if seen is None:
        return None
    longitude, latitude, wide, high = seen
    size = Place.region_size if folder.settings.crop else max(wide, high)
    return Place(round(longitude, 4), round(latitude, 4), round(size, 4) or 1e-4)


def _tiles(
    folder: View, requests: Sequence[Request]
) -> tuple[dict[str, list[Tile]], list[DataError]]:
    """Files of each date that can be used, and why others cannot: they fail in the run."""
    tiles: dict[str, list[Tile]] = {}
    failed = []
    for request in requests:
        try:
            tiles[request.item.name] = folder.tiles(request)
        except DataError as error:
            failed.append(error)
        except SkipItem:
            continue
    return tiles, failed


def _check_weather(folder: View, requests: Sequence[Request], where: str) -> None:
    """Refuse rain and heat in other units than a run keeps: all dates would be wrong alike.

    Rain in mm of a dry place is no impossible number of metres on any single date.
    """
    if len(requests) == 0 or requests[0].collection.data_type != "weather":
        return
    days = np.array([date.fromisoformat(request.item.name).toordinal() for request in requests])
    gap = float(np.median(np.diff(days))) if len(days) > 1 else 31.0
    chosen = np.unique(np.linspace(0, len(requests) - 1, LOOKED_AT).astype(int))
    means: dict[str, dict[str, float]] = {}
    for request in (requests[index] for index in chosen):
        try:
            scene = folder.fetch(request)
        except (DataError, SkipItem):
            continue
        for name, raster in scene.rasters.items():
            file = str(folder.root / str(scene.record["files"][name]))
            means.setdefault(name, {})[file] = float(np.nanmean(raster.array))
    for name, values in means.items():
        wrong = plausibility.series(name == PRECIPITATION, list(values.values()), gap)
        if wrong and name in (PRECIPITATION, TEMPERATURE):
            largest = max(values, key=lambda file: values[file])
            band = requests[0].bands[name]
            unit = "mm" if name == PRECIPITATION else "degC"
            raise ConfigError(
                f"{where}{wrong}, as in {largest}",
                f'say in which units they are, such as units = {{"{band}": "{unit}"}}',
            )


def _tell_of_left_out(
    folder: View, requests: Sequence[Request], where: str, tell: Callable[[str], None]
) -> None:
    """Name what looks like dates and is not used."""
    left_out = folder.finder.left_out()
    if left_out:
        tell(f"{where}left out, as their names are not read as dates of images: {listed(left_out)}")
    asked = {request.item.name for request in requests}
    outside = [day for day in map(str, folder.finder.days()) if day not in asked]
    if outside:
        tell(f"{where}left out, as they are outside of the date range: {listed(outside)}")


def _tell_of_tiles(
    tiles: Sequence[Sequence[Tile]], join: str, where: str, tell: Callable[[str], None]
) -> None:
    """Say that days have several images, and how one is made of them."""
    several = sum(len(of_day) > 1 for of_day in tiles)
    if several:
        how = "their median" if join == "median" else "the first valid pixel of them"
        tell(f"{where}several tiles of one day, on {several} dates: {how} is taken")


def _tell_of_offsets(
    tiles: Sequence[Sequence[Tile]], folder: View, where: str, tell: Callable[[str], None]
) -> None:
    """Say that the metadata are missing that state the offset of newer Sentinel-2 products."""
    if folder.settings.offset is not None:
        return
    paths = (f.path for of_day in tiles for tile in of_day for f in tile.bands.values())
    lacking = next((path for path in paths if beside.lacks_offset(path)), None)
    if lacking is not None:
        tell(
            f"{where}{lacking} is of baseline 04.00 or later, whose numbers are 1000 too large, "
            "and its MTD_MSIL2A.xml, which says so, is not there: put it back, or set "
            "scale = 0.0001 and offset = -0.1 (0 if the numbers are right)"
        )


def _tell_of_masks(
    folder: View, requests: Sequence[Request], where: str, tell: Callable[[str], None]
) -> None:
    """Say once that nothing hides the clouds, and which band could."""
    if folder.settings.mask_band or not requests or requests[0].collection.data_type == "weather":
        return
    layout = folder.finder.layout
    hint = f' with mask_band = "{layout.mask_band}"' if layout is not None else " with mask_band"
    tell(f"{where}no mask band: clouds are measured as if they were ground; mask them{hint}")


def _at_the_place(
    folder: View, ground: Ground, place: Place, where: str, tell: Callable[[str], None]
) -> Ground:
    """The window of the place, where it is to be cut out; images elsewhere are refused."""
    seen = agreement.footprint(ground)
    if seen is None:
        return ground
    here = f"{where}{folder.root}: the images lie around longitude {seen[0]:.4f}, latitude "
    here += f"{seen[1]:.4f} and do not touch"
    if not _touch(seen, (place.longitude, place.latitude), place.region_size):
        raise ConfigError(
            f"{here} the place at {place.longitude}, {place.latitude}",
            "set coordinates to where the images are, or leave them out",
        )
    if place.outline:
        region = geojson.parse(place.outline, "the region").square
        if not _touch(seen, (region.longitude, region.latitude), region.size):
            raise ConfigError(
                f"{here} the region at {region.longitude:g}, {region.latitude:g}, which is "
                f"{region.size:g} degrees wide",
                "give the region of these images, or images of that region",
            )
    if folder.settings.crop:
        return _cropped(ground, place, where)
    if max(ground.width, ground.height) > LARGE:
        tell(
            f"{where}the images have {ground.size} pixels, all of which are measured; set "
            "crop = True for the square of region_size around the coordinates"
        )
    return ground


def _touch(
    seen: tuple[float, float, float, float], centre: tuple[float, float], side: float
) -> bool:
    """Whether a square touches what images cover: longitude, latitude, width, height."""
    longitude, latitude, wide, high = seen
    east = abs((longitude - float(centre[0]) + 180) % 360 - 180)
    north = abs(latitude - float(centre[1]))
    return east <= (wide + side) / 2 and north <= (high + side) / 2


def _cropped(ground: Ground, place: Place, where: str) -> Ground:
    """The pixels inside the square of a place."""
    half = place.region_size / 2
    side = place.region_size / 100
    square = Ground(
        "EPSG:4326",
        (side, 0.0, place.longitude - half, 0.0, -side, place.latitude + half),
        100,
        100,
    )
    box = grid.common([(0, 0, ground.width, ground.height), grid.extent(square, ground)])
    if min(box[2] - box[0], box[3] - box[1]) < 1:
        raise ConfigError(
            f"{where}crop = True leaves no pixel of the images", "give other coordinates"
        )
    return grid.part(ground, box)
