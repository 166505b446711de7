"""Series that are no run's: a table of dates and values, from a file or as a DataFrame.

Columns are found by their headings: one that says when, any number of values, and perhaps the
place, the rain and the temperature. A unit stands in the heading, as in ``rain (mm)`` or
``rain_mm``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyveg.core.errors import DataError
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE, Metric
from pyveg.earth.types import DateRange
from pyveg.runs.delimited import (
    Cell,
    TextTable,
    decimal_mark,
    is_number,
    listed,
    number,
    read_table,
)
from pyveg.runs.headings import ROLES, name_and_unit
from pyveg.runs.results import Results
from pyveg.runs.series_weather import UNITS, in_units_of_results
from pyveg.runs.written_dates import WrittenDate, is_date, read_dates

if TYPE_CHECKING:
    import pandas as pd

RESERVED = frozenset({"step", "chip", "collection", "latitude", "longitude", "valid_fraction"})
"""Columns of the tables of an analysis that no value can be called."""
ENDINGS = (".csv", ".tsv", ".txt")
_THOUSANDS = re.compile(r"-?\d{1,3}\.\d{3}")


_WEATHER = "weather"
"""What the collection of rain and temperature is called."""
MARKERS = frozenset({-9999.0, -999.0, -99999.0, -32768.0, -3000.0, 9999.0, 99999.0, 1e20, -1e20})
"""Numbers that programs write where they have none."""
INDICES = frozenset({"ndvi", "evi", "evi2", "savi", "msavi", "kndvi", "ndmi", "ndwi", "nirv"})
"""Headings of values that lie between -1 and 1 by their definition, or nearly."""


@dataclass(frozen=True)
class _Read:
    """A table as it was understood."""

    dates: Sequence[WrittenDate]
    """Of each row."""
    numbers: Mapping[str, Sequence[float]]
    """Column -> its numbers, weather in the units of results."""
    metrics: Mapping[str, Metric]
    """Column of values -> what is known of it."""
    weather: Mapping[str, str]
    """Role -> its column."""


@dataclass(frozen=True)
class GivenSeries:
    """The series of one place, as results, and how its table was understood."""

    results: Results
    notes: tuple[str, ...]


def is_series_file(path: str | Path) -> bool:
    """Whether a path is one of a table, by its ending."""
    return str(path).lower().endswith(ENDINGS)


def read_series_file(path: str | Path) -> list[GivenSeries]:
    """Read a table of dates and values.

    Parameters
    ----------
    path : str or Path
        See `pyveg.runs.delimited.read_table` for what separates its cells, and
        `pyveg.runs.written_dates.read_dates` for its dates.

    Returns
    -------
    list of GivenSeries
        One for each place, in the order of their names; one where there is no column of places.

    Raises
    ------
    DataError
        For a table that can be understood in no way or in two ways; one sentence that names the
        file and, where there is one, the line and column.
    """
    path = Path(path)
    return series_of(read_table(path), path.stem)


def series_of_frame(
    table: pd.DataFrame | pd.Series[Any], name: str = "values"
) -> list[GivenSeries]:
    """The same from a DataFrame, or from a Series whose index has the dates.

    An index of dates is taken for a column "date" where no column is called so.
    """
    import pandas as pd

    frame = table.to_frame(table.name or "value") if isinstance(table, pd.Series) else table
    headings = [str(column) for column in frame.columns]
    if isinstance(frame.index, pd.DatetimeIndex | pd.PeriodIndex):
        frame = frame.reset_index(names="date" if "date" not in headings else "index of dates")
        headings = [str(column) for column in frame.columns]
    if len(set(headings)) < len(headings):
        twice = next(one for one in headings if headings.count(one) > 1)
        raise DataError(f'the DataFrame has two columns "{twice}"', "rename one of them")
    columns = [_texts(frame.iloc[:, i]) for i in range(len(headings))]
    rows = tuple((i, row) for i, row in enumerate(zip(*columns, strict=True)))
    if not rows:
        raise DataError("the DataFrame has no rows", "give one with a row for each date")
    return series_of(TextTable("the DataFrame", tuple(headings), rows, counted="row"), name)


def series_of(table: TextTable, name: str) -> list[GivenSeries]:
    """Read the series in a table; see `read_series_file`.

    Parameters
    ----------
    table : TextTable
    name : str
        Of the series, where no column names places.
    """
    if {"collection"} < {*table.columns} and {"chips", "step"} & {*table.columns}:
        raise DataError(
            f"{table.name} is a table that pyveg has written, and has medians over chips",
            "give the folder of the run, or its results_summary.json",
        )
    roles = _roles(table)
    dates = read_dates(table.cells(roles["date"][0]))
    values, left_out = _values(table, roles)
    weather = {role: roles[role][0] for role in UNITS if role in roles}
    numeric = [*values, *weather.values()]
    cells = [cell for column in numeric for cell in table.cells(column)]
    mark = decimal_mark(cells, table.separator)
    numbers = {column: [number(cell, mark) for cell in table.cells(column)] for column in numeric}
    for column in values:
        _check_values(table, column, numbers[column])
    notes = [f"columns that are not used: {listed(left_out)}"] if left_out else []
    for role, column in weather.items():
        numbers[column], note = in_units_of_results(table, role, column, numbers[column])
        notes += [note] if note else []
    read = _Read(dates, numbers, _metrics(table, values), weather)
    places = _places(table, roles, name)
    _check_doubles(table, roles["date"][0], dates, places)
    rows: dict[str, list[int]] = {}
    for row, place in enumerate(places):
        rows.setdefault(place, []).append(row)
    return [GivenSeries(_results(place, rows[place], read), tuple(notes)) for place in sorted(rows)]


def _texts(column: pd.Series[Any]) -> list[str]:
    """Cells of a column as text that reads back as the same."""
    import pandas as pd

    if isinstance(column.dtype, pd.PeriodDtype):
        return ["" if pd.isna(one) else str(one.start_time.date()) for one in column]
    return ["" if pd.isna(one) else _text(one) for one in column]


def _text(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str) or hasattr(value, "__index__") or not hasattr(value, "__float__"):
        return str(value)
    text = repr(float(value))
    # Without the zero, 1.234 might have a mark between thousands.
    return f"{text}0" if _THOUSANDS.fullmatch(text) else text


def _roles(table: TextTable) -> dict[str, list[str]]:
    """Role -> the columns that have it; each at most one, and the date exactly one."""
    roles: dict[str, list[str]] = {}
    for column in table.columns:
        name, _ = name_and_unit(column)
        role = next((role for role, names in ROLES.items() if name in names), "")
        if not role and _all_dates(table.cells(column)):
            role = "date"
        if role:
            roles.setdefault(role, []).append(column)
    if "date" not in roles:
        raise DataError(
            f"{table.name} has no column of dates; its columns are {listed(table.columns)}",
            'call the column of dates "date"',
        )
    for role, columns in roles.items():
        if len(columns) > 1:
            what = {"date": "dates", "place": "places"}.get(role, role)
            raise DataError(
                f"{table.name} has {len(columns)} columns of {what}: {listed(columns)}",
                f"leave one of them in the table, and call it {listed([role])}",
            )
    return roles


def _all_dates(cells: Sequence[Cell]) -> bool:
    known = [cell for cell in cells if not cell.missing]
    return bool(known) and all(is_date(cell.text) for cell in known)


def _values(table: TextTable, roles: Mapping[str, list[str]]) -> tuple[list[str], list[str]]:
    """Columns of values, and those that are something else."""
    taken = {column for columns in roles.values() for column in columns}
    rest = [c for c in table.columns if c not in taken and not _is_index(table, c)]
    shares = {column: _share_of_numbers(table.cells(column)) for column in rest}
    names = {column: name_and_unit(column)[0] for column in rest}
    values = [
        column
        for column in rest
        if (shares[column] > 0 or names[column] == "value") and names[column] not in RESERVED
    ]
    if not values:
        raise DataError(
            f"{table.name} has no column of numbers beside its dates; its columns are "
            f"{listed(table.columns)}",
            'call the column of numbers "value"',
        )
    for column in values:
        if not any(is_number(cell.text) for cell in table.cells(column)):
            first = next(iter(table.cells(column)))
            raise DataError(f"{first.where}: the column has no numbers", "give it numbers")
    return values, [column for column in rest if column not in values]


def _is_index(table: TextTable, column: str) -> bool:
    """Whether it only counts the rows, as programs put in front of a table."""
    if not (column.startswith("column ") or column.lower() in ("", "index", "unnamed: 0")):
        return False
    texts = [cell.text for cell in table.cells(column)]
    return any(texts == [str(i + first) for i in range(len(texts))] for first in (0, 1))


def _share_of_numbers(cells: Sequence[Cell]) -> float:
    known = [cell for cell in cells if not cell.missing]
    return sum(is_number(cell.text) for cell in known) / len(known) if known else 0.0


def _check_values(table: TextTable, column: str, numbers: Sequence[float]) -> None:
    """Refuse numbers that stand for none, and indices in another scale."""
    index = name_and_unit(column)[0] in INDICES
    for cell, value in zip(table.cells(column), numbers, strict=True):
        if value in MARKERS:
            raise DataError(
                f"{cell.where}: {cell.text} looks like a mark for a missing value",
                "leave the cells of missing values empty",
            )
        if index and abs(value) > 1.5:
            raise DataError(
                f"{cell.where}: {cell.text} cannot be, since such an index lies between -1 and 1",
                "divide by the scale of the product, such as 10,000",
            )


def _metrics(table: TextTable, columns: Sequence[str]) -> dict[str, Metric]:
    """What is known of the columns of values."""
    metrics = {column: _metric(column, table.name) for column in columns}
    names = [metric.name for metric in metrics.values()]
    for column, metric in metrics.items():
        if names.count(metric.name) > 1:
            raise DataError(
                f'{table.name} has two columns of "{metric.name}", "{column}" is one of them',
                "rename one of them",
            )
    return metrics


def _metric(column: str, name: str) -> Metric:
    """What is known of a column of values."""
    plain, unit = name_and_unit(column)
    identifier = re.sub(r"\W+", "_", plain).strip("_") or "value"
    label = column.partition("(")[0].partition("[")[0].strip() or "value"
    return Metric(
        identifier if identifier.isidentifier() else f"v_{identifier}",
        unit or "?",
        f'column "{column}" of {name}',
        label,
        support="place",
    )


def _places(table: TextTable, roles: Mapping[str, list[str]], name: str) -> list[str]:
    """The place of each row."""
    if "place" not in roles:
        return [name] * len(table.rows)
    cells = table.cells(roles["place"][0])
    for cell in cells:
        if not cell.text:
            raise DataError(f"{cell.where}: there is no place", "give each row a place")
    return [cell.text for cell in cells]


def _check_doubles(
    table: TextTable, column: str, dates: Sequence[WrittenDate], places: Sequence[str]
) -> None:
    """Refuse two rows of one place and date, of which nobody knows which one is meant."""
    seen: dict[tuple[Any, str], Cell] = {}
    for cell, one, place in zip(table.cells(column), dates, places, strict=True):
        other = seen.setdefault((one.first, place), cell)
        if other is not cell:
            line = other.where.removeprefix(f"{table.name}, ").partition(",")[0]
            raise DataError(
                f"{cell.where}: {cell.text} is there already, in {line}",
                'give each date one row; a column "place" tells places apart',
            )


def _results(place: str, rows: Sequence[int], read: _Read) -> Results:
    """Some rows of a table as the results of a place."""
    import pandas as pd

    def table(columns: Mapping[str, str], collection: str) -> pd.DataFrame:
        data: dict[str, Any] = {"date": pd.to_datetime([read.dates[row].first for row in rows])}
        data |= {"collection": collection}
        data |= {name: [read.numbers[one][row] for row in rows] for name, one in columns.items()}
        return pd.DataFrame(data).sort_values("date", kind="stable", ignore_index=True)

    # A day says nothing of how long its value holds; a month does.
    spans = {
        one.first: DateRange(one.first, one.end)
        for one in (read.dates[row] for row in rows)
        if one.length != "day"
    }
    own = {"rain": PRECIPITATION, "temperature": TEMPERATURE}
    weather = {own[role]: column for role, column in read.weather.items()}
    return Results(
        chips=pd.DataFrame(columns=["date", "collection", "latitude", "longitude"]),
        weather=table(weather, _WEATHER) if weather else _no_weather(),
        metadata={"collection": place},
        place=table({metric.name: column for column, metric in read.metrics.items()}, place),
        metrics={metric.name: metric for metric in read.metrics.values()},
        periods={place: spans, _WEATHER: spans} if spans else {},
    )


def _no_weather() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=["date", "collection", PRECIPITATION, TEMPERATURE])
