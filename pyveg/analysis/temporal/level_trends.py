"""Is the state itself changing? Trends of levels over time, tested with the memory they have.

A series with memory wanders, and Kendall's own test calls that a trend. Here tau is compared with
that of stationary series of the same memory, the same season taken away, the same gaps.
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
from pyveg.analysis.temporal.significance import p_value, q_values
from pyveg.analysis.temporal.surrogate_tests import (
    SITE,
    Values,
    site_median,
    spread,
    stream,
    too_little,
)
from pyveg.kernels import rolling
from pyveg.kernels.common_innovations import common_steps
from pyveg.kernels.decomposition import prepare
from pyveg.kernels.noise import fit_noise
from pyveg.kernels.quantiles import column_quantiles
from pyveg.kernels.surrogates import draw, surrogates


class Trend(NamedTuple):
    """Of the level of one series."""

    slope: float
    """Theil-Sen, per year, season removed."""
    tau: float
    p: float
    reason: str
    """Why there are none."""
    interval_low: float = math.nan
    """95 % confidence interval of the slope, for noise of this memory."""
    interval_high: float = math.nan


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
        Of it the season, the numbers of surrogates, the seed and the rule of correction.
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


def level_trend(
    series: Values, period: float, settings: AnalysisSettings, seed: Sequence[int]
) -> Trend:
    """Trend of one series against time, and its two-sided p.

    Parameters
    ----------
    series : array of float, shape (n,)
        On a regular axis; NaN where missing.
    period : float
        Steps in a year.
    settings : AnalysisSettings
    seed : sequence of int

    Notes
    -----
    The null model is an autoregressive one, fitted to what season and a quadratic trend leave and
    corrected for the memory that they took (`pyveg.kernels.noise.fit_noise`). Its surrogates get
    the same gaps and lose a season as the series did, and no trend. Every tau is compared in the
    spread that the memory of its own series gives it.

    Stable AR(1) series of 60 and 120 months with 20 % gaps are called changing in 3.8 to 7 % of
    400 cases each at a nominal 5 % (memory 0 to 0.9).
    """
    if reason := too_little(series):
        return _none(reason)
    steps = replace(settings.steps(period), trend="quadratic")
    if steps.season == "stl":  # its trend is its own; regression goes with any gaps
        steps = replace(steps, season="harmonic")
    try:
        rest = prepare(series, steps)
        noise = fit_noise(rest.residual, rest.operator, max_order=1)
        # No outlier rule here: the end of a series that falls is no outlier.
        level = prepare(series, replace(steps, trend="none", outlier_limit=0.0))
    except ValueError as error:
        return _none(str(error))
    draws = draw(
        series.size, settings.surrogates, seed, common_steps(noise.innovations[np.newaxis])
    )
    made = surrogates(rest.residual, noise, draws)
    levels = level.residuals(made)
    null = _in_own_spread(rolling.kendall_taus(levels), rest.residuals(made))
    tau = rolling.kendall_tau(level.residual)
    scaled = _in_own_spread(np.array([tau]), rest.residual[np.newaxis])
    slope = theil_sen(level.residual, 1 / period)
    wide = 1.96 * float(_slopes(levels).std()) * period
    p = p_value(float(scaled[0]), null, "either")
    return Trend(slope, tau, p, "", slope - wide, slope + wide)


def _slopes(rows: Values) -> Values:
    """Least-squares slopes per step of series (S, n) that share their gaps."""
    known = np.flatnonzero(np.isfinite(rows[0]))
    off = known - known.mean()
    return np.asarray((rows[:, known] * off).sum(axis=1) / np.sum(off**2), dtype=np.float64)


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
    common = {"collection": series.collection, "metric": metric, "seed": settings.seed}
    matrix = series.matrix(metric)
    if series.axis is None or not matrix.size:
        nothing = _none("there are no dates")
        return [{**common, **_row(np.empty(0), nothing, settings), "chip": SITE, "chips": 0}]
    period = series.axis.period
    single = replace(settings, surrogates=min(settings.surrogates, settings.chip_surrogates))
    seed = stream(settings.seed, "level", series.collection, metric)
    numbers = series.numbers(metric)

    def of_chip(place: int) -> Trend:
        return level_trend(matrix[place], period, single, [*seed, numbers[place]])

    of_chips = spread(of_chip, range(len(matrix) if chips else 0), settings.n_threads)
    site = site_median(matrix)
    whole = {**common, **_row(site, level_trend(site, period, settings, seed), settings)}
    slopes = np.array([[one.slope] for one in of_chips]).reshape(-1, 1)
    low, high = column_quantiles(slopes, (0.25, 0.75))[:, 0].tolist()
    whole |= {"slope_low": low, "slope_high": high}
    rows = [
        {**common, **_row(matrix[place], one, single), "chip": numbers[place], "chips": 1}
        for place, one in enumerate(of_chips)
    ]
    return [{**whole, "chip": SITE, "chips": len(matrix)}, *rows]


def _row(values: Values, trend: Trend, settings: AnalysisSettings) -> dict[str, Any]:
    n_valid = int(np.isfinite(values).sum())
    numbers = {"n": values.size, "n_valid": n_valid, "surrogates": settings.surrogates}
    return trend._asdict() | numbers


def _none(reason: str) -> Trend:
    return Trend(math.nan, math.nan, math.nan, reason)


def _in_own_spread(taus: Values, residuals: Values) -> Values:
    """Taus over the spread that the memory of their own series gives them, to a factor."""
    memory = np.clip([rolling.ar1(row) for row in residuals], -0.9, 0.98)
    return np.asarray(taus * np.sqrt((1 - memory) / (1 + memory)), dtype=np.float64)
