"""Recovery after drops, memory of rain, and the mean year."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Recovery",
    "cross_correlation",
    "cross_correlations",
    "decay_rate",
    "mean_year",
    "recoveries",
    "strongest",
]

Values = NDArray[np.float64]


class Recovery(NamedTuple):
    """One drop and what came after it."""

    step: int
    """Of the deepest value."""
    depth: float
    """Of it below 0, in the unit of the series."""
    rate: float
    """Of the return, 1 per unit of time; NaN where no exponential fits."""
    r2: float
    """Share of variance that the fit explains; NaN without a fit."""


def mean_year(series: NDArray[Any], period: int, first: int = 0) -> Values:
    """Mean of each step of the year over the years that have it.

    Parameters
    ----------
    series : array of float, shape (n,)
        NaN where missing; it is left as it is.
    period : int
        Steps in a year.
    first : int
        Step of the year of the first value, so that element 0 is the year's first step.

    Returns
    -------
    array of float64, shape (period,)
        NaN for a step of the year that was never measured.
    """
    data = np.asarray(series, dtype=np.float64)
    phase = (np.arange(data.size) + first) % period
    out = np.full(period, np.nan)
    for step in range(period):
        known = data[(phase == step) & np.isfinite(data)]
        if known.size:
            out[step] = known.mean()
    return out


def decay_rate(times: NDArray[Any], values: NDArray[Any]) -> tuple[float, float]:
    """Rate of an exponential that falls towards 0.

    Parameters
    ----------
    times, values : array of float, shape (n,)
        Values of one sign; all of them count, the smallest too. NaN is left out.

    Returns
    -------
    (float, float)
        Rate r of ``a exp(-r t)``, per unit of time, and R2, by least squares of log |value| on
        time. NaN where there are fewer than 3 values, or they change their sign.
    """
    time, size = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
    known = np.isfinite(time) & np.isfinite(size)
    time, size = time[known], size[known]
    if time.size < 3 or not (np.all(size > 0) or np.all(size < 0)):
        return math.nan, math.nan
    logs = np.log(np.abs(size))
    off, rest = time - time.mean(), logs - logs.mean()
    slope = float(np.sum(off * rest) / np.sum(off**2))
    total = float(np.sum(rest**2))
    if total == 0:
        return 0.0, math.nan
    return -slope, 1.0 - float(np.sum((rest - slope * off) ** 2)) / total


def recoveries(
    residuals: NDArray[Any], *, drop: float = 2.0, length: int = 12, step: float = 1.0
) -> list[Recovery]:
    """Drops of a series, and how fast it came back.

    Parameters
    ----------
    residuals : array of float, shape (n,)
        After season and trend; NaN where missing.
    drop : float
        Depth below the median from which a drop counts, in robust SD.
    length : int
        Steps after the deepest value in which the return is looked for.
    step : float
        Length of a step in the unit that the rate is wanted in.

    Returns
    -------
    list of Recovery
        In order of time. The return is an exponential fitted from the deepest value up to the last
        one before the series reaches its median; see `decay_rate`. Keep those with R2 above 0.3
        (Smith et al. 2022, 10.1038/s41558-022-01352-2).
    """
    data = np.asarray(residuals, dtype=np.float64)
    known = data[np.isfinite(data)]
    if known.size < 12:
        return []
    middle = float(np.median(known))
    scale = 1.4826 * float(np.median(np.abs(known - middle)))
    low = np.isfinite(data) & (data < middle - drop * scale) & (scale > 0)
    drops: list[Recovery] = []
    free = 0
    for start in np.nonzero(low)[0]:
        if start < free:
            continue
        back = _back(data, int(start), middle)
        deepest = int(start + np.nanargmin(data[start:back]))
        end = min(back, deepest + length + 1)
        rate, r2 = decay_rate(np.arange(deepest, end) * step, data[deepest:end] - middle)
        drops.append(Recovery(deepest, middle - float(data[deepest]), rate, r2))
        free = back
    return drops


def cross_correlation(series: NDArray[Any], driver: NDArray[Any], lags: int) -> Values:
    """Correlation of a series with a driver 0 .. `lags` steps before it.

    Parameters
    ----------
    series, driver : array of float, shape (n,)
        On one axis; NaN where missing.
    lags : int

    Returns
    -------
    array of float64, shape (lags + 1,)
        Pearson's, over the pairs that have both; NaN for fewer than 10 pairs or constant ones.
    """
    one, other = (np.asarray(part, dtype=np.float64) for part in (series, driver))
    if one.shape != other.shape:
        raise ValueError(f"series and driver have different lengths, {one.size} and {other.size}")
    out = np.full(lags + 1, np.nan)
    for lag in range(min(lags + 1, one.size)):
        now, before = one[lag:], other[: other.size - lag]
        both = np.isfinite(now) & np.isfinite(before)
        if both.sum() < 10:
            continue
        x, y = now[both] - now[both].mean(), before[both] - before[both].mean()
        size = math.sqrt(float(np.sum(x * x)) * float(np.sum(y * y)))
        if size > 0:
            out[lag] = float(np.sum(x * y)) / size
    return out


def cross_correlations(rows: NDArray[Any], driver: NDArray[Any], lags: int) -> Values:
    """`cross_correlation` of many series with one driver, to the last bit.

    Parameters
    ----------
    rows : array of float, shape (S, n)
        NaN where missing; as a rule most of them miss the same steps, which is what makes it fast.
    driver : array of float, shape (n,)
    lags : int

    Returns
    -------
    array of float64, shape (S, lags + 1)
    """
    data = np.ascontiguousarray(rows, dtype=np.float64)
    out = np.empty((len(data), lags + 1))
    if not len(data):
        return out
    known = np.isfinite(data)
    alike = (known == known[0]).all(axis=1)
    out[alike] = _alike(data[alike], np.asarray(driver, dtype=np.float64), lags)
    for row in np.flatnonzero(~alike):
        out[row] = cross_correlation(data[row], driver, lags)
    return out


def _alike(rows: Values, driver: Values, lags: int) -> Values:
    """The same for series that miss the same steps."""
    out = np.full((len(rows), lags + 1), np.nan)
    for lag in range(min(lags + 1, driver.size)):
        now, before = rows[:, lag:], driver[: driver.size - lag]
        both = np.isfinite(now[0]) & np.isfinite(before)
        if both.sum() < 10:
            continue
        picked = np.ascontiguousarray(now[:, both])
        x = picked - picked.mean(axis=1)[:, np.newaxis]
        y = before[both] - before[both].mean()
        size = np.sqrt(np.sum(x * x, axis=1) * float(np.sum(y * y)))
        known = size > 0
        out[known, lag] = np.sum(x[known] * y, axis=1) / size[known]
    return out


def strongest(correlations: NDArray[Any]) -> int:
    """Lag with the largest correlation of either sign; -1 where all are NaN."""
    sizes = np.abs(np.asarray(correlations, dtype=np.float64))
    return int(np.nanargmax(sizes)) if np.isfinite(sizes).any() else -1


def _back(data: Values, start: int, middle: float) -> int:
    """The step behind the last one of a drop: there the series is at its median again, or ends."""
    above = np.nonzero(data[start:] >= middle)[0]
    return start + int(above[0]) if above.size else data.size
