"""Picture of a zoo: how often memory is said to rise, and what else is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pyveg.analysis.states import UNDECIDED
from pyveg.calibration.figure import COLOURS, MARKS, figure_bytes
from pyveg.calibration.zoo.rates import KIND, NOMINAL, RISES
from pyveg.calibration.zoo.situations import SITUATIONS, STEADY

SAID: Mapping[str, tuple[str, str]] = {
    RISES: ("memory rises", "#EE6677"),
    "follows_weather": ("memory follows the weather", "#AA3377"),
    UNDECIDED: ("memory or the weather", "#BBBBBB"),
    "clearer_view": ("AR(1) rises, variance falls", "#CCBB44"),
    "spread_grows": ("noise grows", "#66CCEE"),
    "abrupt_change": ("abrupt change", "#4477AA"),
    "nothing": ("nothing found", "#DDDDDD"),
    "untested": ("not tested", "#FFFFFF"),
}
"""State -> how it is called, and its colour (Paul Tol's bright palette)."""
MOST_KINDS = 2
"""Kinds of records that are drawn: those with the most records."""


def zoo_figure(found: pd.DataFrame) -> Figure:
    """Shares of records by what is said of them, a row per situation.

    Parameters
    ----------
    found : DataFrame
        `ZOO_RATES`. The kinds of record with most records are drawn.
    """
    kinds = _kinds(found)
    parts = [found[(found[KIND] == list(kind)).all(axis=1)] for kind in kinds]
    there = {name for part in parts for name in part["situation"]}
    names = [name for name in SITUATIONS if name in there]
    titles = [_title(kind) for kind in kinds]
    width, height = 6.4 + 2.6 * len(kinds), 1.9 + 0.2 * len(names)
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        1, 1 + len(kinds), sharey=True, squeeze=False, width_ratios=[1.5, *[1.0] * len(kinds)]
    )[0]
    _rises(axes[0], parts, titles, names)
    for axis, part, title in zip(axes[1:], parts, titles, strict=True):
        _bars(axis, part, names)
        axis.set_title(title, fontsize="medium")
    axes[0].set_yticks(range(len(names)), names, fontsize="small")
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    steady = sum(name in STEADY for name in names)
    for axis in axes:
        axis.axhline(steady - 0.5, color="black", linewidth=0.8)
    handles, labels = axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize="small")
    return figure


def zoo_images(found: pd.DataFrame) -> dict[str, bytes]:
    """`zoo_figure` as "png" and "svg"; the same bytes for the same table."""
    return figure_bytes(zoo_figure(found))


def _kinds(found: pd.DataFrame) -> list[tuple[float, ...]]:
    """Those with the most records, in the order of the table."""
    counts = found.groupby(KIND, sort=False)["series"].sum()
    best = counts.sort_values(ascending=False, kind="stable").index[:MOST_KINDS]
    return [kind for kind in counts.index if kind in best]


def _title(kind: Sequence[float]) -> str:
    years, gaps, chips, _ = kind
    of_chips = "one chip" if chips == 1 else f"{chips:.0f} chips"
    return f"{years:g} years, {100 * gaps:.0f} % gaps, {of_chips}"


def _rises(
    axis: Axes, parts: Sequence[pd.DataFrame], titles: Sequence[str], names: Sequence[str]
) -> None:
    """Shares in which memory is said to rise, with their intervals."""
    for number, (part, title) in enumerate(zip(parts, titles, strict=True)):
        rate = part[RISES] / part["series"]
        heights = np.array([names.index(name) for name in part["situation"]], dtype=np.float64)
        axis.errorbar(
            100 * rate, heights + 0.24 * (number - (len(parts) - 1) / 2),
            xerr=[100 * (rate - part["rises_low"]), 100 * (part["rises_high"] - rate)],
            fmt=MARKS[number], color=COLOURS[number], markersize=3.5, linewidth=0.9, label=title,
        )  # fmt: skip
    axis.axvline(100 * NOMINAL, color="black", linewidth=0.8, linestyle="--")
    axis.set_title('"memory rises" (%), 95 % intervals', fontsize="medium")
    axis.set_xlim(left=0)
    axis.grid(axis="x", alpha=0.3)
    axis.legend(fontsize="small", loc="lower right")


def _bars(axis: Axes, part: pd.DataFrame, names: Sequence[str]) -> None:
    """All that is said, side by side."""
    rows = part.set_index("situation").reindex(list(names))
    left = np.zeros(len(names))
    for state, (label, colour) in SAID.items():
        share: Any = (100 * rows[state] / rows["series"]).fillna(0.0).to_numpy()
        if state == "untested" and not share.any():
            continue
        axis.barh(
            range(len(names)), share, left=left, color=colour, label=label, height=0.8,
            edgecolor="black" if state == "untested" else "none", linewidth=0.3,
        )  # fmt: skip
        left += share
    axis.set_xlim(0, 100)
    axis.set_xlabel("records (%)")
