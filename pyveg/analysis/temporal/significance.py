"""Tests against surrogates, false-discovery control, shares with their uncertainty."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def p_value(value: float, null: NDArray[Any], direction: str) -> float:
    """Share of surrogates at least as extreme, the series itself counted as one of them.

    Parameters
    ----------
    value : float
        Kendall's tau of the series.
    null : array of float, shape (N,)
        That of its surrogates. One that has none (NaN) counts as extreme: it is not known not to
        be.
    direction : str
        "rise", "fall", or "either": twice the smaller of both, at most 1.

    Returns
    -------
    float
        (1 + number as extreme) / (1 + N); NaN where `value` is, or N is 0.
    """
    taus = np.asarray(null, dtype=np.float64)
    if math.isnan(value) or not taus.size:
        return math.nan
    above = 1 + int(np.count_nonzero(~(taus < value)))
    below = 1 + int(np.count_nonzero(~(taus > value)))
    extreme = {"rise": above, "fall": below}.get(direction, 2 * min(above, below))
    return min(extreme / (1 + taus.size), 1.0)


def q_values(p: NDArray[Any], method: str = "bh") -> Values:
    """Adjust p values for the false-discovery rate; NaN stays and does not count.

    Parameters
    ----------
    p : array of float, shape (m,)
    method : str
        "bh": Benjamini & Hochberg 1995, 10.1111/j.2517-6161.1995.tb02031.x. "by": Benjamini &
        Yekutieli 2001, 10.1214/aos/1013699998, for tests that depend on each other in any way.
    """
    from scipy.stats import false_discovery_control

    given = np.asarray(p, dtype=np.float64)
    out = np.full(given.shape, np.nan)
    known = np.isfinite(given)
    if known.any():
        out[known] = false_discovery_control(given[known], method=method)
    return out


def share_interval(hits: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact confidence interval of a share (Clopper & Pearson 1934, 10.1093/biomet/26.4.404)."""
    from scipy.stats import binomtest

    interval = binomtest(hits, trials).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def null_interval(rate: float, trials: int, level: float = 0.95) -> tuple[int, int]:
    """Range of hits that a test of the given rate gives in so many trials, at this level."""
    from scipy.stats import binom

    low, high = binom.interval(level, trials, rate)
    return int(low), int(high)
