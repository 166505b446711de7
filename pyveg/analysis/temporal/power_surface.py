"""A smooth surface through rates of simulated records: power by the kind of record."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.float64]

_START = (-2.4, -0.8, 0.5, 0.5, 0.5, 0.4, 1.0)
_LEAST = (-5.0, -8.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_MOST = (-1.0, 3.0, 3.0, 5.0, 1.0, 2.0, 4.9)
_STEP = 1e-5


class RecordKind(NamedTuple):
    """What power depends on."""

    years: float
    gaps: float
    """Share of steps without a value."""
    chips: int
    shared: float
    """Mean correlation of the chips, 0 to 1."""


@dataclass(frozen=True)
class PowerSurface:
    """Share of records in which a rise is found.

    cap * Phi(a + b * years^c * (1 - gaps)^d * worth^(f (1 - g / years))), where `worth` is the
    number of chips that know as much if they were independent, k / (1 + (k - 1) e shared^3). So it
    rises with the length of the record, and falls with its gaps and with what chips have in common;
    many chips make up for few years the less, the fewer those are.
    """

    coefficients: Values
    """a, log b, c, d, e, f, g; all but the first two at least 0."""
    covariance: Values
    """Of the coefficients, (7, 7)."""
    cap: float
    """Share of records in which no abrupt change is found, beside which nothing is said."""

    def at(self, kind: RecordKind) -> float:
        """Power for a record."""
        return float(_power(self.coefficients, np.array([kind]), self.cap)[0])

    def interval(self, kind: RecordKind) -> tuple[float, float]:
        """Its 95 % confidence interval, by the errors of the coefficients."""
        record = np.array([kind], dtype=np.float64)
        base = _score(self.coefficients, record)[0]
        slopes = np.array(
            [
                (_score(self.coefficients + step, record)[0] - base) / _STEP
                for step in _STEP * np.eye(len(self.coefficients))
            ]
        )
        half = 1.96 * math.sqrt(max(float(slopes @ self.covariance @ slopes), 0.0))
        low, high = (self.cap * _phi(np.array([base + side]))[0] for side in (-half, half))
        return float(low), float(high)


def fit_surface(rows: pd.DataFrame) -> PowerSurface:
    """Fit the surface to numbers of records in which a rise was found.

    Parameters
    ----------
    rows : DataFrame
        `years, gaps, chips, shared, series, found, broken`; of one rise.

    Returns
    -------
    PowerSurface
        The coefficients with the smallest deviance of binomial counts. Their errors are wider by
        as much as the counts scatter more about the surface than chance makes them.
    """
    from scipy.optimize import least_squares

    records = rows[["years", "gaps", "chips", "shared"]].to_numpy(np.float64)
    series, found = (rows[name].to_numpy(np.float64) for name in ("series", "found"))
    cap = 1 - float(rows["broken"].sum() / rows["series"].sum())

    def residuals(coefficients: Values) -> Values:
        expected = series * _power(coefficients, records, cap)
        return _deviance_residuals(found, series, expected)

    best = least_squares(residuals, _START, bounds=(_LEAST, _MOST), x_scale="jac")
    scatter = max(2 * best.cost / max(len(rows) - len(_START), 1), 1.0)
    # A coefficient at its bound has no slope of its own, so the inverse may not exist.
    covariance = scatter * np.linalg.pinv(best.jac.T @ best.jac)
    return PowerSurface(best.x, covariance, cap)


def _score(coefficients: Values, records: Values) -> Values:
    """What the normal distribution is taken of."""
    a, log_b, c, d, e, f, g = coefficients
    years, gaps, chips, shared = records.T
    worth = chips / (1 + (chips - 1) * e * shared**3)
    known = np.maximum(1 - gaps, 1e-3)
    size = np.exp(log_b) * years**c * known**d * worth ** (f * (1 - g / years))
    return np.asarray(a + size, dtype=np.float64)


def _power(coefficients: Values, records: Values, cap: float) -> Values:
    return np.asarray(cap * _phi(_score(coefficients, records)), dtype=np.float64)


def _phi(score: Values) -> Values:
    """The normal distribution."""
    from scipy.special import ndtr

    return np.asarray(ndtr(score), dtype=np.float64)


def _deviance_residuals(found: Values, series: Values, expected: Values) -> Values:
    """Roots of the terms of the binomial deviance, with the sign of the difference."""
    from scipy.special import xlogy

    expected = np.clip(expected, 1e-9 * series, (1 - 1e-9) * series)
    missed = series - found
    terms = xlogy(found, found / expected) + xlogy(missed, missed / (series - expected))
    roots = np.sqrt(np.maximum(2 * terms, 0.0))
    return np.asarray(np.sign(found - expected) * roots, dtype=np.float64)
