"""Tests against surrogates, false-discovery control, shares with their uncertainty."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_FEWEST = 19
"""Surrogates below which there is no interval."""


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


def tau_interval(tau: float, null: NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of Kendall's tau by how far that of surrogates strays.

    Parameters
    ----------
    tau : float
    null : array of float, shape (N,)
        Of series without a trend.
    level : float

    Returns
    -------
    tuple of float
        Both ends, inside -1 and 1: tau is moved on the scale of its inverse hyperbolic tangent,
        where its spread depends little on the trend (Fisher's z; Fieller et al. 1957,
        10.1093/biomet/44.3-4.470), by what that share of the surrogates strays at most. NaN where
        tau is, or fewer than 19 surrogates have one.

    Examples
    --------
    >>> low, high = tau_interval(0.6, np.linspace(-0.5, 0.5, 101))
    >>> round(low, 2), round(high, 2)
    (0.17, 0.84)
    """
    taus = np.asarray(null, dtype=np.float64)
    known = taus[np.isfinite(taus)]
    if math.isnan(tau) or known.size < _FEWEST:
        return math.nan, math.nan
    limit = 1 - 1e-9
    z = np.arctanh(np.clip(known, -limit, limit))
    wide = float(np.quantile(np.abs(z - np.median(z)), level))
    middle = math.atanh(min(max(tau, -limit), limit))
    return math.tanh(middle - wide), math.tanh(middle + wide)


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
