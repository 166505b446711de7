"""How the vegetation answers rain, and how fast it comes back after a drought."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.columns import DROUGHT_RECOVERY, RAIN_RESPONSE, RECOVERY_RATES
from pyveg.analysis.data.series import PLACE, Series
from pyveg.analysis.data.table import Table
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.surrogate_tests import SITE, prepare_chips, stream
from pyveg.earth.metrics import PRECIPITATION
from pyveg.kernels import recovery
from pyveg.kernels.decomposition import Prepared
from pyveg.kernels.quantiles import column_quantiles
from pyveg.kernels.surrogates import draw, surrogates

LEAST_R2 = 0.3


def rain_response(
    series: Series,
    metric: str,
    settings: AnalysisSettings | None = None,
    *,
    lags: int = 5,
    weather: str = PRECIPITATION,
) -> pd.DataFrame:
    """Correlation of the vegetation with the rain some steps before, both without their season.

    Parameters
    ----------
    series : Series
    metric : str
    settings : AnalysisSettings, optional
    lags : int
        Longest lag, steps.
    weather : str
        Column to correlate with.

    Returns
    -------
    DataFrame
        A row per chip and lag: `correlation`, and the middle 95 % of those of surrogates of the
        vegetation with the true rain. `strongest` marks the lag with the largest correlation of
        either sign; `p` is its share of surrogates whose largest one, over all lags, is as large.
        One row with the `reason` where there is nothing to correlate.
    """
    settings = settings or AnalysisSettings()
    rain = series.weather(weather)
    if series.axis is None or rain is None:
        why = "there is no weather" if series.axis else "no dates"
        return _no_rows(RAIN_RESPONSE, metric, PLACE, why)
    period = series.axis.period
    driver = prepare_chips(rain[np.newaxis], period, settings)[0]
    if driver.ready is None:
        return _no_rows(RAIN_RESPONSE, metric, PLACE, f"{weather}: {driver.reason}")
    wet = driver.ready.prepared.residual
    tables = []
    for chip in prepare_chips(series.matrix(metric), period, settings):
        number = series.numbers(metric)[chip.number]
        if chip.ready is None:
            tables.append(_no_rows(RAIN_RESPONSE, metric, number, chip.reason))
            continue
        ready = chip.ready
        seed = stream(settings.seed, "rain", series.collection, metric)
        made = surrogates(
            ready.prepared.residual,
            ready.noise,
            draw(len(rain), settings.surrogates, seed),
            settings.null,
        )
        null = recovery.cross_correlations(ready.prepared.residuals(made), wet, lags)
        correlations = recovery.cross_correlation(ready.prepared.residual, wet, lags)
        tables.append(_lags(correlations, np.array(null)).assign(metric=metric, chip=number))
    return RAIN_RESPONSE.joined(tables)


def drought_recovery(
    series: Series,
    metric: str,
    settings: AnalysisSettings | None = None,
    *,
    drop: float = 2.0,
    before: int = 3,
) -> pd.DataFrame:
    """Large drops of the vegetation, and the rate at which it came back.

    Parameters
    ----------
    series : Series
    metric : str
        A measure of vegetation, one that falls in a drought.
    settings : AnalysisSettings, optional
        Outliers are not left out here: a drop is what is looked for.
    drop : float
        Depth from which a drop counts, robust SD.
    before : int
        Steps up to the deepest value in which the rain is looked at.

    Returns
    -------
    DataFrame
        A row per chip and drop: `date` of the deepest value, `depth`, `rate` (1 / year), `r2`,
        whether an exponential `fits` (R2 above 0.3), and whether the mean rain of those steps was
        at least 1 robust SD under its own season and trend (`drought`; missing without weather).
        Without drops, one row with the `reason`.
    """
    settings = settings or AnalysisSettings()
    if series.axis is None:
        return _no_rows(DROUGHT_RECOVERY, metric, PLACE, "there are no dates")
    open_settings = replace(settings, outlier_limit=0.0)
    period = series.axis.period
    rain = series.weather()
    dry: NDArray[np.float64] | None = None
    if rain is not None:
        driver = prepare_chips(rain[np.newaxis], period, open_settings)[0].ready
        dry = None if driver is None else _standard(driver.prepared)
    rows = []
    for chip in prepare_chips(series.matrix(metric), period, open_settings):
        number, reason = series.numbers(metric)[chip.number], chip.reason
        drops: list[recovery.Recovery] = []
        if chip.ready:
            drops = recovery.recoveries(
                chip.ready.prepared.residual,
                drop=drop,
                length=max(3, round(period)),
                step=1 / period,
            )
            reason = "" if drops else f"no drop of {drop:g} robust SD"
        for one in drops:
            fits = one.r2 > LEAST_R2 and one.rate > 0
            values = (metric, number, series.axis.dates[one.step], one.depth, one.rate, one.r2,
                      fits, _drought(dry, one.step, before), "")  # fmt: skip
            rows.append(dict(zip(DROUGHT_RECOVERY.names, values, strict=True)))
        if not drops:
            rows.append({"metric": metric, "chip": number, "reason": reason})
    return DROUGHT_RECOVERY.frame(rows)


def recovery_rates(drops: pd.DataFrame, trends: pd.DataFrame, period: float) -> pd.DataFrame:
    """Rates of real recoveries beside the one that AR(1) stands for.

    Parameters
    ----------
    drops : DataFrame
        `drought_recovery` of some metrics.
    trends : DataFrame
        `Temporal.trends`, whose `memory` is AR(1).
    period : float
        Steps in a year.

    Returns
    -------
    DataFrame
        `RECOVERY_RATES`, for each metric that dropped. A process of constant memory returns at
        -ln AR(1) from a push that is small and known; drops are chosen for being deep, so part of
        their return is chance. The two are to be looked at side by side (Smith and Boers 2023,
        10.1038/s41467-023-36207-7), and no test compares them.
    """
    site = trends[trends["chip"] == SITE].drop_duplicates("metric")
    memory = dict(zip(site["metric"], site["memory"], strict=True))
    rows = []
    for metric, mine in drops[drops["depth"].notna()].groupby("metric", sort=False):
        fits = mine.loc[mine["fits"].eq(True), "rate"].astype(float)
        ar1 = float(memory.get(metric, np.nan))
        rows.append(
            {
                "metric": metric,
                "drops": len(mine),
                "recovered": len(fits),
                "droughts": int(mine["drought"].eq(True).sum()),
                "chips": mine["chip"].nunique(),
                "rate": fits.median(),
                "rate_low": fits.quantile(0.25),
                "rate_high": fits.quantile(0.75),
                "rate_ar1": -np.log(ar1) * period if ar1 > 0 else np.nan,
                "memory": ar1,
            }
        )
    return RECOVERY_RATES.frame(rows)


def _lags(correlations: NDArray[np.float64], null: NDArray[np.float64]) -> pd.DataFrame:
    lags = np.arange(correlations.size)
    best = recovery.strongest(correlations)
    table = pd.DataFrame(
        {"lag": lags, "correlation": correlations, "strongest": lags == best, "reason": ""}
    )
    known = np.isfinite(correlations)
    table["null_low"], table["null_high"] = np.where(
        known, column_quantiles(null, (0.025, 0.975)), np.nan
    )
    table["p"] = np.nan
    if best < 0:
        return table.assign(reason="fewer than 10 steps have both")
    largest = np.nanmax(np.abs(null[:, known]), axis=1)
    extreme = np.count_nonzero(~(largest < abs(correlations[best])))
    table.loc[best, "p"] = (1 + extreme) / (1 + len(null))
    return table


def _standard(driver: Prepared) -> NDArray[np.float64]:
    """Residuals in robust SD; NaN throughout where they have none."""
    off = driver.residual - np.nanmedian(driver.residual)
    scale = 1.4826 * float(np.nanmedian(np.abs(off)))
    scaled: NDArray[np.float64] = off / scale if scale > 0 else np.full(off.size, np.nan)
    return scaled


def _drought(dry: NDArray[np.float64] | None, step: int, before: int) -> bool | None:
    if dry is None:
        return None
    part = dry[max(0, step - before) : step + 1]
    known = part[np.isfinite(part)]
    return bool(known.mean() <= -1.0) if known.size else None


def _no_rows(table: Table, metric: str, chip: int, reason: str) -> pd.DataFrame:
    return table.frame([{"metric": metric, "chip": chip, "reason": reason}])
