"""Memory on one side of an abrupt change, where that side is long enough to be looked at alone.

A jump moves every indicator that is made across it. On either side of it there is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pyveg.analysis.data.axis import Axis
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.breaks import Break, find_break
from pyveg.analysis.temporal.memory import MemoryTrends, memory_rows
from pyveg.analysis.temporal.significance import p_value
from pyveg.analysis.temporal.surrogate_tests import (
    SITE,
    Ready,
    Tested,
    Values,
    measure,
    prepare_chips,
    stream,
    untested,
    window_steps,
)

LEAST_YEARS = 5
"""Years of the longer side below which it is not looked at: less can tell next to nothing."""
_INDICATORS = ("ar1", "variance")


def side_row(
    matrix: Values, broken: Break, axis: Axis, settings: AnalysisSettings, common: Mapping[str, Any]
) -> dict[str, Any]:
    """Indicators of the longer side of a break, or the reason why there are none.

    Parameters
    ----------
    matrix : array of float64, shape (chips, n)
        Of the whole record; NaN where missing.
    broken : Break
        That was found.
    axis : Axis
    settings : AnalysisSettings
    common : mapping
        What the row has in any case.

    Returns
    -------
    dict
        Of `pyveg.analysis.data.columns.SIDES`.
    """
    n = matrix.shape[1]
    before = broken.step >= n - broken.step
    first, last = (0, broken.step) if before else (broken.step, n)
    row = {
        **common,
        "side": "before" if before else "after",
        "first_date": axis.dates[first],
        "last_date": axis.dates[last - 1],
        "steps": last - first,
        "chips": 0,
        "surrogates": settings.surrogates,
    }
    years = (last - first) / axis.period
    if years < LEAST_YEARS:
        why = f"the longer side has {years:.1f} years; {LEAST_YEARS} are needed"
        return {**row, "reason": why}
    part = np.ascontiguousarray(matrix[:, first:last])
    chips = prepare_chips(part, axis.period, settings)
    usable = [chip.ready for chip in chips if chip.ready]
    if not usable:
        return {**row, "reason": untested(chips, of_chips=len(chips) > 1)}
    return {**row, **_indicators(usable, axis, settings, common)}


def _indicators(
    usable: list[Ready], axis: Axis, settings: AnalysisSettings, common: Mapping[str, Any]
) -> dict[str, Any]:
    few = replace(settings, indicators=_INDICATORS)
    seed = stream(settings.seed, "side", common["metric"])
    again = find_break(usable, axis.period, settings, [*seed, 1])
    if again.found:
        return {"chips": len(usable), "reason": "the longer side has an abrupt change of its own"}
    trends = MemoryTrends(usable, again, axis.period, n_threads=settings.n_threads)
    window = window_steps(usable[0].series.size, settings.window)
    (tested,) = measure(usable, [window], few, seed, trends.add)
    row = next(iter(memory_rows(trends, [], [SITE], settings, common)))
    return {**row, **_taus(tested)}


def _taus(tested: Tested) -> dict[str, float]:
    """Trends of the rolling indicators of the side."""
    out = {}
    for kind, name in enumerate(_INDICATORS):
        tau = float(tested.site_taus[kind])
        out[f"{name}_tau"] = tau
        null = tested.null_site_taus[:, kind]
        out[f"{name}_p"] = p_value(tau, null, "rise") if math.isfinite(tau) else math.nan
    return out
