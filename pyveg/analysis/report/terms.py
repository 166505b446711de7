"""The words that a reader must know, explained where they first stand."""

from __future__ import annotations

from pyveg.analysis.analyse import Analysis
from pyveg.earth.chips import SIZE
from pyveg.earth.metrics import OFFSET50

_METRICS = {
    "ndvi_mean": "how green the ground is, from about 0.1 (bare soil) to about 0.8 (dense plants)",
    "cover": "the share of the pixels that count as vegetation",
    OFFSET50: "how well the bare soil between the plants is connected; the more negative, the "
    "better",
}
"""Metric -> what it tells, for those who do not know the field."""
_MEMORY = (
    "Memory",
    "how much of a value is left one step later, once season and trend are removed: the "
    "correlation AR(1), from 0 (nothing) to 1 (all). It rises where a place takes longer and "
    "longer to recover, and that is what a loss of resilience looks like",
)
_NOISE = ("Noise", "what comes in from step to step and has nothing to do with the step before")
_P = (
    "p",
    "how often comparable series in which nothing changes show as much; below 0.05 is more than "
    "chance. Corrected p allows for the number of tests",
)
_INTERVAL = (
    "95 % confidence interval",
    "computed such that 95 of 100 of its kind hold the true value",
)


def terms(analysis: Analysis) -> list[tuple[str, str]]:
    """Words that the statement uses, and what they mean.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    list of (str, str)
        The metrics that it tells of, and the words of the statistics that are in it.
    """
    series = analysis.series
    told = analysis.changes["metric"].tolist()
    shown = [name for name in told if name in series.metrics]
    found = [
        (series.label(name), _METRICS.get(name, series.metric(name).meaning)) for name in shown
    ]
    if any(not series.of_place(name) for name in shown) and len(series.chips) > 1:
        chip = f"one of the squares of {SIZE} x {SIZE} pixels that the place is cut into"
        found.append(("Chip", chip))
    text = analysis.statement.text
    words = {"memory": _MEMORY, "noise": _NOISE, "p 0.": _P, "confidence interval": _INTERVAL}
    found += [term for word, term in words.items() if word in text.lower()]
    return [(name, f"{meaning}.") for name, meaning in found]
