"""The stationary memory of a series with gaps: an autoregressive model of it.

Detrending takes away slow noise together with the trend, so a model fitted to residuals has too
little memory. Here the model is chosen such that *after the same detrending, with the same gaps*,
it has the autocorrelation that was found.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyveg.kernels.linear import product

__all__ = ["Noise", "corrected_ar1", "fit_noise", "theoretical_autocorrelation"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LIMIT = 0.98  # of partial autocorrelations: a stationary model, with an end to its memory


class Noise(NamedTuple):
    """An autoregressive model, x_t = sum_k coefficients[k] x_t-1-k + e_t."""

    coefficients: Values
    """Shape (p,); empty for white noise."""
    sigma: float
    """SD of e, in the unit of the series."""
    innovations: Values
    """e of the series that it was fitted to, mean 0 and SD `sigma`, shape (n,); NaN where it or a
    value before it is missing."""
    gain: float = 1.0
    """SD that the residual operator leaves of the model's process, as a share: what the series had
    before it was detrended is larger by 1 / gain."""


def fit_noise(
    residuals: NDArray[Any], operator: Values | None = None, *, max_order: int | None = None
) -> Noise:
    """Fit an autoregressive model to residuals with gaps.

    Parameters
    ----------
    residuals : array of float, shape (n,)
        NaN where missing.
    operator : array of float64, shape (n, n), optional
        The residual operator that made them (`decomposition.Prepared.operator`), to make
        good for the memory that it took.
    max_order : int, optional
        Of the model. Where not given, at most 8, and for each coefficient 20 runs of order + 1
        valid steps are needed: pairwise autocorrelations of a series with many gaps contradict
        each other at higher orders.

    Returns
    -------
    Noise

    Raises
    ------
    ValueError
        If there are fewer than 12 valid steps, or all are equal.

    Notes
    -----
    The order is chosen by Akaike's criterion on Yule-Walker fits to the pairwise autocorrelation,
    the smallest number of pairs at any lag standing for the sample size.
    With an operator R and a model of autocovariance C, residuals have the expected autocovariance
    of R C R'; the model's autocorrelations are moved until that agrees with what was found.
    """
    data = np.ascontiguousarray(residuals, dtype=np.float64)
    known = np.isfinite(data)
    count = int(known.sum())
    if count < 12:
        raise ValueError(f"{count} values are too few for a model of the noise; 12 are needed")
    longest = _longest(known) if max_order is None else min(max_order, data.size - 2)
    centred = np.where(known, data - data[known].mean(), np.nan)
    variance = float(np.mean(centred[known] ** 2))
    if not variance > (1e-12 * np.abs(data[known]).max()) ** 2:
        raise ValueError("the residuals are constant, so there is no noise to model")
    correlation = _autocorrelation(centred, longest)
    pairs = min(int((known[lag:] & known[: data.size - lag]).sum()) for lag in range(longest + 1))
    order = _order(correlation, pairs)
    correlation = correlation[: order + 1]
    gain = 1.0
    if operator is not None and order:
        correlation, gain = _matched(correlation, operator, known)
    coefficients, share = _levinson(correlation)
    innovations = _innovations(centred, coefficients)
    sigma = math.sqrt(variance * share)
    usable = np.isfinite(innovations)
    if usable.any():
        innovations -= innovations[usable].mean()
        spread = math.sqrt(float(np.mean(innovations[usable] ** 2)))
        if spread > 0:
            innovations *= sigma / spread
    return Noise(coefficients, sigma, innovations, gain)


def corrected_ar1(residuals: NDArray[Any], operator: Values) -> float:
    """AR(1) of a series from its residuals, with what detrending and gaps took put back.

    Parameters
    ----------
    residuals : array of float, shape (n,)
        NaN where missing.
    operator : array of float64, shape (n, n)
        The residual operator that made them (`pyveg.kernels.decomposition.Prepared.operator`).

    Returns
    -------
    float
        The parameter of the AR(1) process whose residuals have the lag-1 autocorrelation that was
        found; at most 0.98. NaN where there are fewer than 12 values, or all are equal.

    Notes
    -----
    AR(1) of residuals is too low, the more so the fewer values there are: at a true 0.5, 120
    months, three harmonics and LOESS over half of them, 0.41 without gaps and 0.38 with 20 %.
    """
    data = np.ascontiguousarray(residuals, dtype=np.float64)
    known = np.isfinite(data)
    if known.sum() < 12 or np.ptp(data[known]) <= 1e-12 * np.abs(data[known]).max():
        return math.nan
    measured = _autocorrelation(np.where(known, data - data[known].mean(), np.nan), 1)
    return float(_matched(measured, operator, known)[0][1])


def theoretical_autocorrelation(coefficients: NDArray[Any], lags: int) -> Values:
    """Autocorrelation at lags 0 .. `lags` of an autoregressive model.

    Parameters
    ----------
    coefficients : array of float, shape (p,)
    lags : int

    Returns
    -------
    array of float64, shape (lags + 1,)
    """
    phi = np.asarray(coefficients, dtype=np.float64)
    p = phi.size
    system = np.eye(p + 1)
    for row in range(1, p + 1):
        for k in range(1, p + 1):
            system[row, abs(row - k)] -= phi[k - 1]
    start = np.linalg.solve(system, np.eye(p + 1)[0]) if p else np.ones(1)
    out = np.zeros(max(lags, p) + 1)
    out[: p + 1] = start
    _continue(out, phi)
    return out[: lags + 1]


def _longest(known: Mask) -> int:
    """The highest order that a pattern of gaps allows."""
    runs, order = known[1:] & known[:-1], 1
    while order < 8:
        runs = runs[1:] & known[: runs.size - 1]
        if np.count_nonzero(runs) < 20 * (order + 1):
            break
        order += 1
    return order


def _order(correlation: Values, count: int) -> int:
    """Order with the least Akaike criterion, for so many pairs of values.

    With gaps, autocorrelations at different lags come from different values and may contradict
    each other, which shows as a partial one at its limit: no order beyond that is looked at.
    """
    best, least = 0, 0.0
    for order in range(1, correlation.size):
        phi, share = _levinson(correlation[: order + 1])
        if order > 1 and abs(phi[-1]) >= _LIMIT:
            break
        criterion = count * math.log(share) + 2 * order
        if criterion < least:
            best, least = order, criterion
    return best


def _matched(target: Values, operator: Values, valid: Mask) -> tuple[Values, float]:
    """Autocorrelation of a model that has `target` after the operator, and the operator's gain."""
    n, order = valid.size, target.size - 1
    weights = _lag_weights(operator, valid, order)
    correlation = target.copy()
    for _ in range(60):
        coefficients, _ = _levinson(correlation)
        whole = theoretical_autocorrelation(coefficients, n - 1)
        expected = product(weights, whole[:, np.newaxis])[:, 0]
        wrong = target[1:] - expected[1:] / expected[0]
        if np.abs(wrong).max() < 1e-6:
            break
        correlation[1:] = np.clip(whole[1 : order + 1] + 0.7 * wrong, -_LIMIT, _LIMIT)
    return correlation, math.sqrt(float(expected[0]))


def _lag_weights(operator: Values, valid: Mask, lags: int) -> Values:
    """Weights by which a model's autocovariances give those of its residuals, (lags + 1, n)."""
    n = valid.size
    out = np.zeros((lags + 1, n))
    places = np.nonzero(valid)[0]
    for lag in range(lags + 1):
        pairs = places[np.isin(places + lag, places)]
        if pairs.size:
            both = product(
                np.ascontiguousarray(operator[:, pairs]),
                np.ascontiguousarray(operator[:, pairs + lag].T),
            )
            out[lag] = _diagonal_sums(both) / pairs.size
    return out


@njit(cache=True, nogil=True)
def _continue(correlation: Values, phi: Values) -> None:
    """The lags behind the model's order."""
    p = phi.size
    for lag in range(p + 1, correlation.size):
        for k in range(p):
            correlation[lag] += phi[k] * correlation[lag - 1 - k]


@njit(cache=True, nogil=True)
def _diagonal_sums(matrix: Values) -> Values:
    """Sums over all pairs of steps that are 0, 1, 2 ... apart."""
    n = matrix.shape[0]
    out = np.zeros(n)
    for i in range(n):
        for j in range(n):
            out[abs(i - j)] += matrix[i, j]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _autocorrelation(centred: Values, lags: int) -> Values:
    """Of each lag over its own pairs, variances too: with gaps, those of all values differ."""
    out = np.zeros(lags + 1)
    for lag in range(lags + 1):
        xx, yy, xy = 0.0, 0.0, 0.0
        for t in range(centred.size - lag):
            x, y = centred[t], centred[t + lag]
            if not (math.isnan(x) or math.isnan(y)):
                xx += x * x
                yy += y * y
                xy += x * y
        if xx > 0.0 and yy > 0.0:
            out[lag] = xy / math.sqrt(xx * yy)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _levinson(correlation: Values) -> tuple[Values, float]:
    """Yule-Walker coefficients, and the innovations' share of the variance.

    Pairwise autocorrelations need not be those of any process; partial ones are kept inside the
    limit, which keeps the model stationary.
    """
    order = correlation.size - 1
    phi = np.zeros(order)
    share = 1.0
    for k in range(order):
        top = correlation[k + 1]
        for j in range(k):
            top -= phi[j] * correlation[k - j]
        partial = min(max(top / share, -_LIMIT), _LIMIT)
        before = phi[:k].copy()
        for j in range(k):
            phi[j] = before[j] - partial * before[k - 1 - j]
        phi[k] = partial
        share *= 1.0 - partial * partial
    return phi, share


@njit(cache=True, nogil=True)
def _innovations(centred: Values, coefficients: Values) -> Values:
    p = coefficients.size
    out = np.full(centred.size, np.nan)
    for t in range(p, centred.size):
        rest = centred[t]
        for k in range(p):
            rest -= coefficients[k] * centred[t - 1 - k]
        out[t] = rest
    return out
