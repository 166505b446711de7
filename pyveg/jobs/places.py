"""A place from what people have: an id of the study, a row of a table, a GeoJSON."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyveg.core.errors import ConfigError, DataError
from pyveg.earth import geojson
from pyveg.runs.delimited import Cell, TextTable, decimal_mark, is_number, number, read_table
from pyveg.runs.headings import name_and_unit

_LONGITUDE = ("longitude", "lon", "long", "x")
_LATITUDE = ("latitude", "lat", "y")
_SIZE = ("region_size",)
_DEGREES = ("°", "deg", "decimal deg", "dd", "wgs")
"""Beginnings of the units in headings that are degrees."""


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
        Separated by commas, semicolons or tabs, decimals with a point or a comma. Its other columns
        are looked at for ``region_size``, ``country`` and ``type``.
    name : str
        What stands in the first column of the row, or the row's number, from 1.

    Raises
    ------
    ConfigError
        If the table or the row cannot be used; with the nearest names.
    """
    try:
        table = read_table(path)
        return _place_in(table, _row(table, name), name)
    except DataError as error:  # of a file that stands on the command line
        raise ConfigError(error.wrong, error.cure) from error


def _row(table: TextTable, name: str) -> int:
    """Which row is meant."""
    names = [cell.text for cell in table.cells(table.columns[0])]
    if names.count(name) > 1:
        raise ConfigError(
            f'{table.name}: {names.count(name)} rows are called "{name}"',
            "give one of them another name, or say its number",
        )
    if name in names:
        return names.index(name)
    if name.isdecimal() and 1 <= int(name) <= len(names):
        return int(name) - 1
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
    raise ConfigError(
        f'{table.name}: no row is called "{name}"', f"there are {', '.join(near)} ..."
    )


def _place_in(table: TextTable, row: int, name: str) -> GivenPlace:
    longitude, latitude = _one(table, _LONGITUDE), _one(table, _LATITUDE)
    for column, what in ((longitude, _LONGITUDE[0]), (latitude, _LATITUDE[0])):
        if column is None or table.cells(column)[row].missing:
            raise ConfigError(
                f'{table.name}: row "{name}" has no {what}', f"give it a column {what}, degrees"
            )
    size, country, kind = (_one(table, names) for names in (_SIZE, ("country",), ("type",)))
    numbers = [column for column in (longitude, latitude, size) if column is not None]
    # The row itself, and all others that tell how its numbers are written.
    mark = decimal_mark(_readable(table, numbers, row), table.separator)

    def value(column: str | None) -> float | None:
        cell = None if column is None else table.cells(column)[row]
        return None if cell is None or cell.missing else number(cell, mark)

    def text(column: str | None) -> str:
        return "" if column is None else table.cells(column)[row].text

    return _checked(
        GivenPlace(
            value(longitude) or 0.0,
            value(latitude) or 0.0,
            value(size),
            name,
            text(country),
            text(kind),
        ),
        f'{table.name}: row "{name}"',
    )


def _one(table: TextTable, names: Sequence[str]) -> str | None:
    """The column that goes by the first of some names; None where there is none."""
    headings = {column: name_and_unit(column) for column in table.columns}
    for name in names:
        for column, (heading, unit) in headings.items():
            if heading == name:
                _check_degrees(table, column, unit)
                return column
    return None


def _check_degrees(table: TextTable, column: str, unit: str) -> None:
    """Refuse a unit that is not degrees, where the heading has one."""
    if unit and not unit.lower().startswith(_DEGREES):
        raise ConfigError(
            f'{table.name}: column "{column}" is in {unit}', "give degrees, such as 11.57"
        )


def _readable(table: TextTable, columns: Sequence[str], row: int) -> list[Cell]:
    """Cells of a row, and those of other rows that hold numbers, whatever else these hold."""
    cells = [(place, cell) for column in columns for place, cell in enumerate(table.cells(column))]
    return [cell for place, cell in cells if place == row or is_number(cell.text)]


def _checked(place: GivenPlace, where: str) -> GivenPlace:
    """A place on earth with a size that can be."""
    if not (-180 <= place.longitude <= 180 and -90 <= place.latitude <= 90):
        raise ConfigError(
            f"{where}: longitude {place.longitude:g}, latitude {place.latitude:g} are not on earth",
            "write degrees: longitude -180 to 180, latitude -90 to 90",
        )
    if place.region_size is not None and place.region_size <= 0:
        raise ConfigError(
            f"{where}: region_size = {place.region_size:g} is no size", "write degrees above 0"
        )
    return place


def from_geojson(path: Path) -> GivenPlace:
    """The square around all that a GeoJSON holds, in degrees of WGS 84.

    Raises
    ------
    ConfigError
        If it has no coordinates in degrees.
    """
    square = geojson.read(path).square
    # One point alone has no size.
    return GivenPlace(square.longitude, square.latitude, square.size or None, path.stem)
