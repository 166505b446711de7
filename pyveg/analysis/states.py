"""What moves in each metric: memory, noise, an abrupt change, or nothing that was seen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pyveg.analysis.temporal.breaks import BREAK_ALPHA
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.earth.metrics import PRECIPITATION

UNTESTED, NOTHING = "untested", "nothing"
"""States of a metric that say nothing of the place."""
UNDECIDED = "weather_or_memory"
"""State of a metric whose memory rises, or follows the weather: it cannot be told."""


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
          Where the weather has a part in the vegetation (`decides` is "beside"), that is asked
          beside the weather, else of the series alone.
        - "follows_weather": it rises alone and not beside the weather, and the difference is
          beyond chance.
        - `UNDECIDED`: the same, but the difference may be chance.
        - "clearer_view": AR(1) rises and the variance falls, as with a better sensor, fewer clouds,
          or less vegetation that could vary.
        - "spread_grows": the noise grows, little by little or abruptly, and memory does not rise.
        - `NOTHING` or `UNTESTED`.
    """
    if broken.get("found"):
        return "abrupt_change"
    if not math.isfinite(memory["p"]):
        return UNTESTED
    decides, alone = decides_beside(memory), memory["q"] <= alpha
    rises = memory["q_beside"] <= alpha if decides else alone
    tau = memory["beside_variance_tau" if decides else "variance_tau"]
    if rises:
        return "memory_rises" if tau > 0 else "clearer_view"
    if decides and alone:
        return "follows_weather" if memory["p_difference"] <= alpha else UNDECIDED
    abruptly = broken.get("scale_p", math.nan) <= BREAK_ALPHA and broken["scale"] > 1
    return "spread_grows" if memory["noise_q"] <= alpha or abruptly else NOTHING


def decides_beside(memory: Mapping[Any, Any]) -> bool:
    """Whether memory is judged beside the weather, which has a part in the vegetation."""
    return memory.get("decides") == "beside" and math.isfinite(memory["p_beside"])


def weather_word(memory: Mapping[Any, Any], alpha: float) -> str:
    """What the weather has to do with memory.

    Returns
    -------
    str
        "not compared"; "no part": it has none in the vegetation that could be found. Else, where
        memory rises beside it, "stays" if it does without it too, and "shows" if the weather hides
        it. Where it rises without the weather only, "follows" if the difference is beyond chance,
        "unclear" if it is not. "neither": it rises in neither way.
    """
    if not math.isfinite(memory["p_difference"]):
        return "not compared"
    if not decides_beside(memory):
        return "no part" if math.isfinite(memory["weather_p"]) else "not compared"
    if memory["q_beside"] <= alpha:
        return "stays" if memory["p_same"] <= alpha else "shows"
    if memory["q"] > alpha:
        return "neither"
    return "follows" if memory["p_difference"] <= alpha else "unclear"


def states_of(temporal: Temporal) -> dict[str, str]:
    """What moves in each metric; see `metric_state`."""
    site = temporal.memory[temporal.memory["chip"] == SITE]
    breaks = {row["metric"]: row for row in temporal.breaks.to_dict("records")}
    return {
        row["metric"]: metric_state(row, breaks.get(row["metric"], {}), temporal.settings.alpha)
        for row in site[site["metric"] != PRECIPITATION].to_dict("records")
    }
