"""Where in the image things change: one square for each chip."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.style import MAP, PALE, panels, shown_metrics, styled
from pyveg.analysis.temporal.surrogate_tests import SITE

MANY = 100
"""Chips from which a map is drawn as pixels, also in SVG."""


@styled
def chip_maps(analysis: Analysis) -> Figure | None:
    """Slope of the level (left) and change of AR(1) (right) of each chip, at its place.

    Chips whose corrected p is at most alpha have a dot. Metrics of the whole region have no map.

    Returns
    -------
    Figure or None
        None where there are fewer than 2 chips with coordinates, or none could be tested.
    """
    shown = [
        (metric, slopes, memory)
        for metric in shown_metrics(analysis)
        for slopes, memory in [(slope_map(analysis, metric), memory_map(analysis, metric))]
        if slopes["value"].notna().any() or memory["value"].notna().any()
    ]
    if not shown or len(chip_places(analysis)) < 2:
        return None
    figure, axes = panels(
        len(shown), 2, height=2.1, gap=0.62, aside=1.2, right=0.7, top=0.62, bottom=0.45
    )
    unit = "tau" if of_earlier_version(analysis) else "over the record"
    for row, (metric, slopes, memory) in zip(axes, shown, strict=True):
        name = analysis.series.short_label(metric)
        _draw(row[0], slopes, _limit(slopes), analysis.settings.alpha, "per year")
        row[0].set_title(f"{name}\nchange of the level")
        _draw(row[1], memory, _limit(memory), analysis.settings.alpha, unit)
        row[1].set_title(f"{name}\nchange of AR(1)")
        row[0].set_ylabel("latitude (°)")
    for axis in axes[-1]:
        axis.set_xlabel("longitude (°)")
    dot = Line2D([], [], color="black", marker="o", linestyle="", markeredgecolor="white",
                 label=f"corrected p at most {analysis.settings.alpha:g}")  # fmt: skip
    figure.legend(handles=[dot], loc="upper left", borderaxespad=0.2)
    return figure


def chip_places(analysis: Analysis) -> pd.DataFrame:
    """Centres of the chips, `longitude` and `latitude` by number; none where not known."""
    table = analysis.series.table
    if not {"longitude", "latitude"} <= set(table.columns):
        return pd.DataFrame(columns=["longitude", "latitude"])
    return table.groupby("chip")[["longitude", "latitude"]].first().dropna().astype(np.float64)


def slope_map(analysis: Analysis, metric: str) -> pd.DataFrame:
    """Slope of the level of each chip per year: `longitude, latitude, value, q`."""
    levels = analysis.levels
    mine = levels[(levels["metric"] == metric) & (levels["chip"] != SITE)]
    return _placed(analysis, mine.set_index("chip"), "slope")


def of_earlier_version(analysis: Analysis) -> bool:
    """Whether the trend of AR(1) itself was not looked at, as in analyses of earlier versions."""
    return analysis.temporal.memory.empty


def memory_map(analysis: Analysis, metric: str) -> pd.DataFrame:
    """Change of AR(1) of each chip over the record: `longitude, latitude, value, q`.

    Of an analysis by an earlier version, which has none, it is `tau_map`.
    """
    if of_earlier_version(analysis):
        return tau_map(analysis, metric)
    memory = analysis.temporal.memory
    mine = memory[(memory["metric"] == metric) & (memory["chip"] != SITE)]
    return _placed(analysis, mine.set_index("chip"), "change")


def tau_map(analysis: Analysis, metric: str) -> pd.DataFrame:
    """Kendall's tau of AR(1) of each chip: `longitude, latitude, value, q`."""
    trends = analysis.temporal.trends
    mine = trends[(trends["metric"] == metric) & (trends["chip"] != SITE)]
    return _placed(analysis, mine[mine["indicator"] == "ar1"].set_index("chip"), "tau")


def _placed(analysis: Analysis, table: pd.DataFrame, column: str) -> pd.DataFrame:
    placed = table[[column, "q"]].rename(columns={column: "value"}).astype(np.float64)
    return chip_places(analysis).join(placed, how="left")


def _limit(table: pd.DataFrame) -> float:
    """Largest value of either sign; 1 where there is none."""
    return float(table["value"].abs().max()) if table["value"].abs().max() > 0 else 1.0


def _side(places: pd.DataFrame, stretch: float) -> float:
    """Usual distance to the nearest chip, degrees of latitude."""
    from scipy.spatial import KDTree

    points = np.column_stack([places["longitude"] * stretch, places["latitude"]])
    spacings = KDTree(points).query(points, k=2)[0][:, 1]
    return float(np.median(spacings)) or 0.001


def _draw(axis: Axes, table: pd.DataFrame, limit: float, alpha: float, label: str) -> None:
    stretch = max(0.05, float(np.cos(np.radians(table["latitude"].mean()))))
    half = _side(table, stretch) / 2
    corners = half * np.array([[-1 / stretch, -1], [1 / stretch, -1], [1 / stretch, 1],
                               [-1 / stretch, 1]])  # fmt: skip
    centres = table[["longitude", "latitude"]].to_numpy()
    known = table["value"].notna().to_numpy()
    squares = centres[:, np.newaxis] + corners
    scale = Normalize(-limit, limit)
    axis.add_collection(
        PolyCollection(list(squares[~known]), facecolors=PALE, edgecolors="face", linewidths=0.3)
    )
    coloured = PolyCollection(
        list(squares[known]), cmap=MAP, norm=scale, edgecolors="face", linewidths=0.3,
        rasterized=bool(known.sum() > MANY),
    )  # fmt: skip
    coloured.set_array(table.loc[known, "value"].to_numpy())
    axis.add_collection(coloured)
    sure = centres[(table["q"] <= alpha).to_numpy()]
    axis.plot(sure[:, 0], sure[:, 1], "o", color="black", markersize=2.6, markeredgecolor="white",
              markeredgewidth=0.4, label="small corrected p")  # fmt: skip
    axis.set_aspect(1 / stretch)
    axis.autoscale_view()
    axis.locator_params(nbins=3)
    axis.ticklabel_format(useOffset=False)
    beside = axis.inset_axes((1.04, 0.0, 0.05, 1.0))
    bar = axis.figure.colorbar(ScalarMappable(scale, MAP), cax=beside)
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.ax.locator_params(nbins=5)
