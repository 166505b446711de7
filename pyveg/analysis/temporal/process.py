"""The memory of the vegetation itself, with the noise of its observation told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.breaks import Break
from pyveg.analysis.temporal.level_trends import season_waves
from pyveg.analysis.temporal.surrogate_tests import Values, spread, too_little
from pyveg.earth.chips import VALID_FRACTION
from pyveg.kernels.state_space import ProcessMemory, process_memory

MOST_CHIPS = 12
"""Chips that are looked at, evenly over a place."""
TOLD_FROM = 0.9
"""Probability of noise of the observation from which the statement tells of it."""


def process_row(
    series: Series,
    metric: str,
    broken: Break,
    settings: AnalysisSettings,
    common: Mapping[str, Any],
) -> dict[str, Any]:
    """Memory and noise of the observation of a metric: medians over some of its chips.

    Parameters
    ----------
    series : Series
    metric : str
        A column of its table.
    broken : Break
        One that was found is a regressor too.
    settings : AnalysisSettings
        Of it the season.
    common : mapping
        What the row has in any case.

    Returns
    -------
    dict
        Of `pyveg.analysis.data.columns.PROCESS`. Ends of intervals are medians over chips too: the
        interval is that of a middling chip.
    """
    matrix = series.matrix(metric)
    period = series.axis.period if series.axis else 1.0
    evenly = np.unique(np.linspace(0, len(matrix) - 1, MOST_CHIPS).round().astype(int))
    some = [int(place) for place in evenly if not too_little(matrix[place])]
    variances = _variances(series, metric)
    regressors = _regressors(matrix.shape[1], period, broken, settings)

    def one(place: int) -> ProcessMemory:
        relative = None if variances is None else variances[place]
        return process_memory(matrix[place], regressors, relative)

    found = np.array(spread(one, some, settings.n_threads)).reshape(-1, len(ProcessMemory._fields))
    found = found[np.isfinite(found[:, 0])]
    row = {**common, "chips": len(found), "informed": variances is not None}
    if not len(found):
        return {**row, "reason": "too few values for a model of the noise"}
    return row | dict(zip(ProcessMemory._fields, np.median(found, axis=0).tolist(), strict=True))


def _variances(series: Series, metric: str) -> Values | None:
    """Variance of the observation to a factor: a mean over fewer pixels is less sure."""
    if series.of_place(metric) or VALID_FRACTION.name not in series.table.columns:
        return None
    share = series.matrix(VALID_FRACTION.name)
    if not np.nanmin(share, initial=1.0) < np.nanmax(share, initial=0.0):
        return None  # it is the same at all times and says nothing
    known = np.where(np.isfinite(share), share, np.nanmedian(share))
    return np.asarray(1 / np.clip(known, 0.05, 1.0), dtype=np.float64)


def _regressors(n: int, period: float, broken: Break, settings: AnalysisSettings) -> Values:
    """Season, a trend of third order, and a step where one was found."""
    u = np.linspace(-1.0, 1.0, n)
    rows = [np.ones(n), u, u**2 - 1 / 3, u**3 - 0.6 * u]
    if broken.found and broken.kind == "step":
        rows.append((np.arange(n) >= broken.step).astype(np.float64))
    return np.concatenate([np.stack(rows), season_waves(n, settings.steps(period))])
