"""Results of a run as tables."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pyveg import formats
from pyveg.core import registry
from pyveg.core.errors import DataError, NotARunError
from pyveg.core.layout import COMBINE
from pyveg.core.ports import Store

SUMMARY = "results_summary.json"
_KEYS = ("metadata", "missing")
_FIRST = ["date", "collection", "latitude", "longitude"]


@dataclass(frozen=True)
class Results:
    """What a summary holds, as tables."""

    chips: pd.DataFrame
    """One row per date and chip: `date, collection, latitude, longitude` and the metrics."""
    weather: pd.DataFrame
    """One row per date: `date, collection, total_precipitation` (m), `mean_2m_air_temperature`
    (K)."""
    metadata: Mapping[str, Any]


def load_results(path: str | Path, *, swap_coordinates: bool = False) -> pd.DataFrame:
    """Read the vegetation of a run.

    Parameters
    ----------
    path : str or Path
        A run folder or its URL, or a `results_summary.json`, also one of the older pyveg.
    swap_coordinates : bool
        Exchange latitude and longitude, for old files that have them the wrong way round.

    Returns
    -------
    DataFrame
        One row per date and chip: `date` (datetime64), `collection`, `latitude`, `longitude`
        (degrees) and the metrics; `feature_vec` as tuples. Dates without data have no row.

    Raises
    ------
    NotARunError
        If there is no summary at `path`.
    DataError
        If it is no summary of pyveg.
    """
    chips = load_summary(path).chips
    if swap_coordinates:
        chips = chips.rename(columns={"latitude": "longitude", "longitude": "latitude"})
        chips = chips[[*_FIRST, *(name for name in chips.columns if name not in _FIRST)]]
    return chips


def load_weather(path: str | Path) -> pd.DataFrame:
    """Read the weather of a run; see `load_results` for `path` and errors.

    Returns
    -------
    DataFrame
        One row per date: `date` (datetime64), `collection`, `total_precipitation` (m per period),
        `mean_2m_air_temperature` (K). No rows where the run had no weather.
    """
    return load_summary(path).weather


def load_summary(where: str | Path | Store) -> Results:
    """Read everything in the summary of a run, given by its path, its URL or its Store."""
    if isinstance(where, str | Path):
        text = str(where)
        if text.endswith(".json"):
            folder, _, name = text.replace("\\", "/").rpartition("/")
            return read_summary(_read(registry.store_at(folder or "."), name, text))
        where = registry.store_at(text)
    keys = [key for key in where.list() if key.endswith(SUMMARY)]
    found = [key for key in keys if _is_summary(key)]
    if found:
        return read_summary(_read(where, found[0], where.url))
    below = sorted({key.split("/")[0] for key in keys if _is_summary(key.partition("/")[2])})
    raise NotARunError(f"there is no {SUMMARY} in {where.url}; {_cure(below)}")


def _is_summary(key: str) -> bool:
    """That of a run, or one that lies in a folder by itself, as older programs left it."""
    folder, _, name = key.rpartition("/")
    return name == SUMMARY and (
        not folder or ("/" not in folder and folder.endswith(f"_{COMBINE}"))
    )


def _cure(runs: Sequence[str]) -> str:
    """What to do where a folder has no summary, but perhaps folders of runs."""
    if not runs:
        return "is it the folder of a finished run?"
    more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    return f"name one of the runs in it: {', '.join(runs[:3])}{more}"


def _read(store: Store, key: str, text: str) -> bytes:
    if store.size(key) is None:
        raise NotARunError(f"there is no file {text}")
    return store.read(key)


def read_summary(data: bytes) -> Results:
    """Read the bytes of a `results_summary.json`."""
    try:
        summary = formats.decode_json(data)
        chips = pd.DataFrame(_rows(summary, "vegetation"))
        weather = pd.DataFrame(_rows(summary, "weather"))
        metadata = summary.get("metadata", {})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"this is no results_summary.json of pyveg: {error}") from error
    return Results(
        _tidy(chips, _FIRST),
        _tidy(weather, ["date", "collection", "total_precipitation", "mean_2m_air_temperature"]),
        metadata,
    )


def read_series(data: bytes) -> pd.DataFrame:
    """Read the bytes of a `series.csv`.

    Returns
    -------
    DataFrame
        One row per collection and date: `date` (datetime64), `collection`, `chips`, and for each
        metric its median and quartiles (`offset50`, `offset50_q25`, `offset50_q75` ...), or the
        weather.
    """
    table = pd.read_csv(io.BytesIO(data), parse_dates=["date"], dtype={"collection": str})
    return table.sort_values(["collection", "date"], kind="stable", ignore_index=True)


def _rows(summary: Mapping[str, Any], data_type: str) -> Iterator[dict[str, Any]]:
    for name, part in summary.items():
        if name in _KEYS or part["type"] != data_type:
            continue
        for date, found in part["time-series-data"].items():
            records = [found] if isinstance(found, Mapping) else found or []
            for record in records:
                row = {**record, "date": date, "collection": name}
                if "feature_vec" in row:
                    row["feature_vec"] = tuple(row["feature_vec"])
                yield row


def _tidy(table: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """Known columns first, dates as dates, in order."""
    rest = [name for name in table.columns if name not in first]
    table = table.reindex(columns=[*first, *rest])
    table["date"] = pd.to_datetime(table["date"])
    by = ["collection", "date", *(["chip"] if "chip" in table.columns else [])]
    return table.sort_values(by, kind="stable", ignore_index=True)
