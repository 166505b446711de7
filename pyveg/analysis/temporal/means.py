"""Means over chips, of which some may have no value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def chip_means(values: Values) -> Values:
    """Means over chips (second axis) where at least half of them have a number, else NaN.

    Examples
    --------
    >>> chip_means(np.array([[[1.0], [3.0]], [[1.0], [np.nan]]]))[:, 0].tolist()
    [2.0, 1.0]
    """
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    enough = (2 * count >= values.shape[1]) & (count > 0)
    return np.where(enough, total / np.maximum(count, 1), np.nan)


def step_means(rows: Sequence[Values]) -> Values:
    """Mean over chips of each row where at least half of them have a value, (S, n), else NaN."""
    total, count = np.zeros(rows[0].shape), np.zeros(rows[0].shape)
    for one in rows:
        known = np.isfinite(one)
        total += np.where(known, one, 0.0)
        count += known
    enough = (2 * count >= len(rows)) & (count > 0)
    return np.where(enough, total / np.maximum(count, 1), np.nan)
