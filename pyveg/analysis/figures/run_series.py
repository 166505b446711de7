"""The picture that every run ends with."""

from __future__ import annotations

import io

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

GREEN, PURPLE, BLUE, RED = "#117733", "#AA4499", "#4477AA", "#CC3311"
"""Of Paul Tol's colour-blind-safe palettes."""

LABELS = {"ndvi_mean": "NDVI", "offset50": "Network centrality\n(offset50)"}
COLOURS = {"ndvi_mean": GREEN, "offset50": PURPLE}
RAIN, WARMTH = "total_precipitation", "mean_2m_air_temperature"


def series_figure(series: pd.DataFrame, title: str = "") -> Figure | None:
    """Vegetation and weather of a run over time.

    One panel each for NDVI, network centrality and weather, as far as they were measured. Lines
    are medians over the chips of a date and bands hold the middle half of them; dates without data
    leave a gap.

    Parameters
    ----------
    series : DataFrame
        As `pyveg.runs.results.read_series` gives it.
    title : str
        Of the whole figure; its dates are added.

    Returns
    -------
    Figure or None
        None where there is nothing to show.
    """
    metrics = [name for name in LABELS if series[name].notna().any()]
    weather = series[series[RAIN].notna()]
    panels = len(metrics) + bool(len(weather))
    if not panels:
        return None
    figure = Figure(figsize=(9, 2.2 * panels + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    for axis, metric in zip(axes, metrics, strict=False):
        _draw_metric(axis, series[series[metric].notna()], metric)
    if len(weather):
        _draw_weather(axes[-1], weather)
    dates = series["date"]
    figure.suptitle(f"{title} {dates.min():%Y-%m} to {dates.max():%Y-%m}".strip())
    return figure


def _draw_metric(axis: Axes, rows: pd.DataFrame, metric: str) -> None:
    several = rows["collection"].nunique() > 1
    for number, (name, part) in enumerate(rows.groupby("collection")):
        table = _with_gaps(part.set_index("date")[[f"{metric}_q25", metric, f"{metric}_q75"]])
        low, middle, high = (table[column] for column in table.columns)
        colour, line = COLOURS[metric], ("o-", "o--", "o:", "o-.")[number % 4]
        label = str(name) if several else None
        axis.plot(table.index, middle, line, color=colour, markersize=3, label=label)
        axis.fill_between(table.index, low, high, color=colour, alpha=0.25)
    axis.set_ylabel(LABELS[metric])
    axis.grid(alpha=0.3)
    if several:
        axis.legend(fontsize="small")


def _with_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Put an empty row where a step is much longer than usual, so that lines break there."""
    steps = table.index.to_series().diff()
    usual = steps.median()
    breaks = [
        table.index[number] - usual / 2
        for number in range(1, len(table))
        if steps.iloc[number] > 1.7 * usual
    ]
    return table.reindex(table.index.union(pd.DatetimeIndex(breaks)))


def _draw_weather(axis: Axes, weather: pd.DataFrame) -> None:
    dates = weather["date"]
    days = dates.diff().dt.days.median() if len(dates) > 1 else 30
    axis.bar(dates, weather[RAIN] * 1000, width=0.7 * days, color=BLUE)
    axis.set_ylabel("Rain (mm)", color=BLUE)
    other = axis.twinx()
    other.plot(dates, weather[WARMTH] - 273.15, color=RED)
    other.set_ylabel("Temperature (°C)", color=RED)


def series_png(series: pd.DataFrame, title: str = "") -> bytes | None:
    """`series_figure` as PNG."""
    figure = series_figure(series, title)
    if figure is None:
        return None
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
