"""Medians of many columns or rows, most of them with some values missing."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["column_medians", "far_from_median", "median_moving"]

Values = NDArray[np.float64]

_BLOCK = 64
"""Columns that are gathered at once: rows are read in runs, not value by value."""


@njit(cache=True, nogil=True)
def column_medians(values: Values, first: int, last: int) -> Values:
    """Median of each column where at least half of its values are known.

    Parameters
    ----------
    values : array of float64, shape (rows, columns)
        NaN where missing.
    first, last : int
        Columns to look at, `last` not among them.

    Returns
    -------
    array of float64, shape (last - first,)
        The mean of the two middle values where their number is even; NaN where fewer than half of
        the values are known.
    """
    rows = values.shape[0]
    out = np.full(last - first, np.nan)
    known = np.empty((_BLOCK, rows))
    for start in range(first, last, _BLOCK):
        width = min(_BLOCK, last - start)
        counts = np.zeros(width, dtype=np.int64)
        for row in range(rows):
            for column in range(width):
                value = values[row, start + column]
                if np.isfinite(value):
                    known[column, counts[column]] = value
                    counts[column] += 1
        for column in range(width):
            count = counts[column]
            if count and 2 * count >= rows:
                out[start + column - first] = median_moving(known[column, :count])
    return out


@njit(cache=True, nogil=True)
def far_from_median(values: Values, limit: float, least: int) -> NDArray[np.bool_]:
    """Values further than `limit` robust standard deviations from the median of their row.

    Parameters
    ----------
    values : array of float64, shape (rows, n)
        NaN where missing.
    limit : float
        In robust SD: 1.4826 times the median absolute deviation.
    least : int
        Known values below which nothing of a row is flagged.

    Returns
    -------
    array of bool, shape (rows, n)
        Nothing of a row whose robust SD is 0.
    """
    flags = np.zeros(values.shape, dtype=np.bool_)
    known = np.empty(values.shape[1])
    for row in range(values.shape[0]):
        count = 0
        for place in range(known.size):
            if not np.isnan(values[row, place]):
                known[count] = values[row, place]
                count += 1
        if count < least:
            continue
        middle = median_moving(known[:count])
        for place in range(count):
            known[place] = abs(known[place] - middle)
        scale = 1.4826 * median_moving(known[:count])
        for place in range(known.size):
            flags[row, place] = scale > 0 and abs(values[row, place] - middle) > limit * scale
    return flags


@njit(cache=True, nogil=True)
def median_moving(values: Values) -> float:
    """Median of one or more values, without NaN; they are put in another order.

    Compiled functions call it, for numpy's sort takes each of them seconds more to compile.
    """
    count = values.size
    half = count // 2
    high = _select(values, half)
    if count % 2:
        return high
    low = values[0]
    for place in range(1, half):
        low = max(low, values[place])
    return float(0.5 * low + 0.5 * high)


@njit(cache=True, nogil=True)
def _select(values: Values, wanted: int) -> float:
    """The value of that rank; smaller ones stand before it (Hoare 1961, 10.1145/366622.366647)."""
    low, high = 0, values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            break
    return float(values[wanted])
