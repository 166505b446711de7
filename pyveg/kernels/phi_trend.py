"""Does the memory of a series rise? A regression in which the memory and the noise may change.

An AR(1) coefficient that changes in a straight line over the record is fitted beside a noise whose
log variance does: growing noise alone then moves the second and not the first, which is where
rolling windows of AR(1) and variance are misled.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["LEAST_PAIRS", "PhiTrends", "phi_trends"]

Values = NDArray[np.float64]

LEAST_PAIRS = 20
"""Pairs of neighbours below which nothing is fitted."""
_PASSES = 3
_STEEPEST = 8.0  # of the log variance over the record: a factor of 3000, beyond any real noise
_FIELDS = 5


class PhiTrends(NamedTuple):
    """Fits of some series, each of shape (S,); NaN where a series cannot be fitted."""

    memory: Values
    """AR(1) in the middle of the record."""
    change: Values
    """Of AR(1), from the beginning of the record to its end."""
    error: Values
    """Standard error of `change`."""
    noise: Values
    """Change of the log variance of the noise from the beginning of the record to its end."""
    pairs: Values
    """Pairs of neighbours that were fitted."""

    @property
    def t(self) -> Values:
        """Change of AR(1) in units of its error."""
        return self.change / self.error


def phi_trends(
    residuals: NDArray[Any],
    regressors: NDArray[Any] | None = None,
    *,
    where: NDArray[Any] | None = None,
) -> PhiTrends:
    """Fit r[t+1] = (a + b u) r[t] + e with log var e = c + d u to each series.

    Parameters
    ----------
    residuals : array of float, shape (S, n)
        After season and trend, on a regular axis; NaN where missing. Pairs of true neighbours are
        used and nothing is filled.
    regressors : array of float, shape (k, n), optional
        What acts on r[t+1] besides its past, such as the rain of step t+1 (an ARX model). A pair
        whose second step lacks one of them does not count.
    where : array of bool, shape (n,), optional
        Second steps of the pairs that count; all where not given.

    Returns
    -------
    PhiTrends
        NaN where there are fewer than 20 pairs, and 5 for each regressor beyond them, where the
        pairs do not determine the coefficients, or where nothing is left to be noise.

    Notes
    -----
    u = (t + 1/2) / n - 1/2 runs from -1/2 to 1/2. Least squares weighted by exp(-c - d u), and a
    gamma regression of the squared residuals for c and d (Newton's method; the likelihood has one
    maximum), three times in turn from d = 0. The units of a series do not matter.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.zeros(4000)
    >>> for t in range(3999):
    ...     x[t + 1] = (0.2 + 0.6 * t / 4000) * x[t] + rng.normal()
    >>> fit = phi_trends(x[np.newaxis])
    >>> bool(abs(fit.change[0] - 0.6) < 3 * fit.error[0]), bool(fit.t[0] > 5)
    (True, True)
    """
    data = np.ascontiguousarray(residuals, dtype=np.float64)
    if data.ndim != 2:
        raise ValueError(f"residuals must have shape (S, n), got {data.shape}")
    beside = np.empty((0, data.shape[1]))
    if regressors is not None:
        beside = np.ascontiguousarray(regressors, dtype=np.float64)
    if beside.ndim != 2 or beside.shape[1] != data.shape[1]:
        raise ValueError(f"regressors must have shape (k, {data.shape[1]}), got {beside.shape}")
    use = np.ones(data.shape[1], dtype=np.bool_)
    if where is not None:
        use &= np.asarray(where, dtype=np.bool_)
    use &= np.isfinite(beside).all(axis=0)
    return PhiTrends(*np.ascontiguousarray(_fit_all(data, beside, use).T))


@njit(cache=True, nogil=True)
def _fit_all(data: Values, beside: Values, use: NDArray[np.bool_]) -> Values:
    out = np.full((data.shape[0], _FIELDS), np.nan)
    for s in range(data.shape[0]):
        design, target, u = _pairs(data[s], beside, use)
        out[s, 4] = target.size
        if target.size >= LEAST_PAIRS + 5 * beside.shape[0]:
            _fit(design, target, u, out[s])
    return out


@njit(cache=True, nogil=True)
def _pairs(row: Values, beside: Values, use: NDArray[np.bool_]) -> Any:
    """Design (q, m), target (m,) and time (m,) of a series' pairs of neighbours."""
    n, k = row.size, beside.shape[0]
    design = np.empty((2 + k, max(n - 1, 0)))
    target, u = np.empty(max(n - 1, 0)), np.empty(max(n - 1, 0))
    m = 0
    for t in range(n - 1):
        if not (use[t + 1] and math.isfinite(row[t]) and math.isfinite(row[t + 1])):
            continue
        u[m] = (t + 0.5) / n - 0.5
        design[0, m], design[1, m], target[m] = row[t], u[m] * row[t], row[t + 1]
        for j in range(k):
            design[2 + j, m] = beside[j, t + 1]
        m += 1
    return design[:, :m], target[:m], u[:m]


@njit(cache=True, nogil=True, error_model="numpy")
def _fit(design: Values, target: Values, u: Values, out: Values) -> None:
    """Fill memory, change, error and noise of one series; left alone where there is no fit."""
    q, m = design.shape
    weights, squares, log_variance = np.ones(m), np.empty(m), np.zeros(2)
    for number in range(_PASSES):
        coefficients, error, known = _weighted(design, target, weights)
        if not known:
            return
        total = 0.0
        for i in range(m):
            rest = target[i]
            for j in range(q):
                rest -= coefficients[j] * design[j, i]
            squares[i] = rest * rest
            total += weights[i] * squares[i]
        size = 0.0
        for i in range(m):
            size += weights[i] * target[i] * target[i]
        if not total > 1e-20 * size:
            return
        if number == 0:
            log_variance[0] = math.log(total / m)
        _gamma(squares, u, log_variance)
        if number < _PASSES - 1:
            for i in range(m):
                weights[i] = math.exp(-log_variance[1] * u[i])
    out[0], out[1] = coefficients[0], coefficients[1]
    out[2], out[3] = math.sqrt(error * total / (m - q)), log_variance[1]


@njit(cache=True, nogil=True, error_model="numpy")
def _weighted(design: Values, target: Values, weights: Values) -> Any:
    """Coefficients, the inverse's element of the second, and whether they are determined."""
    q, m = design.shape
    normal, right = np.zeros((q, q)), np.zeros(q)
    for a in range(q):
        for b in range(a + 1):
            total = 0.0
            for i in range(m):
                total += weights[i] * design[a, i] * design[b, i]
            normal[a, b] = total
        for i in range(m):
            right[a] += weights[i] * design[a, i] * target[i]
    lower = np.zeros((q, q))
    for a in range(q):
        for b in range(a + 1):
            rest = normal[a, b]
            for c in range(b):
                rest -= lower[a, c] * lower[b, c]
            if a > b:
                lower[a, b] = rest / lower[b, b]
            elif rest <= 1e-10 * normal[a, a] or normal[a, a] == 0.0:
                return right, 0.0, False
            else:
                lower[a, a] = math.sqrt(rest)
    unit = np.zeros(q)
    unit[1] = 1.0
    return _solved(lower, right), _solved(lower, unit)[1], True


@njit(cache=True, nogil=True, error_model="numpy")
def _solved(lower: Values, right: Values) -> Values:
    """Solve L L' x = right."""
    q = right.size
    x = right.copy()
    for a in range(q):
        for c in range(a):
            x[a] -= lower[a, c] * x[c]
        x[a] /= lower[a, a]
    for a in range(q - 1, -1, -1):
        for c in range(a + 1, q):
            x[a] -= lower[c, a] * x[c]
        x[a] /= lower[a, a]
    return x


@njit(cache=True, nogil=True, error_model="numpy")
def _gamma(squares: Values, u: Values, c_d: Values) -> None:
    """Move c and d to the maximum of the gamma likelihood of squares with mean exp(c + d u)."""
    for _ in range(30):
        s0, s1, h0, h1, h2 = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(squares.size):
            ratio = squares[i] * math.exp(-c_d[0] - c_d[1] * u[i])
            s0 += ratio - 1.0
            s1 += (ratio - 1.0) * u[i]
            h0 += ratio
            h1 += ratio * u[i]
            h2 += ratio * u[i] * u[i]
        determinant = h0 * h2 - h1 * h1
        if not determinant > 1e-12 * h0 * h2:
            return
        # A Newton step from far away overshoots: none is longer than a factor of e.
        first = min(max((h2 * s0 - h1 * s1) / determinant, -1.0), 1.0)
        second = min(max((h0 * s1 - h1 * s0) / determinant, -2.0), 2.0)
        c_d[0] += first
        c_d[1] = min(max(c_d[1] + second, -_STEEPEST), _STEEPEST)
        if abs(first) + abs(second) < 1e-9:
            return
