"""One series taken apart: season, trend, outliers, the part of drivers, and what is left.

`prepare` sees the series once; `Prepared.residuals` sends any number of surrogates through the
very same steps, gaps and the outlier rule included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.kernels import smoothers
from pyveg.kernels.linear import apply_operator, hat_rows, product
from pyveg.kernels.medians import far_from_median

__all__ = ["Prepared", "Steps", "outliers", "prepare"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LEAST = 12
"""Values below which none of a series is an outlier."""


@dataclass(frozen=True)
class Steps:
    """What is taken from a series before its memory is measured."""

    period: float = 12.0
    """Steps in a year."""
    season: str = "harmonic"
    """One of `pyveg.kernels.smoothers.SEASONS`."""
    harmonics: int = 3
    trend: str = "loess"
    """One of `pyveg.kernels.smoothers.TRENDS`."""
    bandwidth: float = 0.5
    """LOESS: share of the valid steps in a fit. Gaussian: the weights' SD as a share of n."""
    outlier_limit: float = 4.0
    """In robust SD of the residuals; 0 for no rule."""

    def __post_init__(self) -> None:
        for name, given, known in (
            ("season", self.season, smoothers.SEASONS),
            ("trend", self.trend, smoothers.TRENDS),
        ):
            if given not in known:
                raise ValueError(f'unknown {name} "{given}"; known: {", ".join(known)}')
        if self.trend == "stl" and self.season != "stl":
            raise ValueError('trend = "stl" goes with season = "stl"')


@dataclass(frozen=True)
class Prepared:
    """A series and its parts."""

    steps: Steps
    gaps: Mask
    """Steps that were missing before the outlier rule, (n,)."""
    flagged: Mask
    """Steps that the outlier rule took, (n,)."""
    season: Values
    """(n,)"""
    trend: Values
    """(n,); NaN where missing."""
    residual: Values
    """(n,); NaN where missing or flagged."""
    operator: Values
    """The transposed residual operator, (n, n)."""
    drivers: Values | None = None
    """What was partialled out, (k, n)."""
    driven: Values | None = None
    """The part of the residual that the drivers explain, (n,); NaN where missing."""

    @property
    def valid(self) -> Mask:
        """Steps that count."""
        return ~(self.gaps | self.flagged)

    @property
    def fixed(self) -> Values:
        """Season and trend, (n,)."""
        return self.season + self.trend

    def residuals(self, surrogates: Values) -> Values:
        """Take complete surrogates (S, n) apart the same way, with this series' gaps.

        Steps that were flagged are missing too. A surrogate in which the rule flags more is
        detrended again without them, as the series was.
        """
        valid = self.valid
        left_over = apply_operator(self.operator, surrogates, valid)
        if self.steps.outlier_limit:
            flags = outliers(left_over, self.steps.outlier_limit)
            for row in np.nonzero(flags.any(axis=1))[0]:
                left = valid & ~flags[row]
                try:
                    left_over[row] = _directly(surrogates[row], left, self.steps, self.drivers)
                except ValueError:  # what is left determines no season: flag without a new fit
                    left_over[row, ~left] = np.nan
        return left_over


def prepare(series: NDArray[Any], steps: Steps, drivers: NDArray[Any] | None = None) -> Prepared:
    """Take season and trend from a series, flag outliers, and fit again without them.

    Parameters
    ----------
    series : array of float, shape (n,)
        On a regular axis; NaN where missing.
    steps : Steps
    drivers : array of float, shape (k, n), optional
        Weather of each step, lagged as is wanted. It loses its season and trend as the series
        does, and what least squares say that the residual owes to it is taken away too. A step at
        which one of them is NaN is missing.

    Returns
    -------
    Prepared

    Raises
    ------
    ValueError
        If the valid steps do not determine season, trend or drivers; the text says which.
    """
    data = np.ascontiguousarray(series, dtype=np.float64)
    known = np.isfinite(data)
    if drivers is not None:
        drivers = np.ascontiguousarray(drivers, dtype=np.float64)
        known &= np.isfinite(drivers).all(axis=0)
    none = np.zeros(data.size, dtype=np.bool_)
    first = _apply(data, known, none, steps, drivers)
    if not steps.outlier_limit:
        return first
    flagged = outliers(first.residual[np.newaxis], steps.outlier_limit)[0]
    return _apply(data, known, flagged, steps, drivers) if flagged.any() else first


def outliers(residuals: NDArray[Any], limit: float) -> Mask:
    """Values further than `limit` robust standard deviations from the median of their series.

    Parameters
    ----------
    residuals : array of float, shape (S, n)
        After season and trend; NaN where missing.
    limit : float

    Returns
    -------
    array of bool, shape (S, n)

    Notes
    -----
    The robust SD is 1.4826 times the median absolute deviation. Nothing is flagged where that is
    0, or a series has fewer than 12 values.
    """
    return far_from_median(np.ascontiguousarray(residuals, dtype=np.float64), limit, _LEAST)


def _directly(series: Values, valid: Mask, steps: Steps, drivers: Values | None) -> Values:
    """Residual of one series without making its operator, which would cost more."""
    season, stl_trend = _season(steps, valid)
    trend_of = None if steps.trend == "stl" else _trend(steps, valid)

    def rest(row: Values) -> Values:
        known = np.where(valid, row, 0.0)
        left = np.where(valid, known - _times(season, known), 0.0)
        trend = _times(stl_trend, known) if trend_of is None else _times(trend_of, left)
        return np.where(valid, left - trend, 0.0)

    residual = rest(series)
    if drivers is not None:
        regressors = np.stack([rest(row) for row in drivers], axis=1)
        residual = residual - _times(regressors, _times(_determined(regressors, valid), residual))
    return np.where(valid, residual, np.nan)


def _determined(regressors: Values, valid: Mask) -> Values:
    """Least squares on drivers (n, k), as the rows that take a residual to its coefficients."""
    rows: Values = hat_rows(regressors, valid)
    if not np.isfinite(rows).all():
        raise ValueError(
            f"{int(valid.sum())} steps do not determine the part of {regressors.shape[1]} drivers: "
            "they do not change, say the same, or are too many"
        )
    return rows


def _times(matrix: Values, vector: Values) -> Values:
    out: Values = product(matrix, vector[:, np.newaxis])[:, 0]
    return out


def _apply(
    data: Values, known: Mask, flagged: Mask, steps: Steps, drivers: Values | None
) -> Prepared:
    valid = known & ~flagged
    season_of, trend_of, operator = _operators(steps, valid.tobytes())
    driven = None
    if drivers is not None:
        before = apply_operator(operator, np.where(valid, data, 0.0)[np.newaxis], valid)[0]
        operator = _without(steps, valid.tobytes(), drivers.tobytes())
    rows = np.where(valid, data, 0.0)
    whole = np.ones(data.size, dtype=np.bool_)
    season = apply_operator(np.ascontiguousarray(season_of.T), rows[np.newaxis], whole)[0]
    trend = apply_operator(np.ascontiguousarray(trend_of.T), rows[np.newaxis], valid)[0]
    residual = apply_operator(operator, rows[np.newaxis], valid)[0]
    # Rounding alone is no residual: a constant series has none.
    largest = np.abs(rows).max(initial=0.0)
    residual = np.where(np.abs(residual) <= 1e-11 * largest, residual * 0.0, residual)
    if drivers is not None:
        driven = before - residual
    return Prepared(steps, ~known, flagged, season, trend, residual, operator, drivers, driven)


@lru_cache(maxsize=16)
def _operators(steps: Steps, mask: bytes) -> tuple[Values, Values, Values]:
    """Season, trend and transposed residual operator for a pattern of gaps; often shared."""
    valid = np.frombuffer(mask, dtype=np.bool_).copy()  # one type for compiled functions
    identity = np.eye(valid.size)
    season, stl_trend = _season(steps, valid)
    if steps.trend == "stl":
        trend = stl_trend
    else:
        trend = product(_trend(steps, valid), np.ascontiguousarray(identity - season))
    residual = identity - season - trend
    residual[~valid] = 0.0
    residual[:, ~valid] = 0.0
    return season, trend, np.ascontiguousarray(residual.T)


@lru_cache(maxsize=16)
def _without(steps: Steps, mask: bytes, drivers: bytes) -> Values:
    """The transposed residual operator that partials out drivers too."""
    valid = np.frombuffer(mask, dtype=np.bool_).copy()  # one type for compiled functions
    operator = _operators(steps, mask)[2]
    rows = np.frombuffer(drivers, dtype=np.float64).reshape(-1, valid.size)
    regressors = apply_operator(operator, np.where(valid, rows, 0.0), valid)
    regressors = np.ascontiguousarray(np.where(valid, regressors, 0.0).T)
    part = product(regressors, _determined(regressors, valid))
    rest = operator - product(operator, np.ascontiguousarray(part.T))
    return np.ascontiguousarray(rest)


def _trend(steps: Steps, valid: Mask) -> Values:
    """Takes what is left after the season to its trend."""
    if steps.trend == "loess":
        return smoothers.loess_matrix(valid, steps.bandwidth)
    if steps.trend == "gaussian":
        return smoothers.gaussian_matrix(valid, steps.bandwidth * valid.size)
    if steps.trend == "quadratic":
        return smoothers.quadratic_matrix(valid)
    return np.zeros((valid.size, valid.size))


def _season(steps: Steps, valid: Mask) -> tuple[Values, Values]:
    """The season's operator, and STL's trend."""
    zero = np.zeros((valid.size, valid.size))
    if steps.season == "harmonic":
        return smoothers.harmonic_matrix(valid, steps.period, steps.harmonics), zero
    if steps.season == "none":
        return zero, zero
    period = round(steps.period)
    if abs(steps.period - period) > 1e-6:
        raise ValueError(
            f"STL needs a whole number of steps in a year, not {steps.period:g}: "
            'use season = "harmonic"'
        )
    return smoothers.stl_matrices(valid, period)
