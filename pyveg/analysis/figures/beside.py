"""What other collections of a place have measured, on one axis of time with what is tested."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.data.series import site_table
from pyveg.analysis.figures.style import (
    DARK,
    PALE,
    band,
    dated,
    line,
    metric_colour,
    panels,
    shade_gaps,
    shown_metrics,
    styled,
)


@styled
def others_beside(analysis: Analysis) -> Figure | None:
    """Each tested metric, and below each metric of other collections, from first to last date.

    Returns
    -------
    Figure or None
        None where the place has no other collection, or there are no values.
    """
    own, others = shown_metrics(analysis), _others(analysis)
    if not own or not others:
        return None
    shown = [
        *((_title(analysis, name), site_table(analysis.series, name)) for name in own),
        *others,
    ]
    colours = [*(metric_colour(analysis, name) for name in own), *(DARK for _ in others)]
    known = [pd.DatetimeIndex(table["date"]) for _, table in shown]
    every = pd.DatetimeIndex(known[0].append(known[1:]).unique().sort_values())
    figure, axes = panels(len(shown), height=1.2, gap=0.6, top=0.68)
    rows = zip(axes[:, 0], shown, known, colours, strict=True)
    for axis, (title, table), dates, colour in rows:
        shade_gaps(axis, dates, table["middle"].isna().to_numpy())
        band(axis, dates, table["low"], table["high"], color=colour)
        line(axis, dates, table["middle"], color=colour, marker=".")
        axis.set_title(title)
        dated(axis, every)
    figure.legend(handles=_handles(), loc="upper left", ncols=3, borderaxespad=0.2)
    return figure


def _title(analysis: Analysis, metric: str) -> str:
    return f"{analysis.series.collection}: {analysis.series.label_with_unit(metric)}"


def _others(analysis: Analysis) -> list[tuple[str, pd.DataFrame]]:
    """Title and table of each metric of other collections that has a value."""
    groups = analysis.beside.groupby(["collection", "label"], sort=False)
    return [
        (f"{collection}: {label}", table)
        for (collection, label), table in groups
        if table["middle"].notna().any()
    ]


def _handles() -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=DARK, marker=".", label="median of the chips, or value of the region"),
        Patch(color=DARK, alpha=0.25, linewidth=0, label="middle half of the chips"),
        Patch(color=PALE, linewidth=0, label="no data"),
    ]
