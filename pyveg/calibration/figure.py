"""Picture of a calibration: false alarms, power, ROC."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pyveg.calibration.operating_characteristics import STABLE, TREND, roc
from pyveg.earth.metrics import installed, metrics_for

COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")
"""Paul Tol's bright palette, which colour-blind people can tell apart."""
MARKS = ("o", "s", "^", "D", "v", "P", "X")
TWINS = ("sd", "restoring_rate")
"""Left out of the picture: the trends of SD and restoring rate are those of variance and AR(1)."""
MEMORY = ("ar1", "variance")
"""Indicators whose ROC is drawn, beside that of the level."""


def skill_figure(rows: pd.DataFrame, summary: pd.DataFrame, alpha: float = 0.05) -> Figure:
    """False alarms of stable places, power for the others, and ROC of the main tests.

    Parameters
    ----------
    rows, summary : DataFrame
        What `pyveg.calibration.operating_characteristics.summarise` takes and gives.
    alpha : float
    """
    shown = summary[~summary["indicator"].isin(TWINS) & (summary["tested"] > 0)]
    names = list(dict.fromkeys(zip(shown["metric"], shown["indicator"], strict=True)))
    others = [name for name in dict.fromkeys(shown["scenario"]) if name != STABLE]
    gaps = sorted(shown["gaps"].unique())
    columns = 1 + len(others)
    figure = Figure(figsize=(3.4 + 2.5 * columns, 4.4 + 0.3 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    halves: Any = figure.subfigures(2, 1, height_ratios=[1.0 + 0.3 * len(names), 3.4])
    upper, lower = halves
    axes = upper.subplots(1, columns, sharey=True, squeeze=False)[0]
    titles = [
        f"False alarms ({STABLE} places)",
        *(f"Power ({name} places)" for name in others),
    ]
    for axis, scenario, title in zip(axes, (STABLE, *others), titles, strict=True):
        part = shown[shown["scenario"] == scenario]
        _rates(axis, part, names, gaps)
        axis.set_title(title, fontsize="medium")
        axis.axvline(100 * alpha, color="black", linewidth=0.8, linestyle="--")
    stable = shown[shown["scenario"] == STABLE]
    if len(stable):
        band = 100 * stable["chance_low"].min(), 100 * stable["chance_high"].max()
        axes[0].axvspan(*band, color="#DDDDDD", zorder=0)
    axes[0].set_yticks(range(len(names)), [f"{one}: {other}" for one, other in names])
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    if names:
        axes[0].legend(fontsize="small", title="gaps", loc="best")
    if others:
        curves = lower.subplots(1, len(others), sharey=True, squeeze=False)[0]
        curves[0].set_ylabel("power (%)")
        for axis, scenario in zip(curves, others, strict=True):
            _curves(axis, rows, scenario, gaps[0])
        handles, labels = curves[0].get_legend_handles_labels()
        if labels:
            lower.legend(handles, labels, loc="outside right center", fontsize="small")
    return figure


def _rates(
    axis: Axes, part: pd.DataFrame, names: list[tuple[str, str]], gaps: Sequence[float]
) -> None:
    for number, share in enumerate(gaps):
        some = part[part["gaps"] == share]
        places = [names.index(key) for key in zip(some["metric"], some["indicator"], strict=True)]
        heights = np.array(places) + 0.22 * (number - (len(gaps) - 1) / 2)
        rate, low, high = (100 * some[name] for name in ("rate", "rate_low", "rate_high"))
        axis.errorbar(
            rate, heights, xerr=[rate - low, high - rate], fmt=MARKS[number % len(MARKS)],
            color=COLOURS[number % len(COLOURS)], markersize=3.5, linewidth=0.9,
            label=f"{100 * share:.0f} %",
        )  # fmt: skip
    axis.set_xlabel("alarms (%)")
    axis.set_xlim(left=0)
    axis.grid(axis="x", alpha=0.3)


def _curves_of(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Tests whose ROC is drawn, with the kind of line: those of memory, then of levels."""
    names = [metric.name for metric in metrics_for(installed(), rows["metric"])]
    kinds = dict(zip(names, itertools.cycle(("-", "--", "-."))))
    memory = [(name, indicator, kinds[name]) for name in names for indicator in MEMORY]
    return [*memory, *((name, TREND, ":") for name in names)]


def _curves(axis: Axes, rows: pd.DataFrame, scenario: str, share: float) -> None:
    some = rows[rows["gaps"] == share]
    for number, (metric, indicator, style) in enumerate(_curves_of(rows)):
        mine = some[(some["metric"] == metric) & (some["indicator"] == indicator)]
        null, group = mine[mine["scenario"] == STABLE], mine[mine["scenario"] == scenario]
        if null.empty or group.empty:
            continue
        x, y = roc(null, group)
        axis.step(
            100 * x, 100 * y, where="post", color=COLOURS[number % len(COLOURS)], linewidth=1.6,
            linestyle=style, label=f"{metric}: {indicator}",
        )  # fmt: skip
    axis.plot([0, 100], [0, 100], color="black", linewidth=0.6)
    axis.set_title(f"ROC, {scenario}, {100 * share:.0f} % gaps", fontsize="medium")
    axis.set_xlabel("false alarms (%)")
    axis.grid(alpha=0.3)


def skill_images(
    rows: pd.DataFrame, summary: pd.DataFrame, alpha: float = 0.05
) -> dict[str, bytes]:
    """`skill_figure` as "png" and "svg"; the same bytes for the same tables."""
    return figure_bytes(skill_figure(rows, summary, alpha))


def figure_bytes(figure: Figure) -> dict[str, bytes]:
    """A figure as "png" and "svg", without dates and names of programs."""
    import matplotlib as mpl

    images = {}
    with mpl.rc_context({"svg.hashsalt": "pyveg"}):
        for kind, about in (("png", {"Software": None}), ("svg", {"Date": None})):
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, dpi=90, metadata=about)
            images[kind] = stream.getvalue()
    return images
