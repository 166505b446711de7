"""Weather on the axis of a series, by the days that their periods share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.axis import Axis, Periods, axis_on, has_spans, make_axis
from pyveg.earth.cadence import find_cadence
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE

WEATHER = (PRECIPITATION, TEMPERATURE)
COVERED = 0.75
"""Share of a step's days that must have weather."""


def weather_on(
    axis: Axis,
    weather: pd.DataFrame | None,
    periods: Mapping[str, Periods],
    notes: list[str],
) -> pd.DataFrame | None:
    """Weather of each step.

    Rain is shared out evenly over the days of its period and summed over those of a step;
    temperature is the mean, weighted by days. Where a step and a period are the same days that is
    the value itself. A step with weather for under three quarters of its days has none; beyond, the
    days without are taken as the others.

    Parameters
    ----------
    axis : Axis
    weather : DataFrame or None
        As in `pyveg.runs.results.Results`.
    periods : mapping
        Name of a collection -> what its dates stand for; without, their own step is found.
    notes : list of str
        What had to be put in order is added.

    Returns
    -------
    DataFrame or None
        Columns of the weather by step; None where there is none.
    """
    columns = [] if weather is None else [name for name in WEATHER if name in weather.columns]
    known = None if weather is None else weather.dropna(subset=columns, how="all")
    if weather is None or known is None or not columns or known.empty:
        notes.append("there is no weather")
        return None
    known = known.assign(date=pd.to_datetime(known["date"]).dt.normalize())
    if known["collection"].nunique() > 1:
        first = known["collection"].iloc[0]
        notes.append(f'there are several weather collections; "{first}" was used')
        known = known[known["collection"] == first]
    name = str(known["collection"].iloc[0])
    own, steps = _own_axis(known["date"], weather, axis, periods.get(name))
    if pd.Series(steps).duplicated().any():
        notes.append("several dates of weather fall in one of its periods: they were averaged")
    values = known.groupby(steps)[columns].mean().reindex(range(len(own)))
    if own.text != axis.text:
        notes.append(
            f"weather of steps of {own.text} was brought to steps of {axis.text}, by days: rain as "
            "a sum, temperature as a mean"
        )
    return pd.DataFrame(
        {
            column: share_out(
                values[column].to_numpy(np.float64), own, axis, total=column == PRECIPITATION
            )
            for column in columns
        }
    )


def _own_axis(
    dates: pd.Series, weather: pd.DataFrame, axis: Axis, periods: Periods | None
) -> tuple[Axis, NDArray[np.int64]]:
    """The periods of the weather: as they are known, or by its dates.

    Where nothing but dates is known and their step is that of the series, or they are too few to
    tell one, the periods are those of the series.
    """
    if not has_spans(dates, periods):
        # With the dates that have no value: more of them tell more.
        days = {stamp.date() for stamp in pd.to_datetime(weather["date"])}
        if len(days) < 3 or find_cadence(days) == axis.cadence:
            return axis_on(axis.lattice, dates)
    return make_axis(dates, "", periods)


def share_out(
    values: NDArray[np.float64], source: Axis, target: Axis, *, total: bool
) -> NDArray[np.float64]:
    """Bring values from the steps of one axis to those of another.

    Parameters
    ----------
    values : ndarray, shape (len(source),)
        NaN where missing.
    source, target : Axis
    total : bool
        Whether they are totals, such as rain, or means, such as temperature.

    Returns
    -------
    ndarray, shape (len(target),)
        NaN where fewer than `COVERED` of a step's days have a value.
    """
    given, wanted = (one.edges.to_numpy(dtype="datetime64[D]").astype(np.int64)
                     for one in (source, target))  # fmt: skip
    cuts = np.union1d(given, wanted)
    days = np.diff(cuts).astype(np.float64)
    begin = cuts[:-1]
    by_source = np.searchsorted(given, begin, "right") - 1
    by_target = np.searchsorted(wanted, begin, "right") - 1
    inside = (by_source >= 0) & (by_source < len(source)) & (by_target >= 0)
    inside &= by_target < len(target)
    inside[inside] &= np.isfinite(values[by_source[inside]])
    days, by_source, by_target = days[inside], by_source[inside], by_target[inside]
    steps = len(target)
    covered = np.bincount(by_target, days, steps)
    share = covered / np.diff(wanted)
    # Shares before products: of a whole period they are exactly 1, and its value stays as it is.
    weights = days / (np.diff(given)[by_source] if total else covered[by_target])
    sums = np.bincount(by_target, weights * values[by_source], steps)
    with np.errstate(invalid="ignore", divide="ignore"):
        filled = sums / share if total else sums
    return np.where(share >= COVERED, filled, np.nan)
