"""What a record of this length, with these gaps, could have shown."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyveg.analysis.settings import INDICATOR_NAMES, AnalysisSettings
from pyveg.analysis.temporal.significance import share_interval
from pyveg.analysis.temporal.surrogate_tests import RATE, stream, window_steps
from pyveg.kernels import rolling
from pyveg.kernels.decomposition import Prepared, prepare
from pyveg.kernels.quantiles import column_quantiles
from pyveg.kernels.surrogates import ar_process, draw, normals

_REST = 200
"""Steps before the record begins, for the series to be stationary."""


@dataclass(frozen=True)
class Power:
    """Share of rising series that the test would find."""

    indicator: str
    first: float
    """AR(1) at the beginning of the record."""
    last: float
    """AR(1) at its end."""
    power: float
    """Share found; NaN where such a record cannot be tested."""
    low: float
    """95 % confidence limits of it, for the number of simulations."""
    high: float
    critical_tau: float
    """Tau that is exceeded by `alpha` of the stationary series."""
    simulations: int
    n: int
    n_valid: int
    alpha: float
    seed: int
    reason: str = ""

    @property
    def text(self) -> str:
        """The statement for people."""
        record = f"{self.n} steps with {self.n_valid} values"
        if math.isnan(self.power):
            return f"A record of {record} cannot be tested: {self.reason}."
        statement = (
            f"In a record of {record}, a rise of AR(1) from {self.first:g} to {self.last:g} would "
            f"be found by {INDICATOR_NAMES[self.indicator]} in {100 * self.power:.0f} % of series "
            f"({100 * self.low:.0f} to {100 * self.high:.0f} %)."
        )
        if self.power < 0.5:
            return f"{statement} Where none is found, that means little."
        return statement


def power_statement(
    valid: NDArray[np.bool_],
    period: float,
    settings: AnalysisSettings | None = None,
    *,
    indicator: str = "ar1",
    first: float = 0.3,
    last: float = 0.7,
    simulations: int = 1000,
) -> Power:
    """Simulate a rise of AR(1) in a record with these gaps, and count how often it is found.

    Parameters
    ----------
    valid : array of bool, shape (n,)
        Steps that one series has.
    period : float
        Steps in a year.
    settings : AnalysisSettings, optional
        The chain, the window, `alpha` and `seed`.
    indicator : str
        Whose trend is tested.
    first, last : float
        AR(1) at both ends, in (-1, 1); it changes in a straight line. The noise that drives the
        series stays the same, so the variance rises too.
    simulations : int
        Rising series, and as many stationary ones (AR(1) half way between) for the critical tau.

    Returns
    -------
    Power
        Of one series. A site of many chips finds more, the less the chips share their weather.
    """
    settings = settings or AnalysisSettings()
    mask = np.asarray(valid, dtype=np.bool_)
    n = mask.size
    unknown = Power(
        indicator=indicator, first=first, last=last,
        power=math.nan, low=math.nan, high=math.nan, critical_tau=math.nan,
        simulations=simulations, n=n, n_valid=int(mask.sum()),
        alpha=settings.alpha, seed=settings.seed,
    )  # fmt: skip
    try:
        prepared = prepare(np.where(mask, 0.0, np.nan), settings.steps(period))
    except ValueError as error:
        return replace(unknown, reason=str(error))
    words = draw(n, 2 * simulations, stream(settings.seed, "power"))
    noise = normals(words.words[:, -(n + _REST) :])
    rising, flat = np.linspace(first, last, n), np.full(n, (first + last) / 2)
    window = window_steps(n, settings.window)
    null = _taus(noise[:simulations], flat, prepared, window, indicator)
    taus = _taus(noise[simulations:], rising, prepared, window, indicator)
    if not np.isfinite(null).mean() > 0.5:
        return replace(unknown, reason="too few windows hold enough pairs of neighbours")
    critical = float(column_quantiles(null[:, np.newaxis], [1 - settings.alpha])[0, 0])
    hits = int(np.count_nonzero(taus > critical))
    low, high = share_interval(hits, simulations)
    tau = -critical if indicator == RATE else critical
    return replace(unknown, power=hits / simulations, low=low, high=high, critical_tau=tau)


def _taus(
    noise: NDArray[np.float64],
    memory: NDArray[np.float64],
    prepared: Prepared,
    window: int,
    indicator: str,
) -> NDArray[np.float64]:
    """Taus of simulated series behind the chain; for `RATE`, which alone falls, those of AR(1)."""
    n, name = memory.size, "ar1" if indicator == RATE else indicator
    whole = np.concatenate([np.full(noise.shape[1] - n, memory[0]), memory])
    series = ar_process(noise, whole[:, np.newaxis])[:, -n:]
    residuals = prepared.residuals(np.ascontiguousarray(series))
    level = np.full(n, 10.0 * float(np.nanstd(residuals)))  # for CV: a mean that does not change
    values = rolling.rolling_indicators(residuals, window, (name,), fixed=level)
    least = max(6, math.ceil((n - window + 1) / 2))
    return rolling.kendall_taus(values[:, 0], least=least)
