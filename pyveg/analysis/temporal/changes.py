"""What happened: levels of the metrics, of rain and of temperature, at both ends of the record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import CHANGES
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.level_trends import level_trend
from pyveg.analysis.temporal.significance import q_values
from pyveg.analysis.temporal.surrogate_tests import SITE, Values, site_median
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.kernels.decomposition import prepare

WEATHER_UNITS: Mapping[str, str] = {PRECIPITATION: "mm / year", TEMPERATURE: "°C"}
"""Units in which people read the weather."""
_CANCELLED = 1e-12
"""Of the largest value, below which a mean is what sums of floats leave behind."""


def changes_table(
    series: Series, levels: pd.DataFrame, settings: AnalysisSettings | None = None
) -> pd.DataFrame:
    """Levels of each metric and of the weather at the beginning and the end, with their tests.

    Parameters
    ----------
    series : Series
    levels : DataFrame
        `level_trends` of the metrics that are told of, with their chips.
    settings : AnalysisSettings, optional

    Returns
    -------
    DataFrame
        `CHANGES`: first the metrics, in the order of `levels`, then rain and temperature.
    """
    settings = settings or AnalysisSettings()
    metrics = levels["metric"].drop_duplicates().tolist()
    rows = [
        *(_of_metric(series, name, levels[levels["metric"] == name], settings) for name in metrics),
        *(_of_weather(series, name, settings) for name in WEATHER_UNITS),
    ]
    table = CHANGES.frame(row for row in rows if row)
    of_weather = table["metric"].isin(WEATHER_UNITS)
    for part in (table[~of_weather], table[of_weather]):
        table.loc[part.index, "q"] = q_values(part["p"].to_numpy(np.float64), settings.fdr)
    return table


def ends_of(values: Values, period: float, settings: AnalysisSettings) -> tuple[float, float]:
    """Means of the first and the last year of a series, its season taken away; NaN without."""
    steps = replace(settings.steps(period), trend="none", outlier_limit=0.0)
    if steps.season == "stl":  # its trend is its own; regression goes with any gaps
        steps = replace(steps, season="harmonic")
    try:
        level = prepare(values, steps).residual
    except ValueError:
        return math.nan, math.nan
    year = max(round(period), 1)
    # What is left of numbers that cancel each other, such as months without rain, is none.
    least = _CANCELLED * float(np.nanmax(np.abs(values)))
    first, last = _mean(level[:year]), _mean(level[-year:])
    return (0.0 if abs(first) < least else first), (0.0 if abs(last) < least else last)


def _mean(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _of_metric(
    series: Series, metric: str, levels: pd.DataFrame, settings: AnalysisSettings
) -> dict[str, Any]:
    site = levels[levels["chip"] == SITE].iloc[0]
    chips = levels[(levels["chip"] != SITE) & levels["p"].notna()]
    found = chips[chips["q"] <= settings.alpha]
    matrix = series.matrix(metric)
    first = last = math.nan
    if series.axis is not None and matrix.size:
        first, last = ends_of(site_median(matrix), series.axis.period, settings)
    of_chips = {
        "chips": len(chips),
        "chips_falling": int((found["tau"] < 0).sum()),
        "chips_rising": int((found["tau"] > 0).sum()),
    }
    return {
        "collection": series.collection,
        "metric": metric,
        "unit": series.metric(metric).unit,
        "first": first,
        "last": last,
        "slope": site["slope"],
        "slope_low": site["interval_low"],
        "slope_high": site["interval_high"],
        "change": site["change"],
        "change_low": site["change_low"],
        "change_high": site["change_high"],
        "p": site["p"],
        "reason": site["reason"],
        **(of_chips if len(chips) else {}),
    }


def _of_weather(series: Series, name: str, settings: AnalysisSettings) -> dict[str, Any] | None:
    values = series.weather(name)
    if values is None or series.axis is None:
        return None
    period = series.axis.period
    readable = 1000 * period * values if name == PRECIPITATION else values - 273.15
    trend = level_trend(readable, period, settings)
    first, last = ends_of(readable, period, settings)
    return {
        "collection": series.collection,
        "metric": name,
        "unit": WEATHER_UNITS[name],
        "first": first,
        "last": last,
        "slope": trend.slope,
        "slope_low": trend.interval_low,
        "slope_high": trend.interval_high,
        "change": trend.change,
        "change_low": trend.change_low,
        "change_high": trend.change_high,
        "p": trend.p,
        "reason": trend.reason,
    }
