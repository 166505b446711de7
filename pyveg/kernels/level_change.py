"""Did the level of a series change? A trend beside noise whose memory is not known.

Slow noise looks like a trend, and how slow noise can be is what a short record says least about. So
no single model of the noise is chosen: memory that dies out, memory that does not, and white noise
of the observation on top of either are weighed by how well they describe what a curved trend
leaves, and p and intervals are averages over them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["LEAST_FREE", "LevelChange", "level_change", "mixture_half_width"]

Values = NDArray[np.float64]
Places = NDArray[np.int64]

LEAST_FREE = 6
"""Degrees of freedom that must be left for the noise."""
_BLOCKS = 120
"""Means that a series is reduced to, at most: what is faster says little of a trend."""
_SHORT = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
"""AR(1) coefficients of the noise."""
_LONG = (0.1, 0.2, 0.3, 0.4, 0.45, 0.49, 0.55, 0.6, 0.7)
"""Orders of fractional integration; from 0.5 on the noise has no mean of its own."""
_WHITE = (0.0, 0.4, 0.7)
"""Shares of white noise on top."""
_LONG_WEIGHT = 0.55
"""Prior weight of memory that does not die out."""
_CAUTION = 1.2
"""Power of the error of a slope by which the test's prior prefers slow noise, for 60 blocks; the
fewer there are, the less they tell of the noise, and the larger it is. With it, false changes stay
below 7 % up to d = 0.45; without it they are 9 to 15 %."""
_CAUTION_BLOCKS, _CAUTION_FALL = 60, 0.75
_SLOWEST = 20.0
"""Error, in units of that of white noise, beyond which it does not count as more."""
_SHARPNESS = 3.0
"""Power of the likelihood in the weights of intervals: models that a record cannot tell apart
make intervals of 95 % that hold the truth in 99 to 100 %."""
_KNOTS = (0.25, 0.5, 0.75)
"""Shares of the record from which a change may begin, beside one that goes on all the time."""
_SECANTS, _CLOSE = 12, 1e-10
"""Steps after which a root is looked for by halving alone, and the share within which it is found.
"""
_TINY = 0.02
"""Share of a regressor's length below which nothing of it is left beside those before it."""


class LevelChange(NamedTuple):
    """What is known of the level of one series."""

    p: float
    """Two-sided, of a change: straight, or from a quarter, half or three quarters on."""
    slope: float
    """Generalised least squares, per step."""
    slope_error: float
    """Half of the 95 % confidence interval of the slope, per step."""
    change: float
    """Mean of the last year less that of the first."""
    change_error: float
    """Half of its 95 % confidence interval."""
    free: int
    """Degrees of freedom of the noise."""


class _Models(NamedTuple):
    """Models of the noise, made ready for a pattern of gaps."""

    lower: Values
    """Cholesky factors of the covariances of the blocks, (K, m, m)."""
    nuisance: Values
    """Whitened orthonormal regressors of season and curved trend, (K, columns, m)."""
    effects: Values
    """Whitened rows that give the coefficients of the shapes, (K, shapes, m)."""
    errors: Values
    """Their standard errors for noise of unit size, (K, shapes); of the ends in the last place."""
    likelihood: Values
    """The part of the restricted log likelihood that does not depend on the values, (K,)."""
    free: int


def level_change(
    values: NDArray[Any], period: float, season: NDArray[Any] | None = None
) -> LevelChange:
    """Test for a change of the level, and say how large it is.

    Parameters
    ----------
    values : array of float, shape (n,)
        On a regular axis, the season taken away; NaN where missing.
    period : float
        Steps in a year.
    season : array of float, shape (k, n), optional
        Regressors that the season was taken away by.

    Returns
    -------
    LevelChange

    Raises
    ------
    ValueError
        If fewer than 6 degrees of freedom are left for the noise.

    Notes
    -----
    The series is reduced to the means of at most 120 blocks of steps, with exact covariances
    whatever is missing. Each model of the noise is weighed by its restricted likelihood (Harville
    1977, 10.1080/01621459.1977.10480998) beside season and a trend of second order, and gives each
    shape a t. p of a shape is the mean over the models; those of the four shapes are combined by
    the Cauchy distribution (Liu & Xie 2020, 10.1080/01621459.2018.1554485), the straight line with
    the weight of the three others together.
    """
    data = np.asarray(values, dtype=np.float64)
    known = np.isfinite(data)
    rows = np.zeros((0, data.size)) if season is None else np.asarray(season, dtype=np.float64)
    models = _prepared(known.tobytes(), float(period), rows.tobytes(), len(rows))
    block, counts = _blocks(known)
    means = np.bincount(block, data[known] - data[known].mean()) / counts
    fits, rest = _fits(models.lower, models.nuisance, models.effects, means)
    if not rest.min() > (1e-9 * np.abs(data[known]).max()) ** 2:
        raise ValueError("nothing is left of the series beside its season and trend")
    sigma = np.sqrt(rest / models.free)
    likelihood = models.likelihood - 0.5 * models.free * np.log(rest)
    errors = models.errors * sigma[:, np.newaxis]
    first, last = _ends(data, period)
    careful, even = _priors(models.errors[:, 0], counts.size)
    weights = _weights(likelihood, careful)
    p = _combined(weights @ _two_sided(fits / errors[:, :-1], models.free))
    weights = _weights(_SHARPNESS * likelihood, even)
    return LevelChange(
        p,
        float(weights @ fits[:, 0]),
        mixture_half_width(weights, fits[:, 0], errors[:, 0], models.free),
        last - first,
        mixture_half_width(weights, np.zeros(len(weights)), errors[:, -1], models.free),
        models.free,
    )


def mixture_half_width(
    weights: NDArray[Any], centres: NDArray[Any], errors: NDArray[Any], free: int
) -> float:
    """Half of the central interval that holds 95 % of a mixture of t distributions.

    Parameters
    ----------
    weights : array of float, shape (K,)
        Their sum is 1.
    centres, errors : array of float, shape (K,)
        Of each distribution.
    free : int
        Degrees of freedom of all.

    Returns
    -------
    float
        Distance from the mixture's mean within which 95 % lie.

    Examples
    --------
    >>> import numpy as np
    >>> round(mixture_half_width(np.ones(1), np.zeros(1), np.ones(1), 10**6), 2)
    1.96
    """
    from scipy.special import stdtr

    middle = float(np.dot(weights, centres))

    def beyond(half: float) -> float:
        above = stdtr(free, (middle + half - centres) / errors)
        below = stdtr(free, (middle - half - centres) / errors)
        return float(np.dot(weights, above - below)) - 0.95

    low, high = 0.0, 100.0 * float(errors.max()) + float(np.ptp(centres))
    spread = math.sqrt(float(np.dot(weights, errors**2 + (centres - middle) ** 2)))
    short, long = _bracket(beyond, spread, high)
    for _ in range(60):
        half = 0.5 * (low + high)
        # Only next to the answer does it have to be asked for.
        is_short = half <= short or (half < long and beyond(half) < 0.0)
        low, high = (half, high) if is_short else (low, half)
    return 0.5 * (low + high)


def _bracket(beyond: Callable[[float], float], spread: float, high: float) -> tuple[float, float]:
    """Two values close to the root of a function that rises, on either side of it.

    Secants from about 2 `spread` on; all up to `high` where they do not find it.
    """
    before, now = 1.8 * spread, 2.0 * spread
    rest, more = beyond(before), beyond(now)
    for _ in range(_SECANTS):
        if more == rest:
            break
        before, now, rest = now, now - more * (now - before) / (more - rest), more
        if not 0.0 < now < high:
            break
        more = beyond(now)
        if abs(now - before) <= _CLOSE * now:
            ends = now * (1 - _CLOSE), now * (1 + _CLOSE)
            if beyond(ends[0]) < 0.0 <= beyond(ends[1]):
                return ends
            break
    return 0.0, high


def _two_sided(t: Values, free: int) -> Values:
    from scipy.special import stdtr

    return np.asarray(2 * stdtr(free, -np.abs(t)), dtype=np.float64)


def _weights(likelihood: Values, prior: Values) -> Values:
    raised = prior * np.exp(likelihood - likelihood.max())
    return np.asarray(raised / raised.sum(), dtype=np.float64)


def _combined(p: Values) -> float:
    """One p of several that depend on each other: the first counts as much as the others."""
    weights = np.full(p.size, 0.5 / (p.size - 1))
    weights[0] = 0.5
    safe = np.clip(p, 1e-15, 1 - 1e-9)
    mean = float(weights @ np.tan((0.5 - safe) * math.pi))
    return 0.5 - math.atan(mean) / math.pi


def _priors(errors: Values, blocks: int) -> tuple[Values, Values]:
    """Of the test, which prefers slow noise, and of intervals, which does not."""
    count = 1 + (len(_SHORT) - 1) * len(_WHITE)
    caution = _CAUTION * (_CAUTION_BLOCKS / blocks) ** _CAUTION_FALL
    slow = np.minimum(errors / errors[0], _SLOWEST) ** caution
    careful, even = slow.copy(), np.ones(errors.size)
    for family, share in ((slice(count), 1 - _LONG_WEIGHT), (slice(count, None), _LONG_WEIGHT)):
        careful[family] *= share / careful[family].sum()
        even[family] *= 0.5 / even[family].sum()
    return careful, even


@lru_cache(maxsize=8)
def _autocovariances(n: int) -> Values:
    """Of every model at lags 0 .. n - 1, (K, n); to a constant from d = 0.5 on."""
    lags = np.arange(n, dtype=np.float64)
    white = (lags == 0).astype(np.float64)
    rows = [white]
    for phi in _SHORT[1:]:
        rows += [(1 - share) * phi**lags + share * white for share in _WHITE]
    for order in _LONG:
        rows += [(1 - share) * _fractional(order, n) + share * white for share in _WHITE]
    return np.stack(rows)


def _fractional(order: float, n: int) -> Values:
    """Autocorrelation of fractionally integrated noise (Hosking 1981, 10.1093/biomet/68.1.165).

    From 0.5 on the generalised covariance of fractional Brownian motion, which is one beside a
    mean that is not known (Mandelbrot & Van Ness 1968, 10.1137/1010093).
    """
    lags = np.arange(1, n, dtype=np.float64)
    if order < 0.5:
        return np.concatenate([[1.0], np.cumprod((lags - 1 + order) / (lags - order))])
    power = 2 * order - 1
    return np.asarray(0.5 * (n**power - np.arange(n, dtype=np.float64) ** power))


def _blocks(known: NDArray[np.bool_]) -> tuple[Places, Values]:
    """Block of each known step, those without a value left out, and how many each has."""
    where = np.flatnonzero(known)
    size = max(1, math.ceil(known.size / _BLOCKS))
    _, block = np.unique(where // size, return_inverse=True)
    return block.astype(np.int64), np.bincount(block).astype(np.float64)


def _ends(data: Values, period: float) -> tuple[float, float]:
    """Means of the first and the last year."""
    year = max(round(period), 1)
    parts = data[:year], data[-year:]
    first, last = (
        float(part[np.isfinite(part)].mean()) if np.isfinite(part).any() else math.nan
        for part in parts
    )
    return first, last


@lru_cache(maxsize=16)
def _prepared(gaps: bytes, period: float, season: bytes, count: int) -> _Models:
    """Models for a pattern of gaps; series of a place often share theirs."""
    known = np.frombuffer(gaps, dtype=np.bool_)
    n = known.size
    where = np.flatnonzero(known)
    block, counts = _blocks(known)

    def averaged(row: Values) -> Values:
        return np.asarray(np.bincount(block, row[where]) / counts, dtype=np.float64)

    u = (np.arange(n) + 0.5) / n - 0.5
    waves = np.frombuffer(season).reshape(count, n)
    trend = [np.ones(n), u, u**2 - 1 / 12]
    nuisance = np.stack([averaged(row) for row in [*trend, *waves]])
    steps = np.arange(n, dtype=np.float64)
    shapes = [steps, *(np.maximum(u - (knot - 0.5), 0) * n for knot in _KNOTS)]
    ends = _end_weights(known, period, block, counts)
    lower, basis, effects, errors, likelihood, rank = _make_ready(
        _autocovariances(n),
        np.stack([where, block]),
        nuisance,
        np.stack([averaged(row) for row in shapes]),
        ends,
    )
    free = counts.size - int(rank)
    if free < LEAST_FREE:
        raise ValueError(
            f"{where.size} values in {counts.size} stretches of the record are too few to tell a "
            "change from slow noise"
        )
    return _Models(lower, basis, effects, errors, likelihood, free)


def _end_weights(known: NDArray[np.bool_], period: float, block: Places, counts: Values) -> Values:
    """Weights of the blocks in the last year's mean less the first's.

    A block that reaches out of a year counts by the values that it has within.
    """
    where, year = np.flatnonzero(known), max(round(period), 1)
    out = np.zeros(counts.size)
    for inside, sign in ((where < year, -1.0), (where >= known.size - year, 1.0)):
        if inside.any():
            out += sign * np.bincount(block[inside], minlength=counts.size) / inside.sum()
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _make_ready(
    covariances: Values, places: Places, nuisance: Values, shapes: Values, ends: Values
) -> Any:
    """Fields of `_Models`; `places` are the steps with a value, and their blocks."""
    models, m = covariances.shape[0], ends.size
    lower = np.zeros((models, m, m))
    basis = np.zeros((models, nuisance.shape[0], m))
    effects = np.zeros((models, shapes.shape[0], m))
    errors = np.zeros((models, shapes.shape[0] + 1))
    likelihood, rank = np.zeros(models), 0
    for k in range(models):
        whole = _block_covariance(covariances[k], places[0], places[1], m)
        errors[k, -1] = math.sqrt(_quadratic(whole, ends))
        _factor(whole, lower[k])
        likelihood[k], rank = _orthonormal(lower[k], nuisance, basis[k])
        for a in range(m):
            likelihood[k] -= math.log(lower[k, a, a])
        level = _forward(lower[k], nuisance[0])
        level /= math.sqrt(_dot(level, level))
        for s in range(shapes.shape[0]):
            shape = _forward(lower[k], shapes[s])
            shape -= _dot(level, shape) * level
            power = _dot(shape, shape)
            effects[k, s] = shape / power
            errors[k, s] = 1.0 / math.sqrt(power)
    return lower, basis, effects, errors, likelihood, rank


@njit(cache=True, nogil=True)
def _block_covariance(lags: Values, where: Places, block: Places, m: int) -> Values:
    """Of the means of the values in each block."""
    out, counts = np.zeros((m, m)), np.zeros(m)
    for i in range(where.size):
        counts[block[i]] += 1.0
        for j in range(i + 1):
            value = lags[where[i] - where[j]]
            out[block[i], block[j]] += value
            if i != j:
                out[block[j], block[i]] += value
    for a in range(m):
        for b in range(m):
            out[a, b] /= counts[a] * counts[b]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _factor(matrix: Values, lower: Values) -> None:
    """Cholesky factor of a covariance."""
    for a in range(matrix.shape[0]):
        for b in range(a + 1):
            rest = matrix[a, b]
            for c in range(b):
                rest -= lower[a, c] * lower[b, c]
            if a > b:
                lower[a, b] = rest / lower[b, b]
            else:
                lower[a, a] = math.sqrt(max(rest, 1e-12 * matrix[a, a]))


@njit(cache=True, nogil=True, error_model="numpy")
def _forward(lower: Values, row: Values) -> Values:
    """Solve L x = row."""
    out = row.copy()
    for a in range(row.size):
        for c in range(a):
            out[a] -= lower[a, c] * out[c]
        out[a] /= lower[a, a]
    return out


@njit(cache=True, nogil=True)
def _dot(one: Values, other: Values) -> float:
    total = 0.0
    for a in range(one.size):
        total += one[a] * other[a]
    return total


@njit(cache=True, nogil=True)
def _quadratic(matrix: Values, row: Values) -> float:
    total = 0.0
    for a in range(row.size):
        for b in range(row.size):
            total += row[a] * matrix[a, b] * row[b]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _orthonormal(lower: Values, columns: Values, basis: Values) -> Any:
    """Orthonormal whitened columns; minus half the log determinant, and how many there are.

    Which columns say nothing new is decided before they are whitened, so all models agree.
    """
    plain = np.zeros(columns.shape)
    total, rank = 0.0, 0
    for c in range(columns.shape[0]):
        rest = columns[c].copy()
        size = _dot(rest, rest)
        for b in range(rank):
            rest -= _dot(plain[b], rest) * plain[b]
        left = _dot(rest, rest)
        if size == 0.0 or left <= _TINY * _TINY * size:
            continue
        plain[rank] = rest / math.sqrt(left)
        white = _forward(lower, columns[c])
        for b in range(rank):
            white -= _dot(basis[b], white) * basis[b]
        power = math.sqrt(_dot(white, white))
        basis[rank] = white / power
        total -= math.log(power)
        rank += 1
    return total, rank


@njit(cache=True, nogil=True)
def _fits(lower: Values, nuisance: Values, effects: Values, means: Values) -> Any:
    """Coefficients of the shapes (K, shapes), and sums of squares beside the nuisance (K,)."""
    models, shapes = effects.shape[0], effects.shape[1]
    fits, rest = np.zeros((models, shapes)), np.zeros(models)
    for k in range(models):
        white = _forward(lower[k], means)
        for s in range(shapes):
            fits[k, s] = _dot(effects[k, s], white)
        for c in range(nuisance.shape[1]):
            white -= _dot(nuisance[k, c], white) * nuisance[k, c]
        rest[k] = _dot(white, white)
    return fits, rest
