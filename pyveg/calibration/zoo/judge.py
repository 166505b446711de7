"""The verdict's short way: what the analysis says of the chips of one metric, and nothing beside.

It asks the functions that make verdicts, for one metric, without images, levels and reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.axis import Axis, axis_of
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.states import UNTESTED, states_of
from pyveg.analysis.temporal.indicators import temporal_indicators
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.calibration.zoo.record import PERIOD, Values
from pyveg.earth.metrics import PRECIPITATION
from pyveg.earth.periods import parse_step

METRIC = "ndvi_mean"
"""What the chips are said to be; no test depends on it."""
FIRST = "2000-01-16"
ROLLING = "ar1"
"""The one indicator in rolling windows that is looked at, for the usual test beside the verdict."""


@dataclass(frozen=True)
class Seen:
    """What the tests say of one record."""

    state: str
    """Of `pyveg.analysis.states.states_of`, on which the verdict rests."""
    memory: Mapping[Any, Any]
    """The site's row of the table of memory."""
    broken: Mapping[Any, Any]
    """Its row of the table of breaks; empty where it could not be tested."""
    trend: Mapping[Any, Any]
    """Its row of the table of trends: AR(1) in rolling windows."""


def judge(
    chips: Values, settings: AnalysisSettings, seed: int, *, rain: Values | None = None
) -> Seen:
    """What the analysis of one metric says.

    Parameters
    ----------
    chips : array of float, shape (chips, n)
        Monthly; NaN where missing.
    settings : AnalysisSettings
        Its indicators are not looked at: there is one.
    seed : int
        Of the surrogates.
    rain : array of float, shape (n,), optional
        m per month.

    Returns
    -------
    Seen
    """
    settings = replace(settings, seed=seed, indicators=(ROLLING,))
    temporal = temporal_indicators(_series(chips, rain), [METRIC], settings)
    tables = (temporal.memory, temporal.breaks, temporal.trends)
    memory, broken, trend = (_site_row(table) for table in tables)
    return Seen(states_of(temporal).get(METRIC, UNTESTED), memory, broken, trend)


def _site_row(table: pd.DataFrame) -> dict[Any, Any]:
    mine = table[table["metric"] == METRIC]
    if "chip" in mine:
        mine = mine[mine["chip"] == SITE]
    return next(iter(mine.to_dict("records")), {})


def _series(chips: Values, rain: Values | None) -> Series:
    count, n = chips.shape
    axis = _axis(n)
    columns = {
        "collection": "zoo",
        "date": np.repeat(axis.dates, count),
        "step": np.repeat(np.arange(n), count),
        "chip": np.tile(np.arange(count), n),
        METRIC: chips.T.ravel(),
    }
    if rain is not None:
        columns[PRECIPITATION] = np.repeat(rain, count)
    return Series("zoo", pd.DataFrame(columns), axis)


@lru_cache(maxsize=8)
def _axis(n: int) -> Axis:
    first = pd.Timestamp(FIRST)
    dates = pd.DatetimeIndex([first + pd.DateOffset(months=month) for month in range(n)])
    return axis_of(parse_step(f"{12 // PERIOD}m"), dates)
