"""What moves in each metric: memory, noise, an abrupt change, or nothing that was seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.earth.metrics import PRECIPITATION

UNTESTED, NOTHING = "untested", "nothing"
"""States of a metric that say nothing of the place."""


def metric_state(memory: Mapping[Any, Any], broken: Mapping[Any, Any], alpha: float) -> str:
    """What moves in one metric.

    Parameters
    ----------
    memory : mapping
        The site's row of the table of memory.
    broken : mapping
        Its row of the table of breaks; empty where breaks were not looked for.
    alpha : float

    Returns
    -------
    str
        - "abrupt_change": a break (p at most 0.01). Nothing is said of memory, whose indicators a
          break moves.
        - "memory_rises": the trend of AR(1) has q at most alpha, and the variance does not fall.
        - "follows_weather": the same, but it is gone when rain and temperature are fitted beside
          it, by more than chance.
        - "clearer_view": AR(1) rises and the variance falls, as with a better sensor, fewer clouds,
          or less vegetation that could vary.
        - "spread_grows": the noise grows, and memory does not rise.
        - `NOTHING` or `UNTESTED`.
    """
    if broken.get("found"):
        return "abrupt_change"
    if not math.isfinite(memory["p"]):
        return UNTESTED
    if memory["q"] <= alpha:
        if not memory["variance_tau"] > 0:
            return "clearer_view"
        return "follows_weather" if weather_word(memory, alpha) == "follows" else "memory_rises"
    return "spread_grows" if memory["noise_q"] <= alpha else NOTHING


def weather_word(memory: Mapping[Any, Any], alpha: float) -> str:
    """What the weather has to do with a rise of memory.

    Returns
    -------
    str
        "stays": it is there beside the weather. "follows": it is not, and the difference is larger
        than chance makes it. "unclear": it is not, and the difference may be chance. "unseen": on
        the steps with weather there is no rise to be explained. "not compared".
    """
    if not math.isfinite(memory["p_difference"]):
        return "not compared"
    if memory["p_beside"] <= alpha:
        return "stays"
    if memory["p_same"] > alpha:
        return "unseen"
    return "follows" if memory["p_difference"] <= alpha else "unclear"


def states_of(temporal: Temporal) -> dict[str, str]:
    """What moves in each metric; see `metric_state`."""
    site = temporal.memory[temporal.memory["chip"] == SITE]
    breaks = {row["metric"]: row for row in temporal.breaks.to_dict("records")}
    return {
        row["metric"]: metric_state(row, breaks.get(row["metric"], {}), temporal.settings.alpha)
        for row in site[site["metric"] != PRECIPITATION].to_dict("records")
    }
