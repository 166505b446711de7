"""Places and outlines from GeoJSON as RFC 7946 has it: longitude, latitude of WGS 84."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.core.reading import read_text

Position = tuple[float, float]
"""Longitude and latitude, degrees."""
Polygon = tuple[tuple[Position, ...], ...]
"""Its outer ring and its holes."""

_LINES = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2}
_DEPTH = {**_LINES, "Polygon": 2, "MultiPolygon": 3}
"""Type of a geometry -> how deep its positions lie in lists."""
_WGS84 = ("CRS84", "EPSG:4326", "EPSG::4326", "EPSG/0/4326")
"""Ends of the names that files of before RFC 7946 may give this system."""
_CURE = "give points or polygons as RFC 7946 has them"


@dataclass(frozen=True)
class Square:
    """The square around something, in degrees."""

    longitude: float
    """Of its centre, -180 to 180."""
    latitude: float
    size: float
    """Length of a side; 0 for one point."""


@dataclass(frozen=True)
class Shapes:
    """What a GeoJSON holds."""

    lines: tuple[tuple[Position, ...], ...]
    """All of its points, lines and rings of polygons."""
    polygons: tuple[Polygon, ...]

    @property
    def square(self) -> Square:
        """The square around everything; across 180 degrees where that is smaller."""
        west, east = _narrowest([_extent(line) for line in self.lines])
        latitudes = [y for line in self.lines for _, y in line]
        south, north = min(latitudes), max(latitudes)
        middle = (west + east) / 2
        longitude = middle if -180 <= middle <= 180 else (middle + 180) % 360 - 180
        size = max(east - west, north - south)
        return Square(round(longitude, 6), round((south + north) / 2, 6), round(size, 6))


def read(path: Path) -> Shapes:
    """Read a file; see `parse` for what it may hold.

    Raises
    ------
    ConfigError
        If it cannot be read, or is no such GeoJSON; the message names the file.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}", "check its path and permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no GeoJSON: it is not in UTF-8", _CURE) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Shapes:
    """Read GeoJSON from its text.

    Parameters
    ----------
    text : str
        Any object of RFC 7946. Features without a geometry are passed over.
    name : str
        Where it is from, to begin messages with.

    Raises
    ------
    ConfigError
        If it is no GeoJSON, has no positions, or they are not degrees of WGS 84.

    Examples
    --------
    >>> parse('{"type": "Point", "coordinates": [27.95, 11.57]}', "a").square
    Square(longitude=27.95, latitude=11.57, size=0.0)
    """
    try:
        document = json.loads(text)
        parts = list(_geometries(document, name))
    except RecursionError:
        raise ConfigError(f"{name} is no GeoJSON: it is nested too deeply", _CURE) from None
    except ValueError as error:
        raise ConfigError(f"{name} is no GeoJSON: {error}", _CURE) from None
    shapes = [_shape(kind, coordinates, name) for kind, coordinates in parts]
    lines = tuple(line for one in shapes for line in one.lines if line)
    if not lines:
        raise ConfigError(f"{name}: it has no coordinates", _CURE)
    return Shapes(lines, tuple(polygon for one in shapes for polygon in one.polygons))


def _geometries(thing: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Type and coordinates of every geometry."""
    if not isinstance(thing, Mapping) or not isinstance(thing.get("type"), str):
        raise ConfigError(f'{name} is no GeoJSON: an object without a "type" is in it', _CURE)
    _check_system(thing, name)
    kind = thing["type"]
    parts = {"FeatureCollection": "features", "GeometryCollection": "geometries"}
    if kind in parts:
        for part in _list(thing.get(parts[kind]), f"{name}: its {parts[kind]}"):
            yield from _geometries(part, name)
    elif kind == "Feature":
        if thing.get("geometry") is not None:  # null: a feature that is nowhere
            yield from _geometries(thing["geometry"], name)
    elif kind in _DEPTH:
        yield kind, thing.get("coordinates")
    else:
        raise ConfigError(f'{name} is no GeoJSON: there is no type "{kind}"', _CURE)


def _check_system(thing: Mapping[str, Any], name: str) -> None:
    """Refuse another coordinate reference system than that of RFC 7946."""
    crs = thing.get("crs")
    if crs is None:
        return
    about = crs.get("properties") if isinstance(crs, Mapping) else None
    system = about.get("name") if isinstance(about, Mapping) else None
    if not (isinstance(system, str) and system.endswith(_WGS84)):
        said = system if isinstance(system, str) else json.dumps(crs)[:80]
        raise ConfigError(
            f"{name}: its coordinates are not degrees of WGS 84: it names the coordinate "
            f"reference system {said}",
            "reproject it to WGS 84 (EPSG:4326)",
        )


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{what} are no list", _CURE)
    return value


def _shape(kind: str, coordinates: Any, name: str) -> Shapes:
    what = f"{name}: the coordinates of a {kind}"
    parts = coordinates
    for _ in range(3 - _DEPTH[kind]):
        parts = [parts]
    polygons = tuple(
        tuple(
            tuple(_position(one, what) for one in _list(ring, what)) for ring in _list(part, what)
        )
        for part in _list(parts, what)
    )
    lines = tuple(ring for polygon in polygons for ring in polygon)
    filled = tuple(polygon for polygon in polygons if polygon and len(set(polygon[0])) >= 3)
    return Shapes(lines, () if kind in _LINES else filled)


def _position(value: Any, what: str) -> Position:
    numbers = _list(value, what)[:2]
    if len(numbers) < 2 or not all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in numbers
    ):
        raise ConfigError(f"{what} are no numbers: {json.dumps(value)[:60]}", _CURE)
    x, y = numbers
    # Beyond 180 where something is drawn across that line in one piece; NaN is never within.
    if not (math.isfinite(x) and -360 <= x <= 360 and -90 <= y <= 90):
        raise ConfigError(
            f"{name_of(what)}: its coordinates are not degrees (longitude, latitude): [{x}, {y}]",
            "reproject it to WGS 84 (EPSG:4326), and write longitude first",
        )
    return float(x), float(y)


def name_of(what: str) -> str:
    """The file in the beginning of a message."""
    return what.rpartition(": ")[0]


def _extent(line: Sequence[Position]) -> tuple[float, float]:
    """West and east end of a line, each of its steps taken the short way round the earth."""
    x = line[0][0]
    west = east = x
    for longitude, _ in line[1:]:
        whole = abs(longitude - x) > 180
        x = longitude + 360 * round((x - longitude) / 360) if whole else longitude
        west, east = min(west, x), max(east, x)
    return west, east


def _narrowest(extents: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The smallest extent that has all of these, perhaps across 180 degrees."""
    best = (min(west for west, _ in extents), max(east for _, east in extents))
    for start, _ in extents:
        shifted = [(w + 360 * math.ceil((start - w) / 360), e - w) for w, e in extents]
        east = max(west + width for west, width in shifted)
        if east - start < best[1] - best[0] - 1e-9:
            best = (start, east)
    return best


def outline_of(shapes: Shapes, name: str) -> str:
    """The polygons of a GeoJSON as one geometry, in text.

    Raises
    ------
    ConfigError
        If it has none.
    """
    if not shapes.polygons:
        raise ConfigError(f"{name}: it has no polygon, so it outlines nothing", "give a polygon")
    coordinates = [[list(map(list, ring)) for ring in polygon] for polygon in shapes.polygons]
    return json.dumps({"type": "MultiPolygon", "coordinates": coordinates}, separators=(",", ":"))
