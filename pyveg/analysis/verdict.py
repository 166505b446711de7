"""What the tests say together: a verdict from what moves.

A rise of memory is the evidence for a loss of resilience, and nothing else is. Growing noise, an
abrupt change, a better sensor and the memory of the rain move indicators as well; each is looked
for by a test of its own, and named where it is found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyveg.analysis.data.labels import told_label
from pyveg.analysis.statement import listed, tested_claims
from pyveg.analysis.states import NOTHING, UNDECIDED, UNTESTED, states_of
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.verdict_power import ENOUGH_POWER, VerdictPower
from pyveg.earth.metrics import Metric, installed

LEVELS = (
    "cannot_tell",
    "no_sign",
    "abrupt_change",
    "spread_grows",
    "clearer_view",
    "follows_weather",
    "mixed",
    "memory_rises",
)
"""Of a verdict."""
OLD_LEVELS = ("signs", "strong_signs")
"""Of analyses by earlier versions, beside "cannot_tell", "no_sign" and "mixed"."""


@dataclass(frozen=True)
class Verdict:
    """What the tests say, in words."""

    level: str
    """One of `LEVELS`, or of `OLD_LEVELS` where an earlier version said so."""
    headline: str
    because: tuple[str, ...]
    """What it rests on."""
    conditions: tuple[str, ...]
    """What limits it."""

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def level_of(states: Mapping[str, str], power: VerdictPower | None) -> str:
    """The verdict on a place from what moves in its metrics."""
    moving = {state for state in states.values() if state not in {UNTESTED, NOTHING}}
    if moving == {UNDECIDED}:
        return "cannot_tell"
    if len(moving) == 1:
        return moving.pop()
    if moving:
        return "mixed"
    if NOTHING in states.values() and power is not None and power.power >= ENOUGH_POWER:
        return "no_sign"
    return "cannot_tell"


def verdict(
    temporal: Temporal,
    power: VerdictPower | None,
    notes: Sequence[str],
    *,
    declared: Mapping[str, Metric] | None = None,
) -> Verdict:
    """Read the tables of memory and breaks.

    Parameters
    ----------
    temporal : Temporal
    power : VerdictPower or None
        How often this verdict would have found a rise of memory in such a record.
    notes : sequence of str
        Conditions that are known from the series.
    declared : mapping of str to Metric, optional
        What metrics are called; as the Modules that are installed say where not given.

    Notes
    -----
    The level is that which the metrics agree on; "mixed" where different things move in different
    metrics; and where nothing moves "no_sign" if a rise of AR(1) from 0.3 to 0.7 would be found in
    at least half of such records, else "cannot_tell". Levels of the metrics, rolling indicators and
    images change no verdict.
    """
    states = states_of(temporal)
    labels = {name: told_label(declared or installed(), name) for name in states}
    level = level_of(states, power)
    conditions = [*notes, *([power.text] if power is not None else [])]
    return Verdict(
        level,
        _headline(level, states, labels, power),
        tuple(claim.text for claim in tested_claims(temporal, labels)),
        tuple(conditions),
    )


_MOVES: Mapping[str, str] = {
    "abrupt_change": "{} changed abruptly",
    "spread_grows": "the spread of {} grows and its memory does not",
    "clearer_view": "AR(1) of {} rises while its variance falls",
    "follows_weather": "the memory of {} rises with that of the weather",
    "weather_or_memory": "the memory of {} rises, or follows the weather",
    "memory_rises": "the memory of {} rises",
}


def _headline(
    level: str,
    states: Mapping[str, str],
    labels: Mapping[str, str],
    power: VerdictPower | None,
) -> str:
    """One sentence, or two."""
    named = {
        state: listed([labels[name] for name, found in states.items() if found == state])
        for state in (*LEVELS, UNDECIDED)
    }
    if level == "cannot_tell":
        return _cannot(states, power, named[UNDECIDED])
    if level == "mixed":
        moves = [text.format(named[state]) for state, text in _MOVES.items() if named[state]]
        return f"Different things move: {'; '.join(moves)}."
    return {
        "no_sign": "No sign of a loss of resilience: memory does not rise, and a rise of AR(1) "
        "from 0.3 to 0.7 would mostly have been seen.",
        "memory_rises": f"Signs of a loss of resilience: the memory of {named[level]} rises.",
        "abrupt_change": f"An abrupt change: {named[level]} jumped. What that does to memory says "
        "nothing about resilience, so memory is not judged.",
        "spread_grows": f"The spread of {named[level]} grows and its memory does not: more likely "
        "changing noise, or another sensor, than a loss of resilience.",
        "clearer_view": f"AR(1) of {named[level]} rises while its variance falls, as it "
        "does with a better sensor, with fewer clouds, or where less vegetation is left to vary: "
        "by itself that is no sign of a loss of resilience.",
        "follows_weather": f"The memory of {named[level]} rises, and it does not when the weather "
        "is fitted beside it: it follows the weather, which is no loss of resilience.",
    }[level]


def _cannot(states: Mapping[str, str], power: VerdictPower | None, undecided: str) -> str:
    if undecided:
        return (
            f"The memory of {undecided} rises, but not by more than chance when the weather is "
            "fitted beside it, and whether the weather makes that difference cannot be told."
        )
    if NOTHING not in states.values():
        return "Memory could not be tested, so this record cannot tell whether resilience is lost."
    if power is None:
        return "Memory does not rise by more than chance, and what that means was not simulated."
    return (
        "Memory does not rise by more than chance, but this record cannot tell: a rise of AR(1) "
        f"from 0.3 to 0.7 would be found in {power.share} of such records{_enough(power)}."
    )


def _enough(power: VerdictPower) -> str:
    if not math.isfinite(power.enough_years):
        return ""
    return f", and in half of those that are {power.enough_years:g} years long"
