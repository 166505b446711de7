"""Figures of many places, along their rainfall."""

from __future__ import annotations

from collections.abc import Mapping

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
_TESTS = (("ar1", "AR(1)"), ("variance", "Variance"))


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
    memory = sites.tests[sites.tests["indicator"].isin([name for name, _ in _TESTS])]
    if memory["effect"].notna().any():
        figures["trends_along_rainfall"] = _trends(memory, sites.declared, alpha)
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


def _trends(tests: pd.DataFrame, declared: Mapping[str, Metric], alpha: float) -> Figure:
    metrics = tests["metric"].drop_duplicates().tolist()
    figure, axes = _figure(len(metrics), len(_TESTS))
    for row, metric in enumerate(metrics):
        for column, (name, label) in enumerate(_TESTS):
            part = tests[(tests["metric"] == metric) & (tests["indicator"] == name)]
            _panel(axes[row, column], part[part["effect"].notna()], alpha)
            title = f"{label} of {short_label(declared, metric)}"
            axes[row, column].set_title(title, fontsize="medium")
    for axis in axes[:, 0]:
        axis.set_ylabel("Trend (Kendall's tau)")
    for axis in axes[-1]:
        axis.set_xlabel("Rain (mm per year)")
    axes[0, 0].legend(fontsize="small", loc="lower right")
    return figure


def _panel(axis: Axes, part: pd.DataFrame, alpha: float) -> None:
    """Tau with the quartiles over chips; a mark for what is left after correction."""
    rain = _rain(part)
    axis.axhline(0, color=DARK, linewidth=0.8)
    axis.vlines(rain, part["low"], part["high"], color=GREY, linewidth=1.5)
    for marker, colour, label, chosen in (
        ("o", GREY, f"p > {alpha:g}", ~(part["p"] <= alpha)),
        ("s", BLUE, f"p ≤ {alpha:g}", (part["p"] <= alpha) & ~(part["q"] <= alpha)),
        ("^", ORANGE, f"q ≤ {alpha:g} over places", part["q"] <= alpha),
    ):
        axis.plot(rain[chosen.to_numpy()], part["effect"][chosen], marker, color=colour,
                  markeredgecolor=DARK, markersize=6, label=label)  # fmt: skip
    axis.set_ylim(-1.05, 1.05)
    axis.grid(alpha=0.3)


def _rain(part: pd.DataFrame) -> np.ndarray:
    known = part["rain_mm_per_year"].to_numpy(np.float64)
    low = np.nanmin(known) if np.isfinite(known).any() else 0.0
    high = np.nanmax(known) if np.isfinite(known).any() else 1.0
    return np.where(np.isfinite(known), known, low - 0.05 * max(high - low, 1.0))
