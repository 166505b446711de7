"""What is not in a report, and why; each reason once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.style import shown_metrics
from pyveg.analysis.report.gallery import Shown
from pyveg.analysis.report.words import common_reason, sentence


def missing(analysis: Analysis, shown: Mapping[str, Shown]) -> list[tuple[str, str]]:
    """What is not there, and why.

    Returns
    -------
    list of (str, str)
        Things that are missing for one reason, in a row, and that reason.
    """
    rows = [(one.title, one.why) for one in shown.values() if not one.pictures]
    rows += _no_maps_of_region(analysis) if shown["maps"].pictures else []
    if not analysis.snapshots.pictures:
        rows.append(("Pictures of the place", no_pictures(analysis)))
    if analysis.climate.temporal is None:
        reason = analysis.climate.reason
        rows.append(("Tests without the weather", sentence(reason or "there is no weather")))
    says = analysis.agreement["says"]
    if not (says != "cannot tell").any():
        reason = common_reason(analysis.agreement["reason"])
        rows.append(("All tests side by side", sentence(reason or "nothing could be tested")))
    if not analysis.config:
        rows.append(("The config of the run", "These results do not keep it."))
    if not analysis.power:
        rows.append(("Power of the test", "There was no series whose power could be told."))
    return _by_reason(rows)


def no_pictures(analysis: Analysis) -> str:
    """Why there are no pictures of the place; empty where there are."""
    if analysis.snapshots.pictures:
        return ""
    if analysis.snapshots.values.empty and analysis.snapshots.reason:
        return sentence(analysis.snapshots.reason)
    return "The run kept no colour pictures."


def _by_reason(rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for what, why in rows:
        found.setdefault(why, []).append(what)
    return [("; ".join(dict.fromkeys(names)), why) for why, names in found.items()]


def _no_maps_of_region(analysis: Analysis) -> list[tuple[str, str]]:
    series = analysis.series
    return [
        (f"Map of {series.short_label(name)}", "It belongs to the whole region, not to chips.")
        for name in shown_metrics(analysis)
        if series.of_place(name)
    ]
