"""The picture that every run ends with."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pyveg.analysis.figures.colours import BLUE, RED, colours_of
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE, Metric, installed, metrics_for


def series_figure(
    series: pd.DataFrame, title: str = "", metrics: Mapping[str, Metric] | None = None
) -> Figure | None:
    """Vegetation and weather of a run over time.

    One panel for each metric that is tested for resilience, or that belongs to the whole place and
    has its level tested, and one for the weather, as far as they were measured. Lines are medians
    over the chips of a date and bands hold the middle half of them; dates without data leave a gap.

    Parameters
    ----------
    series : DataFrame
        As `pyveg.runs.results.read_series` gives it.
    title : str
        Of the whole figure; its dates are added.
    metrics : mapping of str to Metric, optional
        What is known of the columns; those of the Modules that are installed where not given.

    Returns
    -------
    Figure or None
        None where there is nothing to show.
    """
    known = installed() if metrics is None else metrics
    there = [str(name) for name in series.columns if series[name].notna().any()]
    # Levels of chips come of the same images as what is tested; those of the place do not.
    levels = [one for one in metrics_for(known, there, ("level",)) if one.support == "place"]
    shown = [*metrics_for(known, there), *levels]
    weather = _weather_of(series)
    panels = len(shown) + bool(len(weather))
    if not panels:
        return None
    figure = Figure(figsize=(9, 2.2 * panels + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    colours = colours_of({metric.name: metric for metric in shown})
    for axis, metric in zip(axes, shown, strict=False):
        rows = series[series[metric.name].notna()]
        _draw_metric(axis, rows, metric, colours[metric.name])
    if len(weather):
        _draw_weather(axes[-1], weather)
    dates = series["date"]
    figure.suptitle(f"{title} {dates.min():%Y-%m} to {dates.max():%Y-%m}".strip())
    return figure


def _weather_of(series: pd.DataFrame) -> pd.DataFrame:
    """Rows with rain; none where the run had no weather."""
    table = series.reindex(columns=[*series.columns.union([PRECIPITATION, TEMPERATURE])])
    return table[table[PRECIPITATION].notna()]


def _draw_metric(axis: Axes, rows: pd.DataFrame, metric: Metric, colour: str) -> None:
    several = rows["collection"].nunique() > 1
    for number, (name, part) in enumerate(rows.groupby("collection")):
        wanted = [f"{metric.name}_q25", metric.name, f"{metric.name}_q75"]
        table = _with_gaps(part.set_index("date").reindex(columns=wanted))
        low, middle, high = (table[column] for column in wanted)
        line = ("o-", "o--", "o:", "o-.")[number % 4]
        label = str(name) if several else None
        axis.plot(table.index, middle, line, color=colour, markersize=3, label=label)
        axis.fill_between(table.index, low, high, color=colour, alpha=0.25)
    axis.set_ylabel(f"{metric.label}{metric.unit_behind}".replace(" (", "\n("))
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
    axis.bar(dates, weather[PRECIPITATION] * 1000, width=0.7 * days, color=BLUE)
    axis.set_ylabel("Rain (mm)", color=BLUE)
    other = axis.twinx()
    other.plot(dates, weather[TEMPERATURE] - 273.15, color=RED)
    other.set_ylabel("Temperature (°C)", color=RED)


def series_png(
    series: pd.DataFrame, title: str = "", metrics: Mapping[str, Metric] | None = None
) -> bytes | None:
    """`series_figure` as PNG."""
    figure = series_figure(series, title, metrics)
    if figure is None:
        return None
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
