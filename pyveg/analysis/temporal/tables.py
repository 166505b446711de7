"""The tables of the temporal indicators: trends, courses, parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.series import Series
from pyveg.analysis.settings import DIRECTIONS, AnalysisSettings
from pyveg.analysis.temporal.significance import p_value
from pyveg.analysis.temporal.surrogate_tests import RATE, SITE, Chip, Ready, Tested, Values, spread
from pyveg.kernels import rolling
from pyveg.kernels.noise import corrected_ar1
from pyveg.kernels.quantiles import column_quantiles

_ENVELOPE = (0.05, 0.5, 0.95)
_QUARTILES = (0.25, 0.75)

TREND_COLUMNS = (
    "collection", "metric", "chip", "indicator", "direction", "tau", "tau_low", "tau_high", "p",
    "q", "reason", "n", "n_valid", "longest_gap", "outliers", "window", "least_pairs", "chips",
    "memory", "residual_ar1", "null", "surrogates", "seed",
)  # fmt: skip
INDICATOR_COLUMNS = (
    "collection", "metric", "chip", "indicator", "step", "date", "value", "low", "high",
    "null_low", "null_middle", "null_high",
)  # fmt: skip
PART_COLUMNS = (
    "collection", "metric", "chip", "step", "date", "value", "season", "trend", "weather",
    "residual", "outlier",
)  # fmt: skip


Facts = Mapping[str, float]


def trend_rows(
    chips: Sequence[Chip],
    tested: Tested | None,
    series: Series,
    settings: AnalysisSettings,
    *,
    window: int,
    common: Mapping[str, Any],
) -> Iterable[dict[str, Any]]:
    """Rows of `Temporal.trends` of one metric: for each indicator the site, then its chips."""
    facts = spread(lambda chip: _facts(chip, window), chips, settings.n_threads)
    usable = [chip for chip in chips if chip.ready]
    place_of = {chip.number: place for place, chip in enumerate(usable)}
    of_site = _medians([facts[chip.number] for chip in usable or chips])
    for kind, name in enumerate(settings.indicators):
        told = {"indicator": name, "direction": DIRECTIONS[name]}
        start = blank(common, SITE, settings) | of_site | told | {"chips": len(usable)}
        yield start | _of_site(chips, tested, kind, name)
        for chip in chips:
            row = blank(common, series.chips[chip.number], settings) | facts[chip.number] | told
            row |= {"chips": 1, "reason": chip.reason}
            if tested is not None and chip.number in place_of:
                null = tested.null_taus[:, place_of[chip.number], kind]
                row |= _judged(float(tested.taus[place_of[chip.number], kind]), null, name)
                row["surrogates"] = len(null)
            yield row


def blank(common: Mapping[str, Any], chip: int, settings: AnalysisSettings) -> dict[str, Any]:
    """A row of `Temporal.trends` with nothing known."""
    return {
        **dict.fromkeys(TREND_COLUMNS, math.nan),
        **common,
        "chip": chip,
        "direction": "",
        "reason": "",
        "null": settings.null,
        "surrogates": settings.surrogates,
        "seed": settings.seed,
    }


def indicator_tables(
    chips: Sequence[Chip], tested: Tested | None, series: Series, settings: AnalysisSettings
) -> Iterable[pd.DataFrame]:
    """Parts of `Temporal.indicators` of one metric."""
    if tested is None or series.axis is None:
        return
    usable = [chip.ready for chip in chips if chip.ready]
    numbers = [series.chips[chip.number] for chip in usable]
    period = usable[0].prepared.steps.period
    steps = np.arange(tested.window - 1, tested.values.shape[-1])
    site = pd.DataFrame({"step": steps, "date": series.axis.dates[steps], "chip": SITE})
    every = pd.DataFrame(
        {
            "step": np.tile(steps, len(usable)),
            "date": np.tile(series.axis.dates[steps], len(usable)),
            "chip": np.repeat(numbers, len(steps)),
        }
    )
    for kind, name in enumerate(settings.indicators):
        low, high = column_quantiles(tested.values[:, kind, steps], _QUARTILES)
        null = list(column_quantiles(tested.null_sites[:, kind, steps], _ENVELOPE))
        known = [tested.site_values[kind, steps], tested.values[:, kind, steps].ravel()]
        if name == RATE:
            known, (high, low, *null) = _rates(known, period), _rates([low, high, *null], period)
            null.reverse()
        yield site.assign(
            indicator=name, value=known[0], low=low, high=high,
            null_low=null[0], null_middle=null[1], null_high=null[2],
        )  # fmt: skip
        yield every.assign(indicator=name, value=known[1])
    for name, values in _evenness(usable, tested.window, steps).items():
        low, high = column_quantiles(values, _QUARTILES)
        yield site.assign(indicator=name, value=np.median(values, axis=0), low=low, high=high)


def parts_table(chips: Sequence[Chip], series: Series) -> pd.DataFrame:
    """`Temporal.parts` of one metric."""
    if series.axis is None:
        return pd.DataFrame(columns=list(PART_COLUMNS))
    n = len(series.axis)
    rows: dict[str, list[NDArray[Any]]] = {name: [] for name in PART_COLUMNS[5:]}
    for chip in chips:
        done = chip.ready.prepared if chip.ready else None
        nothing = np.full(n, np.nan)
        driven = np.zeros(n) if done is None or done.driven is None else done.driven
        rows["value"].append(chip.series)
        rows["season"].append(done.season if done else nothing)
        rows["trend"].append(done.trend if done else nothing)
        rows["weather"].append(driven if done else nothing)
        rows["residual"].append(done.residual if done else nothing)
        rows["outlier"].append(done.flagged if done else np.zeros(n, dtype=np.bool_))
    return pd.DataFrame(
        {
            "chip": np.repeat([series.chips[chip.number] for chip in chips], n),
            "step": np.tile(np.arange(n), len(chips)),
            "date": np.tile(series.axis.dates, len(chips)),
            **{name: np.concatenate(values) for name, values in rows.items()},
        }
    )


def joined(
    tables: Iterable[pd.DataFrame], columns: Sequence[str], common: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Tables one below the other, with these columns."""
    parts = [table for table in tables if len(table)]
    if not parts:
        return pd.DataFrame(columns=list(columns))
    whole = pd.concat(parts, ignore_index=True).assign(**(common or {}))
    return whole.reindex(columns=list(columns))


def longest_gap(missing: NDArray[np.bool_]) -> int:
    """Steps of the longest run of missing values."""
    ends = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
    return int((ends[1::2] - ends[::2]).max(initial=0))


def _of_site(chips: Sequence[Chip], tested: Tested | None, kind: int, name: str) -> dict[str, Any]:
    if tested is None:
        reasons = pd.Series([chip.reason for chip in chips])
        return {"reason": f"no chip can be tested; most often: {reasons.mode().iloc[0]}"}
    row = _judged(float(tested.site_taus[kind]), tested.null_site_taus[:, kind], name)
    low, high = column_quantiles(tested.taus[:, [kind]], _QUARTILES)[:, 0].tolist()
    row |= {"tau_low": low, "tau_high": high}
    return row


def _judged(tau: float, null: Values, name: str) -> dict[str, Any]:
    p = p_value(tau, null, DIRECTIONS[name])
    reason = ""
    if math.isnan(tau):
        reason = "too few windows have a value of it, or all are equal: this series cannot tell"
        if name == "cv":
            reason = "its mean is not positive in enough windows: the CV has no meaning"
    return {"tau": tau, "p": p, "reason": reason}


def _facts(chip: Chip, window: int) -> dict[str, float]:
    """What is known of a series whether or not it can be tested."""
    gap = np.isnan(chip.series)
    facts = {
        "n": len(gap),
        "n_valid": float(np.count_nonzero(~gap)),
        "longest_gap": float(longest_gap(gap)),
        **dict.fromkeys(("outliers", "least_pairs", "memory", "residual_ar1"), math.nan),
        "window": window,
    }
    if chip.ready is None:
        return facts
    done = chip.ready.prepared
    return facts | {
        "outliers": float(np.count_nonzero(done.flagged)),
        "least_pairs": float(rolling.rolling_pairs(done.valid, window)[window - 1 :].min()),
        "memory": corrected_ar1(done.residual, done.turned),
        "residual_ar1": rolling.ar1(done.residual),
    }


def _medians(facts: Sequence[Facts]) -> dict[str, float]:
    """Medians over chips."""
    names = facts[0].keys()
    found = {name: float(np.median([one[name] for one in facts])) for name in names}
    return found | {"n": facts[0]["n"], "window": facts[0]["window"]}


def _rates(memories: Iterable[Values], period: float) -> list[Values]:
    """Restoring rates per year of AR(1); NaN where it is not positive, and there is no limit."""
    return [
        -period * np.log(memory, where=memory > 0, out=np.full(memory.shape, np.nan))
        for memory in memories
    ]


def _evenness(usable: Sequence[Ready], window: int, steps: NDArray[Any]) -> dict[str, Values]:
    """Share of valid values and number of outliers in each window, (chips, windows)."""
    ones = np.ones(window)

    def counted(marks: Iterable[NDArray[Any]]) -> Values:
        return np.stack([np.convolve(one, ones)[steps] for one in marks])

    return {
        "valid_share": counted(chip.prepared.valid / window for chip in usable),
        "outliers": counted(chip.prepared.flagged * 1.0 for chip in usable),
    }
