"""Indicators of slowing down in rolling windows, NaN-aware, and their trend.

A window holds `window` steps, and its value stands at its **last** step, for all indicators alike.
Missing steps stay missing: nothing is filled, and time is not compressed.

Every sum is made by loops in a fixed order, so numbers do not depend on BLAS or threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "INDICATORS",
    "ar1",
    "kendall_tau",
    "kendall_taus",
    "least_pairs",
    "rolling_indicators",
    "rolling_pairs",
]

Values = NDArray[np.float64]

INDICATORS = ("ar1", "variance", "sd", "cv", "skewness", "kurtosis", "restoring_rate")
_AR1, _VARIANCE, _SD, _CV, _SKEWNESS, _KURTOSIS, _RATE = range(7)

_CONSTANT = 1e-24  # variance in units of the whole series' below which a window is constant


def least_pairs(window: int) -> int:
    """Fewest pairs of neighbours that a window needs: a quarter of its length, and at least 10.

    With 40 % of the steps missing at random, 36 % of the pairs are left.
    """
    return max(10, math.ceil(window / 4))


def rolling_indicators(
    residuals: NDArray[Any],
    window: int,
    indicators: Sequence[str] = INDICATORS,
    *,
    fixed: NDArray[Any] | None = None,
    least: int | None = None,
    step: float = 1.0,
) -> Values:
    """Indicators of each series in rolling windows.

    Parameters
    ----------
    residuals : array of float, shape (S, n) or (n,)
        Series on a regular axis after season and trend; NaN where missing.
    window : int
        Steps in a window, at least 3.
    indicators : sequence of str
        Of `INDICATORS`.
    fixed : array of float, shape (n,), optional
        Season and trend that were taken away; only "cv" needs it. 0 where not given.
    least : int, optional
        Pairs of neighbours (AR(1), restoring rate) or values (the others) below which a window
        gives NaN; `least_pairs(window)` where not given.
    step : float
        Length of a step in the unit that the restoring rate is wanted in (its unit is 1 / unit).

    Returns
    -------
    array of float64, shape (S, len(indicators), n) or (len(indicators), n)
        The value at t is of the steps t - window + 1 .. t. NaN before the first whole window, in
        windows with too few values, and where an indicator has no meaning: AR(1), skewness and
        kurtosis of a constant window, CV where the mean is not positive, restoring rate where
        AR(1) is not positive.

    Raises
    ------
    ValueError
        For an unknown indicator, a window below 3 or arrays of other shapes.

    Notes
    -----
    AR(1) is Pearson's correlation of x_t and x_t+1 over the pairs with both ends in the window,
    means and variances taken over the same pairs. Variance and SD divide by count - 1. CV is that
    SD over the mean of `fixed + residuals`. Skewness and kurtosis are the unbiased G1 and G2
    (excess) of Joanes & Gill 1998, 10.1111/1467-9884.00122. The restoring rate is
    -ln(AR(1)) / step.
    """
    data, one = _as_batch(residuals)
    n = data.shape[1]
    if window < 3:
        raise ValueError(f"window must be at least 3 steps, got {window}")
    level = np.zeros(n) if fixed is None else np.ascontiguousarray(fixed, dtype=np.float64)
    if level.shape != (n,):
        raise ValueError(f"fixed must have shape ({n},), got {level.shape}")
    needed = least_pairs(window) if least is None else least
    values = _rolling_batch(data, level, window, max(needed, 2), _codes(indicators), float(step))
    return values[0] if one else values


def rolling_pairs(valid: NDArray[np.bool_], window: int) -> NDArray[np.int64]:
    """Pairs of valid neighbours in each window, at its last step; 0 before the first whole one.

    Parameters
    ----------
    valid : array of bool, shape (n,)
    window : int

    Returns
    -------
    array of int64, shape (n,)
    """
    both = np.concatenate([[False], valid[1:] & valid[:-1]])
    sums = np.concatenate([[0], np.cumsum(both, dtype=np.int64)])
    ends = np.arange(len(valid))
    starts = ends - window + 1
    counts = sums[ends + 1] - sums[np.maximum(starts, 0) + 1]
    return np.where(starts >= 0, counts, 0)


def ar1(series: NDArray[Any], *, least: int = 2) -> float:
    """AR(1) of a whole series over its pairs of valid neighbours; see `rolling_indicators`.

    Parameters
    ----------
    series : array of float, shape (n,)
    least : int
        Fewest pairs.

    Returns
    -------
    float
        NaN for too few pairs or a constant series.
    """
    data, _ = _as_batch(series)
    if data.shape[1] < 3:
        return math.nan
    windows = rolling_indicators(data[0], data.shape[1], ("ar1",), least=least)
    return float(windows[0, -1])


def kendall_tau(series: NDArray[Any], *, least: int = 2) -> float:
    """Kendall's tau-b of a series against time, missing values left out.

    Parameters
    ----------
    series : array of float, shape (n,)
    least : int
        Fewest values.

    Returns
    -------
    float
        In [-1, 1]; NaN for too few values or where all are equal.
    """
    data, _ = _as_batch(series)
    return float(_tau(data[0], least))


def kendall_taus(series: NDArray[Any], *, least: int = 2) -> Values:
    """`kendall_tau` along the last axis.

    Parameters
    ----------
    series : array of float, shape (..., n)
    least : int

    Returns
    -------
    array of float64, shape (...)
    """
    data = np.ascontiguousarray(series, dtype=np.float64)
    flat = data.reshape(int(np.prod(data.shape[:-1])), data.shape[-1])
    return _taus(flat, least).reshape(data.shape[:-1])


def _as_batch(series: NDArray[Any]) -> tuple[Values, bool]:
    data = np.ascontiguousarray(series, dtype=np.float64)
    if data.ndim not in (1, 2):
        raise ValueError(f"a series (n,) or several (S, n) are needed, not shape {data.shape}")
    data = np.where(np.isfinite(data), data, np.nan)
    return (data[np.newaxis], True) if data.ndim == 1 else (data, False)


def _codes(indicators: Sequence[str]) -> NDArray[np.int64]:
    unknown = [name for name in indicators if name not in INDICATORS]
    if unknown:
        raise ValueError(f'unknown indicator "{unknown[0]}"; known: {", ".join(INDICATORS)}')
    return np.array([INDICATORS.index(name) for name in indicators], dtype=np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def _rolling_batch(  # noqa: PLR0917
    data: Values, fixed: Values, window: int, least: int, codes: NDArray[np.int64], step: float
) -> Values:
    out = np.full((data.shape[0], codes.size, data.shape[1]), np.nan)
    for s in range(data.shape[0]):
        _rolling(data[s], fixed, window, least, codes, step, out[s])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _rolling(  # noqa: C901, PLR0912, PLR0917 - one pass; compiled functions take positions
    x: Values,
    fixed: Values,
    window: int,
    least: int,
    codes: NDArray[np.int64],
    step: float,
    out: Values,
) -> None:
    """Indicators of one series.

    The series is scaled first, so that running sums lose nothing that counts; they are made anew
    once per window length, and a window whose spread is small against its sums is done directly.
    """
    n = x.size
    centre, scale = _centre_and_scale(x)
    if n < window or math.isnan(centre):
        return
    z = np.zeros(n)
    if scale > 0:
        for t in range(n):
            z[t] = (x[t] - centre) / scale
    elif scale == 0:
        for t in range(n):
            z[t] = x[t] - centre  # 0 or NaN
    moments = np.zeros(6)  # count, sums of z, z^2, z^3, z^4, and of what was taken away
    pairs = np.zeros(6)  # count, sums of x, y, xx, yy, xy
    spread = np.zeros(3)
    for t in range(window - 1, n):
        first = t - window + 1
        if (t - window + 1) % window == 0:
            moments[:] = 0.0
            pairs[:] = 0.0
            for i in range(first, t + 1):
                _count(moments, z[i], fixed[i], 1.0)
                if i > first:
                    _pair(pairs, z[i - 1], z[i], 1.0)
        else:
            _count(moments, z[first - 1], fixed[first - 1], -1.0)
            _pair(pairs, z[first - 1], z[first], -1.0)
            _count(moments, z[t], fixed[t], 1.0)
            _pair(pairs, z[t - 1], z[t], 1.0)
        count = moments[0]
        enough = count >= least
        _central(moments, z, first, t, spread)
        phi = np.nan
        if pairs[0] >= least:
            phi = _correlation(pairs, z, first, t)
        for k in range(codes.size):
            code = codes[k]
            if code == _AR1:
                out[k, t] = phi
            elif code == _RATE:
                out[k, t] = -math.log(phi) / step if phi > 0 else np.nan
            elif enough:
                mean = centre + (scale * moments[1] + moments[5]) / count
                out[k, t] = _moment(code, count, spread, scale, mean)


@njit(cache=True, nogil=True, error_model="numpy")
def _centre_and_scale(x: Values) -> tuple[float, float]:
    count, total = 0, 0.0
    largest = 0.0
    for t in range(x.size):
        if not math.isnan(x[t]):
            count += 1
            total += x[t]
            largest = max(largest, abs(x[t]))
    if count == 0:
        return np.nan, np.nan
    centre = total / count
    squares = 0.0
    for t in range(x.size):
        if not math.isnan(x[t]):
            squares += (x[t] - centre) ** 2
    scale = math.sqrt(squares / count)
    if scale <= 1e-13 * largest:  # rounding alone
        return centre, 0.0
    return centre, scale


@njit(cache=True, nogil=True)
def _count(moments: Values, z: float, fixed: float, sign: float) -> None:
    if math.isnan(z):
        return
    square = z * z
    moments[0] += sign
    moments[1] += sign * z
    moments[2] += sign * square
    moments[3] += sign * square * z
    moments[4] += sign * square * square
    moments[5] += sign * fixed


@njit(cache=True, nogil=True)
def _pair(pairs: Values, x: float, y: float, sign: float) -> None:
    if math.isnan(x) or math.isnan(y):
        return
    pairs[0] += sign
    pairs[1] += sign * x
    pairs[2] += sign * y
    pairs[3] += sign * x * x
    pairs[4] += sign * y * y
    pairs[5] += sign * x * y


@njit(cache=True, nogil=True, error_model="numpy")
def _central(moments: Values, z: Values, first: int, last: int, spread: Values) -> None:
    """Second to fourth central moments of a window."""
    count = moments[0]
    spread[:] = np.nan
    if count < 1:
        return
    mean = moments[1] / count
    second, third, fourth = moments[2] / count, moments[3] / count, moments[4] / count
    spread[0] = second - mean * mean
    spread[1] = third - 3.0 * mean * second + 2.0 * mean**3
    spread[2] = fourth - 4.0 * mean * third + 6.0 * mean**2 * second - 3.0 * mean**4
    if spread[0] > 1e-3 and spread[0] > 1e-3 * second and fourth < 1e6:
        return
    mean = 0.0
    for i in range(first, last + 1):
        if not math.isnan(z[i]):
            mean += z[i]
    mean /= count
    spread[:] = 0.0
    for i in range(first, last + 1):
        if not math.isnan(z[i]):
            off = z[i] - mean
            spread[0] += off * off / count
            spread[1] += off**3 / count
            spread[2] += off**4 / count


@njit(cache=True, nogil=True, error_model="numpy")
def _correlation(pairs: Values, z: Values, first: int, last: int) -> Any:
    """Pearson's correlation of neighbours in a window."""
    count = pairs[0]
    mean_x, mean_y = pairs[1] / count, pairs[2] / count
    xx = pairs[3] / count - mean_x * mean_x
    yy = pairs[4] / count - mean_y * mean_y
    xy = pairs[5] / count - mean_x * mean_y
    if min(xx, yy) < 1e-3 or min(xx, yy) < 1e-3 * max(pairs[3], pairs[4]) / count:
        mean_x, mean_y = 0.0, 0.0
        for i in range(first, last):
            if not (math.isnan(z[i]) or math.isnan(z[i + 1])):
                mean_x += z[i] / count
                mean_y += z[i + 1] / count
        xx, yy, xy = 0.0, 0.0, 0.0
        for i in range(first, last):
            if not (math.isnan(z[i]) or math.isnan(z[i + 1])):
                xx += (z[i] - mean_x) ** 2 / count
                yy += (z[i + 1] - mean_y) ** 2 / count
                xy += (z[i] - mean_x) * (z[i + 1] - mean_y) / count
    if xx <= _CONSTANT or yy <= _CONSTANT:
        return np.nan
    return min(max(xy / math.sqrt(xx * yy), -1.0), 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _moment(code: int, n: float, spread: Values, scale: float, mean: float) -> Any:  # noqa: PLR0911
    variance = spread[0] * n / (n - 1.0)
    constant = spread[0] <= _CONSTANT
    if code == _VARIANCE:
        return variance * scale * scale
    if code == _SD:
        return math.sqrt(variance) * scale
    if code == _CV:
        sd = math.sqrt(variance) * scale
        return sd / mean if mean > 1e-9 * scale and mean > 0 else np.nan
    if code == _SKEWNESS:
        if constant or n < 3:
            return np.nan
        return math.sqrt(n * (n - 1.0)) / (n - 2.0) * spread[1] / spread[0] ** 1.5
    if constant or n < 4:
        return np.nan
    ratio = spread[2] / spread[0] ** 2
    return (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * ratio - 3.0 * (n - 1.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _tau(series: Values, least: int) -> float:
    n = 0
    known = np.empty(series.size)
    for t in range(series.size):
        if not math.isnan(series[t]):
            known[n] = series[t]
            n += 1
    if n < max(least, 2):
        return np.nan
    balance, ties = 0, 0
    for i in range(n - 1):
        a = known[i]
        for j in range(i + 1, n):
            b = known[j]
            balance += int(b > a) - int(b < a)
            ties += int(b == a)
    pairs = n * (n - 1) // 2
    if ties == pairs:
        return np.nan
    return balance / math.sqrt(float(pairs) * float(pairs - ties))


@njit(cache=True, nogil=True)
def _taus(series: Values, least: int) -> Values:
    out = np.empty(series.shape[0])
    for s in range(series.shape[0]):
        out[s] = _tau(series[s], least)
    return out
