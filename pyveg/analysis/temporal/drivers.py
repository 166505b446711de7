"""Weather as regressors: rain of some steps before, and temperature."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.surrogate_tests import Values
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.kernels.decomposition import prepare

MOST_LAGS = 6
"""Steps before that may have a coefficient."""
WET_STEPS = 2
"""Steps of rain whose square stands for an answer that is no straight line."""


def weather_drivers(
    series: Series, settings: AnalysisSettings
) -> tuple[Values | None, tuple[str, ...], str]:
    """Lagged rain, and temperature, on the axis of the series.

    Returns
    -------
    array of float64, shape (k, steps), or None
        Each scaled to an SD of 1; NaN where not known, as rain before the first step is.
    tuple of str
        Their names, "rain", "rain, 1 before" ... "temperature".
    str
        Why there are none.
    """
    if series.axis is None:
        return None, (), "there are no dates"
    rain, warmth = series.weather(PRECIPITATION), series.weather(TEMPERATURE)
    rows: list[Values] = []
    names: list[str] = []
    if rain is not None and _changes(rain):
        lags = min(MOST_LAGS, max(1, round(series.axis.period * settings.rain_months / 12)))
        for lag in range(min(lags + 1, rain.size)):
            row = np.concatenate([np.full(lag, np.nan), rain[: rain.size - lag]])
            if _changes(row):
                rows.append(row)
                names.append(f"rain, {lag} before" if lag else "rain")
    if warmth is not None and _changes(warmth):
        rows.append(warmth)
        names.append("temperature")
    if not rows:
        return None, (), "there is no weather, or it never changes: its part cannot be taken away"
    return np.stack([row / np.nanstd(row) for row in rows]), tuple(names), ""


def _changes(values: Values) -> bool:
    known = values[np.isfinite(values)]
    return known.size > 1 and float(np.ptp(known)) > 1e-12 * float(np.abs(known).max())


class Weather(NamedTuple):
    """Weather without its season and trend."""

    rows: Values | None
    """(k, steps); NaN where not known. None where there is none."""
    names: str
    """What it is, in words."""
    reason: str
    """Why there is none."""


def weather_anomalies(series: Series, settings: AnalysisSettings) -> Weather:
    """Weather without its season and trend, beside which the memory of the vegetation is fitted.

    Returns
    -------
    Weather
        Rain of this and the steps before as in `weather_drivers`, temperature, and the square of
        the rain of the last two steps.
    """
    drivers, names, reason = weather_drivers(series, settings)
    if drivers is None or series.axis is None:
        return Weather(None, "", reason)
    steps = replace(settings.steps(series.axis.period), outlier_limit=0.0)
    try:
        rows = [prepare(row, steps).residual for row in drivers]
    except ValueError as error:
        why = f"the weather has no season and trend to be taken away: {error}"
        return Weather(None, "", why)
    wet = [row for row, name in zip(rows, names, strict=True) if name.startswith("rain")]
    if wet:
        rows.append(_bend(np.mean(wet[:WET_STEPS], axis=0)))
    known = ["rain" if wet else "", "temperature" if "temperature" in names else ""]
    return Weather(np.stack(rows), " and ".join(one for one in known if one), "")


def _bend(rain: Values) -> Values:
    """Its square, without a mean."""
    square = rain**2
    return np.asarray(square - np.nanmean(square), dtype=np.float64)
