"""What was measured: series with their gaps, the year, and one series taken apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.data.series import PLACE, site_table
from pyveg.analysis.figures.colours import BLUE, RED
from pyveg.analysis.figures.style import (
    DARK,
    MIDDLE,
    PALE,
    band,
    dated,
    line,
    metric_colour,
    middle_label,
    of_region,
    panels,
    shade_gaps,
    shown_metrics,
    styled,
)
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE

YEAR_FROM = 2.0
"""Years from which the mean year of a record is shown: a single one is the series itself."""
HALVES_FROM = 4.0
"""Years from which the mean year of both halves of a record is shown."""
_LETTERS = "JFMAMJJASOND"
_PARTS = ("value", "season", "trend", "residual")


@styled
def series_bands(analysis: Analysis) -> Figure | None:
    """Each metric over time, median and middle half of the chips; rain and temperature.

    Lines break at gaps, which are shaded; flagged values are crosses.

    Returns
    -------
    Figure or None
        None where there are no values.
    """
    metrics, series = shown_metrics(analysis), analysis.series
    weather = [name for name in (PRECIPITATION, TEMPERATURE) if series.weather(name) is not None]
    if series.axis is None or not metrics:
        return None
    count, dates = len(metrics) + len(weather), series.axis.dates
    figure, axes = panels((count + 1) // 2, 2, height=1.35, gap=0.6, top=0.68)
    every = axes.ravel()
    for axis, metric in zip(every, metrics, strict=False):
        _draw_metric(axis, analysis, metric)
    for axis, name in zip(every[len(metrics) : count], weather, strict=True):
        _draw_weather(axis, dates, name, analysis)
    for axis in every[:count]:
        dated(axis, dates)
    for axis in every[count:]:
        axis.remove()
    figure.legend(handles=_handles(analysis, metrics), loc="upper left", ncols=4, borderaxespad=0.2)
    return figure


def _handles(analysis: Analysis, metrics: list[str]) -> list[Line2D | Patch]:
    whole = of_region(analysis, metrics)
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=DARK, marker=".", label=middle_label(analysis, metrics)),
        Patch(color=DARK, alpha=0.25, linewidth=0, label="middle half of the chips"),
        Line2D([], [], color=RED, marker="x", linestyle="",
               label="outlier" if whole else "outlier of a chip"),
        Patch(color=PALE, linewidth=0, label="no data"),
    ]  # fmt: skip
    return [handles[0], *handles[2:]] if whole else handles


def _draw_metric(axis: Axes, analysis: Analysis, metric: str) -> None:
    table = site_table(analysis.series, metric)
    colour = metric_colour(analysis, metric)
    dates = pd.DatetimeIndex(table["date"])
    shade_gaps(axis, dates, table["chips"].to_numpy() == 0)
    band(axis, dates, table["low"], table["high"], color=colour)
    line(axis, dates, table["middle"], color=colour, marker=".", label=metric)
    parts = analysis.temporal.parts
    flagged = parts[(parts["metric"] == metric) & parts["outlier"].astype(bool)]
    axis.plot(flagged["date"], flagged["value"], "x", color=RED, markersize=4, label="outliers",
              rasterized=len(flagged) > 500)  # fmt: skip
    axis.set_title(analysis.series.label_with_unit(metric))


def _draw_weather(axis: Axes, dates: pd.DatetimeIndex, name: str, analysis: Analysis) -> None:
    values = analysis.series.weather(name)
    if values is None:
        return
    shade_gaps(axis, dates, np.isnan(values))
    if name == PRECIPITATION:
        days = 30.0 if analysis.series.axis is None else analysis.series.axis.days
        axis.bar(dates, 1000 * values, width=0.8 * days, color=BLUE, linewidth=0)
        axis.set_title("Rain (mm per step)")
    else:
        line(axis, dates, values - 273.15, color=RED, marker=".")
        axis.set_title("Temperature (°C)")


@styled
def season_cycle(analysis: Analysis) -> Figure | None:
    """The year of each metric: every step's median over the chips, by calendar month.

    In records of 4 years and more the first and the second half are told apart.

    Returns
    -------
    Figure or None
        None where there are no values, steps are half a year or longer, or the record is shorter
        than `YEAR_FROM`.
    """
    metrics, axis_of_time = shown_metrics(analysis), analysis.series.axis
    if axis_of_time is None or not metrics or axis_of_time.period <= 2:
        return None
    if len(axis_of_time) < YEAR_FROM * axis_of_time.period:
        return None
    rows = (len(metrics) + 1) // 2
    figure, axes = panels(rows, 2, height=1.7, gap=0.75, top=0.62, bottom=0.45)
    years = len(axis_of_time) / axis_of_time.period
    for axis, metric in zip(axes.ravel(), metrics, strict=False):
        table = site_table(analysis.series, metric).assign(month=axis_of_time.months_of_year)
        table = table.dropna(subset=["middle"])
        late = (table["step"] >= len(axis_of_time) / 2).to_numpy()
        parts = [("whole record", table, True)]
        if years >= HALVES_FROM:
            parts = [("first half", table[~late], False), ("second half", table[late], True)]
        for label, part, whole in parts:
            _draw_year(axis, part, metric_colour(analysis, metric), label, whole=whole)
        axis.set_title(analysis.series.label_with_unit(metric))
        axis.set_xticks(range(1, 13), list(_LETTERS))
        axis.set_xlabel("month")
    for axis in axes.ravel()[len(metrics) :]:
        axis.remove()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper left", ncols=2, borderaxespad=0.2)
    return figure


def _draw_year(axis: Axes, table: pd.DataFrame, colour: str, label: str, *, whole: bool) -> None:
    """A year as a line with filled dots, or dashed with open ones."""
    month = table["month"]
    middle = table["middle"].groupby(month).median()  # a month that no step meets is no gap
    axis.plot(middle.index, middle, "-" if whole else "--", color=colour, label=f"median, {label}")
    axis.plot(
        month + (0.12 if whole else -0.12), table["middle"], "o", color=colour, alpha=0.5,
        fillstyle="full" if whole else "none", markersize=2.5, markeredgewidth=0.6,
        label=f"single steps, {label}",
    )  # fmt: skip


@styled
def decomposition(analysis: Analysis) -> Figure | None:
    """One chip of each metric taken apart: values, season, trend and residual.

    The chip is the one whose median is in the middle of all that can be tested; a metric of the
    whole region is taken apart itself.

    Returns
    -------
    Figure or None
        None where no chip can be taken apart.
    """
    shown = [(metric, middle_chip(analysis, metric)) for metric in shown_metrics(analysis)]
    pairs = [(metric, chip) for metric, chip in shown if chip is not None]
    if not pairs or analysis.series.axis is None:
        return None
    blocks = (len(pairs) + 1) // 2  # two metrics side by side, the next ones below them
    figure, axes = panels(
        len(_PARTS) * blocks, 2, height=0.95, gap=0.42 if blocks == 1 else 0.62, sharex="col"
    )
    columns = axes.reshape(blocks, len(_PARTS), 2).transpose(0, 2, 1).reshape(-1, len(_PARTS))
    for column, (metric, chip) in zip(columns, pairs, strict=False):
        _draw_parts(column, analysis, metric, chip)
    for axis in columns[len(pairs) :].ravel():
        axis.remove()
    return figure


def _draw_parts(axes: NDArray[Any], analysis: Analysis, metric: str, chip: int) -> None:
    """One series taken apart, from its values down to its residual."""
    table = chip_parts(analysis, metric, chip)
    dates = pd.DatetimeIndex(table["date"])
    missing = table["value"].isna().to_numpy()
    for axis, name in zip(axes, _PARTS, strict=True):
        axis.set_label(metric)  # together they are one panel
        shade_gaps(axis, dates, missing)
        line(axis, dates, table[name], color=metric_colour(analysis, metric))
        axis.set_title(name.capitalize())
    axes[0].set_title(f"{series_name(analysis, metric, chip)}\nValue")
    flagged = table[table["outlier"].astype(bool)]
    axes[0].plot(flagged["date"], flagged["value"], "x", color=RED, markersize=4)
    axes[-1].axhline(0, color=MIDDLE, linewidth=0.6)
    dated(axes[-1], dates)
    axes[-1].tick_params(labelbottom=True)


def middle_chip(analysis: Analysis, metric: str) -> int | None:
    """The chip in the middle of those that were taken apart; None without any.

    `pyveg.analysis.data.series.PLACE` for a metric of the whole region.
    """
    parts = analysis.temporal.parts
    mine = parts[(parts["metric"] == metric) & parts["residual"].notna()]
    medians = mine["value"].groupby(mine["chip"]).median().sort_values(kind="stable")
    return int(medians.index[len(medians) // 2]) if len(medians) else None


def series_name(analysis: Analysis, metric: str, chip: int) -> str:
    """A metric of one chip, or of the whole region, as people write it."""
    label = analysis.series.label(metric)
    return label if chip == PLACE else f"{label}, chip {chip}"


def chip_parts(analysis: Analysis, metric: str, chip: int) -> pd.DataFrame:
    """The parts of one chip, in order of time."""
    parts = analysis.temporal.parts
    mine = parts[(parts["metric"] == metric) & (parts["chip"] == chip)]
    return mine.sort_values("step", kind="stable", ignore_index=True)
