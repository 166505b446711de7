"""Does the test keep its word? False alarms on series that are known to be stable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.settings import DIRECTIONS, AnalysisSettings
from pyveg.analysis.temporal.significance import null_interval, p_value
from pyveg.analysis.temporal.surrogate_tests import measure, prepare_chips, stream, window_steps
from pyveg.kernels.surrogates import ar_process

PERIOD = 12


def stable_places(
    places: int,
    n: int,
    *,
    memory: float,
    gaps: float = 0.0,
    chips: int = 1,
    shared: float = 0.0,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Monthly series of places where nothing changes: a season and an AR(1) process.

    Parameters
    ----------
    places, n : int
        Places, and months of each.
    memory : float
        AR(1), in (-1, 1).
    gaps : float
        Share of values missing at random.
    chips : int
        Series of each place.
    shared : float
        Share of the driving noise's variance that the chips of a place have in common.
    seed : int

    Returns
    -------
    array of float64, shape (places, chips, n)
        NaN where missing.
    """
    rng = np.random.default_rng(stream(seed, "stable", n, memory, gaps, chips, shared))
    rest = 200
    noise = rng.standard_normal((places, chips, n + rest)) * np.sqrt(1 - shared)
    noise += rng.standard_normal((places, 1, n + rest)) * np.sqrt(shared)
    flat = noise.reshape(places * chips, n + rest)
    series = ar_process(flat, np.array([memory]))[:, rest:].reshape(places, chips, n)
    series += 10 + 2 * np.sin(2 * np.pi * np.arange(n) / PERIOD)
    series[rng.random(series.shape) < gaps] = np.nan
    return series


def false_alarms(
    settings: AnalysisSettings | None = None,
    *,
    places: int = 400,
    n: int = 120,
    memory: Sequence[float] = (0.3, 0.6, 0.8),
    gaps: Sequence[float] = (0.0, 0.2, 0.4),
    chips: int = 1,
    shared: float = 0.0,
) -> pd.DataFrame:
    """Send stable places through the whole test and count the alarms.

    Parameters
    ----------
    settings : AnalysisSettings, optional
        199 surrogates where not given.
    places, n, chips, shared
        See `stable_places`.
    memory, gaps : sequence of float
        All pairs are tried.

    Returns
    -------
    DataFrame
        A row per memory, gaps and indicator: `tested` places, `alarms` (p <= alpha), `rate`, and
        the 95 % binomial interval of the nominal number of alarms, `low` to `high`.

    """
    settings = settings or AnalysisSettings(surrogates=199)
    window = window_steps(n, settings.window)
    rows = []
    for phi in memory:
        for share in gaps:
            matrices = stable_places(
                places, n, memory=phi, gaps=share, chips=chips, shared=shared, seed=settings.seed
            )
            p = np.full((places, len(settings.indicators)), np.nan)
            for place, matrix in enumerate(matrices):
                ready = [
                    chip.ready for chip in prepare_chips(matrix, PERIOD, settings) if chip.ready
                ]
                if not ready:
                    continue
                tested = measure(
                    ready, [window], settings, stream(settings.seed, "calibration", place)
                )[0]
                for kind, name in enumerate(settings.indicators):
                    tau, null = tested.site_taus[kind], tested.null_site_taus[:, kind]
                    p[place, kind] = p_value(float(tau), null, DIRECTIONS[name])
            for kind, name in enumerate(settings.indicators):
                known = p[np.isfinite(p[:, kind]), kind]
                low, high = null_interval(settings.alpha, len(known)) if len(known) else (0, 0)
                alarms = int(np.count_nonzero(known <= settings.alpha))
                rows.append(
                    {
                        "null": settings.null, "n": n, "chips": chips, "memory": phi, "gaps": share,
                        "indicator": name, "tested": len(known), "alarms": alarms,
                        "rate": alarms / len(known) if len(known) else np.nan,
                        "low": low, "high": high,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)
