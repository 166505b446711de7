"""Memory of the vegetation, and its answer to rain: auto- and cross-correlation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.style import (
    DARK,
    MIDDLE,
    band,
    metric_colour,
    middle_label,
    panels,
    shown_metrics,
    styled,
)
from pyveg.kernels.recovery import cross_correlation

LONGEST_LAG = 12


@styled
def correlations(analysis: Analysis) -> Figure | None:
    """Correlation of each metric with itself (left) and with the rain (right) some steps before.

    Dots are medians over chips, lines their quartiles. Grey on the left: 95 % of series without
    memory, for one chip with as many pairs (1.96 / sqrt(pairs)). Grey on the right: the middle 95 %
    of surrogates.

    Returns
    -------
    Figure or None
        None where no series could be taken apart.
    """
    own = {metric: autocorrelation(analysis, metric) for metric in shown_metrics(analysis)}
    own = {metric: table for metric, table in own.items() if len(table)}
    if not own:
        return None
    rain = {metric: rain_lags(analysis, metric) for metric in own}
    columns = 1 + any(len(table) for table in rain.values())
    figure, axes = panels(len(own), columns, height=1.3, gap=0.5, bottom=0.45)
    for row, (metric, table) in zip(axes, own.items(), strict=True):
        colour, name = metric_colour(analysis, metric), analysis.series.short_label(metric)
        _draw_lags(row[0], table, colour)
        row[0].set_title(f"{name} with itself")
        if columns == 2 and len(rain[metric]):
            _draw_lags(row[1], rain[metric], colour)
            row[1].set_title(f"{name} with the rain before")
        elif columns == 2:
            row[1].remove()
    for axis in figure.axes[-columns:]:
        axis.set_xlabel("steps before")
    shown = middle_label(analysis, list(own))
    dots = f"{shown}, and quartiles" if shown == "median of the chips" else shown
    handles = [
        Line2D([], [], color=DARK, marker="o", label=dots),
        Patch(color=MIDDLE, alpha=0.3, linewidth=0, label="95 % by chance"),
    ]
    figure.legend(handles=handles, loc="upper left", ncols=2, borderaxespad=0.2)
    return figure


def autocorrelation(analysis: Analysis, metric: str) -> pd.DataFrame:
    """Correlation of residuals with those some steps before, over the chips.

    Returns
    -------
    DataFrame
        `lag`, `middle`, `low`, `high` (quartiles over chips), `null_low`, `null_high`; no rows
        where nothing could be taken apart.
    """
    parts = analysis.temporal.parts
    mine = parts[(parts["metric"] == metric) & parts["residual"].notna()]
    if mine.empty:
        return pd.DataFrame()
    table = parts[parts["metric"] == metric].pivot(index="chip", columns="step", values="residual")
    residuals = table.dropna(how="all").to_numpy(np.float64)
    lags = min(LONGEST_LAG, residuals.shape[1] // 3)
    found = np.array([cross_correlation(row, row, lags) for row in residuals])
    known = np.isfinite(residuals)
    pairs = [np.median((known[:, lag:] & known[:, : known.shape[1] - lag]).sum(axis=1))
             for lag in range(lags + 1)]  # fmt: skip
    limit = 1.96 / np.sqrt(np.maximum(pairs, 1))
    rows = _quartiles(found).assign(null_low=-limit, null_high=limit)
    return rows[rows["lag"] > 0].reset_index(drop=True)


def rain_lags(analysis: Analysis, metric: str) -> pd.DataFrame:
    """Correlation with the rain some steps before, over the chips; columns as `autocorrelation`."""
    table = analysis.rain
    if table.empty:
        return pd.DataFrame()
    mine = table[(table["metric"] == metric) & table["correlation"].notna()]
    if mine.empty:
        return pd.DataFrame()
    wide = mine.pivot(index="chip", columns="lag", values="correlation").to_numpy(np.float64)
    null = mine.groupby("lag")[["null_low", "null_high"]].median()
    return _quartiles(wide).assign(
        null_low=null["null_low"].to_numpy(), null_high=null["null_high"].to_numpy()
    )


def _quartiles(correlations: NDArray[np.float64]) -> pd.DataFrame:
    rows = []
    for lag, column in enumerate(correlations.T):
        known = column[np.isfinite(column)]
        low, middle, high = np.quantile(known, [0.25, 0.5, 0.75]) if known.size else [math.nan] * 3
        rows.append({"lag": lag, "low": low, "middle": middle, "high": high})
    return pd.DataFrame(rows)


def _draw_lags(axis: Axes, table: pd.DataFrame, colour: str) -> None:
    lags = table["lag"]
    band(axis, lags, table["null_low"], table["null_high"], color=MIDDLE, alpha=0.3)
    axis.axhline(0, color=MIDDLE, linewidth=0.6)
    axis.vlines(lags, table["low"], table["high"], color=colour, linewidth=1)
    axis.plot(lags, table["middle"], "o", color=colour, markersize=4)
    axis.set_ylabel("correlation")
    axis.set_xticks(lags.to_list())
