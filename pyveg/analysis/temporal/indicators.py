"""Is the memory of a place rising? Indicators of each chip and of the site, with tests that hold.

Each chip goes through the chain on its own (season, trend, outliers, windows); the site's
indicator is the median over its chips. A null model of each chip, drawn jointly because chips
share their weather, goes through the same chain with the same gaps, and the site's p value is the
share of those surrogate sites whose Kendall tau is at least as extreme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import INDICATORS, PARTS, TRENDS
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.significance import q_values
from pyveg.analysis.temporal.surrogate_tests import (
    SITE,
    Values,
    measure,
    prepare_chips,
    stream,
    window_steps,
)
from pyveg.analysis.temporal.tables import blank, indicator_tables, parts_tables, trend_rows
from pyveg.earth.metrics import metrics_for


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
    trends = TRENDS.frame(row for one in parts for row in one[0])
    site = trends["chip"] == SITE
    trends.loc[site, "q"] = q_values(trends.loc[site, "p"].to_numpy(np.float64), settings.fdr)
    for _, rows in trends[~site].groupby(["metric", "indicator"]):
        trends.loc[rows.index, "q"] = q_values(rows["p"].to_numpy(np.float64), settings.fdr)
    return Temporal(
        trends,
        INDICATORS.joined(one[1] for one in parts),
        PARTS.joined(one[2] for one in parts),
        settings,
    )


def default_metrics(series: Series) -> list[str]:
    """Metrics that are tested where none are named."""
    return [metric.name for metric in metrics_for(series.declared, series.metrics)]


def _one_metric(
    series: Series, metric: str, settings: AnalysisSettings, drivers: Values | None
) -> tuple[list[dict[str, Any]], pd.DataFrame, pd.DataFrame]:
    matrix = series.matrix(metric)
    common = {"collection": series.collection, "metric": metric}
    if series.axis is None or not matrix.size:
        row = {**blank(common, SITE, settings), "reason": "there are no dates", "n": 0}
        rows = [{**row, "indicator": name} for name in settings.indicators]
        return rows, INDICATORS.frame(), PARTS.frame()
    chips = prepare_chips(matrix, series.axis.period, settings, drivers)
    usable = [chip.ready for chip in chips if chip.ready]
    window = window_steps(matrix.shape[1], settings.window)
    seed = stream(settings.seed, "temporal", series.collection, metric)
    tested = next(iter(measure(usable, [window], settings, seed)), None)
    numbers = series.numbers(metric)
    rows = list(trend_rows(chips, tested, numbers, settings, window=window, common=common))
    values = indicator_tables(chips, tested, numbers, series.axis, settings)
    parts = parts_tables(chips, numbers, series.axis)
    return rows, INDICATORS.joined(values, **common), PARTS.joined(parts, **common)
