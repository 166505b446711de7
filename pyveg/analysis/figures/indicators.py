"""Indicators over time beside what stable series do, without the weather, and over settings."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from pyveg.analysis.agreement import counts_as_warning
from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.style import (
    DARK,
    MAP,
    MIDDLE,
    PALE,
    band,
    dated,
    indicator_name,
    line,
    metric_colour,
    of_region,
    p_text,
    panels,
    shown_indicators,
    shown_metrics,
    signed,
    styled,
)
from pyveg.analysis.settings import TWINS
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.surrogate_tests import SITE

UNITS = {"restoring_rate": " (per year)", "valid_share": "", "outliers": " (in a window)"}
CONTROLLED = ("ar1", "variance")
_SCALED = ("variance", "sd", "cv")
_WINDOW_PANELS = {"valid_share": "Share of valid steps", "outliers": "Outliers"}


def site_curve(temporal: Temporal, metric: str, indicator: str) -> pd.DataFrame:
    """An indicator of the site over time, in order; no rows where there is none."""
    table = temporal.indicators
    mine = (table["metric"] == metric) & (table["indicator"] == indicator) & (table["chip"] == SITE)
    return table[mine].sort_values("step", kind="stable", ignore_index=True)


def site_trend(temporal: Temporal, metric: str, indicator: str) -> pd.Series:
    """The row of the site's trend; empty where there is none."""
    table = temporal.trends
    mine = (table["metric"] == metric) & (table["indicator"] == indicator) & (table["chip"] == SITE)
    return table[mine].iloc[0] if mine.any() else pd.Series(dtype=object)


@styled
def indicator_panels(analysis: Analysis, metric: str) -> Figure | None:
    """Every indicator of a metric over time, with the surrogates' 5, 50 and 95 %.

    The last panels show the share of valid steps, and outliers if there are any, in each window:
    where they change, they alone can move an indicator. What is tested is the trend. Surrogates of
    variance, SD and CV are drawn at the site's mean level.

    Returns
    -------
    Figure or None
        None where the metric could not be tested.
    """
    names = shown_indicators(analysis)
    wanted = (*names, *_WINDOW_PANELS)
    curves = {name: site_curve(analysis.temporal, metric, name) for name in wanted}
    shown = {name: curve for name, curve in curves.items() if curve["value"].notna().any()}
    # The median may be 0 in every window where a quarter of the chips have some.
    if "outliers" in shown and not shown["outliers"][["value", "high"]].gt(0).any(axis=None):
        del shown["outliers"]
    if not set(shown) & set(names):
        return None
    figure, axes = panels((len(shown) + 1) // 2, 2, height=1.0, gap=0.68, top=0.68)
    for axis, (name, curve) in zip(axes.ravel(), shown.items(), strict=False):
        if name in _WINDOW_PANELS:
            band(axis, curve["date"], curve["low"], curve["high"], color=DARK)
            line(axis, curve["date"], curve["value"], color=DARK)
            axis.set_title(f"{_WINDOW_PANELS[name]}{UNITS[name]}")
        else:
            _draw_indicator(axis, curve, metric_colour(analysis, metric), name)
            title = _title(analysis.temporal, metric, name)
            axis.set_title(title + _q_text(analysis, metric, name))
        dated(axis, pd.DatetimeIndex(curve["date"]))
    for axis in axes.ravel()[len(shown) :]:
        axis.remove()
    _legend(figure, metric_colour(analysis, metric), of_chips=not of_region(analysis, [metric]))
    return figure


def _draw_indicator(axis: Axes, curve: pd.DataFrame, colour: str, name: str) -> None:
    dates, scale = curve["date"], _null_scale(curve, name)
    low, high = scale * curve["null_low"], scale * curve["null_high"]
    band(axis, dates, low, high, color=MIDDLE, alpha=0.3)
    line(axis, dates, scale * curve["null_middle"], color=MIDDLE, linestyle=":", label="surrogates")
    band(axis, dates, curve["low"], curve["high"], color=colour, alpha=0.22)
    line(axis, dates, curve["value"], color=colour, linewidth=1.6, label="site")


def _null_scale(curve: pd.DataFrame, name: str) -> float:
    """What brings surrogates to the site's mean level: ranks, and so tests, know no level."""
    level = float(curve["null_middle"].mean())
    return float(curve["value"].mean()) / level if name in _SCALED and level > 0 else 1.0


def _title(temporal: Temporal, metric: str, name: str) -> str:
    row = site_trend(temporal, metric, name)
    text = f"{indicator_name(name)}{UNITS.get(name, '')}"
    if row.empty or not np.isfinite(row["tau"]):
        return f"{text}\nnot tested"
    return f"{text}\ntau {signed(row['tau'])}, p {p_text(row['p'])}"


def _q_text(analysis: Analysis, metric: str, name: str) -> str:
    """Corrected over the agreement table, which holds all that is tested of the place."""
    table = analysis.agreement[counts_as_warning(analysis.agreement)]
    mine = (table["metric"] == metric) & (table["indicator"] == name) & table["q"].notna()
    return f", q {p_text(table.loc[mine, 'q'].iloc[0])}" if mine.any() else ""


def _legend(figure: Figure, colour: str, *, of_chips: bool) -> None:
    site = Line2D([], [], color=colour, linewidth=1.6, label="site" if of_chips else "whole region")
    chips = Patch(color=colour, alpha=0.22, linewidth=0, label="middle half of the chips")
    handles = [
        site,
        *([chips] if of_chips else []),
        Line2D([], [], color=MIDDLE, linestyle=":", label="surrogates, median"),
        Patch(color=MIDDLE, alpha=0.3, linewidth=0, label="surrogates, 5 to 95 %"),
    ]
    figure.legend(handles=handles, loc="upper left", ncols=4, borderaxespad=0.2)


@styled
def climate_panels(analysis: Analysis) -> Figure | None:
    """AR(1) and variance as they are (left) and without the weather's part (right).

    Returns
    -------
    Figure or None
        None where the weather could not be taken away, or nothing could be tested.
    """
    without = analysis.climate.temporal
    if without is None:
        return None
    pairs = [
        (metric, name)
        for metric in shown_metrics(analysis)
        for name in CONTROLLED
        if site_curve(analysis.temporal, metric, name)["value"].notna().any()
    ]
    if not pairs:
        return None
    figure, axes = panels(len(pairs), 2, height=1.05, gap=0.68, top=0.68, sharey="row")
    for row, (metric, name) in zip(axes, pairs, strict=True):
        for axis, temporal, kind in zip(
            row, (analysis.temporal, without), ("as it is", "without the weather"), strict=True
        ):
            curve = site_curve(temporal, metric, name)
            _draw_indicator(axis, curve, metric_colour(analysis, metric), name)
            what = _title(temporal, metric, name).replace("\n", ": ")
            axis.set_title(f"{analysis.series.short_label(metric)}, {kind}\n{what}")
            dated(axis, pd.DatetimeIndex(curve["date"]))
            axis.tick_params(labelleft=True)
    _legend(figure, DARK, of_chips=not of_region(analysis, [metric for metric, _ in pairs]))
    return figure


@styled
def sensitivity_surface(analysis: Analysis) -> Figure | None:
    """Tau over window and bandwidth, as colour and number; framed where p is small.

    Returns
    -------
    Figure or None
        None where no setting could be tested.
    """
    table = analysis.sensitivity
    known = table[table["tau"].notna()] if len(table) else table
    if known.empty:
        return None
    metrics = known["metric"].drop_duplicates().tolist()
    wanted = [name for name in analysis.settings.indicators if name not in TWINS]
    pairs = [
        (metric, name)
        for metric in metrics
        for name in wanted
        if ((known["metric"] == metric) & (known["indicator"] == name)).any()
    ]
    if not pairs:
        return None
    figure, axes = panels(
        (len(pairs) + 2) // 3, 3, height=1.3, gap=0.85, aside=0.62, top=0.8, bottom=0.45
    )
    for axis, (metric, name) in zip(axes.ravel(), pairs, strict=False):
        mine = table[(table["metric"] == metric) & (table["indicator"] == name)]
        _draw_surface(axis, mine, analysis.settings.alpha)
        axis.set_title(f"{analysis.series.short_label(metric)}\n{indicator_name(name)}")
    for axis in axes.ravel()[len(pairs) :]:
        axis.remove()
    for axis in axes.ravel()[: len(pairs)]:
        axis.set_ylabel("bandwidth")
        axis.set_xlabel("window")
    handles = [
        Patch(facecolor="white", edgecolor="black", linewidth=1.4,
              label=f"framed: p at most {analysis.settings.alpha:g}"),
        Patch(facecolor=PALE, linewidth=0, label="could not be tested"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="upper left", ncols=2, borderaxespad=0.2,
                  title="Kendall's tau of the indicator: dark falls, light rises")  # fmt: skip
    return figure


def _draw_surface(axis: Axes, table: pd.DataFrame, alpha: float) -> None:
    tau = table.pivot(index="bandwidth", columns="window", values="tau")
    p = table.pivot(index="bandwidth", columns="window", values="p").to_numpy()
    axis.set_facecolor(PALE)
    axis.imshow(tau, cmap=MAP, vmin=-1, vmax=1, aspect="auto", origin="lower")
    for (row, column), value in np.ndenumerate(tau.to_numpy()):
        if not np.isfinite(value):
            continue
        ink = "black" if value > 0 else "white"
        axis.text(
            column,
            row,
            f"{round(value, 1) + 0:+.1f}",
            ha="center",
            va="center",
            color=ink,
            fontsize=6.5,
        )
        if p[row, column] <= alpha:
            frame = Rectangle((column - 0.44, row - 0.44), 0.88, 0.88, fill=False, linewidth=1.4,
                              edgecolor=ink)  # fmt: skip
            axis.add_patch(frame)
    axis.set_xticks(range(tau.shape[1]), [f"{100 * one:.0f} %" for one in tau.columns])
    axis.set_yticks(range(tau.shape[0]), [f"{100 * one:.0f} %" for one in tau.index])
    axis.tick_params(length=0, labelsize=6.5)
