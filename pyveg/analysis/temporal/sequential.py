"""Tests of many chips, each with as many surrogates as it needs.

With 199 surrogates no p is below 0.005, and of 289 chips none could be told from chance. So chips
that few surrogates reach go on with more of them, until some do or so many were drawn that what is
left could not be chance among all chips (sequential Monte Carlo, Besag and Clifford 1991,
10.1093/biomet/78.2.301). Chips without a sign stop at once, and the more chips have one, the fewer
surrogates each of them needs, so the price hardly depends on what is found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

ENOUGH = 5
"""Surrogates at least as extreme from which no more are drawn."""
SPARE = 2.0
"""Times that the least possible q is below alpha."""
MOST = 20_000
"""Surrogates of one chip."""
_LEAST = 50
"""Surrogates that are drawn at once."""
_GROWTH = 3
"""Times that the surrogates of a chip become more before all chips are looked at again."""

More = Callable[[int, int, int], Values]
"""Gives statistics (count, tests) of a chip's own surrogates: its place, the number of the first,
and how many."""
Spread = Callable[[Callable[[int], Values], Sequence[int]], list[Values]]
"""Does something for each of some chips, in order."""


class ChipTests(NamedTuple):
    """Tests of some chips, (chips, tests) each."""

    p: Values
    """NaN where there is no statistic."""
    counted: Counts
    """Surrogates that each was compared with."""


def chip_tests(
    observed: Values,
    null: Values,
    directions: Sequence[str],
    *,
    more: More,
    alpha: float,
    spread: Spread,
) -> ChipTests:
    """Compare each chip with its surrogates, and with more of them where few are as extreme.

    Parameters
    ----------
    observed : array of float64, shape (chips, tests)
        NaN where a chip has none.
    null : array of float64, shape (S, chips, tests)
        Surrogates that all chips have; NaN counts as extreme.
    directions : sequence of str
        "rise", "fall" or "either", for each test.
    more : callable
        Makes surrogates of one chip that are independent of those.
    alpha : float
        Rate of false discoveries over the chips.
    spread : callable
        Does something for each of some chips, in order.

    Returns
    -------
    ChipTests
        p = (1 + number as extreme) / (1 + number compared with), twice that at most 1 for "either".

    Notes
    -----
    A test stops where 5 surrogates are as extreme, or 2 m / (alpha k) were drawn: m the chips that
    have this statistic, k those that have not stopped, which is what the correction of Benjamini
    and Hochberg needs of k equal p. Stopping early only leaves p larger, so p is valid: a small one
    needs few extreme surrogates at each stage, at the last one too.
    """
    above = np.count_nonzero(~(null < observed), axis=0).astype(np.int64)
    below = np.count_nonzero(~(null > observed), axis=0).astype(np.int64)
    counted = np.full(observed.shape, len(null), dtype=np.int64)
    drawn = np.zeros(len(observed), dtype=np.int64)
    known = np.isfinite(observed)
    while len(null):
        few = known & (_extreme(above, below, directions) < ENOUGH)
        pairs = zip(known.sum(axis=0), few.sum(axis=0), strict=True)
        goals = np.array([_goal(int(m), int(k), alpha) for m, k in pairs], dtype=np.int64)
        going = few & (counted < goals)
        places = [int(place) for place in np.flatnonzero(going.any(axis=1))]
        if not places:
            break
        missing = np.where(going, np.minimum(goals - counted, (_GROWTH - 1) * counted), 0)
        made = spread(partial(_next, more, drawn, missing.max(axis=1)), places)
        for place, rows in zip(places, made, strict=True):
            seen, some = observed[place], going[place]
            above[place] += np.where(some, np.count_nonzero(~(rows < seen), axis=0), 0)
            below[place] += np.where(some, np.count_nonzero(~(rows > seen), axis=0), 0)
            counted[place] += np.where(some, len(rows), 0)
            drawn[place] += len(rows)
    sides = np.array([2.0 if one == "either" else 1.0 for one in directions])
    p = sides * (1 + _extreme(above, below, directions)) / (1 + counted)
    return ChipTests(np.where(known & (len(null) > 0), np.minimum(p, 1.0), np.nan), counted)


def _next(more: More, drawn: Counts, sizes: Counts, place: int) -> Values:
    return more(place, int(drawn[place]), max(int(sizes[place]), _LEAST))


def _extreme(above: Counts, below: Counts, directions: Sequence[str]) -> Counts:
    both = {"rise": above, "fall": below}
    least = np.minimum(above, below)
    columns = [both.get(one, least)[:, test] for test, one in enumerate(directions)]
    return np.stack(columns, axis=1)


def _goal(tests: int, few: int, alpha: float) -> int:
    return min(MOST, math.ceil(SPARE * tests / (alpha * max(few, 1))) - 1)
