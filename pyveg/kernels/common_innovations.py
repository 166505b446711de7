"""Innovations of the series of one place, which share their weather and miss different steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["FEWEST", "common_steps", "filled_together"]

Values = NDArray[np.float64]
Words = NDArray[np.uint64]

FEWEST = 20
"""Innovations that are needed to draw from; below it they come from a normal distribution."""
_SHARE = 3
"""One in so many series should have an innovation at a step that is drawn for the whole place."""
_MANY = 60
"""Steps that are drawn from, if there are so many with any innovation."""


def common_steps(innovations: NDArray[Any]) -> NDArray[np.int64]:
    """Steps that innovations are drawn from for a whole place.

    Parameters
    ----------
    innovations : array of float, shape (C, n)

    Returns
    -------
    array of int64
        Those at which at least a third of the series have an innovation; where these are fewer
        than 60, the 60 at which most have one.
    """
    known = np.isfinite(innovations)
    counts = known.sum(axis=0)
    good = np.nonzero(_SHARE * counts >= max(known.any(axis=1).sum(), 1))[0]
    if good.size >= _MANY:
        return good
    best = np.argsort(-counts, kind="stable")[:_MANY]
    return np.sort(best[counts[best] > 0])


def filled_together(innovations: NDArray[Any], seed: Sequence[int]) -> Values:
    """Innovations that are missing at `common_steps`, as the other series let expect them.

    Series of a place are correlated. Where one misses a step and surrogates draw it by itself,
    they lose that correlation: the median over the place wavers less than it should, and alarms
    are false too often.

    Parameters
    ----------
    innovations : array of float, shape (C, n)
        Mean 0 in each row; NaN where missing.
    seed : sequence of int
        Not negative.

    Returns
    -------
    array of float64, shape (C, n)
        Rows with fewer than 20 innovations stay as they are.

    Notes
    -----
    With z in units of each row's SD, r_i the mean product of z_i with the mean of the others, and
    r the mean of all r_i, a missing z_i is b m + sqrt(1 - b r_i) e: m is the mean of the k others
    that are known, b = r_i / (r + (1 - r) / k) its regression coefficient, and e a value of z_i
    drawn at random. So a series keeps its spread, about its distribution, and its correlation with
    those that have the step; of two that both miss it, what they share with the others. Groups
    within a place are not told apart.
    """
    data = np.array(innovations, dtype=np.float64)
    if len(data) == 1:
        return data
    stream = np.random.Philox(np.random.SeedSequence([*seed, 1]))
    words = stream.random_raw(data.size).reshape(data.shape)
    steps = np.zeros(data.shape[1], dtype=np.bool_)
    steps[common_steps(data)] = True
    _fill(data, steps, words)
    return data


@njit(cache=True)
def _fill(data: Values, steps: NDArray[np.bool_], words: Words) -> None:
    count, n = data.shape
    spreads = np.zeros(count)
    for row in range(count):
        spreads[row] = _spread(data[row])
    sums, others = _sums(data, spreads)
    given = data.copy()
    follows = np.zeros(count)
    for row in range(count):
        if spreads[row] > 0.0:
            follows[row] = _shared(given[row], spreads[row], sums, others)
    mean = 0.0
    for row in range(count):
        mean += follows[row] / count
    for row in range(count):
        known = np.nonzero(np.isfinite(given[row]))[0]
        if known.size < FEWEST or spreads[row] == 0.0:
            continue
        shared = follows[row]
        for t in range(n):
            if not steps[t] or math.isfinite(given[row, t]):
                continue
            place = known[
                ((words[row, t] >> np.uint64(32)) * np.uint64(known.size)) >> np.uint64(32)
            ]
            value = given[row, place] / spreads[row]
            if shared > 0.0 and others[t] > 0:
                weight = shared / (mean + (1.0 - mean) / others[t])
                weight = min(weight, 0.99 / shared)
                own = math.sqrt(1.0 - weight * shared)
                value = weight * sums[t] / others[t] + own * value
            data[row, t] = value * spreads[row]


@njit(cache=True)
def _spread(row: Values) -> float:
    """Root mean square of what is known; 0 where nothing is."""
    count, total = 0, 0.0
    for value in row:
        if math.isfinite(value):
            count += 1
            total += value * value
    return math.sqrt(total / count) if count else 0.0


@njit(cache=True)
def _sums(data: Values, spreads: Values) -> tuple[Values, NDArray[np.int64]]:
    """Sum of the standardised values of a step, and how many they are."""
    sums, counts = np.zeros(data.shape[1]), np.zeros(data.shape[1], dtype=np.int64)
    for row in range(data.shape[0]):
        if spreads[row] > 0.0:
            for t in range(data.shape[1]):
                if math.isfinite(data[row, t]):
                    sums[t] += data[row, t] / spreads[row]
                    counts[t] += 1
    return sums, counts


@njit(cache=True)
def _shared(row: Values, spread: float, sums: Values, counts: NDArray[np.int64]) -> float:
    """Mean product of a row with the mean of the others, 0 to 0.99."""
    pairs, total = 0, 0.0
    for t in range(row.size):
        if math.isfinite(row[t]) and counts[t] > 1:
            value = row[t] / spread
            total += value * (sums[t] - value) / (counts[t] - 1)
            pairs += 1
    return min(max(total / pairs, 0.0), 0.99) if pairs >= FEWEST // 2 else 0.0
