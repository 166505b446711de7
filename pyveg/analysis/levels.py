"""Is the state itself changing? Trends of levels over time, tested with the memory they have.

A series with memory wanders, and Kendall's tau of white noise calls that a trend. Here tau is
compared with that of stationary series of the same memory, the same season taken away, the same
gaps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.measure import SITE, Chip, Ready, Values, prepare_chips, site_median, stream
from pyveg.analysis.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.significance import p_value, q_values
from pyveg.kernels import rolling
from pyveg.kernels.noise import Noise, corrected_ar1
from pyveg.kernels.surrogates import common_steps, draw, surrogates

COLUMNS = ("collection", "metric", "chip", "slope", "slope_low", "slope_high", "tau", "p", "q",
           "n_valid", "chips", "reason")  # fmt: skip


def level_trends(
    series: Series, metrics: Sequence[str], settings: AnalysisSettings | None = None
) -> pd.DataFrame:
    """Trend of each metric over the record, for the site and for every chip.

    Parameters
    ----------
    series : Series
    metrics : sequence of str
    settings : AnalysisSettings, optional
        At most 199 of its surrogates are used.

    Returns
    -------
    DataFrame
        A row per metric and chip (-1 for the site, the median over its chips): `slope` is the
        Theil-Sen slope per year of the series without its season (for the site with the quartiles
        over chips), `tau` its Kendall's tau, `p` two-sided against surrogates, `q` over the chips
        of a metric, and `reason` where there is no number.

    Notes
    -----
    Stable AR(1) series of 60 and 120 months with 20 % gaps are called changing in 3.8 to 6.5 % of
    400 cases each at a nominal 5 % (memory 0 to 0.9).
    """
    told = settings or AnalysisSettings()
    if series.axis is None:
        rows = [_blank(series.collection, name, SITE, "there are no dates") for name in metrics]
        return pd.DataFrame(rows, columns=list(COLUMNS))
    tables = [
        _of_metric(
            series.matrix(name), series.axis.period, told,
            collection=series.collection, metric=name, numbers=series.chips,
        )
        for name in metrics
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def level_trend(
    values: NDArray[Any], period: float, settings: AnalysisSettings, name: str
) -> dict[str, Any]:
    """Trend of one series (n,), NaN where missing: a row of `level_trends`."""
    matrix = np.asarray(values, dtype=np.float64)[np.newaxis]
    table = _of_metric(matrix, period, settings, collection="", metric=name, numbers=[0])
    return {str(column): value for column, value in table.iloc[0].items()}


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
    matrix: Values,
    period: float,
    settings: AnalysisSettings,
    *,
    collection: str,
    metric: str,
    numbers: Sequence[int],
) -> pd.DataFrame:
    told = replace(settings, trend="none", season=_season(settings), outlier_limit=0.0)
    chips = prepare_chips(matrix, period, told)
    usable = [chip.ready for chip in chips if chip.ready]
    rows = [_blank(collection, metric, numbers[chip.number], chip.reason) for chip in chips]
    site = _blank(collection, metric, SITE, _most_often(chips))
    if usable:
        residuals = np.stack([chip.prepared.residual for chip in usable])
        noises = [_with_memory(chip) for chip in usable]
        steps = common_steps(np.stack([noise.innovations for noise in noises]))
        seed = stream(settings.seed, "level", collection, metric)
        draws = draw(matrix.shape[1], min(settings.surrogates, 199), seed, steps)
        made = [
            chip.prepared.residuals(surrogates(chip.prepared.residual, noise, draws))
            for chip, noise in zip(usable, noises, strict=True)
        ]
        for chip, null in zip(usable, made, strict=True):
            rows[chip.number] |= _judged(chip.prepared.residual, null, period)
        low, high = np.nanquantile([rows[chip.number]["slope"] for chip in usable], [0.25, 0.75])
        site |= _judged(site_median(residuals), site_median(np.stack(made)), period)
        site |= {"chips": len(usable), "slope_low": float(low), "slope_high": float(high)}
    table = pd.DataFrame([site, *rows], columns=list(COLUMNS))
    table.loc[1:, "q"] = q_values(table["p"].to_numpy(np.float64)[1:], settings.fdr)
    return table


def _season(settings: AnalysisSettings) -> str:
    """STL takes its own trend with it; harmonics leave the level alone."""
    return "harmonic" if settings.season == "stl" else settings.season


def _with_memory(chip: Ready) -> Noise:
    """The chip's null model, and at least AR(1): a memory too weak to be chosen by AIC counts.

    It is fitted with the trend in the series. That is on the side of silence where there is a
    trend, and holds the nominal rate where there is none: a fit around a parabola does not.
    """
    if len(chip.noise.coefficients) > 1:
        return chip.noise
    memory = corrected_ar1(chip.prepared.residual, chip.prepared.turned)
    return chip.noise._replace(coefficients=np.array([memory]))


def _judged(residual: Values, null: Values, period: float) -> dict[str, Any]:
    least = min(residual.size, 12)
    tau = rolling.kendall_tau(residual, least=least)
    taus = rolling.kendall_taus(null, least=least)
    return {
        "slope": theil_sen(residual, 1 / period),
        "tau": tau,
        "p": p_value(tau, taus, "either"),
        "n_valid": int(np.isfinite(residual).sum()),
    }


def _blank(collection: str, metric: str, chip: int, reason: str) -> dict[str, Any]:
    return {
        **dict.fromkeys(COLUMNS, math.nan),
        "collection": collection,
        "metric": metric,
        "chip": chip,
        "chips": int(chip != SITE),
        "n_valid": 0,
        "reason": reason,
    }


def _most_often(chips: Sequence[Chip]) -> str:
    reasons = pd.Series([chip.reason for chip in chips if chip.reason], dtype=object)
    if len(reasons) < len(chips) or reasons.empty:
        return ""
    return f"no chip can be tested; most often: {reasons.mode().iloc[0]}"
