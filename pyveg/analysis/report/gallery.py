"""The figures of a report: their titles, what to look for in them, and why one is missing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures import figure_png, figure_svg, indicators_of
from pyveg.analysis.figures.maps import chip_places
from pyveg.analysis.figures.style import of_region, shown_metrics
from pyveg.analysis.report import alt
from pyveg.analysis.report.words import common_reason, sentence
from pyveg.analysis.temporal.surrogate_tests import SITE

LARGEST_SVG = 250_000
"""Bytes from which a figure is shown as PNG."""
_INDICATORS_LEAD = (
    "Near a tipping point a place recovers more slowly: AR(1), its memory, and its variance rise, "
    "and the restoring rate falls. Grey is what stable series with the same memory and gaps do. "
    "Look for AR(1) and variance that climb together. tau is the direction (+1 always up, -1 "
    "always down), p the share of stable series that climb as steadily, q is p corrected for the "
    "number of tests. What counts is the climb: the grey of variance, standard deviation and "
    "coefficient of variation is drawn at the site's mean level."
)
_NEXT_LEAD = "The same for another metric, to be read in the same way: do both say one thing?"


@dataclass(frozen=True)
class Shown:
    """A figure of the report."""

    name: str
    title: str
    lead: str
    """What it shows and what to look for."""
    address: str = ""
    """The picture itself, as a data: address; empty where there is none."""
    alt: str = ""
    why: str = ""
    """Why there is none."""


@dataclass(frozen=True)
class _Slot:
    name: str
    title: str
    lead: str
    alt: Callable[[Analysis], str]
    why: Callable[[Analysis], str]


def gallery(analysis: Analysis, figures: Mapping[str, Figure]) -> dict[str, Shown]:
    """Every figure that a report can have, by its name, with its picture or the reason."""
    shown = {}
    for slot in _slots(analysis):
        figure = figures.get(slot.name)
        if figure is None:
            why = sentence(slot.why(analysis) or "there is nothing to show")
            shown[slot.name] = Shown(slot.name, slot.title, slot.lead, why=why)
        else:
            shown[slot.name] = Shown(
                slot.name, slot.title, slot.lead, picture_address(figure), slot.alt(analysis)
            )
    return shown


def picture_address(figure: Figure, *, largest: int = LARGEST_SVG) -> str:
    """A figure as a data: address: SVG, or PNG where that would be too large."""
    svg = figure_svg(figure)
    if len(svg) <= largest:
        return data_address(svg, "image/svg+xml")
    return data_address(figure_png(figure), "image/png")


def data_address(data: bytes, kind: str) -> str:
    """Bytes as an address that needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _slots(analysis: Analysis) -> list[_Slot]:
    return [
        _Slot(
            "series", "What was measured",
            "Lines are medians over the chips of a date; they break where there is no data, and "
            "nothing is filled in. Look for a level that sinks or rises over the years, and for "
            f"gaps and outliers that come in clusters.{_region_note(analysis)}",
            alt.series, _no_values,
        ),
        _Slot(
            "season", "The year",
            "Each month over all years. Look for a season that has become weaker or later: the "
            "first and the second half of a long record are drawn apart.",
            alt.season, _no_season,
        ),
        _Slot(
            "decomposition", "A series taken apart",
            "One chip of middling level: value = season + trend + residual. Indicators are made of "
            "the residual; look whether a season or a trend is left in it.",
            alt.decomposition, _not_tested,
        ),
        *(
            _indicator_slot(analysis, one, first=not place)
            for place, one in enumerate(analysis.metrics)
        ),
        _Slot(
            "sensitivity", "Other windows and bandwidths",
            "The same test with other settings. A sign to be believed keeps its direction, and "
            "mostly its frame, all over its panel; a single framed cell means nothing.",
            alt.sensitivity, _no_surface,
        ),
        _Slot(
            "correlations", "Memory, and answer to rain",
            "How the residual goes with itself and with the rain some steps before. Look for "
            "dots outside the grey: they are more than chance gives.",
            alt.correlations, _not_tested,
        ),
        _Slot(
            "spatial", "Signals of the images",
            "Signs of a tipping point in the images themselves. Look at filled marks only: open "
            "grey ones are dates at which the kind of pattern forbids the use of that signal.",
            alt.spatial, _no_images,
        ),
        _Slot(
            "spectrum", "Size of the pattern",
            "Which wavelengths the images are made of. A clear peak is a regular pattern, as of "
            "spots or stripes; look whether it has moved between the first and the last year.",
            alt.spectrum, _no_images,
        ),
        _Slot(
            "patches", "Laws of patch sizes",
            "Which law the sizes of the patches of plants follow. Models go from a power law over "
            "a truncated one to an exponential as conditions get worse.",
            alt.patches, _no_laws,
        ),
        _Slot(
            "climate", "With and without the weather",
            "Left as it is, right with the part of rain and temperature taken away. A rise that is "
            "gone on the right may be the weather's.",
            alt.climate, _no_climate,
        ),
        _Slot(
            "maps", "Where it happens",
            "One square for each chip. Look for clusters: single squares of another colour are to "
            "be expected. Dots mark chips that stand up to the number of chips tested.",
            alt.maps, _no_maps,
        ),
    ]  # fmt: skip


def _region_note(analysis: Analysis) -> str:
    """Which metrics have no chips to be the median of."""
    series = analysis.series
    names = [series.short_label(name) for name in shown_metrics(analysis) if series.of_place(name)]
    if not names:
        return ""
    several = len(names) > 1
    return (
        f" {' and '.join(names)} belong{'' if several else 's'} to the whole region: "
        f"{'their lines are the values themselves' if several else 'its line is the value itself'}."
    )


def _indicator_slot(analysis: Analysis, metric: str, *, first: bool) -> _Slot:
    return _Slot(
        indicators_of(metric),
        f"Indicators of {analysis.series.label(metric)}",
        _INDICATORS_LEAD if first else _NEXT_LEAD,
        partial(alt.indicators, metric=metric),
        partial(_metric_reason, metric=metric),
    )


def _no_values(analysis: Analysis) -> str:
    notes = ", ".join(analysis.series.notes)
    return f"no metric that is tested has values{f' ({notes})' if notes else ''}"


def _no_season(analysis: Analysis) -> str:
    axis = analysis.series.axis
    if axis is not None and axis.period <= 2:
        return f"steps of {axis.text} are too long to show a year"
    return _no_values(analysis)


def _metric_reason(analysis: Analysis, metric: str) -> str:
    trends = analysis.temporal.trends
    mine = trends[(trends["metric"] == metric) & (trends["chip"] == SITE)]
    return common_reason(mine["reason"])


def _not_tested(analysis: Analysis) -> str:
    trends = analysis.temporal.trends
    reason = common_reason(trends.loc[trends["chip"] == SITE, "reason"])
    return reason or _no_values(analysis)


def _no_surface(analysis: Analysis) -> str:
    table = analysis.sensitivity
    return common_reason(table["reason"]) if len(table) else _not_tested(analysis)


def _no_images(analysis: Analysis) -> str:
    return analysis.snapshots.reason or "no date has an image that can be measured"


def _no_laws(analysis: Analysis) -> str:
    table = analysis.snapshots.laws
    return common_reason(table["reason"]) if len(table) else _no_images(analysis)


def _no_climate(analysis: Analysis) -> str:
    return analysis.climate.reason or _not_tested(analysis)


def _no_maps(analysis: Analysis) -> str:
    places = chip_places(analysis)
    if shown_metrics(analysis) and of_region(analysis, shown_metrics(analysis)):
        return "what was tested belongs to the whole region, not to chips"
    if shown_metrics(analysis) and len(places) < 2:
        return f"a map needs two chips with coordinates, and there are {len(places)}"
    return _not_tested(analysis)
