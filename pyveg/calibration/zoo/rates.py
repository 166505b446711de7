"""How often the verdict says what, and what its score knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.columns import ZOO_RATES, ZOO_SCORES
from pyveg.analysis.states import UNDECIDED
from pyveg.analysis.temporal.significance import share_interval
from pyveg.calibration.operating_characteristics import area_under_roc
from pyveg.calibration.zoo.situations import LOSING, STEADY

RISES = "memory_rises"
STATES = (
    RISES, "follows_weather", UNDECIDED, "spread_grows", "clearer_view",
    "abrupt_change", "nothing", "untested",
)  # fmt: skip
KIND = ["years", "gaps", "chips", "shared"]
"""Columns that say what kind of record it is."""
NOMINAL = 0.05

Values = NDArray[np.float64]


def rates(records: pd.DataFrame) -> pd.DataFrame:
    """How often each verdict was given, by situation and kind of record.

    Parameters
    ----------
    records : DataFrame
        `ZOO`.

    Returns
    -------
    DataFrame
        `ZOO_RATES`: numbers of records with each state; the exact 95 % confidence interval of the
        share in which memory is said to rise; and, where it does not, one that holds for all
        situations together (Bonferroni).

    Raises
    ------
    ValueError
        For a state that is none of `STATES`.
    """
    odd = set(records["state"]) - set(STATES)
    if odd:
        raise ValueError(f"states that nobody counts: {sorted(odd)}")
    groups = list(records.groupby([*KIND, "situation"], sort=False))
    steady = sum(key[-1] in STEADY for key, _ in groups)
    return ZOO_RATES.frame(_rate(key, part, steady) for key, part in groups)


def _rate(key: tuple[Any, ...], part: pd.DataFrame, steady: int) -> dict[str, Any]:
    states = part["state"].value_counts()
    risen = int(states.get(RISES, 0))
    low, high = share_interval(risen, len(part))
    losing = key[-1] in LOSING
    row = {
        **dict(zip([*KIND, "situation"], key, strict=True)),
        "losing": losing,
        "series": len(part),
        **{name: int(states.get(name, 0)) for name in STATES},
        "rises_low": low,
        "rises_high": high,
    }
    if not losing:
        level = 1 - NOMINAL / steady
        row["corrected_low"], row["corrected_high"] = share_interval(risen, len(part), level)
    return row


def together(found: pd.DataFrame) -> tuple[int, int, float, float]:
    """Records without a loss that are said to have one, of how many, with the exact interval."""
    steady = found[~found["losing"]]
    risen, series = int(steady[RISES].sum()), int(steady["series"].sum())
    low, high = share_interval(risen, series) if series else (math.nan, math.nan)
    return risen, series, low, high


def _verdict_score(part: pd.DataFrame) -> Values:
    """The p that decides; 1 where the verdict would not tell of a rise, whatever p is."""
    silent = part["state"].isin(["abrupt_change", "follows_weather", UNDECIDED]).to_numpy()
    told = part["decides_tau"].gt(0).to_numpy() & ~silent
    return np.where(told, part["decides_p"].fillna(1.0), 1.0)


SCORES: Mapping[str, Any] = {
    "verdict": _verdict_score,
    "trend of memory": lambda part: part["p"].fillna(1.0).to_numpy(),
    "rolling AR(1)": lambda part: part["rolling_p"].fillna(1.0).to_numpy(),
}
"""Name -> numbers that are small where resilience is lost."""


def scores(records: pd.DataFrame, named: Mapping[str, Any] = SCORES) -> pd.DataFrame:
    """How well each score parts a situation that loses resilience from all that do not.

    Returns
    -------
    DataFrame
        `ZOO_SCORES`: the area under the ROC, with its 95 % interval; and all losing situations
        together, as "all".
    """
    rows: list[dict[str, Any]] = []
    for key, part in records.groupby(KIND, sort=False):
        losing = part["situation"].isin(LOSING)
        null, lost = part[~losing], part[losing]
        if null.empty or lost.empty:
            continue
        kind = dict(zip(KIND, key, strict=True))
        of_situation = {"all": lost, **dict(iter(lost.groupby("situation", sort=False)))}
        rows += [
            {**kind, "situation": situation, "score": name, "series": len(some),
             "nulls": len(null), **area_under_roc(score(null), score(some))}
            for situation, some in of_situation.items()
            for name, score in named.items()
        ]  # fmt: skip
    return ZOO_SCORES.frame(rows)
