"""Quantiles of many columns at once, some of their values missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["column_quantiles"]

Values = NDArray[np.float64]


def column_quantiles(values: Values, shares: Sequence[float]) -> Values:
    """Quantiles of the known values of each column, interpolated between neighbours.

    Parameters
    ----------
    values : array of float64, shape (rows, columns)
        NaN where missing; infinite values are not allowed for.
    shares : sequence of float
        Each from 0 to 1.

    Returns
    -------
    array of float64, shape (shares, columns)
        NaN where nothing is known.

    Notes
    -----
    Definition 7 of Hyndman & Fan 1996, 10.2307/2684934, in the steps of `numpy.nanquantile`, whose
    numbers these are to the last bit. NumPy goes through the columns one by one in Python; here
    one sort, which puts NaN last, serves all columns and all shares.

    Examples
    --------
    >>> column_quantiles(np.array([[1.0, np.nan], [3.0, np.nan], [2.0, 5.0]]), [0.25, 0.5])
    array([[1.5, 5. ],
           [2. , 5. ]])
    """
    # Rows of the transpose lie together in memory: they are sorted several times faster.
    ordered = np.sort(np.ascontiguousarray(values.T), axis=1)
    known = ordered.shape[1] - np.count_nonzero(np.isnan(ordered), axis=1)
    out = np.full((len(shares), len(ordered)), np.nan)
    rows = np.flatnonzero(known)
    last = known[rows] - 1
    for place, share in enumerate(shares):
        wanted = last * share
        before = np.floor(wanted).astype(np.intp)
        low = ordered[rows, before]
        high = ordered[rows, np.minimum(before + 1, last)]
        out[place, rows] = _between(low, high, wanted - before)
    return out


def _between(low: Values, high: Values, weight: Values) -> Values:
    """A value on the way from low to high, reckoned from the nearer of the two, as NumPy does."""
    step = high - low
    return np.where(weight >= 0.5, high - step * (1 - weight), low + step * weight)
