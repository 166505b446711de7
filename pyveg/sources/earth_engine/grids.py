"""Grids as the service takes them: pixels, the ring around a region, native cells of weather."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyveg import formats
from pyveg.core.errors import ConfigError
from pyveg.earth.types import Place
from pyveg.sources.grid import Grid
from pyveg.sources.products import NativeGrid

DIGITS = 7
"""Of degrees in a ring: 1 cm, so that libraries that differ in the last bit ask the same."""


def pixel_grid(grid: Grid) -> dict[str, Any]:
    """A grid as the ``PixelGrid`` of a request."""
    a, b, c, d, e, f = map(float, grid.transform)
    return {
        "dimensions": {"width": grid.width, "height": grid.height},
        "affineTransform": {
            "scaleX": a,
            "shearX": b,
            "translateX": c,
            "shearY": d,
            "scaleY": e,
            "translateY": f,
        },
        "crsCode": grid.crs,
    }


def about(grid: Grid) -> dict[str, Any]:
    """A grid as results record it."""
    return {
        "crs": grid.crs,
        "transform": [float(term) for term in grid.transform],
        "width": grid.width,
        "height": grid.height,
    }


def ring_of(grid: Grid) -> tuple[tuple[float, float], ...]:
    """Corners of a metric grid in degrees, from the upper left against the clock.

    Beyond the 180th meridian longitudes go on, so that the ring does not go round the earth.
    """
    columns = np.array([0, 0, grid.width, grid.width], dtype=np.float64)
    rows = np.array([0, grid.height, grid.height, 0], dtype=np.float64)
    corners = formats.lonlat(grid.crs, grid.transform, columns, rows)
    first = corners[0, 0]
    corners[:, 0] = first + (corners[:, 0] - first + 180) % 360 - 180
    return tuple((round(float(x), DIGITS), round(float(y), DIGITS)) for x, y in corners)


def native_grid(place: Place, native: NativeGrid, title: str) -> Grid:
    """The cells that a place touches.

    Parameters
    ----------
    place : Place
    native : NativeGrid
    title : str
        Of the dataset, for the message.

    Returns
    -------
    Grid
        In EPSG:4326, degrees.

    Raises
    ------
    ConfigError
        If the place reaches beyond them.
    """
    half = place.region_size / 2
    left, right = _cells(place.longitude - half - native.west, 2 * half, native.cell)
    top, bottom = _cells(native.north - place.latitude - half, 2 * half, native.cell)
    left, right = max(left, 0), min(right, native.columns)
    if not (0 <= top < bottom <= native.rows and left < right):
        south = native.north - native.rows * native.cell
        raise ConfigError(
            f"{title} has nothing at latitude {place.latitude}: it covers {south:g} to "
            f"{native.north:g} degrees",
            "leave the collection out, or move the place",
        )
    x = round(native.west + left * native.cell, 9)
    y = round(native.north - top * native.cell, 9)
    corner = (native.cell, 0.0, x, 0.0, -native.cell, y)
    return Grid("EPSG:4326", corner, right - left, bottom - top)


def _cells(begin: float, length: float, cell: float) -> tuple[int, int]:
    """First cell and the one behind the last; an edge that only touches a cell is not in it."""
    touch = 1e-9  # of a cell: 0.1 and its multiples are not exact in binary
    first = math.floor(begin / cell + touch)
    return first, max(first + 1, math.ceil((begin + length) / cell - touch))
