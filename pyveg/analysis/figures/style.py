"""What all figures have in common: size, colours, names, axes of time, files.

Figures are made without pyplot, on an Agg canvas, so they can be made in any thread and process
and leave nothing behind.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from pyveg.analysis.agreement import NAMES
from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.colours import colours_of

Given = ParamSpec("Given")
Got = TypeVar("Got")

WIDTH = 6.4
"""Inches of two panels side by side; the report shows each at about half of this, and more."""
ONE_PANEL = 3.3
"""Inches of a figure with one panel."""
PALE, MIDDLE, DARK = "#E4E4E4", "#8A8A8A", "#333333"
MAP = "cividis"
"""Safe for colour-blind readers, and its lightness rises throughout: it can be read in grey."""
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": False,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.0,
    "text.parse_math": False,  # names of metrics may hold a "$"
    "text.usetex": False,
}
_FILES: Any = {"svg.hashsalt": "pyveg", "svg.fonttype": "path"}


class Saved(NamedTuple):
    """A figure as files; the same bytes for the same figure."""

    png: bytes
    svg: bytes


def styled(draw: Callable[Given, Got]) -> Callable[Given, Got]:
    """Draw in the style of pyveg; the user's own settings of matplotlib stay as they are."""

    @wraps(draw)
    def inner(*args: Given.args, **kwargs: Given.kwargs) -> Got:
        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return inner


def panels(
    rows: int,
    columns: int = 1,
    *,
    height: float = 1.25,
    top: float = 0.45,
    left: float = 0.62,
    right: float = 0.12,
    gap: float = 0.42,
    aside: float = 0.6,
    bottom: float = 0.3,
    wide: float = WIDTH,
    **more: Any,
) -> tuple[Figure, NDArray[Any]]:
    """A figure with a grid of axes; all lengths in inches.

    Parameters
    ----------
    rows, columns : int
    height : float
        Of each panel.
    top, left, right, bottom : float
        Margins.
    gap, aside : float
        Between rows, and between columns.
    wide : float
        Of the whole figure.
    **more
        For `Figure.subplots`.

    Returns
    -------
    Figure, array of Axes, shape (rows, columns)
    """
    whole = top + bottom + rows * height + (rows - 1) * gap
    figure = Figure(figsize=(wide, whole))
    FigureCanvasAgg(figure)
    width = (wide - left - right - (columns - 1) * aside) / columns
    grid = {
        "left": left / wide, "right": 1 - right / wide, "bottom": bottom / whole,
        "top": 1 - top / whole, "hspace": gap / height, "wspace": aside / width,
    }  # fmt: skip
    axes = figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid, **more)
    return figure, axes


def dated(axis: Axes, dates: pd.DatetimeIndex, *, ticks: int = 5) -> None:
    """Label an axis of time, from the first to the last date.

    Years, months or days, whichever tell the dates apart; the ticks of a few dates are the dates.
    """
    if not len(dates):
        return
    first, last = dates[0], dates[-1]
    days = (last - first).days
    places, form = _date_ticks(dates, days, ticks)
    axis.xaxis.set_major_locator(FixedLocator(mdates.date2num(places)))
    axis.xaxis.set_major_formatter(mdates.DateFormatter(form))
    axis.xaxis.set_minor_locator(NullLocator())
    if form == "%d %b":
        axis.set_xlabel(f"{first:%Y}" if first.year == last.year else f"{first:%Y} to {last:%Y}")
    room = max(0.04 * days, 3.0)
    low, high = mdates.date2num(pd.DatetimeIndex([first, last]))
    axis.set_xlim(low - room, high + room)


def _date_ticks(dates: pd.DatetimeIndex, days: int, ticks: int) -> tuple[pd.DatetimeIndex, str]:
    """Where ticks are, and how they are written."""
    first, last = dates[0], dates[-1]
    if days >= 365 * ticks / 2:
        step = math.ceil((days / 365.25 + 0.5) / ticks)
        years = range(first.year, last.year + 1)
        starts = [pd.Timestamp(year, 1, 1) for year in years if year % step == 0]
        inside = [one for one in starts if one >= first - pd.Timedelta(days=30)]
        return pd.DatetimeIndex(inside), "%Y"
    if days >= 45 * ticks:
        months = pd.date_range(first.replace(day=1), last, freq="MS")
        step = math.ceil(len(months) / (ticks - 1))  # these labels are the longest
        return months[::step], "%Y-%m"
    chosen = [first]
    for one in dates[1:]:
        if (one - chosen[-1]).days >= days / ticks:
            chosen.append(one)
    return pd.DatetimeIndex(chosen), "%d %b"


def line(axis: Axes, dates: Any, values: Any, **style: Any) -> None:
    """A line that breaks where a value is missing; a value between two gaps is a dot."""
    data = np.asarray(values, dtype=np.float64)
    (drawn,) = axis.plot(dates, data, **style)
    known = np.concatenate([[False], np.isfinite(data), [False]])
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    if alone.any():
        axis.plot(np.asarray(dates)[alone], data[alone], ".", color=drawn.get_color())


def band(axis: Axes, dates: Any, low: Any, high: Any, **style: Any) -> None:
    """The space between two lines; nothing where one of them is missing."""
    given = {"alpha": 0.25, "linewidth": 0, **style}
    axis.fill_between(
        dates, np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64), **given
    )


def shade_gaps(axis: Axes, dates: pd.DatetimeIndex, missing: NDArray[np.bool_]) -> None:
    """Mark the steps without data, each from the middle before it to the middle after it."""
    if len(dates) < 2:
        return
    ends = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
    half = pd.Timedelta(np.median(np.diff(dates.to_numpy()))) / 2
    for first, last in zip(ends[::2], ends[1::2] - 1, strict=True):
        axis.axvspan(dates[first] - half, dates[last] + half, color=PALE, linewidth=0, zorder=0)


def shown_metrics(analysis: Analysis) -> list[str]:
    """Tested metrics that have any value."""
    if analysis.series.axis is None:
        return []
    return [name for name in analysis.metrics if name in analysis.series.metrics]


def shown_indicators(analysis: Analysis, twins: Sequence[str] = ()) -> list[str]:
    """Tested indicators without those that say what another says."""
    return [name for name in analysis.settings.indicators if name not in twins]


def indicator_name(indicator: str) -> str:
    """An indicator as people write it."""
    return NAMES.get(indicator, indicator)


def metric_colour(analysis: Analysis, metric: str) -> str:
    """Its colour in all figures of an analysis."""
    return colours_of({name: analysis.series.metric(name) for name in analysis.metrics})[metric]


def of_region(analysis: Analysis, metrics: Iterable[str]) -> bool:
    """Whether all of some metrics belong to the whole region: there is nothing of chips to show."""
    return all(analysis.series.of_place(metric) for metric in metrics)


def middle_label(analysis: Analysis, metrics: Sequence[str]) -> str:
    """What the lines of some metrics are, for a legend."""
    if of_region(analysis, metrics):
        return "value of the whole region"
    mixed = any(analysis.series.of_place(metric) for metric in metrics)
    return "median of the chips, or value of the region" if mixed else "median of the chips"


def signed(value: float) -> str:
    """Kendall's tau in figures and tables."""
    return f"{round(value, 2) + 0.0:+.2f}" if np.isfinite(value) else "none"  # no "-0.00"


def p_text(value: float) -> str:
    """A p or q value in figures and tables."""
    if not np.isfinite(value):
        return "none"
    if value < 0.0005:
        return "< 0.001"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


@contextmanager
def files_style() -> Iterator[None]:
    """Settings of matplotlib with which files are written.

    The font that comes with matplotlib lacks the letters of some scripts, such as Chinese, and
    draws boxes for them. The report has such names in its text too, so nobody is warned.
    """
    with mpl.rc_context(_FILES), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def figure_svg(figure: Figure) -> bytes:
    """A figure as SVG, letters as paths; without a date, and with ids that do not change."""
    stream = io.BytesIO()
    with files_style():
        figure.savefig(stream, format="svg", dpi=200, metadata={"Date": None, "Creator": "pyveg"})
    return stream.getvalue()


def figure_png(figure: Figure, dpi: float = 150) -> bytes:
    """A figure as PNG."""
    stream = io.BytesIO()
    with files_style():
        figure.savefig(stream, format="png", dpi=dpi, metadata={"Software": "pyveg"})
    return stream.getvalue()


def save_figure(figure: Figure) -> Saved:
    """A figure as PNG and as SVG."""
    return Saved(figure_png(figure), figure_svg(figure))
