"""How often are the tests right? False alarms, power and ROC over many places of known fate.

A place gives one p value per test. An alarm is p <= alpha; over stable places their share is the
rate of false alarms, over places that decline the power. The ROC does not depend on alpha: it is
what any limit of p would have given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.columns import CALIBRATION_SUMMARY
from pyveg.analysis.data.series import KEYS, Series
from pyveg.analysis.data.weather import WEATHER
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.signals import MEASURES
from pyveg.analysis.temporal.indicators import default_metrics, temporal_indicators
from pyveg.analysis.temporal.level_trends import level_trends
from pyveg.analysis.temporal.significance import null_interval, share_interval
from pyveg.analysis.temporal.surrogate_tests import SITE, stream
from pyveg.earth.metrics import installed, metrics_for
from pyveg.kernels.rolling import INDICATORS
from pyveg.runs.chips import Chips

Values = NDArray[np.float64]

VERSION = 5
"""Changes when the tests give other numbers, so that nobody takes old ones for new."""
STABLE = "stable"
"""The scenario in which every alarm is a false one."""
TREND = "trend"
"""The indicator "does the level of this metric change"."""
TESTS = (*INDICATORS, TREND)
SPATIAL = {name: f"spatial_{name}" for name in MEASURES if name in ("variance", "skewness")} | {
    name: name for name in MEASURES if name not in ("variance", "skewness")
}
"""Spatial signal -> its column beside the metrics of the pipeline."""
_GROUP = ["scenario", "gaps", "metric", "indicator"]


def level_metrics(names: Iterable[str]) -> list[str]:
    """Metrics whose level is tested, of some that were measured.

    Those that Modules declare to be tested for memory or for their level, and the spatial signals.
    """
    there = set(names)
    declared = metrics_for(installed(), there, ("memory", "level"))
    spatial = [name for name in SPATIAL.values() if name in there]
    return [*(metric.name for metric in declared), *spatial]


def with_spatial(series: Series, chips: Iterable[Chips]) -> Series:
    """Put the spatial signals of each date's chips beside the metrics of the pipeline.

    Parameters
    ----------
    series : Series
    chips : iterable of Chips
        Of the same run.

    Returns
    -------
    Series
        With a column more for each of `SPATIAL`; NaN where the series has no chip of that date.
    """
    rows = [
        {"date": one.date, "chip": number}
        | {SPATIAL[name]: measure(ndvi) for name, measure in MEASURES.items()}
        for one in chips
        for number, ndvi in zip(one.numbers, one.ndvi, strict=True)
    ]
    signals = pd.DataFrame(rows, columns=["date", "chip", *SPATIAL.values()])
    signals["date"] = signals["date"].astype(series.table["date"].dtype)
    table = series.table.merge(signals, on=["date", "chip"], how="left", validate="one_to_one")
    return replace(series, table=table)


def with_gaps(series: Series, share: float, seed: int) -> Series:
    """Take away a share of the dates, drawn at random, of all chips as a cloud would.

    Parameters
    ----------
    series : Series
    share : float
        0 to 1; the nearest number of dates.
    seed : int
    """
    if series.axis is None or not share:
        return series
    n = len(series.axis)
    rng = np.random.Generator(np.random.Philox(stream(seed, "gaps", share)))
    lost = rng.permutation(n)[: round(share * n)]
    table = series.table.copy()
    metrics = [name for name in table.columns if name not in (*KEYS, *WEATHER)]
    table.loc[table["step"].isin(lost), metrics] = np.nan
    return replace(series, table=table)


def site_tests(
    series: Series, settings: AnalysisSettings, tests: Sequence[str] = TESTS
) -> pd.DataFrame:
    """All tests of one place.

    Parameters
    ----------
    series : Series
    settings : AnalysisSettings
        Its `indicators` are not looked at.
    tests : sequence of str
        Of `TESTS`.

    Returns
    -------
    DataFrame
        A row per metric and indicator: `metric, indicator, direction, tau, p, reason, n, n_valid,
        memory`.
    """
    columns = ["metric", "indicator", "direction", "tau", "p", "reason", "n", "n_valid", "memory"]
    parts = []
    rolled = tuple(name for name in tests if name != TREND)
    if rolled:
        temporal = temporal_indicators(
            series, default_metrics(series), replace(settings, indicators=rolled)
        ).trends
        parts.append(temporal.loc[temporal["chip"] == SITE, columns])
    if TREND in tests:
        levels = level_trends(series, level_metrics(series.metrics), settings, chips=False)
        parts.append(levels.assign(indicator=TREND, direction="either", memory=math.nan)[columns])
    return pd.concat(parts, ignore_index=True)


def summarise(rows: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Rates, their intervals and the area under the ROC, for each scenario, gaps and test.

    Parameters
    ----------
    rows : DataFrame
        A row per place and test: `scenario, gaps, metric, indicator, direction, p`.
    alpha : float

    Returns
    -------
    DataFrame
        `CALIBRATION_SUMMARY`. `places`, and how many of them could be `tested`; `alarms` (p <=
        alpha). `rate`: alarms over places, except for stable ones: over those that were tested; so
        a test that gives no number is no alarm and no excuse. `rate_low` to `rate_high`: its exact
        95 % confidence interval. `chance_low` to `chance_high`, for stable places: the shares of
        alarms that a test of exactly `alpha` gives in 95 % of such experiments.
        `auc`, for the others: area under the ROC against the stable places with the same gaps,
        0.5 for a test that knows nothing; with its 95 % interval (Hanley & McNeil 1982,
        10.1148/radiology.143.1.7063747).
    """
    groups = dict(iter(rows.groupby(_GROUP, sort=False)))
    found = []
    for key, group in groups.items():
        row: dict[str, Any] = dict(zip(_GROUP, key, strict=True))
        null = groups.get((STABLE, *key[1:])) if row["scenario"] != STABLE else None
        row |= {"direction": group["direction"].iloc[0], **_rates(group, row["scenario"], alpha)}
        row |= area_under_roc(_limits(null), _limits(group)) if null is not None else {}
        found.append(row)
    return CALIBRATION_SUMMARY.frame(found)


def _rates(group: pd.DataFrame, scenario: str, alpha: float) -> dict[str, Any]:
    p = group["p"].to_numpy(np.float64)
    tested, alarms = int(np.isfinite(p).sum()), int((p <= alpha).sum())
    count = tested if scenario == STABLE else len(p)
    row: dict[str, Any] = {"places": len(p), "tested": tested, "alarms": alarms}
    if not count:
        return row
    row["rate"] = alarms / count
    row["rate_low"], row["rate_high"] = share_interval(alarms, count)
    if scenario == STABLE:
        low, high = null_interval(alpha, count)
        row["chance_low"], row["chance_high"] = low / count, high / count
    return row


def area_under_roc(null: Values, group: Values) -> dict[str, float]:
    """Area under the ROC of scores that are small where something is found, with its interval.

    Parameters
    ----------
    null, group : array of float
        Of those in which there is nothing, and of those in which there is something.

    Returns
    -------
    dict
        "auc", 0.5 for a score that knows nothing; "auc_low" and "auc_high", its 95 % interval
        (Hanley & McNeil 1982, 10.1148/radiology.143.1.7063747).
    """
    from scipy.stats import mannwhitneyu

    area = float(mannwhitneyu(null, group).statistic) / (null.size * group.size)
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (group.size - 1) * (one - area**2)
    spread += (null.size - 1) * (two - area**2)
    half = 1.96 * math.sqrt(max(spread, 0.0) / (null.size * group.size))
    return {"auc": area, "auc_low": max(area - half, 0.0), "auc_high": min(area + half, 1.0)}


def roc(null: pd.DataFrame, group: pd.DataFrame) -> tuple[Values, Values]:
    """False alarms and power for every limit of p, from 0 to 1.

    Parameters
    ----------
    null, group : DataFrame
        Rows of one test: of stable places, and of those that decline.

    Returns
    -------
    array of float, array of float
        Shares of alarms among the stable and among the others, of one length, both rising.
    """
    stable, falling = np.sort(_limits(null)), np.sort(_limits(group))
    limits = np.unique(np.concatenate([[0.0], stable, falling]))
    x = np.searchsorted(stable, limits, side="right") / stable.size
    y = np.searchsorted(falling, limits, side="right") / falling.size
    return np.concatenate([[0.0], x]), np.concatenate([[0.0], y])


def _limits(group: pd.DataFrame) -> Values:
    """The limit of p from which each place is an alarm."""
    limits: Values = np.nan_to_num(group["p"].to_numpy(np.float64), nan=1.0)
    return limits
