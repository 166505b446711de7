"""A place from what people have: an id of the study, a row of a table, a GeoJSON."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError

_LONGITUDE = ("longitude", "lon", "long", "x")
_LATITUDE = ("latitude", "lat", "y")


@dataclass(frozen=True)
class GivenPlace:
    """What is known of a place."""

    longitude: float
    latitude: float
    region_size: float | None = None
    """Length of a side, degrees; None where nothing says it."""
    name: str = ""
    country: str = ""
    pattern: str = ""


def from_study(name: str) -> GivenPlace:
    """A place of the study by its id, such as ``"03"``.

    Raises
    ------
    ConfigError
        If there is none of that id.
    """
    from pyveg.coordinates import BY_ID

    place = BY_ID.get(name.zfill(2))
    if place is None:
        raise ConfigError(
            f'--place "{name}": the study has places 00 to {max(BY_ID)}', "see --list_places"
        )
    return GivenPlace(
        place.longitude, place.latitude, place.region_size, place.id, place.country, place.pattern
    )


def from_table(path: Path, name: str) -> GivenPlace:
    """A row of a CSV with columns ``latitude`` and ``longitude``.

    Parameters
    ----------
    path : Path
        Its other columns are looked at for ``region_size``, ``country`` and ``type``.
    name : str
        What stands in the first column of the row, or the row's number, from 1.

    Raises
    ------
    ConfigError
        If the table or the row cannot be used; with the nearest names.
    """
    try:
        # Spreadsheets write a mark at the beginning.
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}",
            "give a CSV in UTF-8 with columns latitude and longitude",
        ) from error
    names = [next(iter(row.values())) or "" for row in rows]
    if name in names:
        row = rows[names.index(name)]
    elif name.isdecimal() and 1 <= int(name) <= len(rows):
        row = rows[int(name) - 1]
    else:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
        raise ConfigError(f'{path}: no row is called "{name}"', f"there are {', '.join(near)} ...")
    small = {(key or "").strip().lower(): (value or "").strip() for key, value in row.items()}
    return GivenPlace(
        _number(small, _LONGITUDE, path, name),
        _number(small, _LATITUDE, path, name),
        float(small["region_size"]) if small.get("region_size") else None,
        name,
        small.get("country", ""),
        small.get("type", ""),
    )


def from_geojson(path: Path) -> GivenPlace:
    """The square around all points of a GeoJSON, in degrees of WGS 84.

    Raises
    ------
    ConfigError
        If it has no coordinates in degrees.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        points = list(_points(document))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path} is no GeoJSON: {error}", "give one of points or polygons"
        ) from error
    if not points:
        raise ConfigError(f"{path}: it has no coordinates", "give one of points or polygons")
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise ConfigError(
            f"{path}: its coordinates are not degrees (longitude, latitude)",
            "reproject it to WGS 84 (EPSG:4326)",
        )
    size = max(east - west, north - south)
    return GivenPlace(
        round((west + east) / 2, 6),
        round((south + north) / 2, 6),
        # One point alone has no size.
        round(size, 6) or None,
        path.stem,
    )


def _points(document: Any) -> Iterator[tuple[float, float]]:
    """All points of any GeoJSON object."""
    kind = document["type"]
    if kind == "FeatureCollection":
        for feature in document["features"]:
            yield from _points(feature)
    elif kind == "Feature":
        yield from _points(document["geometry"])
    elif kind == "GeometryCollection":
        for geometry in document["geometries"]:
            yield from _points(geometry)
    else:
        yield from _pairs(document["coordinates"])


def _pairs(coordinates: Any) -> Iterator[tuple[float, float]]:
    if coordinates and isinstance(coordinates[0], (int, float)):
        yield float(coordinates[0]), float(coordinates[1])
    else:
        for part in coordinates:
            yield from _pairs(part)


def _number(row: dict[str, str], names: tuple[str, ...], path: Path, where: str) -> float:
    text = next((row[name] for name in names if row.get(name)), None)
    if text is None:
        raise ConfigError(
            f'{path}: row "{where}" has no {names[0]}', f"give it a column {names[0]}, degrees"
        )
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f'{path}: row "{where}": {names[0]} = {text!r} is no number', "write degrees"
        ) from None
