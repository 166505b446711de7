"""A series that follows its own past and the weather: least squares, and what the weather made."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyveg.kernels.linear import hat_rows, product

__all__ = ["ArxFit", "arx_fit", "arx_pairs", "driven_part", "stored"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


class ArxFit(NamedTuple):
    """x[t] = memory x[t-1] + effects . w[t] + e."""

    memory: float
    """AR(1), NaN where it is not determined."""
    effects: Values
    """Of each regressor, (k,)."""
    squares: float
    """Sum of the squares of e."""
    pairs: int
    """Steps that count: those with a value, one before it, and weather."""


def arx_pairs(series: NDArray[Any], regressors: NDArray[Any]) -> Mask:
    """Steps with a value, one before it, and all regressors, (n,)."""
    known = np.isfinite(series)
    both = known & np.concatenate([[False], known[:-1]])
    return np.asarray(both & np.isfinite(regressors).all(axis=0), dtype=np.bool_)


def arx_fit(
    series: NDArray[Any], regressors: NDArray[Any], use: NDArray[Any] | None = None
) -> ArxFit:
    """Fit a constant memory beside regressors by least squares.

    Parameters
    ----------
    series : array of float, shape (n,)
        After season and trend; NaN where missing.
    regressors : array of float, shape (k, n)
        What acts on each step besides the one before it; k may be 0.
    use : array of bool, shape (n,), optional
        Steps that count among those that can.

    Returns
    -------
    ArxFit
        `memory` and `effects` are NaN where the steps do not determine them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rain, x = rng.normal(size=(1, 900)), np.zeros(900)
    >>> for t in range(1, 900):
    ...     x[t] = 0.5 * x[t - 1] + 2 * rain[0, t] + 0.1 * rng.normal()
    >>> fit = arx_fit(x, rain)
    >>> round(fit.memory, 1), round(float(fit.effects[0]), 1), fit.pairs
    (0.5, 2.0, 899)
    """
    data = np.ascontiguousarray(series, dtype=np.float64)
    rows = np.asarray(regressors, dtype=np.float64).reshape(-1, data.size)
    steps = arx_pairs(data, rows)
    if use is not None:
        steps &= np.asarray(use, dtype=np.bool_)
    before = np.concatenate([[0.0], data[:-1]])
    design = np.where(steps, np.vstack([before, rows]), 0.0)
    target = np.where(steps, data, 0.0)
    hat = hat_rows(np.ascontiguousarray(design.T), steps)
    found = product(hat, target[:, np.newaxis])[:, 0]
    rest = target - product(found[np.newaxis], np.ascontiguousarray(design))[0]
    squares = float(np.sum(rest * rest)) if np.isfinite(found).all() else math.nan
    return ArxFit(float(found[0]), found[1:], squares, int(steps.sum()))


def driven_part(fit: ArxFit, regressors: NDArray[Any]) -> Values:
    """What a series would be without noise: the weather, remembered; from rest.

    Parameters
    ----------
    fit : ArxFit
        Memory is used up to 0.98 of either sign.
    regressors : array of float, shape (k, n)
        NaN counts as 0, the mean of an anomaly.

    Returns
    -------
    array of float64, shape (n,)
        0 throughout where the fit is not determined.
    """
    rows = np.nan_to_num(np.asarray(regressors, dtype=np.float64))
    if not math.isfinite(fit.squares):
        return np.zeros(rows.shape[1])
    pushed = product(np.ascontiguousarray(fit.effects)[np.newaxis], np.ascontiguousarray(rows))[0]
    return stored(pushed, min(max(fit.memory, -0.98), 0.98))


def stored(inputs: NDArray[Any], kept: float) -> Values:
    """A store that takes every input and keeps a share of what it had, (n,); NaN counts as 0."""
    data = np.nan_to_num(np.ascontiguousarray(inputs, dtype=np.float64))
    return np.asarray(_stored(data, kept), dtype=np.float64)


@njit(cache=True, nogil=True)
def _stored(data: Values, kept: float) -> Values:
    out = np.empty(data.size)
    level = 0.0
    for t in range(data.size):
        level = kept * level + data[t]
        out[t] = level
    return out
