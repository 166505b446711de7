"""What each figure shows, in words and numbers: a list of sentences for each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.data.series import site_table
from pyveg.analysis.figures.indicators import CONTROLLED, site_curve, site_trend
from pyveg.analysis.figures.maps import memory_map, of_earlier_version, slope_map
from pyveg.analysis.figures.over_time import YEAR_FROM, chip_parts, middle_chip, series_name
from pyveg.analysis.figures.response import autocorrelation, rain_lags
from pyveg.analysis.figures.space import LAW_NAMES, year_spectra
from pyveg.analysis.figures.style import (
    indicator_name,
    p_text,
    shown_metrics,
    signed,
)
from pyveg.analysis.report.words import ends, number
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.sensitivity import summarise_sensitivity
from pyveg.earth.chips import SIZE
from pyveg.earth.metrics import PRECIPITATION


def series(analysis: Analysis) -> list[str]:
    """Of `figures.series_bands`."""
    lines: list[str] = []
    for metric in shown_metrics(analysis):
        table = site_table(analysis.series, metric)
        gaps = int((table["chips"] == 0).sum())
        line = "line" if analysis.series.of_place(metric) else "median of the chips"
        lines.append(
            f"{analysis.series.label(metric)}: the {line} lies between "
            f"{number(table['middle'].min())} and {number(table['middle'].max())}; {gaps} of "
            f"{len(table)} steps have no data."
        )
    rain, axis = analysis.series.weather(PRECIPITATION), analysis.series.axis
    if rain is not None and axis is not None:
        lines.append(_rain(1000 * rain, axis.period))
    parts = analysis.temporal.parts
    if parts["residual"].notna().any():  # else nothing was taken apart, and none were looked for
        count = int(parts["outlier"].astype(bool).sum())
        are = "value is flagged as an outlier" if count == 1 else "values are flagged as outliers"
        lines.append(f"{count or 'No'} {are}.")
    return lines


def beside(analysis: Analysis) -> list[str]:
    """Of `figures.others_beside`."""
    lines = []
    for (collection, label), table in analysis.beside.groupby(["collection", "label"], sort=False):
        known = table[table["middle"].notna()]
        if known.empty:
            lines.append(f"{collection}, {label}: there is no value.")
            continue
        first, last = known["date"].min(), known["date"].max()
        lines.append(
            f"{collection}, {label}: from {first:%Y-%m-%d} to {last:%Y-%m-%d} it lies between "
            f"{number(known['middle'].min())} and {number(known['middle'].max())}; "
            f"{len(table) - len(known)} of {len(table)} steps have no data."
        )
    return lines


def _rain(steps: NDArray[np.float64], period: float) -> str:
    """Rain of a mean year, in mm; of a short record what has fallen in it."""
    if len(steps) >= YEAR_FROM * period:
        return f"Rain: {float(np.nanmean(steps)) * period:.0f} mm in a mean year."
    known = int(np.isfinite(steps).sum())
    return f"Rain: {float(np.nansum(steps)):.0f} mm in the {known} steps that are known."


def season(analysis: Analysis) -> list[str]:
    """Of `figures.season_cycle`."""
    lines: list[str] = []
    axis = analysis.series.axis
    if axis is None:
        return []
    for metric in shown_metrics(analysis):
        table = site_table(analysis.series, metric).assign(month=axis.months_of_year)
        middle = table.dropna(subset=["middle"]).groupby("month")["middle"].median()
        months = pd.to_datetime(middle.index.astype(str), format="%m").strftime("%B")
        high, low = int(middle.argmax()), int(middle.argmin())
        lines.append(
            f"{analysis.series.metric(metric).label} is highest in {months[high]} "
            f"({number(middle.iloc[high])}) and lowest in {months[low]} "
            f"({number(middle.iloc[low])})."
        )
    return lines


def decomposition(analysis: Analysis) -> list[str]:
    """Of `figures.decomposition`."""
    lines: list[str] = []
    for metric in shown_metrics(analysis):
        chip = middle_chip(analysis, metric)
        if chip is None:
            continue
        table = chip_parts(analysis, metric, chip)
        trend = table["trend"].dropna()
        lines.append(
            f"{series_name(analysis, metric, chip)}: the season swings by "
            f"{number(table['season'].max() - table['season'].min())}, the trend goes from "
            f"{number(trend.iloc[0])} to {number(trend.iloc[-1])}, the residual has a standard "
            f"deviation of {number(float(table['residual'].std()))}."
        )
    return lines


def indicators(analysis: Analysis, metric: str) -> list[str]:
    """Of `figures.indicator_panels`."""
    return [
        f"{indicator_name(name)} {_course(analysis.temporal, metric, name)}."
        for name in analysis.settings.indicators
        if site_curve(analysis.temporal, metric, name)["value"].notna().any()
    ]


def climate(analysis: Analysis) -> list[str]:
    """Of `figures.climate_panels`."""
    without = analysis.climate.temporal
    if without is None:
        return []
    lines: list[str] = []
    for metric in shown_metrics(analysis):
        for name in CONTROLLED:
            as_it_is = _course(analysis.temporal, metric, name)
            if as_it_is:
                alone = _course(without, metric, name) or "could not be computed"
                lines.append(
                    f"{indicator_name(name)} of {analysis.series.short_label(metric)} {as_it_is}; "
                    f"without the weather it {alone}."
                )
    return lines


def _course(temporal: Temporal, metric: str, name: str) -> str:
    curve = site_curve(temporal, metric, name)["value"].dropna()
    row = site_trend(temporal, metric, name)
    if curve.empty or row.empty:
        return ""
    text = f"goes from {number(curve.iloc[0])} to {number(curve.iloc[-1])}"
    if not np.isfinite(row["tau"]):
        return f"{text}; its trend could not be tested"
    return f"{text} (tau {signed(row['tau'])}, p {p_text(row['p'])})"


def sensitivity(analysis: Analysis) -> list[str]:
    """Of `figures.sensitivity_surface`."""
    summary = summarise_sensitivity(analysis.sensitivity, analysis.settings.alpha)
    return [
        f"{indicator_name(str(row['indicator']))} of "
        f"{analysis.series.short_label(str(row['metric']))}: the median tau is "
        f"{signed(row['median_tau'])}, and p is at most {analysis.settings.alpha:g} in "
        f"{100 * row['share_below_alpha']:.0f} % of {row['settings']} settings."
        for row in summary.to_dict("records")
    ]


def correlations(analysis: Analysis) -> list[str]:
    """Of `figures.correlations`."""
    lines: list[str] = []
    for metric in shown_metrics(analysis):
        own = autocorrelation(analysis, metric)
        if own.empty:
            continue
        lines.append(
            f"{analysis.series.short_label(metric)} has a correlation of "
            f"{number(own['middle'].iloc[0], 2)} with itself one step before."
        )
        rain = rain_lags(analysis, metric)
        if len(rain) and rain["middle"].notna().any():
            best = rain.iloc[int(rain["middle"].abs().argmax())]
            beyond = not best["null_low"] <= best["middle"] <= best["null_high"]
            lines.append(
                f"Its largest correlation with rain is {number(best['middle'], 2)}, "
                f"{best['lag']:.0f} steps before, {'beyond' if beyond else 'within'} what chance "
                "gives."
            )
    return lines


def spatial(analysis: Analysis) -> list[str]:
    """Of `figures.spatial_signals`."""
    lines: list[str] = []
    values = analysis.snapshots.values
    trends = analysis.snapshots.trends
    for name, table in values[values["value"].notna()].groupby("indicator", sort=False):
        first, last = ends(table["date"], table["value"])
        valid = int(table["valid"].astype(bool).sum())
        text = (
            f"{indicator_name(str(name))}: median {number(first)} in the first year and "
            f"{number(last)} in the last; it applies at {valid} of {len(table)} dates"
        )
        row = trends[trends["indicator"] == name]
        if len(row) and np.isfinite(row["tau"].iloc[0]):
            text += f"; tau {signed(row['tau'].iloc[0])}, p {p_text(row['p'].iloc[0])}"
        lines.append(f"{text}.")
    return lines


def spectrum(analysis: Analysis) -> list[str]:
    """Of `figures.radial_spectra`."""
    lines: list[str] = []
    for name, power in year_spectra(analysis).items():
        peak = float(power.index[int(power.argmax())])
        lines.append(
            f"In the {name} power is highest, {number(power.max(), 2)} times that of white noise, "
            f"at a wavelength of {SIZE / peak:.0f} pixels."
            if name != "all dates"
            else f"Power is highest, {number(power.max(), 2)} times that of white noise, at a "
            f"wavelength of {SIZE / peak:.0f} pixels."
        )
    return lines


def patches(analysis: Analysis) -> list[str]:
    """Of `figures.patch_weights`."""
    lines: list[str] = []
    table = analysis.snapshots.laws
    for part, rows in table[table["aic_weight"].notna()].groupby("part", sort=False):
        best = rows.iloc[int(rows["aic_weight"].argmax())]
        lines.append(
            f"{str(part).capitalize()}: of {best['patches']:.0f} patches, the law that fits best "
            f"is {LAW_NAMES.get(best['law'], best['law']).lower()} (weight "
            f"{best['aic_weight']:.2f})."
        )
    return lines


def maps(analysis: Analysis) -> list[str]:
    """Of `figures.chip_maps`."""
    lines: list[str] = []
    earlier = of_earlier_version(analysis)
    memory = "AR(1) has a tau of" if earlier else "AR(1) changes over the record by"
    for metric in shown_metrics(analysis):
        for table, what in (
            (slope_map(analysis, metric), "the level changes per year by"),
            (memory_map(analysis, metric), memory),
        ):
            known = table["value"].dropna()
            if known.empty:
                continue
            sure = int((table["q"] <= analysis.settings.alpha).sum())
            lines.append(
                f"{analysis.series.short_label(metric)}: {what} {number(known.min(), 2)} to "
                f"{number(known.max(), 2)}; corrected p is at most {analysis.settings.alpha:g} in "
                f"{sure} of {len(known)} chips."
            )
    return lines
