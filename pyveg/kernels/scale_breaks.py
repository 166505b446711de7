"""Did the spread of a series change abruptly? A scan of what is new in each value.

The size of an innovation, not its square, is looked at: that finds nearly as much in normal noise
and is not carried away by one stray value.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["ScaleScan", "scan_scales"]

Values = NDArray[np.float64]
Places = NDArray[np.int64]

_LEAST_SIDE = 15
"""Innovations that there must be on either side of a change."""
_SIDE_SHARE = 10
"""And one in so many of all."""
_CLIP = 4.0
"""Mean sizes at which an innovation is cut."""


class ScaleScan(NamedTuple):
    """The most likely change of scale of each series; shape (S,) each, NaN where not scanned."""

    z: Values
    """Log of the ratio in units of its error; positive where the spread grows."""
    place: Places
    """First step after the change; -1 where not scanned."""
    ratio: Values
    """Scale after the change over that before it."""
    error: Values
    """Standard error of the log of the ratio, the date being right."""


def scan_scales(innovations: NDArray[Any]) -> ScaleScan:
    """Find the date at which the scale of each series changes most.

    Parameters
    ----------
    innovations : array of float, shape (S, n)
        Without memory, mean about 0; NaN where missing.

    Returns
    -------
    ScaleScan
        At the date with the largest |z|, which has at least 15 values, and a tenth of all, on
        either side. z = log(b / a) / (v sqrt(1/m + 1/k)): a and b are the mean sizes of the m
        values before it and the k from it on, each cut at four times the mean size, and v their
        coefficient of variation within the sides.

    Examples
    --------
    >>> import numpy as np
    >>> row = np.where(np.arange(40) < 20, 1.0, 3.0) * np.resize([1, -1.2, 0.8], 40)
    >>> found = scan_scales(row[np.newaxis])
    >>> int(found.place[0]), round(float(found.ratio[0]), 1)
    (20, 2.9)
    """
    return ScaleScan(*_scan(np.ascontiguousarray(innovations, dtype=np.float64)))


@njit(cache=True, nogil=True)
def _scan(data: Values) -> Any:
    count = data.shape[0]
    z, place = np.full(count, np.nan), np.full(count, -1, dtype=np.int64)
    ratio, error = np.full(count, np.nan), np.full(count, np.nan)
    for s in range(count):
        known = np.nonzero(np.isfinite(data[s]))[0]
        sizes = np.abs(data[s][known])
        middle = sizes.mean() if sizes.size else 0.0
        if middle > 0.0:
            sizes = np.minimum(sizes, _CLIP * middle)
            found = _best(sizes)
            if found[1] >= 0:
                z[s], place[s] = found[0], known[found[1]]
                ratio[s], error[s] = math.exp(found[2]), found[3]
    return z, place, ratio, error


@njit(cache=True, nogil=True, error_model="numpy")
def _best(sizes: Values) -> Any:
    """Largest z, its place, the log of its ratio and the error of that."""
    n = sizes.size
    side = max(_LEAST_SIDE, n // _SIDE_SHARE)
    best, place, log_ratio, error = 0.0, -1, 0.0, 0.0
    total, squares = sizes.sum(), (sizes * sizes).sum()
    before, before_squares = 0.0, 0.0
    for k in range(1, n - side + 1):
        before += sizes[k - 1]
        before_squares += sizes[k - 1] * sizes[k - 1]
        if k < side:
            continue
        a, b = before / k, (total - before) / (n - k)
        if not (a > 0.0 and b > 0.0):
            continue
        inside = before_squares / (a * a) + (squares - before_squares) / (b * b) - n
        own = math.sqrt(max(inside, 0.0) / (n - 2) * (1.0 / k + 1.0 / (n - k)))
        if own > 0.0 and abs(math.log(b / a)) > abs(best) * own:
            best, place, log_ratio, error = math.log(b / a) / own, k, math.log(b / a), own
    return best, place, log_ratio, error
