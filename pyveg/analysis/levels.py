"""Does the level of a metric change over the record? A trend test that allows for memory.

Spatial and network indicators are numbers of each date; that they move in one direction is what
they have to say. Kendall's tau of their series is tested against stationary surrogates with the
memory that is left after a slow trend, for series with memory wander by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.significance import p_value
from pyveg.analysis.temporal import LEAST_VALUES, site_median, stream
from pyveg.kernels import rolling
from pyveg.kernels.chain import prepare
from pyveg.kernels.noise import fit_noise
from pyveg.kernels.surrogates import common_steps, draw, surrogates

Values = NDArray[np.float64]

MO = 2
LEVEL_COLUMNS = ("collection", "metric", "tau", "p", "reason", "n", "n_valid", "surrogates", "seed")


def level_trends(
    series: Series, metrics: Sequence[str], settings: AnalysisSettings | None = None
) -> pd.DataFrame:
    """Trend of the site's level of each metric, two-sided.

    Parameters
    ----------
    series : Series
    metrics : sequence of str
        Columns of its table.
    settings : AnalysisSettings, optional
        Of it the season, the number of surrogates and the seed.

    Returns
    -------
    DataFrame
        One row per metric, `LEVEL_COLUMNS`: Kendall's `tau` of the site's median over chips
        against time, season removed; `p` against surrogates; in `reason` why there is no number.
    """
    told = settings or AnalysisSettings()
    rows = []
    for metric in metrics:
        matrix = series.matrix(metric)
        row: dict[str, Any] = {
            "collection": series.collection, "metric": metric, "tau": math.nan, "p": math.nan,
            "reason": "there are no dates", "n": 0, "n_valid": 0,
            "surrogates": told.surrogates, "seed": told.seed,
        }  # fmt: skip
        if series.axis is not None and matrix.size:
            site = site_median(matrix)
            seed = stream(told.seed, "level", series.collection, metric)
            tau, p, reason = level_trend(site, series.axis.period, told, seed)
            row |= {"tau": tau, "p": p, "reason": reason, "n": site.size}
            row["n_valid"] = int(np.isfinite(site).sum())
        rows.append(row)
    return pd.DataFrame(rows, columns=list(LEVEL_COLUMNS))


def level_trend(
    series: Values, period: float, settings: AnalysisSettings, seed: Sequence[int]
) -> tuple[float, float, str]:
    """Kendall's tau of one series against time, its two-sided p, and why there are none.

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
    the same gaps and lose a season as the series did, and no trend.
    """
    known = series[np.isfinite(series)]
    if known.size < LEAST_VALUES:
        return math.nan, math.nan, f"{known.size} values; a test needs {LEAST_VALUES}"
    if np.ptp(known) <= 1e-12 * np.abs(known).max():
        return math.nan, math.nan, "all values are equal"
    steps = replace(settings.steps(period), trend="quadratic")
    if steps.season == "stl":  # its trend is its own; regression goes with any gaps
        steps = replace(steps, season="harmonic")
    try:
        rest = prepare(series, steps)
        noise = fit_noise(rest.residual, rest.turned, max_order=1)
        # No outlier rule here: the end of a series that falls is no outlier.
        level = prepare(series, replace(steps, trend="none", outlier_limit=0.0))
    except ValueError as error:
        return math.nan, math.nan, str(error)
    draws = draw(
        series.size, settings.surrogates, seed, common_steps(noise.innovations[np.newaxis])
    )
    made = surrogates(rest.residual, noise, draws)
    null = _in_own_spread(rolling.kendall_taus(level.residuals(made)), rest.residuals(made))
    tau = rolling.kendall_tau(level.residual)
    found = _in_own_spread(np.array([tau]), rest.residual[np.newaxis])
    return tau, p_value(float(found[0]), null, "either"), ""


def _in_own_spread(taus: Values, residuals: Values) -> Values:
    """Taus over the spread that the memory of their own series gives them, to a factor."""
    memory = np.clip([rolling.ar1(row) for row in residuals], -0.9, 0.98)
    return np.asarray(taus * np.sqrt((1 - memory) / (1 + memory)), dtype=np.float64)
