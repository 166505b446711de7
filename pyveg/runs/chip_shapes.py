"""Chips as polygons on the earth, in the degrees of GeoJSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.earth.chips import SIZE, ChipGrid
from pyveg.earth.types import Place

Ring = tuple[tuple[float, float], ...]
"""Longitude and latitude of its corners, counter-clockwise; the first one again at the end."""
_CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))
"""Column and row, in chips, from the north-west counter-clockwise."""


@dataclass(frozen=True)
class ChipShape:
    """One chip on one date."""

    rings: tuple[Ring, ...]
    """One, or two where it lies across 180 degrees."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Collection, date, number of the chip, and what was measured on it."""

    @property
    def geometry(self) -> dict[str, Any]:
        """As GeoJSON has it."""
        rings = [[list(corner) for corner in ring] for ring in self.rings]
        if len(rings) == 1:
            return {"type": "Polygon", "coordinates": rings}
        return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}

    @property
    def wkt(self) -> str:
        """As well-known text."""
        parts = [f"(({', '.join(f'{x} {y}' for x, y in ring)}))" for ring in self.rings]
        return f"POLYGON {parts[0]}" if len(parts) == 1 else f"MULTIPOLYGON ({', '.join(parts)})"


def shapes_of(
    item: str,
    rows: Iterable[Mapping[Any, Any]],
    raster: formats.Raster,
    grid: ChipGrid,
    place: Place,
) -> Iterator[ChipShape]:
    """The chips of a date that have records.

    Parameters
    ----------
    item : str
        The date.
    rows : iterable of mapping
        Records, as rows of `Results.chips`.
    raster, grid, place
        See `rings_of`.
    """
    rings = rings_of(raster, grid, place)
    for row in rows:
        kept = {str(name): _plain(value) for name, value in row.items()}
        yield ChipShape(rings[int(row["chip"])], {**kept, "date": item})


def _plain(value: Any) -> Any:
    """A cell of a table as JSON has it; what is missing is None."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and np.isnan(value) else value


def rings_of(raster: formats.Raster, grid: ChipGrid, place: Place) -> list[tuple[Ring, ...]]:
    """Outlines of all chips of an image, in their order.

    Parameters
    ----------
    raster : Raster
        The image; where it has no georeferencing the chips divide the region.
    grid : ChipGrid
    place : Place
    """
    corners = _corners(raster, grid, place)
    return [_rings(corners[chip]) for chip in range(len(grid))]


def _corners(raster: formats.Raster, grid: ChipGrid, place: Place) -> NDArray[np.float64]:
    """Shape (chips, 4, 2): longitude and latitude."""
    columns = np.repeat(np.arange(grid.columns), grid.rows)
    rows = np.tile(np.arange(grid.rows), grid.columns)
    across, down = ([axis + one for one in steps] for axis, steps in (
        (columns, [column for column, _ in _CORNERS]), (rows, [row for _, row in _CORNERS]),
    ))  # fmt: skip
    x, y = (np.stack(part, axis=-1).ravel().astype(np.float64) for part in (across, down))
    if raster.crs and raster.transform:
        found = formats.lonlat(raster.crs, raster.transform, x * SIZE, y * SIZE)
    else:
        half = place.region_size / 2
        east = place.longitude - half + x * place.region_size / grid.columns
        north = place.latitude + half - y * place.region_size / grid.rows
        found = np.stack([east, north], axis=-1)
    return found.reshape(len(grid), 4, 2)


def _rings(corners: NDArray[np.float64]) -> tuple[Ring, ...]:
    points = [(float(x), float(y)) for x, y in corners]
    if _turns(points) < 0:  # images that are flipped
        points.reverse()
    west = min(x for x, _ in points)
    if max(x for x, _ in points) - west <= 180:
        return (_closed(points),)
    # Across 180 degrees: cut in two there, as RFC 7946 has it.
    whole = [(x + 360 if x < 0 else x, y) for x, y in points]
    left, right = _side(whole, 180, -1), _side(whole, 180, 1)
    return (_closed(left), _closed([(x - 360, y) for x, y in right]))


def _turns(points: Sequence[tuple[float, float]]) -> float:
    """Twice the area inside, above 0 where it is walked counter-clockwise."""
    x0 = points[0][0]
    around = [((x - x0 + 180) % 360 - 180, y) for x, y in points]
    pairs = zip(around, [*around[1:], around[0]], strict=True)
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)


def _side(points: Sequence[tuple[float, float]], at: float, sign: int) -> list[tuple[float, float]]:
    """What of a polygon lies on one side of a meridian."""
    kept: list[tuple[float, float]] = []
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        if (ax - at) * sign >= 0:
            kept.append((ax, ay))
        if (ax - at) * (bx - at) < 0:
            kept.append((at, ay + (at - ax) / (bx - ax) * (by - ay)))
    return kept


def _closed(points: Sequence[tuple[float, float]]) -> Ring:
    rounded = [(round(x, 7), round(y, 7)) for x, y in points]  # a centimetre
    return (*rounded, rounded[0])


def collection_of_features(shapes: Iterator[ChipShape] | Sequence[ChipShape]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection (RFC 7946) of chips."""
    features = [
        {"type": "Feature", "geometry": one.geometry, "properties": dict(one.properties)}
        for one in shapes
    ]
    return {"type": "FeatureCollection", "features": features}
