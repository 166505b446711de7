"""Results as series: one row per date and chip on a regular axis, gaps as gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.axis import Axis, Periods, has_spans, make_axis
from pyveg.analysis.data.columns import SERIES, series_table
from pyveg.analysis.data.labels import label, metric_of, short_label
from pyveg.analysis.data.stated import stated_step
from pyveg.analysis.data.weather import WEATHER, weather_on
from pyveg.core.errors import DataError
from pyveg.earth.chips import VALID_FRACTION
from pyveg.earth.metrics import PRECIPITATION, Metric, installed
from pyveg.earth.periods import parse_step
from pyveg.runs.load import load_summary
from pyveg.runs.results import Results

KEYS = tuple(SERIES.names)
PLACE = -1
"""Number of the chip in rows that are about the whole region."""


@dataclass(frozen=True)
class Series:
    """The series of one collection of a place."""

    collection: str
    table: pd.DataFrame
    """One row per step of the axis and chip, as `pyveg.analysis.data.columns.series_table` says:
    the metrics (NaN where missing), those of the whole region the same in all rows of a step, and
    the weather where there is some. A date that no chip has is there too, with NaN. A record
    without chips has one row for each step, of the chip `PLACE`."""
    axis: Axis | None
    """None where there are no dates at all."""
    notes: tuple[str, ...] = ()
    """What was put in order, one sentence each."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Metric] = field(default_factory=dict)
    """What is known of the metrics, by name."""

    def metric(self, name: str) -> Metric:
        """What is known of a column; one that nobody declared is called by its own name."""
        return metric_of(self.declared, name)

    def of_place(self, name: str) -> bool:
        """Whether a metric belongs to the whole region: it is the same for all chips of a step."""
        return self.metric(name).support == "place"

    def label(self, name: str) -> str:
        """A metric in headings, and whether it is of the whole region."""
        whole = label(self.declared, name)
        return f"{whole}, whole region" if self.of_place(name) else whole

    def label_with_unit(self, name: str) -> str:
        """A metric in headings of what shows its values."""
        return f"{self.label(name)}{self.metric(name).unit_behind}"

    def short_label(self, name: str) -> str:
        """A metric where there is little room."""
        return short_label(self.declared, name)

    def numbers(self, name: str) -> list[int]:
        """Chips that the rows of a metric's `matrix` are about; `PLACE` for the whole region."""
        return [PLACE] if self.of_place(name) else self.chips

    @property
    def metrics(self) -> list[str]:
        """Names of the columns that were measured on the vegetation, with at least one number."""
        return [
            name
            for name in self.table.columns
            if name not in (*KEYS, *WEATHER, VALID_FRACTION.name)
            and pd.api.types.is_float_dtype(self.table[name])
            and self.table[name].notna().any()
        ]

    @property
    def chips(self) -> list[int]:
        """Their numbers, in order; none where only the whole region was measured."""
        return sorted(set(self.table["chip"].unique().tolist()) - {PLACE})

    def matrix(self, metric: str) -> NDArray[np.float64]:
        """A metric as an array of shape (chips, steps), or (1, steps) for one of the whole region.

        NaN where missing.
        """
        if self.axis is None:
            return np.empty((0, 0))
        if metric not in self.table.columns:
            raise DataError(f'there is no "{metric}" in these results', f"try {self.metrics}")
        if self.of_place(metric):
            return self.table.groupby("step")[metric].first().to_numpy(np.float64)[np.newaxis]
        wide = self.table.pivot(index="chip", columns="step", values=metric)
        return wide.to_numpy(np.float64)

    def weather(self, name: str = PRECIPITATION) -> NDArray[np.float64] | None:
        """Weather on the axis, shape (steps,); None where there is none."""
        if self.axis is None or name not in self.table.columns:
            return None
        values = self.table.groupby("step")[name].first().to_numpy(np.float64)
        return values if np.isfinite(values).any() else None


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
    chips, place = _by_collection(results.chips), _by_collection(results.place)
    made = []
    for name in sorted({*chips, *place}):
        step, notes = stated_step(results, name)
        one = tidy(
            chips.get(name),
            results.weather,
            time_per_point=step,
            min_valid=min_valid,
            metadata=results.metadata,
            place=place.get(name),
            declared=results.metrics,
            periods=results.periods,
        )
        made.append(replace(one, notes=(*notes, *one.notes)))
    return made


def _by_collection(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    if table.empty:
        return {}
    return {str(name): part for name, part in table.groupby("collection", sort=True)}


def tidy(
    chips: pd.DataFrame | None,
    weather: pd.DataFrame | None = None,
    *,
    time_per_point: str = "",
    min_valid: float = 0.5,
    metadata: Mapping[str, Any] | None = None,
    place: pd.DataFrame | None = None,
    declared: Mapping[str, Metric] | None = None,
    periods: Mapping[str, Periods] | None = None,
) -> Series:
    """Put the records of one collection on a regular axis.

    Parameters
    ----------
    chips : DataFrame or None
        A row per record, as `pyveg.load_results` gives it: `date` and metrics; `collection`,
        `chip`, `latitude`, `longitude` and `valid_fraction` where there are some. In any order.
        None or no rows where only the whole region was measured.
    weather : DataFrame, optional
        As `pyveg.load_weather` gives it; joined by the days that its periods share with a step.
    time_per_point : str
        The step, ``"1m"``; found from periods or dates where empty.
    min_valid : float
        Share of valid pixels below which a record is missing.
    metadata : mapping, optional
    place : DataFrame, optional
        Metrics of the whole region: a row per date, as in `Results.place`.
    declared : mapping of str to Metric, optional
        What is known of the metrics; those of the Modules that are installed where not given.
    periods : mapping of str to mapping of date to DateRange, optional
        Name of a collection, also of that of the weather -> what its dates stand for.

    Returns
    -------
    Series

    Raises
    ------
    DataError
        For a date that lies lifetimes away from the others.

    Notes
    -----
    Nothing is filled or dropped in silence. Records of one chip in one step are averaged, records
    with too few valid pixels and the network centrality of a chip without signal pixels are
    missing, and `notes` counts them.
    """
    about = metadata or {}
    notes: list[str] = []
    chips, region = _dated(chips), _dated(place)
    known = _declared_of_place(declared or installed(), region)
    if chips.empty:
        chips = region[[name for name in region if name in {"date", "collection"}]]
        chips = chips.assign(chip=PLACE)
    name = str(chips["collection"].iloc[0]) if len(chips) and "collection" in chips else ""
    if chips.empty:
        empty = series_table([VALID_FRACTION.name], known).frame()
        return Series(name, empty, None, ("there are no dates",), about, known)
    chips = _blanked(_numbered(chips), min_valid, known, notes)
    if not chips["date"].is_monotonic_increasing:
        chips = chips.sort_values(["date", "chip"], kind="stable", ignore_index=True)
    # Dates of the region count too: it may have been measured where every chip was under clouds.
    dates = pd.concat([one["date"] for one in (chips, region) if len(one)], ignore_index=True)
    spans = periods or {}
    axis, steps = make_axis(dates, time_per_point, spans.get(name))
    if time_per_point and axis.text != parse_step(time_per_point).words:
        what = "periods" if has_spans(dates, spans.get(name)) else "dates"
        notes.append(f'a step of "{time_per_point}" is stated, but the {what} are of {axis.text}')
    table = _on_axis(chips.assign(step=steps[: len(chips)]), axis, notes).assign(collection=name)
    gaps = len(axis) - len(np.unique(steps))
    if gaps:
        notes.append(f"{gaps} of {len(axis)} steps ({axis.text}) have no data: they stay gaps")
    table = _with_place(table, region.assign(step=steps[len(chips) :]), known, notes)
    rain = weather_on(axis, weather, spans, notes)
    table = table if rain is None else table.join(rain, on="step")
    table = series_table(table.columns, known).frame(table)
    return Series(name, table, axis, tuple(notes), about, known)


def _dated(records: pd.DataFrame | None) -> pd.DataFrame:
    """Records that have a date, as a date."""
    if records is None or "date" not in records.columns:
        return pd.DataFrame({"date": pd.Series(dtype="datetime64[ns]")})
    known = records[records["date"].notna()].reset_index(drop=True)
    return known.assign(date=pd.to_datetime(known["date"]).dt.normalize())


def _declared_of_place(
    declared: Mapping[str, Metric], region: pd.DataFrame
) -> Mapping[str, Metric]:
    """What is known of the metrics, and that those measured on the region belong to it."""
    of_place = {
        name: replace(metric_of(declared, name), support="place") for name in _numbers(region)
    }
    return {**declared, **of_place}


def _numbered(chips: pd.DataFrame) -> pd.DataFrame:
    """Give chips their numbers; older results tell them by their coordinates only."""
    if "chip" in chips.columns and chips["chip"].notna().all():
        return chips.assign(chip=chips["chip"].astype(np.int64))
    if {"latitude", "longitude"} <= set(chips.columns):
        known = chips.groupby(["latitude", "longitude"], dropna=False, sort=True).ngroup()
        return chips.assign(chip=known.astype(np.int64))
    return chips.assign(chip=0)


def _blanked(
    chips: pd.DataFrame, min_valid: float, declared: Mapping[str, Metric], notes: list[str]
) -> pd.DataFrame:
    """Make NaN of what is no measurement."""
    names = _numbers(chips)
    chips = chips.astype(dict.fromkeys(names, np.float64))
    if VALID_FRACTION.name in chips.columns:
        low = chips[VALID_FRACTION.name] < min_valid
        if low.any():
            chips.loc[low, [name for name in names if name != VALID_FRACTION.name]] = np.nan
            notes.append(f"{int(low.sum())} records with under {min_valid:g} valid are missing")
    return _without_void(chips, declared, notes)


def _without_void(
    records: pd.DataFrame, declared: Mapping[str, Metric], notes: list[str]
) -> pd.DataFrame:
    """Make NaN of numbers that mean nothing where another one is zero."""
    void: dict[str, list[str]] = {}
    for name in _numbers(records):
        without = declared[name].void_without if name in declared else ""
        if without in records.columns:
            void.setdefault(without, []).append(name)
    for without, columns in void.items():
        bare = records[without] == 0
        if bare.any():
            records.loc[bare, columns] = np.nan
            label = declared[without].label if without in declared else without
            notes.append(
                f"{int(bare.sum())} records have 0 {label.lower()} ({without}): their zeros of "
                f"{', '.join(columns)} are no measurements"
            )
    return records


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
    means = chips.groupby(keys)[metrics].mean()
    every = pd.MultiIndex.from_product(
        [range(len(axis)), sorted(chips["chip"].unique())], names=keys
    )
    table = means.reindex(every).reset_index()
    table["date"] = axis.dates[table["step"]]
    for column in ("latitude", "longitude"):
        if column in chips.columns:
            table[column] = table["chip"].map(chips.groupby("chip")[column].first())
    return table


def _with_place(
    table: pd.DataFrame, region: pd.DataFrame, declared: Mapping[str, Metric], notes: list[str]
) -> pd.DataFrame:
    """Put metrics of the whole region beside those of its chips, the same in all rows of a step."""
    names = _numbers(region)
    if not names:
        return table
    if region["step"].duplicated().any():
        notes.append("several records of the whole region fall in one step: they were averaged")
    known = _without_void(region.astype(dict.fromkeys(names, np.float64)), declared, notes)
    return table.join(known.groupby("step")[names].mean(), on="step")


def site_table(series: Series, metric: str) -> pd.DataFrame:
    """A metric over the chips of each date, with the spread between them.

    Returns
    -------
    DataFrame
        One row per step: `step, date, chips` (with a number), `middle` (median), `low` and `high`
        (quartiles; NaN for a metric of the whole region, whose `chips` is 1 or 0).
    """
    rows = series.table.drop_duplicates("step") if series.of_place(metric) else series.table
    groups = rows.groupby("step")[metric]
    of_chips = not series.of_place(metric)
    table = pd.DataFrame(
        {
            "date": series.table.groupby("step")["date"].first(),
            "chips": groups.count(),
            "middle": groups.median(),
            "low": groups.quantile(0.25) if of_chips else np.nan,
            "high": groups.quantile(0.75) if of_chips else np.nan,
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
