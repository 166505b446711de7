"""Results as series: one row per date and chip on a regular axis, gaps as gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.axis import Axis, make_axis, place
from pyveg.core.errors import DataError
from pyveg.runs.results import Results, load_summary

RAIN, WARMTH = "total_precipitation", "mean_2m_air_temperature"
WEATHER = (RAIN, WARMTH)
KEYS = ("collection", "step", "date", "chip", "latitude", "longitude")
NO_METRICS = (*KEYS, *WEATHER, "feature_vec", "signal", "valid_fraction")


@dataclass(frozen=True)
class Series:
    """The series of one collection of a place."""

    collection: str
    table: pd.DataFrame
    """One row per step of the axis and chip: `collection, step, date, chip, latitude, longitude`,
    the metrics (NaN where missing), `valid_fraction`, and the weather of the step where there is
    some. A date that no chip has is there too, with NaN."""
    axis: Axis | None
    """None where there are no dates at all."""
    notes: tuple[str, ...] = ()
    """What was put in order, one sentence each."""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """Names of the columns that were measured on the vegetation, with at least one number."""
        return [
            name
            for name in self.table.columns
            if name not in NO_METRICS
            and pd.api.types.is_float_dtype(self.table[name])
            and self.table[name].notna().any()
        ]

    @property
    def chips(self) -> list[int]:
        """Their numbers, in order."""
        return sorted(self.table["chip"].unique().tolist())

    def matrix(self, metric: str) -> NDArray[np.float64]:
        """A metric as an array of shape (chips, steps); NaN where missing."""
        if self.axis is None:
            return np.empty((0, 0))
        if metric not in self.table.columns:
            raise DataError(f'there is no "{metric}" in these results; try {self.metrics}')
        wide = self.table.pivot(index="chip", columns="step", values=metric)
        return wide.to_numpy(np.float64)

    def weather(self, name: str = RAIN) -> NDArray[np.float64] | None:
        """Weather on the axis, shape (steps,); None where there is none."""
        if self.axis is None or name not in self.table.columns:
            return None
        found = self.table.groupby("step")[name].first().to_numpy(np.float64)
        return found if np.isfinite(found).any() else None


def load_series(path: str | Path, *, min_valid: float = 0.5) -> list[Series]:
    """Series of each vegetation collection of a run; see `pyveg.load_results` for paths and errors.

    Parameters
    ----------
    path : str or Path
    min_valid : float
        Share of valid pixels below which a chip's values are missing.
    """
    return make_series(load_summary(path), min_valid=min_valid)


def make_series(results: Results, *, min_valid: float = 0.5) -> list[Series]:
    """Series of each vegetation collection of a summary, in order of their names."""
    step = str(results.metadata.get("time_per_point") or "")
    collection = results.metadata.get("collection")
    return [
        tidy(
            part,
            results.weather,
            time_per_point=step if name == collection else "",
            min_valid=min_valid,
            metadata=results.metadata,
        )
        for name, part in results.chips.groupby("collection", sort=True)
    ]


def tidy(
    chips: pd.DataFrame,
    weather: pd.DataFrame | None = None,
    *,
    time_per_point: str = "",
    min_valid: float = 0.5,
    metadata: Mapping[str, Any] | None = None,
) -> Series:
    """Put the records of one collection on a regular axis.

    Parameters
    ----------
    chips : DataFrame
        A row per record, as `pyveg.load_results` gives it: `date` and metrics; `collection`,
        `chip`, `latitude`, `longitude` and `valid_fraction` where there are some. In any order.
    weather : DataFrame, optional
        As `pyveg.load_weather` gives it; joined by step, not by equal dates.
    time_per_point : str
        The step, ``"1m"``; found from the dates where empty.
    min_valid : float
        Share of valid pixels below which a record is missing.
    metadata : mapping, optional

    Returns
    -------
    Series

    Notes
    -----
    Nothing is filled or dropped in silence. Records of one chip in one step are averaged, records
    with too few valid pixels and the network centrality of a chip without signal pixels are
    missing, and `notes` counts them.
    """
    about = metadata or {}
    notes: list[str] = []
    chips = chips[chips["date"].notna()] if "date" in chips.columns else chips.iloc[:0]
    name = str(chips["collection"].iloc[0]) if len(chips) and "collection" in chips else ""
    if chips.empty:
        columns = [*KEYS, "valid_fraction"]
        return Series(name, pd.DataFrame(columns=columns), None, ("there are no dates",), about)
    chips = _numbered(chips.reset_index(drop=True))
    chips = _blanked(chips, min_valid, notes)
    if not chips["date"].is_monotonic_increasing:
        chips = chips.sort_values(["date", "chip"], kind="stable", ignore_index=True)
    axis, steps = make_axis(chips["date"], time_per_point)
    table = _on_axis(chips.assign(step=steps), axis, notes)
    table.insert(0, "collection", name)
    empty = len(axis) - chips["date"].groupby(steps).ngroups
    if empty:
        notes.append(f"{empty} of {len(axis)} steps ({axis.text}) have no data: they stay gaps")
    table = _with_weather(table, weather, axis, notes)
    return Series(name, table, axis, tuple(notes), about)


def _numbered(chips: pd.DataFrame) -> pd.DataFrame:
    """Give chips their numbers; older results tell them by their coordinates only."""
    chips = chips.assign(date=pd.to_datetime(chips["date"]))
    if "chip" in chips.columns and chips["chip"].notna().all():
        return chips.assign(chip=chips["chip"].astype(np.int64))
    if {"latitude", "longitude"} <= set(chips.columns):
        known = chips.groupby(["latitude", "longitude"], dropna=False, sort=True).ngroup()
        return chips.assign(chip=known.astype(np.int64))
    return chips.assign(chip=0)


def _blanked(chips: pd.DataFrame, min_valid: float, notes: list[str]) -> pd.DataFrame:
    """Make NaN of what is no measurement."""
    metrics = _numbers(chips)
    chips = chips.astype(dict.fromkeys(metrics, np.float64))
    if "valid_fraction" in chips.columns:
        low = chips["valid_fraction"] < min_valid
        if low.any():
            chips.loc[low, [name for name in metrics if name != "valid_fraction"]] = np.nan
            notes.append(f"{int(low.sum())} records with under {min_valid:g} valid are missing")
    if "signal_cover" in chips.columns:
        bare = chips["signal_cover"] == 0
        centrality = [
            name for name in ("offset50", "offset", "slope", "mean", "std") if name in metrics
        ]
        if bare.any():
            chips.loc[bare, centrality] = np.nan
            notes.append(
                f"{int(bare.sum())} records have no signal pixels: their zeros are no centrality"
            )
    return chips


def _numbers(chips: pd.DataFrame) -> list[str]:
    skip = {"date", "step", "chip", "latitude", "longitude"}
    return [
        str(name)
        for name in chips.columns
        if name not in skip and pd.api.types.is_numeric_dtype(chips[name])
    ]


def _on_axis(chips: pd.DataFrame, axis: Axis, notes: list[str]) -> pd.DataFrame:
    """One row for every step and chip."""
    keys = ["step", "chip"]
    double = int(chips.duplicated(keys).sum())
    if double:
        notes.append(f"{double} records share a step and chip with another: they were averaged")
    metrics = _numbers(chips)
    where = [name for name in ("latitude", "longitude") if name in chips.columns]
    means = chips.groupby(keys)[metrics].mean()
    every = pd.MultiIndex.from_product(
        [range(len(axis)), sorted(chips["chip"].unique())], names=keys
    )
    table = means.reindex(every).reset_index()
    table.insert(1, "date", axis.dates[table["step"]])
    for column in reversed(where):
        known = chips.groupby("chip")[column].first()
        table.insert(3, column, table["chip"].map(known))
    return table


def _with_weather(
    table: pd.DataFrame, weather: pd.DataFrame | None, axis: Axis, notes: list[str]
) -> pd.DataFrame:
    columns = [] if weather is None else [name for name in WEATHER if name in weather.columns]
    known = None if weather is None else weather.dropna(subset=columns, how="all")
    if known is None or not columns or known.empty:
        notes.append("there is no weather")
        return table
    if known["collection"].nunique() > 1:
        first = known["collection"].iloc[0]
        notes.append(f'there are several weather collections; "{first}" was used')
        known = known[known["collection"] == first]
    steps = place(axis, pd.to_datetime(known["date"]))
    means = known.groupby(steps)[columns].mean()
    if pd.Series(steps).duplicated().any():
        notes.append("several dates of weather fall in one step: they were averaged")
    return table.join(means, on="step")


def site_table(series: Series, metric: str) -> pd.DataFrame:
    """A metric over the chips of each date, with the spread between them.

    Returns
    -------
    DataFrame
        One row per step: `step, date, chips` (with a number), `middle` (median), `low` and `high`
        (quartiles).
    """
    groups = series.table.groupby("step")[metric]
    table = pd.DataFrame(
        {
            "date": series.table.groupby("step")["date"].first(),
            "chips": groups.count(),
            "middle": groups.median(),
            "low": groups.quantile(0.25),
            "high": groups.quantile(0.75),
        }
    )
    return table.reset_index()


def older_pyveg_filled(series: Series, metric: str) -> pd.DataFrame:
    """What the older pyveg (1.1.0) made of a metric, for comparison only; biases every indicator.

    Values more than 3 SD from the mean of a chip's raw series are taken out, gaps get the chip's
    mean of that calendar month, and what is left is interpolated between its neighbours in time.

    Returns
    -------
    DataFrame
        `step, date, chip` and `older_pyveg_filled`.
    """
    table = series.table[["step", "date", "chip"]].copy()
    values = series.table[metric].copy()
    chip = table["chip"]
    by_chip = values.groupby(chip)
    off = (values - by_chip.transform("mean")).abs()
    values = values.mask(off > 3 * by_chip.transform("std"))
    monthly = values.groupby([chip, table["date"].dt.month]).transform("mean")
    values = values.fillna(monthly)
    filled = values.groupby(chip).transform(
        lambda one: one.interpolate(method="linear", limit_area="inside")
    )
    return table.assign(older_pyveg_filled=filled)
