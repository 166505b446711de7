"""Figures of many places, along their rainfall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pyveg.analysis.data.labels import short_label
from pyveg.analysis.sites import Sites
from pyveg.earth.metrics import Metric

DARK, BLUE, ORANGE, GREY = "#222222", "#0077BB", "#EE7733", "#BBBBBB"
"""Of Paul Tol's vibrant palette, which colour-blind people tell apart."""
_TESTS = (("ar1", "AR(1)", "Trend (Kendall's tau)"), ("variance", "Variance", ""))
_MEMORY = (("phi_trend", "Change of memory", "t"), ("noise_trend", "Growth of noise", "factor"))
"""Indicators, their names, and what their axes show."""


def site_figures(sites: Sites, alpha: float = 0.05) -> dict[str, Figure]:
    """Figures by name: the state of places, and the trends of their indicators, along rainfall.

    Places without weather stand at the left edge, beside the axis. There is no figure without
    numbers.
    """
    if sites.sites.empty:
        return {}
    figures = {}
    state = {
        **{name: metric.label.replace(" (", "\n(") for name, metric in sites.means.items()},
        **{name: f"Trend of {short_label(sites.declared, metric.name)}\n(Kendall's tau)"
           for name, metric in sites.trends.items()},
    }  # fmt: skip
    state = {name: label for name, label in state.items() if sites.sites[name].notna().any()}
    if state:
        figures["state_along_rainfall"] = _state(sites.sites, state)
    for file, columns in (("trends", _TESTS), ("memory", _MEMORY)):
        tests = sites.tests[sites.tests["indicator"].isin([name for name, *_ in columns])]
        if tests["effect"].notna().any():
            made = _trends(tests, columns, sites.declared, alpha)
            figures[f"{file}_along_rainfall"] = made
    return figures


def _figure(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(4.2 * columns, 2.6 * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, sharex=True)


def _state(sites: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """A panel for each of some columns."""
    figure, axes = _figure(len(labels), 1)
    for axis, (name, label) in zip(axes[:, 0], labels.items(), strict=True):
        known = sites[sites[name].notna()]
        axis.plot(_rain(known), known[name], "o", color=BLUE, markersize=5)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[-1, 0].set_xlabel("Rain (mm per year)")
    figure.suptitle(f"{len(sites)} places")
    return figure


def _trends(
    tests: pd.DataFrame,
    columns: Sequence[tuple[str, str, str]],
    declared: Mapping[str, Metric],
    alpha: float,
) -> Figure:
    """A row of panels for each metric, a column for each indicator."""
    metrics = tests["metric"].drop_duplicates().tolist()
    figure, axes = _figure(len(metrics), len(columns))
    for row, metric in enumerate(metrics):
        for column, (name, label, effect) in enumerate(columns):
            part = tests[(tests["metric"] == metric) & (tests["indicator"] == name)]
            _panel(axes[row, column], part[part["effect"].notna()], alpha)
            title = f"{label} of {short_label(declared, metric)}"
            axes[row, column].set_title(title, fontsize="medium")
            axes[row, column].set_ylabel(effect)
    for axis in axes[-1]:
        axis.set_xlabel("Rain (mm per year)")
    axes[0, 0].legend(fontsize="small", loc="lower right")
    return figure


def _panel(axis: Axes, part: pd.DataFrame, alpha: float) -> None:
    """Effects with `low` and `high`; a mark for what is left after correction."""
    rain = _rain(part)
    statistic = part["statistic"].iloc[0] if len(part) else "tau"
    axis.axhline(1 if statistic == "factor" else 0, color=DARK, linewidth=0.8)
    axis.vlines(rain, part["low"], part["high"], color=GREY, linewidth=1.5)
    for marker, colour, label, chosen in (
        ("o", GREY, f"p > {alpha:g}", ~(part["p"] <= alpha)),
        ("s", BLUE, f"p ≤ {alpha:g}", (part["p"] <= alpha) & ~(part["q"] <= alpha)),
        ("^", ORANGE, f"q ≤ {alpha:g} over places", part["q"] <= alpha),
    ):
        axis.plot(rain[chosen.to_numpy()], part["effect"][chosen], marker, color=colour,
                  markeredgecolor=DARK, markersize=6, label=label)  # fmt: skip
    if statistic == "tau":
        axis.set_ylim(-1.05, 1.05)
    axis.grid(alpha=0.3)


def _rain(part: pd.DataFrame) -> np.ndarray:
    known = part["rain_mm_per_year"].to_numpy(np.float64)
    low = np.nanmin(known) if np.isfinite(known).any() else 0.0
    high = np.nanmax(known) if np.isfinite(known).any() else 1.0
    return np.where(np.isfinite(known), known, low - 0.05 * max(high - low, 1.0))
