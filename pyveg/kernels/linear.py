"""Matrix products and least squares by loops in a fixed order: the same bits on every machine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["apply_operator", "hat_rows", "product"]

Values = NDArray[np.float64]


@njit(cache=True, nogil=True)
def product(left: Values, right: Values) -> Any:
    """`left @ right` of matrices (a, b) and (b, c)."""
    out = np.zeros((left.shape[0], right.shape[1]))
    for i in range(left.shape[0]):
        for k in range(left.shape[1]):
            factor = left[i, k]
            if factor != 0.0:
                for j in range(right.shape[1]):
                    out[i, j] += factor * right[k, j]
    return out


@njit(cache=True, nogil=True)
def apply_operator(operator: Values, series: Values, valid: NDArray[np.bool_]) -> Values:
    """Send each series through a linear operator; NaN where `valid` is False.

    Parameters
    ----------
    operator : array of float64, shape (n, n)
        The operator's transpose: row i is what a 1 at step i gives. Rows of missing steps are 0.
    series : array of float64, shape (S, n)
        Values at missing steps are not looked at.
    valid : array of bool, shape (n,)

    Returns
    -------
    array of float64, shape (S, n)
    """
    out = np.zeros(series.shape)
    n = valid.size
    for s in range(series.shape[0]):
        for i in range(n):
            if valid[i]:
                value = series[s, i]
                for j in range(n):
                    out[s, j] += value * operator[i, j]
        for j in range(n):
            if not valid[j]:
                out[s, j] = np.nan
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def hat_rows(design: Values, valid: NDArray[np.bool_]) -> Values:  # noqa: C901, PLR0912 - one solver
    """Rows of (X'X)^-1 X' of least squares on the valid steps.

    Parameters
    ----------
    design : array of float64, shape (n, q)
    valid : array of bool, shape (n,)

    Returns
    -------
    array of float64, shape (q, n)
        Coefficients from a series; 0 in the columns of missing steps. All NaN where the valid steps
        do not determine them.
    """
    n, q = design.shape
    normal = np.zeros((q, q))
    for t in range(n):
        if valid[t]:
            for a in range(q):
                for b in range(q):
                    normal[a, b] += design[t, a] * design[t, b]
    lower = np.zeros((q, q))
    for a in range(q):
        for b in range(a + 1):
            rest = normal[a, b]
            for c in range(b):
                rest -= lower[a, c] * lower[b, c]
            if a > b:
                lower[a, b] = rest / lower[b, b]
            elif rest <= 1e-8 * normal[a, a] or normal[a, a] == 0.0:
                return np.full((q, n), np.nan)
            else:
                lower[a, a] = math.sqrt(rest)
    out = np.zeros((q, n))
    for t in range(n):
        if valid[t]:
            for a in range(q):
                rest = design[t, a]
                for c in range(a):
                    rest -= lower[a, c] * out[c, t]
                out[a, t] = rest / lower[a, a]
            for a in range(q - 1, -1, -1):
                rest = out[a, t]
                for c in range(a + 1, q):
                    rest -= lower[c, a] * out[c, t]
                out[a, t] = rest / lower[a, a]
    return out
