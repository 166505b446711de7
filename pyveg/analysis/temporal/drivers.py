"""Weather as regressors: rain of some steps before, and temperature."""

from __future__ import annotations

import numpy as np

from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.surrogate_tests import Values
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE

MOST_LAGS = 6
"""Steps before that may have a coefficient."""


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
