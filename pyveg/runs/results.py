"""Results of a run as tables.

A process that starts a run imports this module and makes no table. So pandas, which would take half
of the time of its start, is imported where a table is made.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from pyveg import formats
from pyveg.core.errors import ConfigError, DataError
from pyveg.core.texts import brief
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE, Metric, installed
from pyveg.earth.types import DateRange
from pyveg.runs.possible import LARGEST, refuse_impossible
from pyveg.runs.summary_dates import Dates, read_summary_dates

if TYPE_CHECKING:
    import pandas as pd

SUMMARY_KEYS = ("metadata", "missing")
"""Names in `results_summary.json` that are of no collection."""

SERIES = "time-series-data"
_LONGEST_NAME = 200
"""Characters."""

FIRST = ["date", "collection", "latitude", "longitude"]
"""Columns that say where and when a chip was measured."""


def _no_rows() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()


@dataclass(frozen=True)
class Results:
    """What a summary holds, as tables."""

    chips: pd.DataFrame
    """One row per date and chip: `date, collection, latitude, longitude` and the metrics."""
    weather: pd.DataFrame
    """One row per date: `date, collection, total_precipitation` (m), `mean_2m_air_temperature`
    (K)."""
    metadata: Mapping[str, Any]
    place: pd.DataFrame = field(default_factory=_no_rows)
    """One row per date of a vegetation collection: `date, collection` and the metrics of the whole
    region; no rows where no Module measured such."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    """What is known of the numbers, by name: as the run declared them, or, for results that
    declare nothing, as the Modules that are installed do."""
    periods: Mapping[str, Mapping[date, DateRange]] = field(default_factory=dict)
    """Name of a collection -> date -> the days that it stands for, also of dates without data; only
    what the summary says."""
    steps: Mapping[str, str] = field(default_factory=dict)
    """Name of a collection -> its `time_per_point`; only what the summary says of each."""


def read_summary(data: bytes) -> Results:
    """Read the bytes of a `results_summary.json`."""
    import pandas as pd

    try:
        summary = formats.decode_json(data)
        parts = _collections(summary)
        dates = {name: read_summary_dates(name, part) for name, part in parts.items()}
        chips = pd.DataFrame(_rows(parts, dates, "vegetation"))
        weather = pd.DataFrame(_rows(parts, dates, "weather"))
        place = pd.DataFrame(_place_rows(parts, dates))
        metadata = _metadata(summary)
        declared = list(_declared(parts))
        # Results of earlier versions declare nothing.
        metrics = {metric.name: metric for metric in declared} or installed()
        for column in {*chips.columns, *weather.columns, *place.columns}:
            check_name(column, "a number")
        chips, weather, place = (
            refuse_impossible(table, metrics) for table in (chips, weather, place)
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, ConfigError) as error:
        raise DataError(
            f"this is no results_summary.json of pyveg: {error}", "give one that a run has written"
        ) from error
    return Results(
        _tidy(chips, FIRST),
        _tidy(weather, ["date", "collection", PRECIPITATION, TEMPERATURE]),
        metadata,
        _tidy(place, ["date", "collection"]) if len(place) else place,
        metrics,
        {name: known.periods for name, known in dates.items() if known.periods},
        {name: str(part["time_per_point"]) for name, part in parts.items()
         if part.get("time_per_point")},
    )  # fmt: skip


def _collections(summary: Any) -> dict[str, Mapping[str, Any]]:
    """What the summary has of each collection, of a shape that can be read."""
    if not isinstance(summary, Mapping):
        raise TypeError("it is no dictionary")
    parts = {name: part for name, part in summary.items() if name not in SUMMARY_KEYS}
    for name, part in parts.items():
        check_name(name, "a collection")
        where = f'"{name}"'
        if not isinstance(part, Mapping):
            raise TypeError(f"{where} is no dictionary")
        if not isinstance(part.get("type"), str):
            raise TypeError(f'{where} does not say its "type", "vegetation" or "weather"')
        if not isinstance(part.get(SERIES), Mapping):
            raise TypeError(f"{where} has no dictionary {SERIES}, which has a record for each date")
        for more, kind in (("place", dict), ("periods", dict), ("metrics", list)):
            if not isinstance(part.get(more, kind()), kind):
                raise TypeError(f"{where} has {more} of another type")
    return parts


def check_name(name: Any, whose: str) -> None:
    """Refuse a name that no table, title or terminal could show.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of {whose} is no text")
    if len(name) > _LONGEST_NAME or not name.isprintable() or not name.strip():
        raise ValueError(f"the name of {whose}, {brief(name)}, is empty, too long or does not show")


def _metadata(summary: Mapping[str, Any]) -> dict[str, Any]:
    given = summary.get("metadata") or {}
    if not isinstance(given, Mapping):
        raise TypeError("its metadata are no dictionary")
    return dict(given)


def read_series(data: bytes) -> pd.DataFrame:
    """Read the bytes of a `series.csv`.

    Returns
    -------
    DataFrame
        One row per collection and date: `date` (datetime64), `collection`, `chips`, and for each
        metric its median and quartiles (`offset50`, `offset50_q25`, `offset50_q75` ...), or the
        weather.
    """
    import pandas as pd

    table = pd.read_csv(io.BytesIO(data), parse_dates=["date"], dtype={"collection": str})
    return table.sort_values(["collection", "date"], kind="stable", ignore_index=True)


def _rows(
    parts: Mapping[str, Any], dates: Mapping[str, Dates], data_type: str
) -> Iterator[dict[str, Any]]:
    for name, part in parts.items():
        if part["type"] != data_type:
            continue
        for written, value in part[SERIES].items():
            # Weather has one record per date, vegetation a list of them, and null is no data.
            records = [value] if isinstance(value, Mapping) else value or []
            for record in records:
                if not isinstance(record, Mapping):
                    raise TypeError(f'"{name}" has a record of {brief(written)} that is none')
                row = {**record, "date": dates[name].days[written], "collection": name}
                if "feature_vec" in row:
                    row["feature_vec"] = _feature_vector(row["feature_vec"], name, written)
                yield row


def _feature_vector(values: Any, collection: str, written: str) -> tuple[Any, ...]:
    for value in values:
        known = type(value)
        number = known is float or known is int
        if not (value is None or number) or (number and abs(value) > LARGEST):
            raise ValueError(
                f'"{collection}" has {brief(value)} in the feature_vec of {brief(written)}'
            )
    return tuple(values)


def _place_rows(parts: Mapping[str, Any], dates: Mapping[str, Dates]) -> Iterator[dict[str, Any]]:
    """What was measured on the whole region of vegetation collections."""
    for name, part in parts.items():
        for written, record in part.get("place", {}).items():
            yield {**record, "date": dates[name].days[written], "collection": name}


def _declared(parts: Mapping[str, Any]) -> Iterator[Metric]:
    """What the summary says of its numbers, vegetation before weather."""
    for part in sorted(parts.values(), key=lambda part: bool(part["type"] == "weather")):
        yield from map(Metric.from_json, part.get("metrics", ()))


def _tidy(table: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """Known columns first, dates as dates, in order."""
    import pandas as pd

    rest = [name for name in table.columns if name not in first]
    table = table.reindex(columns=[*first, *rest])
    table["date"] = pd.to_datetime(table["date"])
    by = ["collection", "date", *(["chip"] if "chip" in table.columns else [])]
    # Stable: chips without numbers stay in the order of the file.
    return table.sort_values(by, kind="stable", ignore_index=True)
