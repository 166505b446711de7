"""Season and trend of a series with gaps, as linear operators.

With a fixed pattern of gaps, harmonic regression, STL (not robust), LOESS (not robust) and a
Gaussian filter are all linear: each is a matrix that takes a series to its season or trend. Made
once, a matrix sends a thousand surrogates through the same steps as the series, at the price of a
product. Missing steps have weight 0 in every fit; nothing is filled except inside STL, and there
what was filled is missing again behind it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyveg.kernels.linear import hat_rows, product

__all__ = [
    "SEASONS",
    "TRENDS",
    "gaussian_matrix",
    "harmonic_matrix",
    "loess_matrix",
    "quadratic_matrix",
    "stl_fill",
    "stl_matrices",
    "stl_window",
]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

SEASONS = ("harmonic", "stl", "none")
TRENDS = ("loess", "gaussian", "quadratic", "stl", "none")


def harmonic_matrix(valid: NDArray[Any], period: float, harmonics: int = 3) -> Values:
    """The season by least squares of sines and cosines, beside a quadratic trend.

    Parameters
    ----------
    valid : array of bool, shape (n,)
    period : float
        Steps in a year, above 2; need not be whole.
    harmonics : int
        Waves per year, at least 1; those of two steps or shorter are left out.

    Returns
    -------
    array of float64, shape (n, n)
        Takes a series to its season (mean and trend stay behind).

    Raises
    ------
    ValueError
        If the valid steps do not determine the season.
    """
    mask = np.asarray(valid, dtype=np.bool_)
    n = mask.size
    design = _waves_and_trend(n, period, harmonics)
    rows = hat_rows(design, mask)
    if not mask.sum() > design.shape[1] or not np.isfinite(rows).all():
        raise ValueError(
            f"{int(mask.sum())} values do not determine a season of "
            f"{(design.shape[1] - 3) // 2} waves and a trend"
        )
    season: Values = product(np.ascontiguousarray(design[:, 3:]), np.ascontiguousarray(rows[3:]))
    return season


def quadratic_matrix(valid: NDArray[Any]) -> Values:
    """The trend by least squares of a parabola; see `harmonic_matrix` for shapes and errors."""
    mask = np.asarray(valid, dtype=np.bool_)
    design = _trend_columns(mask.size)
    rows = hat_rows(design, mask)
    if not mask.sum() > 3 or not np.isfinite(rows).all():
        raise ValueError(f"{int(mask.sum())} values do not determine a quadratic trend")
    trend: Values = product(design, rows)
    return trend


def loess_matrix(valid: NDArray[Any], span: float) -> Values:
    """The trend by local lines with tricube weights over the nearest valid steps.

    Parameters
    ----------
    valid : array of bool, shape (n,)
    span : float
        Share of the valid steps in each fit, in (0, 1].

    Returns
    -------
    array of float64, shape (n, n)
        Takes a series to its trend; rows of missing steps are 0.

    Raises
    ------
    ValueError
        If a fit would have fewer than 3 values.

    Notes
    -----
    Cleveland 1979, 10.1080/01621459.1979.10481038, without the robust iterations. On the valid
    steps it is `statsmodels.nonparametric.lowess(..., frac=span, it=0)`.
    """
    mask = np.asarray(valid, dtype=np.bool_)
    count = int(mask.sum())
    near = min(int(span * count + 1e-10), count)
    if not 0 < span <= 1 or near < 3:
        raise ValueError(f"a LOESS span of {span:g} over {count} values holds fewer than 3")
    return _loess(mask, near)


def gaussian_matrix(valid: NDArray[Any], sigma: float) -> Values:
    """The trend by Gaussian weights, over the valid steps only.

    Parameters
    ----------
    valid : array of bool, shape (n,)
    sigma : float
        Standard deviation of the weights in steps, above 0; they end at 4 sigma, and the series is
        mirrored at its ends.

    Returns
    -------
    array of float64, shape (n, n)
        Takes a series to its trend; rows of missing steps are 0. Without gaps it is
        `scipy.ndimage.gaussian_filter1d(..., mode="reflect")`.
    """
    mask = np.asarray(valid, dtype=np.bool_)
    if not sigma > 0:
        raise ValueError(f"sigma of a Gaussian filter must be above 0, got {sigma:g}")
    n = mask.size
    reach = int(4.0 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    matrix = np.zeros((n, n))
    for offset, weight in zip(range(-reach, reach + 1), weights, strict=True):
        place = (np.arange(n) + offset) % (2 * n)
        mirrored = np.where(place < n, place, 2 * n - 1 - place)
        matrix[np.arange(n), mirrored] += weight
    matrix[:, ~mask] = 0.0
    matrix[~mask] = 0.0
    sums = matrix.sum(axis=1, keepdims=True)
    np.divide(matrix, sums, out=matrix, where=sums > 0)
    return matrix


def stl_fill(valid: NDArray[Any], period: int) -> Values:
    """Fill gaps for STL: the mean of the same step of other years, plus the interpolated anomaly.

    Parameters
    ----------
    valid : array of bool, shape (n,)
    period : int
        Steps in a year.

    Returns
    -------
    array of float64, shape (n, n)
        Takes a series to a complete one; valid steps stay as they are.

    Raises
    ------
    ValueError
        If some step of the year is never valid.
    """
    mask = np.asarray(valid, dtype=np.bool_)
    n = mask.size
    phase = np.arange(n) % period
    same = (phase[:, None] == phase) & mask
    counts = same.sum(axis=1, keepdims=True)
    if not counts.all():
        missing = sorted(set(phase[counts[:, 0] == 0].tolist()))
        raise ValueError(
            f"steps {', '.join(map(str, missing))} of the year (of {period}) have no value in any "
            'year, so STL has nothing to go by: use season = "harmonic"'
        )
    climate = same / counts
    where = np.nonzero(mask)[0]
    between = np.zeros((n, n))
    for column, place in enumerate(where):
        unit = np.zeros(len(where))
        unit[column] = 1.0
        between[:, place] = np.interp(np.arange(n), where, unit)
    fill: Values = climate + between - product(between, climate)
    fill[mask] = np.eye(n)[mask]
    return fill


def stl_window(period: int) -> int:
    """The default trend window of STL in steps: odd, about five years.

    The usual one (1.75 years) takes away much of the memory that is to be measured.
    """
    return 2 * (5 * period // 2) + 1


def stl_matrices(
    valid: NDArray[Any], period: int, *, seasonal: int = 13, trend: int | None = None
) -> tuple[Values, Values]:
    """Season and trend by STL (`statsmodels.tsa.seasonal.STL`, not robust).

    Parameters
    ----------
    valid : array of bool, shape (n,)
    period : int
        Steps in a year, at least 2.
    seasonal, trend : int
        Windows of the seasonal (years) and the trend (steps) smoother, odd; `stl_window(period)`
        where the trend's is not given.

    Returns
    -------
    two arrays of float64, shape (n, n)
        Take a series to its season and to its trend.

    Raises
    ------
    ValueError
        If there are fewer than two whole years, or for what `stl_fill` refuses.

    References
    ----------
    Cleveland et al. 1990, J. Official Statistics 6:3-73.
    """
    from statsmodels.tsa.seasonal import STL

    mask = np.asarray(valid, dtype=np.bool_)
    n = mask.size
    if n < 2 * period:
        raise ValueError(f"STL needs two whole years, {2 * period} steps; there are {n}")
    fill = stl_fill(mask, period)
    window = stl_window(period) if trend is None else trend
    parts = np.zeros((2, n, n))
    for t in np.nonzero(mask)[0]:
        fit = STL(fill[:, t], period=period, seasonal=seasonal, trend=window).fit()
        parts[0, :, t], parts[1, :, t] = fit.seasonal, fit.trend
    return parts[0], parts[1]


@lru_cache(maxsize=16)
def _waves_and_trend(n: int, period: float, harmonics: int) -> Values:
    """1, t and t^2, then sine and cosine of each wave; kept, as surrogates ask for it each time."""
    times = np.arange(n) / period
    waves = [k for k in range(1, harmonics + 1) if period / k > 2.0 + 1e-9]
    if not waves:
        raise ValueError(f"a season of {period:g} steps is too short for a wave")
    columns = [_trend_columns(n)]
    columns += [
        np.column_stack([np.sin(2 * np.pi * k * times), np.cos(2 * np.pi * k * times)])
        for k in waves
    ]
    return np.ascontiguousarray(np.hstack(columns))


def _trend_columns(n: int) -> Values:
    """1, t and t^2, scaled to [-1, 1]."""
    place = np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(n)
    return np.ascontiguousarray(np.column_stack([np.ones(n), place, place**2]))


@njit(cache=True, nogil=True, error_model="numpy")
def _loess(valid: Mask, near: int) -> Values:
    n = valid.size
    where = np.nonzero(valid)[0]
    count = where.size
    out, weights = np.zeros((n, n)), np.empty(near)
    low = 0
    for place in range(count):
        t = where[place]
        while low + near < count and t - where[low] > where[low + near] - t:
            low += 1
        radius = float(max(t - where[low], where[low + near - 1] - t))
        total, mean = 0.0, 0.0
        for j in range(near):
            weights[j] = _tricube(abs(where[low + j] - t) / radius)
            total += weights[j]
            mean += weights[j] * where[low + j]
        mean /= total
        squares = 0.0
        for j in range(near):
            squares += weights[j] * (where[low + j] - mean) ** 2
        for j in range(near):
            weight = weights[j] / total
            if squares > 1e-12 * total:
                weight *= 1.0 + (t - mean) * (where[low + j] - mean) * total / squares
            out[t, where[low + j]] = weight
    return out


@njit(cache=True, nogil=True)
def _tricube(distance: float) -> float:
    """Weight of a distance in units of the radius; its ends are cut as statsmodels does."""
    if distance >= 0.999:
        return 0.0
    if distance <= 0.001:
        return 1.0
    rest = 1.0 - distance**3
    return rest * rest * rest
