"""Is the state itself changing? Trends of levels over time, tested with the memory they may have.

A series with memory wanders, and Kendall's own test calls that a trend. Here the noise may have
memory that dies out, memory that does not, and white noise of the observation on top
(`pyveg.kernels.level_change`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.columns import LEVELS
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.significance import q_values
from pyveg.analysis.temporal.surrogate_tests import (
    SITE,
    Values,
    site_median,
    spread,
    too_little,
)
from pyveg.kernels import rolling
from pyveg.kernels.decomposition import Steps, prepare
from pyveg.kernels.level_change import level_change
from pyveg.kernels.quantiles import column_quantiles


class Trend(NamedTuple):
    """Of the level of one series."""

    slope: float
    """Theil-Sen, per year, season removed."""
    tau: float
    p: float
    reason: str
    """Why there are none."""
    interval_low: float = math.nan
    """95 % confidence interval of the slope, whatever memory the noise may have."""
    interval_high: float = math.nan
    change: float = math.nan
    """Mean of the last year less that of the first."""
    change_low: float = math.nan
    """Its 95 % confidence interval."""
    change_high: float = math.nan


def level_trends(
    series: Series,
    metrics: Sequence[str],
    settings: AnalysisSettings | None = None,
    *,
    chips: bool = True,
) -> pd.DataFrame:
    """Trend of each metric over the record, for the site and for every chip.

    Parameters
    ----------
    series : Series
    metrics : sequence of str
        Columns of its table.
    settings : AnalysisSettings, optional
        Of it the season and the rule of correction.
    chips : bool
        Whether chips are looked at one by one too.

    Returns
    -------
    DataFrame
        A row per metric and chip, `LEVELS`; chip -1 is the site, the median over its chips:
        `slope` per year (for the site with the quartiles over chips), Kendall's `tau`, its
        two-sided `p`, `q` over the metrics of the site or the chips of a metric, and `reason`
        where there is no number. A metric of the whole region has the site's row only.
    """
    settings = settings or AnalysisSettings()
    table = LEVELS.frame(
        row
        for metric in metrics
        for row in _of_metric(series, metric, settings, chips=chips and not series.of_place(metric))
    )
    chips_of = [part for _, part in table[table["chip"] != SITE].groupby("metric")]
    for part in [table[table["chip"] == SITE], *chips_of]:
        table.loc[part.index, "q"] = q_values(part["p"].to_numpy(np.float64), settings.fdr)
    return table


def level_trend(series: Values, period: float, settings: AnalysisSettings) -> Trend:
    """Trend of one series against time, and its two-sided p.

    Parameters
    ----------
    series : array of float, shape (n,)
        On a regular axis; NaN where missing.
    period : float
        Steps in a year.
    settings : AnalysisSettings
        Of it the season. STL, whose trend is its own, is replaced by regression, which goes with
        any gaps.

    Notes
    -----
    p is of a change that may go on all the time or begin at a quarter, half or three quarters of
    the record (`pyveg.kernels.level_change.level_change`). No value is left out as an outlier: the
    end of a series that falls is none. docs/calibration.md has its rates.
    """
    if reason := too_little(series):
        return _none(reason)
    steps = replace(settings.steps(period), trend="none", outlier_limit=0.0)
    if steps.season == "stl":
        steps = replace(steps, season="harmonic")
    try:
        level = prepare(series, steps).residual
        found = level_change(level, period, season_waves(series.size, steps))
    except ValueError as error:
        return _none(str(error))
    if not math.isfinite(found.p):
        return _none("its values lie in too small a part of the record")
    slope, wide = theil_sen(level, 1 / period), found.slope_error * period
    return Trend(
        slope,
        rolling.kendall_tau(level),
        found.p,
        "",
        slope - wide,
        slope + wide,
        found.change,
        found.change - found.change_error,
        found.change + found.change_error,
    )


def season_waves(n: int, steps: Steps) -> Values:
    """Regressors of the season on an axis of n steps, (k, n); those of STL are the harmonics'."""
    if steps.season == "none":
        return np.zeros((0, n))
    waves = [wave for wave in range(1, steps.harmonics + 1) if 2 * wave < steps.period]
    angles = 2 * np.pi * np.outer(waves, np.arange(n)) / steps.period
    return np.concatenate([np.cos(angles), np.sin(angles)])


def theil_sen(values: NDArray[Any], step: float) -> float:
    """Median slope of all pairs of valid values (Sen 1968, 10.1080/01621459.1968.10480934).

    Parameters
    ----------
    values : array of float, shape (n,)
        NaN where missing.
    step : float
        Length of a step, years.

    Returns
    -------
    float
        Per year; NaN where there are fewer than 2 values.
    """
    data = np.asarray(values, dtype=np.float64)
    where = np.flatnonzero(np.isfinite(data))
    if where.size < 2:
        return math.nan
    first, last = np.triu_indices(where.size, 1)
    rises = (data[where[last]] - data[where[first]]) / (where[last] - where[first])
    return float(np.median(rises)) / step


def _of_metric(
    series: Series, metric: str, settings: AnalysisSettings, *, chips: bool
) -> list[dict[str, Any]]:
    """The site's row, then those of its chips."""
    common = {"collection": series.collection, "metric": metric}
    matrix = series.matrix(metric)
    if series.axis is None or not matrix.size:
        nothing = _none("there are no dates")
        return [{**common, **_row(np.empty(0), nothing), "chip": SITE, "chips": 0}]
    period = series.axis.period
    numbers = series.numbers(metric)

    def of_chip(place: int) -> Trend:
        return level_trend(matrix[place], period, settings)

    of_chips = spread(of_chip, range(len(matrix) if chips else 0), settings.n_threads)
    site = site_median(matrix)
    whole = {**common, **_row(site, level_trend(site, period, settings))}
    slopes = np.array([[one.slope] for one in of_chips]).reshape(-1, 1)
    low, high = column_quantiles(slopes, (0.25, 0.75))[:, 0].tolist()
    whole |= {"slope_low": low, "slope_high": high}
    rows = [
        {**common, **_row(matrix[place], one), "chip": numbers[place], "chips": 1}
        for place, one in enumerate(of_chips)
    ]
    return [{**whole, "chip": SITE, "chips": len(matrix)}, *rows]


def _row(values: Values, trend: Trend) -> dict[str, Any]:
    n_valid = int(np.isfinite(values).sum())
    return trend._asdict() | {"n": values.size, "n_valid": n_valid}


def _none(reason: str) -> Trend:
    return Trend(math.nan, math.nan, math.nan, reason)
