"""Figures of results."""

from __future__ import annotations

import io

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pyveg.analysis.results import Results

GREEN, BROWN, BLUE = "#117733", "#AA4499", "#4477AA"
"""Of Paul Tol's colour-blind-safe palettes."""

LABELS = {
    "ndvi_mean": "NDVI",
    "ndvi": "NDVI (grey level, 0-255)",
    "offset50": "Network centrality\n(offset50)",
}


def series_figure(results: Results) -> Figure | None:
    """Vegetation and weather of a run over time.

    One panel each for NDVI, network centrality and weather, as far as they were measured. Lines
    are medians over the chips of a date and bands hold the middle half of them; dates without data
    leave a gap.

    Returns
    -------
    Figure or None
        None where there is nothing to show.
    """
    ndvi = "ndvi_mean" if "ndvi_mean" in results.chips else "ndvi"
    metrics = [name for name in (ndvi, "offset50") if name in results.chips]
    panels = len(metrics) + bool(len(results.weather))
    if not panels:
        return None
    figure = Figure(figsize=(9, 2.2 * panels + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    for axis, metric in zip(axes, metrics, strict=False):
        _draw_metric(axis, results.chips, metric)
    if len(results.weather):
        _draw_weather(axes[-1], results.weather)
    figure.suptitle(_title(results))
    return figure


def _title(results: Results) -> str:
    longitude, latitude = (results.metadata.get(k) for k in ("longitude", "latitude"))
    dates = pd.concat([results.chips["date"], results.weather["date"]])
    place = "" if longitude is None else f"{latitude}° N, {longitude}° E, "
    return f"{place}{dates.min():%Y-%m} to {dates.max():%Y-%m}"


def _draw_metric(axis: Axes, chips: pd.DataFrame, metric: str) -> None:
    colour = BROWN if metric == "offset50" else GREEN
    several = chips["collection"].nunique() > 1
    for name, rows in chips.groupby("collection"):
        by_date = rows.groupby("date")[metric]
        bands = _with_gaps(pd.DataFrame({q: by_date.quantile(q) for q in (0.25, 0.5, 0.75)}))
        label = str(name) if several else None
        axis.plot(bands.index, bands[0.5], color=colour, marker="o", markersize=3, label=label)
        axis.fill_between(bands.index, bands[0.25], bands[0.75], color=colour, alpha=0.25)
    axis.set_ylabel(LABELS[metric])
    axis.grid(alpha=0.3)
    if several:
        axis.legend(fontsize="small")


def _with_gaps(series: pd.DataFrame) -> pd.DataFrame:
    """Put an empty row where a step is much longer than usual, so that lines break there."""
    steps = series.index.to_series().diff()
    usual = steps.median()
    breaks = [
        series.index[number] - usual / 2
        for number in range(1, len(series))
        if steps.iloc[number] > 1.7 * usual
    ]
    return series.reindex(series.index.union(pd.DatetimeIndex(breaks)))


def _draw_weather(axis: Axes, weather: pd.DataFrame) -> None:
    dates = weather["date"]
    days = dates.diff().dt.days.median() if len(dates) > 1 else 30
    axis.bar(dates, weather["total_precipitation"] * 1000, width=0.7 * days, color=BLUE)
    axis.set_ylabel("Rain (mm)", color=BLUE)
    other = axis.twinx()
    other.plot(dates, weather["mean_2m_air_temperature"] - 273.15, color="#CC3311")
    other.set_ylabel("Temperature (°C)", color="#CC3311")


def series_png(results: Results) -> bytes | None:
    """`series_figure` as PNG."""
    figure = series_figure(results)
    if figure is None:
        return None
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
