"""One HTML file that tells everything of an analysis, and needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup
from matplotlib.figure import Figure

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures import all_figures, indicators_of
from pyveg.analysis.report import tables
from pyveg.analysis.report.gallery import Shown, data_address, gallery
from pyveg.analysis.report.methods import PAPERS, methods
from pyveg.analysis.report.missing import missing, no_pictures
from pyveg.analysis.report.terms import terms
from pyveg.analysis.report.words import place_name, plain, record_text, tied, unrepeated, visible

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
SECTIONS = {
    "summary": "What happened",
    "limits": "What limits this",
    "pictures": "The place over time",
    "measured": "Season and trend",
    "indicators": "Indicators over time",
    "space": "What the images say",
    "agreement": "All tests side by side",
    "weather": "Without the weather",
    "where": "Map of the chips",
    "methods": "How it was done",
    "record": "Settings, seeds and versions",
    "missing": "What is not here, and why",
}
"""Sections by their anchor; one that has nothing to show is left out."""


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
    environment = Environment(
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    template = environment.from_string(_text("page.html.j2"))
    return template.render(
        style=Markup(_text("style.css")),
        **_summary(analysis),
        **_parts(analysis, shown),
        **_record(analysis),
    )


def _text(name: str) -> str:
    return files("pyveg.analysis.report").joinpath(name).read_text(encoding="utf-8")


def _summary(analysis: Analysis) -> dict[str, Any]:
    """What stands on the first page."""
    mark, label = VERDICTS[analysis.verdict.level]
    said, verdict = analysis.statement, analysis.verdict
    return {
        "place": place_name(analysis),
        "collection": analysis.series.collection or "no collection",
        "record": record_text(analysis),
        "verdict": verdict,
        "headline": tied(verdict.headline),
        "happened": [tied(line) for line in said.happened],
        "because": [tied(plain(line)) for line in said.resilience or verdict.because],
        "conditions": [tied(plain(line)) for line in unrepeated(verdict.conditions)],
        "terms": terms(analysis),
        "mark": mark,
        "label": label,
    }


def _parts(analysis: Analysis, shown: Mapping[str, Shown]) -> dict[str, Any]:
    """Figures and tables, and the sections that have any of them."""
    groups = {
        "measured": (*(("beside",) if len(analysis.beside) else ()), "season", "decomposition"),
        "indicators": (*map(indicators_of, analysis.metrics), "sensitivity", "correlations"),
        "space": ("spatial", "spectrum", "patches"),
        "weather": ("climate",),
        "where": ("maps",),
    }
    figures = {
        section: [shown[name] for name in names if shown[name].pictures]
        for section, names in groups.items()
    }
    lines = {
        "indicators": tables.recovery_lines(analysis),
        "weather": tables.memory_lines(analysis),
    }
    lacking, side_by_side = missing(analysis, shown), tables.agreement(analysis)
    there = {
        "pictures": analysis.snapshots.pictures,
        "agreement": side_by_side,
        "missing": lacking,
        **{name: figures[name] or lines.get(name) for name in groups},
    }
    pictures = analysis.snapshots.pictures.items()
    return {
        "sections": {name: title for name, title in SECTIONS.items() if there.get(name, True)},
        "series": shown["series"],
        "figures": figures,
        "lines": lines,
        "pictures": [(date, data_address(data, "image/jpeg")) for date, data in pictures],
        "no_pictures": no_pictures(analysis),
        "agreement": side_by_side,
        "says": tables.says(analysis),
        "climate": tables.climate(analysis),
        "power": tables.power_lines(analysis),
        "missing": lacking,
    }


def _record(analysis: Analysis) -> dict[str, Any]:
    """How it was done, and with what."""
    return {
        "methods": methods(analysis),
        "papers": PAPERS,
        "settings": tables.settings(analysis),
        "versions": tables.versions(analysis),
        "run": tables.run(analysis),
        "config": analysis.config,
    }
