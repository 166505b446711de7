"""What the images say: spatial signals over time, the radial spectrum, laws of patch sizes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.colours import BLUE, PURPLE
from pyveg.analysis.figures.style import (
    DARK,
    MIDDLE,
    ONE_PANEL,
    band,
    dated,
    indicator_name,
    p_text,
    panels,
    signed,
    styled,
)
from pyveg.earth.chips import SIZE

LAW_NAMES = {
    "power_law": "Power law",
    "truncated_power_law": "Truncated power law",
    "lognormal": "Log-normal",
    "exponential": "Exponential",
}
_WAVES = (2, 5, 10, 25)
"""Waves along a chip that the upper axis names the length of."""
_UNITS = {"wavelength": " (pixels)", "patch_mean": " (pixels)"}


@styled
def spatial_signals(analysis: Analysis) -> Figure | None:
    """Each spatial signal over time; open grey marks where the pattern forbids its use.

    Returns
    -------
    Figure or None
        None where no image was measured.
    """
    values = analysis.snapshots.values
    known = values[values["value"].notna()]
    names = known["indicator"].drop_duplicates().tolist()
    if not names:
        return None
    figure, axes = panels((len(names) + 1) // 2, 2, height=1.0, gap=0.68, top=0.68)
    dates = pd.DatetimeIndex(values["date"].drop_duplicates()).sort_values()
    days = 30.0 if analysis.series.axis is None else analysis.series.axis.days
    for axis, name in zip(axes.ravel(), names, strict=False):
        table = values[values["indicator"] == name].set_index("date").sort_index()
        _draw_signal(axis, table, days)
        axis.set_title(_signal_title(analysis.snapshots.trends, name))
        dated(axis, dates)
    for axis in axes.ravel()[len(names) :]:
        axis.remove()
    handles = [
        Line2D([], [], color=BLUE, marker="o", label="median and middle half of the chips"),
        Line2D([], [], color=MIDDLE, marker="o", fillstyle="none", linestyle="",
               label="does not apply to this kind of pattern"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="upper left", ncols=2, borderaxespad=0.2)
    return figure


def _draw_signal(axis: Axes, table: pd.DataFrame, days: float) -> None:
    valid = table["valid"].astype(bool)
    whole = _with_gaps(table, days)
    usable = whole["valid"].eq(True)
    band(axis, whole.index, whole["low"].where(usable), whole["high"].where(usable), color=BLUE)
    axis.plot(whole.index, whole["value"].astype(float), color=MIDDLE, linewidth=0.6)
    axis.plot(whole.index, whole["value"].where(usable).astype(float), color=BLUE)
    axis.plot(table.index[valid], table.loc[valid, "value"], "o", color=BLUE, label="valid")
    axis.plot(table.index[~valid], table.loc[~valid, "value"], "o", color=MIDDLE, fillstyle="none",
              markeredgewidth=0.7, label="not valid")  # fmt: skip


def _with_gaps(table: pd.DataFrame, days: float) -> pd.DataFrame:
    """Put an empty row where a step is missing, so that lines break there."""
    step = pd.Timedelta(days=days)
    after = [
        first + step / 2
        for first, second in zip(table.index[:-1], table.index[1:], strict=True)
        if second - first > 1.6 * step
    ]
    columns = table[["value", "low", "high", "valid"]].astype({"valid": object})
    return columns.reindex(table.index.union(pd.DatetimeIndex(after)))


def _signal_title(trends: pd.DataFrame, name: str) -> str:
    text = f"{indicator_name(name)}{_UNITS.get(name, '')}"
    rows = trends[trends["indicator"] == name]
    if rows.empty or not np.isfinite(rows["tau"].iloc[0]):
        return f"{text}\nnot tested"
    row = rows.iloc[0]
    rule = "" if row["valid"] else ", does not apply"
    return f"{text}\ntau {signed(row['tau'])}, p {p_text(row['p'])}{rule}"


def year_spectra(analysis: Analysis) -> pd.DataFrame:
    """Median radial spectrum of the first and the last year of images.

    Returns
    -------
    DataFrame
        By `wavenumber`, columns "first year" and "last year", in units of white noise; one column,
        "all dates", where the images span less than two years; empty without images.
    """
    table = analysis.snapshots.spectra
    if table.empty or table["power"].isna().all():
        return pd.DataFrame()
    year = pd.Timedelta(days=365)
    first, last = table["date"].min(), table["date"].max()
    parts = {"all dates": table}
    if last - first >= 2 * year:
        parts = {
            "first year": table[table["date"] < first + year],
            "last year": table[table["date"] > last - year],
        }
    return pd.DataFrame(
        {name: part.groupby("wavenumber")["power"].median() for name, part in parts.items()}
    )


@styled
def radial_spectra(analysis: Analysis) -> Figure | None:
    """Power of the images by wavelength, first and last year.

    Returns
    -------
    Figure or None
        None without images.
    """
    table = year_spectra(analysis)
    if table.empty:
        return None
    figure, axes = panels(1, height=1.8, top=1.0, bottom=0.45, wide=ONE_PANEL)
    axis = axes[0, 0]
    styles = (("--", PURPLE), ("-", BLUE))[-len(table.columns) :]
    for (name, power), (style, colour) in zip(table.items(), styles, strict=True):
        axis.plot(table.index, power, style, color=colour, label=str(name))
    axis.axhline(1, color=MIDDLE, linewidth=0.8, linestyle=":", label="no pattern (white noise)")
    axis.set_yscale("log")
    axis.set_xlim(0.5, table.index.max())
    axis.set_xticks([1, 5, 10, 15, 20, 25])
    axis.set_xlabel("waves along the side of a chip")
    axis.set_ylabel("power")
    other = axis.secondary_xaxis("top")
    other.set_ticks(list(_WAVES), [f"{SIZE / one:.0f}" for one in _WAVES])
    other.set_xlabel("wavelength (pixels)")
    figure.legend(loc="upper left", ncols=1, borderaxespad=0.2)
    return figure


@styled
def patch_weights(analysis: Analysis) -> Figure | None:
    """Akaike weights of the laws of patch sizes, in the first and the last year.

    Returns
    -------
    Figure or None
        None where no law could be fitted.
    """
    table = analysis.snapshots.laws
    known = table[table["aic_weight"].notna()] if len(table) else table
    if known.empty:
        return None
    parts = known["part"].drop_duplicates().tolist()
    laws = [name for name in LAW_NAMES if (known["law"] == name).any()]
    figure, axes = panels(1, height=1.7, left=1.25, top=0.42, bottom=0.45, wide=ONE_PANEL)
    axis = axes[0, 0]
    for number, (part, colour) in enumerate(zip(parts, (PURPLE, BLUE), strict=False)):
        mine = known[known["part"] == part].set_index("law")["aic_weight"].reindex(laws)
        places = np.arange(len(laws)) + (number - (len(parts) - 1) / 2) * 0.38
        bars = axis.barh(
            places, mine.fillna(0), height=0.34, color=colour, label=part, linewidth=0,
            hatch="" if number else "//", edgecolor="white",
        )  # fmt: skip
        axis.bar_label(bars, [f"{one:.2f}" if np.isfinite(one) else "no fit" for one in mine],
                       padding=2, fontsize=7, color=DARK)  # fmt: skip
    axis.set_yticks(range(len(laws)), [LAW_NAMES[name] for name in laws])
    axis.invert_yaxis()
    axis.set_xlim(0, 1.1)
    axis.set_xlabel("Akaike weight: how well it fits, of 1 for all")
    figure.legend(*axis.get_legend_handles_labels(), loc="upper left", ncols=2, borderaxespad=0.2)
    return figure
