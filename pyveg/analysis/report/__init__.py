"""One HTML file that tells everything of an analysis, and needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup
from matplotlib.figure import Figure

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures import all_figures, indicators_of
from pyveg.analysis.figures.style import shown_metrics
from pyveg.analysis.report import tables
from pyveg.analysis.report.gallery import Shown, data_address, gallery
from pyveg.analysis.report.methods import PAPERS, methods
from pyveg.analysis.report.words import place_name, plain, record_text, sentence

__all__ = ["report_html"]

VERDICTS = {
    "cannot_tell": ("?", "Cannot tell"),
    "no_sign": ("○", "No sign"),
    "abrupt_change": ("◆", "Abrupt change"),
    "spread_grows": ("◇", "Spread grows"),
    "clearer_view": ("◈", "Clearer view"),
    "follows_weather": ("◑", "Follows the weather"),
    "mixed": ("◐", "Mixed"),
    "memory_rises": ("↑", "Memory rises"),
    "signs": ("▲", "Signs"),
    "strong_signs": ("▲▲", "Strong signs"),
}
"""Level of the verdict -> a mark that needs no colour, and its name."""


@dataclass(frozen=True)
class Picture:
    """A small picture of the place."""

    date: str
    address: str


def report_html(analysis: Analysis, *, figures: Mapping[str, Figure] | None = None) -> str:
    """The whole report, for people who were not there.

    Parameters
    ----------
    analysis : Analysis
        Of anything: what could not be measured says so, and why.
    figures : mapping of str to Figure, optional
        As `pyveg.analysis.figures.all_figures` gives them, which makes them where not given.

    Returns
    -------
    str
        HTML with everything in it: no file beside it, no address that is loaded, no script. The
        same analysis gives the same text.
    """
    shown = gallery(analysis, all_figures(analysis) if figures is None else figures)
    mark, label = VERDICTS[analysis.verdict.level]
    environment = Environment(
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.from_string(_text("page.html.j2"))
    return template.render(
        style=Markup(_text("style.css")),
        place=place_name(analysis),
        collection=analysis.series.collection or "no collection",
        record=record_text(analysis),
        verdict=analysis.verdict,
        happened=analysis.statement.happened,
        because=analysis.statement.resilience or [plain(line) for line in analysis.verdict.because],
        conditions=[plain(line) for line in dict.fromkeys(analysis.verdict.conditions)],
        mark=mark,
        label=label,
        pictures=[
            Picture(date, data_address(data, "image/jpeg"))
            for date, data in analysis.snapshots.pictures.items()
        ],
        no_pictures=_no_pictures(analysis),
        figures=shown,
        indicators=[shown[indicators_of(metric)] for metric in analysis.metrics],
        agreement=tables.agreement(analysis),
        says=_says(analysis),
        climate=tables.climate(analysis),
        memory=tables.memory_lines(analysis),
        recovery=tables.recovery_lines(analysis),
        power=_power_lines(analysis),
        methods=methods(analysis),
        papers=PAPERS,
        settings=tables.settings(analysis),
        versions=tables.versions(analysis),
        run=tables.run(analysis),
        config=analysis.config,
        missing=_missing(analysis, shown),
    )


def _text(name: str) -> str:
    return files("pyveg.analysis.report").joinpath(name).read_text(encoding="utf-8")


def _no_pictures(analysis: Analysis) -> str:
    if analysis.snapshots.pictures:
        return ""
    if analysis.snapshots.values.empty and analysis.snapshots.reason:
        return sentence(analysis.snapshots.reason)
    return "The run kept no colour pictures."


def _says(analysis: Analysis) -> list[tuple[str, str, str]]:
    """Mark, word and meaning of what the agreement table says here."""
    used = set(analysis.agreement["says"]) if len(analysis.agreement) else set()
    return [(tables.MARKS[name], name, text) for name, text in tables.SAYS.items() if name in used]


def _power_lines(analysis: Analysis) -> list[str]:
    """What this record could have shown; one sentence for metrics that agree."""
    texts = [plain(one.text) for one in analysis.power]
    if len(texts) != len(analysis.metrics) or len(set(texts)) == 1:
        return list(dict.fromkeys(texts))
    return [f"{analysis.series.short_label(name)}: {text}" for name, text in
            zip(analysis.metrics, texts, strict=True)]  # fmt: skip


def _no_maps_of_region(analysis: Analysis) -> list[tuple[str, str]]:
    series = analysis.series
    return [
        (f"Map of {series.short_label(name)}", "It belongs to the whole region, not to chips.")
        for name in shown_metrics(analysis)
        if series.of_place(name)
    ]


def _missing(analysis: Analysis, shown: Mapping[str, Shown]) -> list[tuple[str, str]]:
    """What is not in the report, and why."""
    rows = [(one.title, one.why) for one in shown.values() if not one.address]
    rows += _no_maps_of_region(analysis) if shown["maps"].address else []
    if not analysis.snapshots.pictures:
        rows.append(("Pictures of the place", _no_pictures(analysis)))
    if analysis.climate.temporal is None:
        reason = analysis.climate.reason
        rows.append(("Control of the weather", sentence(reason or "there is no weather")))
    if not analysis.config:
        rows.append(("The config of the run", "These results do not keep it."))
    if not analysis.power:
        rows.append(("Power of the test", "There was no series whose power could be told."))
    return list(dict.fromkeys(rows))
