"""The pixel grid of a place: metric, square on the ground, the same for every service."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from rasterio.warp import transform as reproject

from pyveg.core.errors import ConfigError
from pyveg.earth.types import Place
from pyveg.formats import Raster

METRES_PER_DEGREE = 111_320.0
"""Along a meridian, and along the equator: 1/360 of the equator of WGS 84, to 10 m."""
MAX_SIDE = 32_768
"""Pixels along a side that no service delivers more of (Earth Engine: 32 K)."""
UTM_SOUTH, UTM_NORTH = -80.0, 84.0
"""Latitudes that UTM is defined between, degrees."""


@dataclass(frozen=True)
class Grid:
    """Rows and columns of square pixels, north up."""

    crs: str
    """Coordinate reference system, such as ``"EPSG:32633"``."""
    transform: tuple[float, float, float, float, float, float]
    """(a, b, c, d, e, f): x = a column + b row + c and y = d column + e row + f, metres."""
    width: int
    """Columns."""
    height: int
    """Rows."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as arrays have them."""
        return self.height, self.width

    @property
    def scale(self) -> float:
        """Length of a pixel's side, metres."""
        return self.transform[0]

    def raster(self, array: NDArray[Any], nodata: float) -> Raster:
        """Pixels of this grid as a raster; `nodata` marks those without a measurement."""
        return Raster(array, self.crs, self.transform, nodata)


def utm_zone(longitude: float, latitude: float) -> str:
    """CRS of the UTM zone of a point.

    The regular zones of 6 degrees: without the exceptions of Norway and Svalbard, which make no
    difference to a square that is centred on its own point.

    Parameters
    ----------
    longitude, latitude : float
        Degrees.

    Returns
    -------
    str
        ``"EPSG:326xx"`` in the north, ``"EPSG:327xx"`` in the south.

    Raises
    ------
    ConfigError
        Where there is no such point, or UTM is not defined.
    """
    if not (-180 <= longitude <= 180 and UTM_SOUTH <= latitude <= UTM_NORTH):
        raise ConfigError(
            f"coordinates ({longitude}, {latitude}) are not on the map",
            f"give longitude -180 to 180 first, then latitude {UTM_SOUTH:g} to {UTM_NORTH:g}, "
            "in degrees",
        )
    zone = int((longitude + 180) // 6) % 60 + 1
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


def grid_of(place: Place, scale: float) -> Grid:
    """Lay pixels over a place.

    The grid is in the UTM zone of the centre. Its origin lies on whole multiples of the pixel
    size, so that grids of places beside each other share their pixels. Its size is that of
    `region_size` degrees at the centre's latitude, in whole pixels and never less: a rectangle
    on the ground that is narrower in x the further from the equator. The centre of the place is
    within half a pixel of the centre of the grid. Grid north differs from true north by up to
    3 degrees times the sine of the latitude, and the edges with it.

    Parameters
    ----------
    place : Place
    scale : float
        Length of a pixel's side, metres.

    Returns
    -------
    Grid

    Raises
    ------
    ConfigError
        For coordinates that are not on the map, a size or scale that is not above 0, or more
        pixels than services deliver.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise ConfigError(f"scale = {scale} is no pixel size", "give metres above 0")
    if not (math.isfinite(place.region_size) and place.region_size > 0):
        raise ConfigError(
            f"region_size = {place.region_size} is no size", "give degrees above 0, such as 0.08"
        )
    crs = utm_zone(place.longitude, place.latitude)
    height = _pixels(place.region_size * METRES_PER_DEGREE, scale)
    narrowing = math.cos(math.radians(place.latitude))
    width = _pixels(place.region_size * METRES_PER_DEGREE * narrowing, scale)
    if max(width, height) > MAX_SIDE:
        raise ConfigError(
            f"region_size = {place.region_size} degrees at {scale:g} m is {width} x {height} "
            f"pixels, and services deliver at most {MAX_SIDE} along a side",
            "make it smaller or the scale coarser",
        )
    (x,), (y,) = reproject("EPSG:4326", crs, [float(place.longitude)], [float(place.latitude)])
    # Whole multiples of the pixel size, so that grids of neighbouring places share their pixels.
    left = round(x / scale - width / 2) * scale
    top = round(y / scale + height / 2) * scale
    return Grid(crs, (float(scale), 0.0, left, 0.0, -float(scale), top), width, height)


def _pixels(metres: float, scale: float) -> int:
    """Whole pixels that cover a length; a millionth of a pixel more is rounding."""
    return max(1, math.ceil(metres / scale - 1e-6))
