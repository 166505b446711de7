"""The verdict's short way: what the analysis says of the chips of one metric, and nothing beside.

The tests are those of the analysis, asked in its order and with its random numbers, without tables,
single chips, levels, images and reports. A test holds it against the analysis itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.axis import Axis, axis_of
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.states import metric_state
from pyveg.analysis.temporal.breaks import Break, break_row, find_break
from pyveg.analysis.temporal.memory import MemoryTrends, memory_rows
from pyveg.analysis.temporal.response import Weather, read_weather
from pyveg.analysis.temporal.significance import p_value
from pyveg.analysis.temporal.surrogate_tests import (
    SITE,
    Ready,
    Tested,
    measure,
    prepare_chips,
    stream,
    window_steps,
)
from pyveg.calibration.zoo.record import PERIOD, Values
from pyveg.earth.metrics import PRECIPITATION
from pyveg.earth.periods import parse_step

COLLECTION, METRIC = "zoo", "ndvi_mean"
"""What the chips are said to be; only the random numbers depend on it."""
FIRST = "2000-01-16"
ROLLING = "ar1"
"""The one indicator in rolling windows that is looked at, for the usual test beside the verdict."""


@dataclass(frozen=True)
class Seen:
    """What the tests say of one record."""

    state: str
    """Of `pyveg.analysis.states.metric_state`, on which the verdict rests."""
    memory: Mapping[Any, Any]
    """The site's row of the table of memory, with the q of a single metric."""
    broken: Mapping[Any, Any] = field(default_factory=dict)
    """Its row of the table of breaks; empty where it could not be tested."""
    rolling_p: float = np.nan
    """Of Kendall's tau of AR(1) in rolling windows."""


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
    prepared = prepare_chips(chips, PERIOD, settings)
    usable = [chip.ready for chip in prepared if chip.ready]
    axis, trends, broken, rolling_p = _axis(chips.shape[1]), None, Break(), np.nan
    if usable:
        of_break = stream(settings.seed, "break", COLLECTION, METRIC)
        broken = find_break(usable, PERIOD, settings, of_break)
        trends, tested = _with_surrogates(usable, broken, settings, _weather(rain, settings))
        rolling_p = p_value(float(tested.site_taus[0]), tested.null_site_taus[:, 0], "rise")
    row = next(iter(memory_rows(trends, prepared, [SITE], settings, {})))
    memory = {**row, "q": row["p"], "q_beside": row["p_beside"], "noise_q": row["noise_p"]}
    of_break_row = break_row(broken, axis, {}) if usable else {}
    state = metric_state(memory, of_break_row, settings.alpha)
    return Seen(state, memory, of_break_row, rolling_p)


def _with_surrogates(
    usable: Sequence[Ready], broken: Break, settings: AnalysisSettings, weather: Weather
) -> tuple[MemoryTrends, Tested]:
    """The trend of memory and AR(1) in rolling windows, of the same surrogates."""
    seed = stream(settings.seed, "temporal", COLLECTION, METRIC)
    trends = MemoryTrends(
        usable, broken, PERIOD, weather, weather_surrogates=settings.chip_surrogates
    )
    window = window_steps(usable[0].series.size, settings.window)
    (tested,) = measure(usable, [window], settings, seed, trends.add)
    trends.compare(settings, seed)
    return trends, tested


def _weather(rain: Values | None, settings: AnalysisSettings) -> Weather:
    if rain is None:
        return Weather()
    return read_weather(zoo_as_series(np.full((1, rain.size), np.nan), rain), settings)


def zoo_as_series(chips: Values, rain: Values | None) -> Series:
    """As the analysis is given them."""
    count, n = chips.shape
    axis = _axis(n)
    columns = {
        "collection": COLLECTION,
        "date": np.repeat(axis.dates, count),
        "step": np.repeat(np.arange(n), count),
        "chip": np.tile(np.arange(count), n),
        METRIC: chips.T.ravel(),
    }
    if rain is not None:
        columns[PRECIPITATION] = np.repeat(rain, count)
    return Series(COLLECTION, pd.DataFrame(columns), axis)


@lru_cache(maxsize=8)
def _axis(n: int) -> Axis:
    first = pd.Timestamp(FIRST)
    dates = pd.DatetimeIndex([first + pd.DateOffset(months=month) for month in range(n)])
    return axis_of(parse_step(f"{12 // PERIOD}m"), dates)
