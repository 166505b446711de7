"""The figures of a report: their titles, what to look for in them, and why one is missing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures import indicators_of
from pyveg.analysis.figures.maps import chip_places
from pyveg.analysis.figures.over_time import YEAR_FROM
from pyveg.analysis.figures.parts import Key, Panel, keys_of, panels_of
from pyveg.analysis.figures.style import of_region, shown_metrics
from pyveg.analysis.report import in_words
from pyveg.analysis.report.words import common_reason, sentence
from pyveg.analysis.temporal.surrogate_tests import SITE

LARGEST_SVG = 250_000
"""Bytes from which a panel is shown as PNG."""
NARROW = 2.5
"""Inches below which three panels stand side by side."""
DOTS_PER_INCH = 96
"""As browsers count them."""
_INDICATORS_LEAD = (
    "Each panel follows one indicator through rolling windows. Near a tipping point a place "
    "recovers more slowly: AR(1) and variance rise together, and the restoring rate falls. The "
    "grey band is what stable series with the same memory and the same gaps do (surrogates). What "
    "is tested is the climb, not the height: tau tells its direction, from -1 (always down) to +1 "
    "(always up), p is the share of surrogates that climb as steadily, and q is p corrected for "
    "the number of tests. The grey of variance, standard deviation and coefficient of variation "
    "is drawn at the site's mean level."
)
_NEXT_LEAD = "The same for another metric, to be read in the same way. Do both tell the same story?"


@dataclass(frozen=True)
class Picture:
    """A panel, as a page shows it."""

    address: str
    """The picture itself, as a data: address."""
    width: int
    height: int
    """Pixels."""


@dataclass(frozen=True)
class Shown:
    """A figure of the report."""

    name: str
    title: str
    lead: str
    """What it shows and what to look for."""
    pictures: tuple[Picture, ...] = ()
    """Its panels; none where there is nothing to show."""
    key_title: str = ""
    keys: tuple[Key, ...] = ()
    narrow: bool = False
    """Whether three panels stand side by side where there is room."""
    words: tuple[str, ...] = ()
    """What it shows, sentence by sentence."""
    why: str = ""
    """Why there is none."""


@dataclass(frozen=True)
class _Slot:
    name: str
    title: str
    lead: str
    words: Callable[[Analysis], list[str]]
    why: Callable[[Analysis], str]


def gallery(analysis: Analysis, figures: Mapping[str, Figure]) -> dict[str, Shown]:
    """Every figure that a report can have, by its name, with its panels or the reason."""
    shown = {}
    for slot in _slots(analysis):
        figure = figures.get(slot.name)
        if figure is None:
            why = sentence(slot.why(analysis) or "there is nothing to show")
            shown[slot.name] = Shown(slot.name, slot.title, slot.lead, why=why)
        else:
            shown[slot.name] = _shown(slot, figure, slot.words(analysis))
    return shown


def _shown(slot: _Slot, figure: Figure, words: list[str]) -> Shown:
    made = panels_of(figure, largest=LARGEST_SVG)
    title, keys = keys_of(figure)
    return Shown(
        slot.name,
        slot.title,
        slot.lead,
        tuple(map(picture, made)),
        title,
        tuple(keys),
        narrow=max(one.width for one in made) < NARROW,
        words=tuple(words),
    )


def picture(panel: Panel) -> Picture:
    """A panel as SVG, or as PNG where that would be too large."""
    address = (
        data_address(panel.png, "image/png")
        if panel.png
        else data_address(panel.svg, "image/svg+xml")
    )
    return Picture(address, round(DOTS_PER_INCH * panel.width), round(DOTS_PER_INCH * panel.height))


def data_address(data: bytes, kind: str) -> str:
    """Bytes as an address that needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _slots(analysis: Analysis) -> list[_Slot]:
    return [
        *_series_slots(analysis),
        *((_BESIDE,) if len(analysis.beside) else ()),
        *(
            _indicator_slot(analysis, one, first=not place)
            for place, one in enumerate(analysis.metrics)
        ),
        *_OTHERS,
    ]


def _series_slots(analysis: Analysis) -> list[_Slot]:
    return [
        _Slot(
            "series", "What was measured",
            "A line is the median over the chips of each date. It breaks where there is no data; "
            "nothing is filled in. Look for a level that sinks or rises over the years, and for "
            f"gaps and outliers that come in clusters.{_region_note(analysis)}",
            in_words.series, _no_values,
        ),
        _Slot(
            "season", "The year",
            "Every month, over all years. Look for a season that has become weaker or later: in "
            "long records the first half and the second half are drawn separately.",
            in_words.season, _no_season,
        ),
        _Slot(
            "decomposition", "A series taken apart",
            "The series of one chip of middling level is the sum of a season, a trend and a "
            "residual. Indicators are computed from the residual, so no season and no trend "
            "should be left in it.",
            in_words.decomposition, _not_tested,
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
        partial(in_words.indicators, metric=metric),
        partial(_metric_reason, metric=metric),
    )


def _no_values(analysis: Analysis) -> str:
    notes = ", ".join(analysis.series.notes)
    return f"no metric that is tested has values{f' ({notes})' if notes else ''}"


def _no_season(analysis: Analysis) -> str:
    axis = analysis.series.axis
    if axis is not None and axis.period <= 2:
        return f"steps of {axis.text} are too long to show a year"
    if axis is not None and len(axis) < YEAR_FROM * axis.period:
        return f"a mean year is shown of records of {YEAR_FROM:g} years and more"
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


_BESIDE = _Slot(
    "beside", "Other collections of this place",
    "What was tested here is above, what other collections have measured below, on one axis of "
    "time. Nothing is tested between them: each has a report of its own. Look whether they rise "
    "and fall together, and whether one goes on where the other has gaps.",
    in_words.beside, _no_values,
)  # fmt: skip
_OTHERS = (
    _Slot(
        "sensitivity", "Other windows and bandwidths",
        "The same test with other lengths of the rolling window and other bandwidths of the "
        "trend. A sign that can be believed keeps its direction, and mostly its frame, all over "
        "its panel; a single framed cell means nothing.",
        in_words.sensitivity, _no_surface,
    ),
    _Slot(
        "correlations", "Memory, and the response to rain",
        "Correlation of the residual with itself, and with the rain, some steps before. Dots "
        "outside the grey band are more than chance gives.",
        in_words.correlations, _not_tested,
    ),
    _Slot(
        "spatial", "Signals of the images",
        "Signs of a tipping point in the images themselves. Look at the filled marks only: an "
        "open grey mark is a date on which this signal does not apply to the kind of pattern.",
        in_words.spatial, _no_images,
    ),
    _Slot(
        "spectrum", "Size of the pattern",
        "The wavelengths that the images are made of. A clear peak is a regular pattern, such as "
        "spots or stripes. Look whether it has moved between the first and the last year.",
        in_words.spectrum, _no_images,
    ),
    _Slot(
        "patches", "Laws of patch sizes",
        "The law that the sizes of the patches of plants follow. In models it changes from a "
        "power law to a truncated one and on to an exponential as conditions get worse.",
        in_words.patches, _no_laws,
    ),
    _Slot(
        "climate", "With and without the weather",
        "Each indicator as it is, and after the part of rain and temperature was taken away. A "
        "rise that is gone without the weather may be the weather's.",
        in_words.climate, _no_climate,
    ),
    _Slot(
        "maps", "Where it happens",
        "Each square is a chip. Look for clusters: single squares of another colour are to be "
        "expected. A dot marks a chip whose trend is significant after correction for the number "
        "of chips.",
        in_words.maps, _no_maps,
    ),
)  # fmt: skip
