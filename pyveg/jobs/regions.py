"""The region of a job: where it is, how large, what of it is looked at, and whether it can be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyveg.core import registry
from pyveg.core.errors import ConfigError
from pyveg.core.sequence import ModuleSpec
from pyveg.earth import geojson
from pyveg.earth.chips import SIZE
from pyveg.earth.types import Collection, Place

MARGIN = 1.1
"""Square to fetch around an outline, by its own: grid north is up to 3 degrees from true north."""


def place_of(
    coordinates: tuple[float, float] | None, size: float | None, region: str | None
) -> Place:
    """The place that a config describes.

    Parameters
    ----------
    coordinates : (float, float) or None
        Longitude and latitude; where None, the middle of `region`.
    size : float or None
        Side of the square, degrees; where None, that of `region`, or the usual one.
    region : str or None
        A GeoJSON file; what lies outside of its polygons is left out.

    Raises
    ------
    ConfigError
        For coordinates that are not on earth, and a region that cannot be read or lies elsewhere.
    """
    if region is None:
        longitude, latitude = coordinates or (0.0, 0.0)
        _check_on_earth(longitude, latitude)
        return Place(longitude, latitude) if size is None else Place(longitude, latitude, size)
    name = f'config: region "{region}"'
    try:
        shapes = geojson.read(Path(region).expanduser())
    except ConfigError as error:
        raise ConfigError(f"config: region = {error.wrong}", error.cure) from error
    outline = geojson.outline_of(shapes, name)
    square = geojson.parse(outline, name).square
    around = round(square.size * MARGIN, 6)
    if coordinates is None:
        return Place(square.longitude, square.latitude, size or around, outline)
    longitude, latitude = coordinates
    _check_on_earth(longitude, latitude)
    place = Place(longitude, latitude, size or Place.region_size, outline)
    _check_meets(place, square, name)
    return place


def _check_on_earth(longitude: float, latitude: float) -> None:
    if -180 <= longitude <= 180 and -90 <= latitude <= 90:
        return
    cure = "give longitude -180 to 180 first, then latitude -90 to 90"
    if -90 <= longitude <= 90 and 90 < abs(latitude) <= 180:
        cure += f": did you mean ({latitude}, {longitude})?"
    raise ConfigError(f"config: coordinates = ({longitude}, {latitude}) are not on earth", cure)


def _check_meets(place: Place, square: geojson.Square, name: str) -> None:
    reach = (place.region_size + square.size) / 2
    across = abs((place.longitude - square.longitude + 180) % 360 - 180)
    if across > reach or abs(place.latitude - square.latitude) > reach:
        raise ConfigError(
            f"{name} lies around longitude {square.longitude}, latitude {square.latitude}, outside "
            f"of the {place.region_size:g} degrees around coordinates = ({place.longitude}, "
            f"{place.latitude})",
            "leave out coordinates and region_size, or give those of the region",
        )


def check_pixels(place: Place, collection: Collection, specs: Iterable[ModuleSpec]) -> None:
    """Refuse a region that has not enough pixels for one chip, where the Source lays the pixels.

    Raises
    ------
    ConfigError
        Also where no pixels can be laid, as near the poles.
    """
    if not getattr(registry.load("source", collection.source), "lays_grid", False):
        return
    where = f'"{collection.key}"'
    for scale in (getattr(spec.settings, "scale", None) for spec in specs):
        if scale is not None and any("images" in spec.cls.provides for spec in specs):
            check_chip(place, scale, where)
            masked = (getattr(spec.settings, "max_masked_fraction", None) for spec in specs)
            allowed = next((share for share in masked if share is not None), 0.0)
            _check_outline(place, scale, allowed, where)


def _check_outline(place: Place, scale: float, allowed: float, where: str) -> None:
    """Refuse an outline that leaves no chip enough pixels."""
    if not place.outline:
        return
    import numpy as np

    from pyveg.kernels.images import cut_chips
    from pyveg.modules.outline import inside
    from pyveg.sources.grid import grid_of

    grid = grid_of(place, scale)
    mask = inside(grid.raster(np.zeros(grid.shape, np.uint8), 0), place.outline)
    most = float(cut_chips(mask, SIZE).mean(axis=(1, 2)).max())
    if 1 - most >= allowed:
        raise ConfigError(
            f"{where}: no chip of {SIZE} x {SIZE} pixels at {scale:g} m lies in the region; the "
            f"best one has {most:.0%} of its pixels there, and {allowed:.0%} may be masked",
            "give a larger region or a smaller scale, or raise max_masked_fraction",
        )


def check_chip(place: Place, scale: float, where: str) -> None:
    """Refuse a region with fewer pixels than a chip has.

    Parameters
    ----------
    place : Place
    scale : float
        Length of a pixel's side, metres.
    where : str
        Begins the messages.
    """
    # Brings rasterio, which a process that starts a run of something else does without.
    from pyveg.sources.grid import METRES_PER_DEGREE, grid_of

    try:
        grid = grid_of(place, scale)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.wrong}", error.cure) from error
    smaller = min(grid.width, grid.height)
    if smaller < SIZE:
        side: Any = place.region_size * SIZE / smaller
        least = max(side, SIZE * scale / METRES_PER_DEGREE)
        raise ConfigError(
            f"{where}: region_size = {place.region_size:g} degrees at {scale:g} m is {grid.width} "
            f"x {grid.height} pixels, smaller than a chip, {SIZE} x {SIZE}",
            f"give a region_size of {least * 1.02:.2g} or more, or a smaller scale",
        )
