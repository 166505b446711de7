"""Is the memory of a place rising? Indicators of each chip and of the site, with tests that hold.

Each chip goes through the chain on its own (season, trend, outliers, windows); the site's
indicator is the median over its chips. A null model of each chip, drawn jointly because chips
share their weather, goes through the same chain with the same gaps, and the site's p value is the
share of those surrogate sites whose Kendall tau is at least as extreme.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import BREAKS, INDICATORS, MEMORY, PARTS, PROCESS, SIDES, TRENDS
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import TWINS, AnalysisSettings
from pyveg.analysis.temporal.breaks import Break, break_row, find_break
from pyveg.analysis.temporal.memory import MemoryTrends, memory_rows, rain_row
from pyveg.analysis.temporal.process import process_row
from pyveg.analysis.temporal.response import read_weather
from pyveg.analysis.temporal.sides import side_row
from pyveg.analysis.temporal.significance import q_values
from pyveg.analysis.temporal.surrogate_tests import (
    SITE,
    Values,
    judge_chips,
    measure,
    prepare_chips,
    stream,
    untested,
    window_steps,
)
from pyveg.analysis.temporal.tables import blank, indicator_tables, parts_tables, trend_rows
from pyveg.earth.metrics import PRECIPITATION, metrics_for


@dataclass(frozen=True)
class Temporal:
    """What the temporal indicators say of a place; chip -1 is the site."""

    trends: pd.DataFrame
    """One row per metric, chip and indicator, `TRENDS`: Kendall's `tau` of the indicator
    (for the site with the quartiles over its chips), `p` against the surrogates, `q` (for the site
    over all its tests, for chips over the chips of the same metric and indicator), and in `reason`
    why there is no number. `memory` is AR(1) with what detrending and
    gaps took put back, `residual_ar1` that of the residuals, `least_pairs` the fewest pairs of
    neighbours in a window."""
    indicators: pd.DataFrame
    """One row per metric, chip, indicator and step, `INDICATORS`; the date is the last of its
    window. For the site `low` and `high` are the quartiles over chips, and the 5, 50 and 95 %
    of the surrogate sites stand beside them. The share of valid values and the number of outliers
    in each window are there too, as "valid_share" and "outliers"."""
    parts: pd.DataFrame
    """One row per metric, chip and step, `PARTS`: the series and what it was taken apart into;
    `weather` is the part of the drivers, 0 without them. A flagged value is still in `value`."""
    settings: AnalysisSettings
    memory: pd.DataFrame = field(default_factory=MEMORY.frame)
    """One row per metric and chip, `MEMORY`: the trend of AR(1) and that of the noise, alone and
    beside the weather. Rain itself has a row too, where it is known."""
    breaks: pd.DataFrame = field(default_factory=BREAKS.frame)
    """One row per metric, `BREAKS`: the most likely abrupt change of the mean of its chips."""
    sides: pd.DataFrame = field(default_factory=SIDES.frame)
    """One row per metric that changed abruptly, `SIDES`: memory on the longer side of that."""
    process: pd.DataFrame = field(default_factory=PROCESS.frame)
    """One row per metric, `PROCESS`: memory with the noise of the observation told apart."""


class _Parts(NamedTuple):
    """What is known of one metric."""

    trends: list[dict[str, Any]]
    indicators: pd.DataFrame
    parts: pd.DataFrame
    memory: list[dict[str, Any]]
    breaks: list[dict[str, Any]]
    sides: list[dict[str, Any]]
    process: list[dict[str, Any]]


def temporal_indicators(
    series: Series,
    metrics: Sequence[str] | None = None,
    settings: AnalysisSettings | None = None,
    *,
    drivers: Values | None = None,
) -> Temporal:
    """Indicators, their trends and tests for each metric of a series.

    Parameters
    ----------
    series : Series
    metrics : sequence of str, optional
        Columns to look at; where not given, those that are there and were declared to be tested
        for memory: NDVI, network centrality and what Modules of your own declare.
    settings : AnalysisSettings, optional
    drivers : array of float64, shape (k, steps), optional
        Weather whose part is taken from every chip, and from every surrogate, before indicators
        are made (`pyveg.analysis.temporal.climate`).

    Returns
    -------
    Temporal
        Whatever the series: one that is too short, empty or constant gives NaN and the reason.
    """
    settings = settings or AnalysisSettings()
    names = default_metrics(series) if metrics is None else list(metrics)
    parts = [_one_metric(series, name, settings, drivers) for name in names]
    trends = TRENDS.frame(row for one in parts for row in one.trends)
    correct_site(trends, settings.fdr)
    site = trends["chip"] == SITE
    for _, rows in trends[~site].groupby(["metric", "indicator"]):
        trends.loc[rows.index, "q"] = q_values(rows["p"].to_numpy(np.float64), settings.fdr)
    return Temporal(
        trends,
        INDICATORS.joined(one.indicators for one in parts),
        PARTS.joined(one.parts for one in parts),
        settings,
        corrected_memory([*_rain(series, settings, drivers), *_memory(parts)], settings),
        BREAKS.frame(row for one in parts for row in one.breaks),
        SIDES.frame(row for one in parts for row in one.sides),
        PROCESS.frame(row for one in parts for row in one.process),
    )


def correct_site(trends: pd.DataFrame, fdr: str) -> None:
    """Q of the site, over all tests but twins; a twin has that of the indicator it repeats."""
    site = trends[trends["chip"] == SITE]
    counted = site[~site["indicator"].isin(TWINS) | ~_has_other(site)]
    trends.loc[counted.index, "q"] = q_values(counted["p"].to_numpy(np.float64), fdr)
    known = trends.loc[counted.index].set_index(["metric", "indicator"])["q"].to_dict()
    for row in site.drop(counted.index).itertuples():
        trends.loc[row.Index, "q"] = known[row.metric, TWINS[str(row.indicator)]]


def _has_other(site: pd.DataFrame) -> pd.Series:
    """Rows of twins whose other indicator was looked at too."""
    there = set(site["indicator"])
    return site["indicator"].isin([twin for twin, other in TWINS.items() if other in there])


def _memory(parts: Iterable[_Parts]) -> Iterable[dict[str, Any]]:
    for one in parts:
        yield from one.memory


def _rain(
    series: Series, settings: AnalysisSettings, drivers: Values | None
) -> Iterable[dict[str, Any]]:
    """The row of the rain, where there is some."""
    rain = series.weather(PRECIPITATION)
    if drivers is None and rain is not None and series.axis is not None:
        common = {"collection": series.collection, "metric": PRECIPITATION}
        yield rain_row(rain, series.axis.period, settings, common)


def corrected_memory(rows: Iterable[dict[str, Any]], settings: AnalysisSettings) -> pd.DataFrame:
    """The table of memory with its q: of memory and of noise, each a family of its own."""
    table = MEMORY.frame(rows)
    site = (table["chip"] == SITE) & (table["metric"] != PRECIPITATION)
    chips = table["chip"] != SITE
    families = [table[site], *(part for _, part in table[chips].groupby("metric"))]
    for part in families:
        for p, q in (("p", "q"), ("p_beside", "q_beside"), ("noise_p", "noise_q")):
            table.loc[part.index, q] = q_values(part[p].to_numpy(np.float64), settings.fdr)
    return table


def default_metrics(series: Series) -> list[str]:
    """Metrics that are tested where none are named."""
    return [metric.name for metric in metrics_for(series.declared, series.metrics)]


def _one_metric(
    series: Series, metric: str, settings: AnalysisSettings, drivers: Values | None
) -> _Parts:
    matrix = series.matrix(metric)
    common = {"collection": series.collection, "metric": metric}
    if series.axis is None or not matrix.size:
        row = {**blank(common, SITE, settings), "reason": "there are no dates", "n": 0}
        rows = [{**row, "indicator": name} for name in settings.indicators]
        memory = memory_rows(None, [], [], settings, common)
        return _Parts(rows, INDICATORS.frame(), PARTS.frame(), list(memory), [], [], [])
    period = series.axis.period
    chips = prepare_chips(matrix, period, settings, drivers)
    usable = [chip.ready for chip in chips if chip.ready]
    window = window_steps(matrix.shape[1], settings.window)
    seed = stream(settings.seed, "temporal", series.collection, metric)
    numbers = series.numbers(metric)
    memory, breaks, sides, watched = [], [], [], None
    process: list[dict[str, Any]] = []
    if drivers is None:  # memory beside the weather is fitted with it, not after it
        broken = Break()
        if not usable:
            broken = Break(reason=untested(chips, of_chips=SITE not in numbers))
        else:
            of_break = stream(settings.seed, "break", series.collection, metric)
            broken = find_break(usable, period, settings, of_break)
        breaks = [break_row(broken, series.axis, {**common, "chips": len(usable)})]
        if broken.found:
            sides = [side_row(matrix, broken, series.axis, settings, common)]
        process = [process_row(series, metric, broken, settings, common)]
        if usable:
            watched = MemoryTrends(
                usable,
                broken,
                period,
                read_weather(series, settings),
                n_threads=settings.n_threads,
                weather_surrogates=settings.chip_surrogates,
            )
    watch = watched.add if watched else None
    tested = next(iter(measure(usable, [window], settings, seed, watch)), None)
    if tested is not None and drivers is None and SITE not in numbers:
        of_chips = stream(settings.seed, "chips", series.collection, metric)
        tested = judge_chips(tested, usable, settings, of_chips)
    if drivers is None:
        if watched is not None:
            watched.compare(settings, seed)
            if SITE not in numbers:
                of_chips = stream(settings.seed, "memory of chips", series.collection, metric)
                watched.judge_chips(settings, of_chips)
        memory = list(memory_rows(watched, chips, numbers, settings, common))
    rows = list(trend_rows(chips, tested, numbers, settings, window=window, common=common))
    values = indicator_tables(chips, tested, numbers, series.axis, settings)
    parts = parts_tables(chips, numbers, series.axis)
    return _Parts(
        rows,
        INDICATORS.joined(values, **common),
        PARTS.joined(parts, **common),
        memory,
        breaks,
        sides,
        process,
    )
