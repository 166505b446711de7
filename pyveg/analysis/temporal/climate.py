"""How much of what the vegetation does is the weather's? Indicators without the part of the rain.

Rain may itself get more variable or more persistent, and vegetation that follows it shows that as
a rising variance or AR(1), with its resilience unchanged. Here the residuals of each chip are
regressed on rain of this and the steps before (a distributed lag) and on temperature, as far as
they are there, and indicators are made of what remains. The regression is part of the chain, so
surrogates go through it too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import CLIMATE
from pyveg.analysis.data.labels import short_label
from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import DIRECTIONS, AnalysisSettings
from pyveg.analysis.temporal.drivers import weather_drivers
from pyveg.analysis.temporal.indicators import Temporal, temporal_indicators
from pyveg.analysis.temporal.significance import p_value
from pyveg.analysis.temporal.surrogate_tests import (
    SITE,
    measure,
    prepare_chips,
    stream,
    window_steps,
)
from pyveg.earth.metrics import PRECIPITATION, Metric

_RAIN_INDICATORS = ("ar1", "variance", "cv")


@dataclass(frozen=True)
class Climate:
    """What is left of the indicators without the weather."""

    table: pd.DataFrame
    """A row per metric and indicator of the site, `CLIMATE`: tau and p as they were and `without`
    the weather's part, AR(1) before and after, `explained` (median over chips of the adjusted R2),
    and in `change` what became of the answer. Rain itself has rows too."""
    temporal: Temporal | None
    """Everything of the controlled series; None without weather."""
    drivers: tuple[str, ...]
    """Names of the regressors."""
    reason: str = ""
    """Why there is nothing."""


def climate_control(
    series: Series,
    temporal: Temporal,
    settings: AnalysisSettings | None = None,
    *,
    surrogates: int = 199,
) -> Climate:
    """Make the temporal indicators again without the part of rain and temperature.

    Parameters
    ----------
    series : Series
    temporal : Temporal
        The indicators as they are; the same metrics are looked at.
    settings : AnalysisSettings, optional
        Those of `temporal` where not given; `rain_months` says how long rain is remembered.
    surrogates : int
        Of the controlled series.
    """
    settled = replace(settings or temporal.settings, surrogates=surrogates)
    metrics = temporal.trends["metric"].drop_duplicates().tolist()
    drivers, names, reason = weather_drivers(series, settled)
    if drivers is None:
        return Climate(CLIMATE.frame(), None, (), reason)
    controlled = temporal_indicators(series, metrics, settled, drivers=drivers)
    parts = controlled.parts
    explained = {name: _explained(parts[parts["metric"] == name], len(drivers)) for name in metrics}
    rows = [
        _row(before, after, explained[str(before["metric"])], settled.alpha)
        for before, after in zip(_site_rows(temporal), _site_rows(controlled), strict=True)
    ]
    rows += _rain_rows(series, settled)
    return Climate(CLIMATE.frame(rows), controlled, names)


def _site_rows(temporal: Temporal) -> list[dict[Any, Any]]:
    return temporal.trends[temporal.trends["chip"] == SITE].to_dict("records")


def _explained(parts: pd.DataFrame, drivers: int) -> float:
    """Adjusted R2 of the weather for the residuals of a metric's chips; the median over chips."""
    known = parts[parts["residual"].notna()]
    groups = known.assign(whole=known["residual"] + known["weather"]).groupby("chip")
    n = groups.size()
    share = groups["residual"].var() / groups["whole"].var()
    adjusted = 1 - share * (n - 1) / (n - 1 - drivers).clip(lower=1)
    return float(adjusted.median()) if len(adjusted) else math.nan


def _row(
    before: dict[Any, Any], after: dict[Any, Any], explained: float, alpha: float
) -> dict[str, Any]:
    keep = ("collection", "metric", "indicator", "direction", "tau", "p", "memory")
    return {
        **{name: before[name] for name in keep},
        "tau_without": after["tau"],
        "p_without": after["p"],
        "memory_without": after["memory"],
        "explained": explained,
        "change": _change(before["p"], after["p"], alpha),
        "reason": after["reason"] or before["reason"],
    }


def _change(before: float, after: float, alpha: float) -> str:
    """What became of an answer."""
    if not (math.isfinite(before) and math.isfinite(after)):
        return "cannot be compared"
    if before <= alpha:
        return "stays" if after <= alpha else "goes away"
    return "appears" if after <= alpha else "still none"


def _rain_rows(series: Series, settings: AnalysisSettings) -> list[dict[str, Any]]:
    """Whether the memory or the variance of the rain itself rises."""
    rain = series.weather(PRECIPITATION)
    if rain is None or series.axis is None:
        return []
    of_rain = replace(settings, indicators=_RAIN_INDICATORS)
    chip = prepare_chips(rain[np.newaxis], series.axis.period, of_rain)[0]
    common = {"collection": series.collection, "metric": PRECIPITATION}
    if chip.ready is None:
        return [{**common, "indicator": "ar1", "direction": "rise", "reason": chip.reason}]
    window = window_steps(rain.size, of_rain.window)
    tested = measure([chip.ready], [window], of_rain, stream(of_rain.seed, "rain itself"))[0]
    rows = []
    for kind, name in enumerate(of_rain.indicators):
        tau = float(tested.site_taus[kind])
        rows.append(
            {
                **common,
                "indicator": name,
                "direction": DIRECTIONS[name],
                "tau": tau,
                "p": p_value(tau, tested.null_site_taus[:, kind], DIRECTIONS[name]),
                "reason": "" if math.isfinite(tau) else "too few windows have a value of it",
            }
        )
    return rows


def describe(climate: Climate, metrics: Sequence[str], declared: Mapping[str, Metric]) -> list[str]:
    """What the control says, a sentence for each metric."""
    if climate.temporal is None:
        return [f"Climate was not controlled: {climate.reason}."]
    lines = []
    for metric in metrics:
        rows = climate.table[climate.table["metric"] == metric]
        known = rows["explained"].dropna()
        label = short_label(declared, metric)
        if known.empty:
            if rows["p"].notna().any():
                lines.append(
                    f"Climate was not controlled for {label}: too few of its steps have weather."
                )
            continue
        share = max(0.0, float(known.iloc[0]))
        accounts = weather_accounts(climate)
        lines.append(
            f"{accounts[0].upper()}{accounts[1:]} for {100 * share:.0f} % of the variance of "
            f"{label} without its season and trend."
        )
    return lines


def weather_accounts(climate: Climate) -> str:
    """Begins a sentence on what the weather accounts for; it names what varies alone.

    Examples
    --------
    >>> weather_accounts(Climate(CLIMATE.frame(), None, ("rain", "rain, 1 before")))
    'rain accounts'
    """
    one = {"rain": "rain accounts", "temperature": "temperature accounts"}
    found = list(dict.fromkeys(name.partition(",")[0] for name in climate.drivers))
    return one[found[0]] if len(found) == 1 else "rain and temperature account"
