"""The tables of the temporal indicators: trends, courses, parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.axis import Axis
from pyveg.analysis.data.columns import TRENDS
from pyveg.analysis.settings import DIRECTIONS, AnalysisSettings
from pyveg.analysis.temporal.significance import p_value, tau_interval
from pyveg.analysis.temporal.surrogate_tests import (
    RATE,
    SITE,
    Chip,
    Ready,
    Tested,
    Values,
    spread,
    untested,
)
from pyveg.kernels import rolling
from pyveg.kernels.decomposition import Prepared
from pyveg.kernels.noise import corrected_ar1
from pyveg.kernels.quantiles import column_quantiles

_ENVELOPE = (0.05, 0.5, 0.95)
_QUARTILES = (0.25, 0.75)

Facts = Mapping[str, float]


def trend_rows(
    chips: Sequence[Chip],
    tested: Tested | None,
    numbers: Sequence[int],
    settings: AnalysisSettings,
    *,
    window: int,
    common: Mapping[str, Any],
) -> Iterable[dict[str, Any]]:
    """Rows of `Temporal.trends` of one metric: for each indicator the site, then its chips.

    A metric of the whole region has the site's row only.
    """
    facts = spread(lambda chip: _facts(chip, window), chips, settings.n_threads)
    usable = [chip for chip in chips if chip.ready]
    place_of = {chip.number: place for place, chip in enumerate(usable)}
    of_site = _medians([facts[chip.number] for chip in usable or chips])
    for kind, name in enumerate(settings.indicators):
        named = {"indicator": name, "direction": DIRECTIONS[name]}
        start = blank(common, SITE, settings) | of_site | named | {"chips": len(usable)}
        yield start | _of_site(chips, tested, kind, name, of_chips=_of_chips(numbers))
        for chip in chips if _of_chips(numbers) else ():
            row = blank(common, numbers[chip.number], settings) | facts[chip.number] | named
            row |= {"chips": 1, "reason": chip.reason}
            if tested is not None and chip.number in place_of:
                place = place_of[chip.number]
                null = tested.null_taus[:, place, kind]
                row |= _judged(float(tested.taus[place, kind]), null, name)
                row["surrogates"] = len(null)
                if tested.chip_tests is not None:
                    row["p"] = float(tested.chip_tests.p[place, kind])
                    row["surrogates"] = int(tested.chip_tests.counted[place, kind])
            yield row


def blank(common: Mapping[str, Any], chip: int, settings: AnalysisSettings) -> dict[str, Any]:
    """A row of `Temporal.trends` with nothing known."""
    return {
        **TRENDS.blank(),
        **common,
        "chip": chip,
        "direction": "",
        "reason": "",
        "null": settings.null,
        "surrogates": settings.surrogates,
        "seed": settings.seed,
    }


def indicator_tables(
    chips: Sequence[Chip],
    tested: Tested | None,
    numbers: Sequence[int],
    axis: Axis,
    settings: AnalysisSettings,
) -> Iterable[pd.DataFrame]:
    """Parts of `Temporal.indicators` of one metric; see `trend_rows`."""
    if tested is None:
        return
    usable = [chip.ready for chip in chips if chip.ready]
    period = usable[0].prepared.steps.period
    steps = np.arange(tested.window - 1, tested.values.shape[-1])
    site = pd.DataFrame({"step": steps, "date": axis.dates[steps], "chip": SITE})
    every = pd.DataFrame(
        {
            "step": np.tile(steps, len(usable)),
            "date": np.tile(axis.dates[steps], len(usable)),
            "chip": np.repeat([numbers[chip.number] for chip in usable], len(steps)),
        }
    )
    for kind, name in enumerate(settings.indicators):
        low, high = column_quantiles(tested.values[:, kind, steps], _QUARTILES)
        null = list(column_quantiles(tested.null_sites[:, kind, steps], _ENVELOPE))
        known = [tested.site_values[kind, steps], tested.values[:, kind, steps].ravel()]
        if name == RATE:
            known, (high, low, *null) = _rates(known, period), _rates([low, high, *null], period)
            null.reverse()
        quartiles = {"low": low, "high": high} if _of_chips(numbers) else {}
        yield site.assign(
            indicator=name, value=known[0], **quartiles,
            null_low=null[0], null_middle=null[1], null_high=null[2],
        )  # fmt: skip
        if _of_chips(numbers):
            yield every.assign(indicator=name, value=known[1])
    for name, values in _evenness(usable, tested.window, steps).items():
        low, high = column_quantiles(values, _QUARTILES)
        quartiles = {"low": low, "high": high} if _of_chips(numbers) else {}
        yield site.assign(indicator=name, value=np.median(values, axis=0), **quartiles)


def parts_tables(
    chips: Sequence[Chip], numbers: Sequence[int], axis: Axis
) -> Iterable[pd.DataFrame]:
    """Parts of `Temporal.parts` of one metric."""
    n = len(axis)
    for chip in chips:
        yield pd.DataFrame(
            {
                "chip": numbers[chip.number],
                "step": np.arange(n),
                "date": axis.dates,
                "value": chip.series,
                **_parts(chip.ready.prepared if chip.ready else None, n),
            }
        )


def _parts(done: Prepared | None, n: int) -> dict[str, Any]:
    """What a series was taken apart into."""
    if done is None:
        return {"outlier": False}
    return {
        "season": done.season,
        "trend": done.trend,
        "weather": np.zeros(n) if done.driven is None else done.driven,
        "residual": done.residual,
        "outlier": done.flagged,
    }


def _of_chips(numbers: Sequence[int]) -> bool:
    """Whether a metric has rows of chips beside that of the site."""
    return SITE not in numbers


def longest_gap(missing: NDArray[np.bool_]) -> int:
    """Steps of the longest run of missing values."""
    ends = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(np.int8), [0]])))
    return int((ends[1::2] - ends[::2]).max(initial=0))


def _of_site(
    chips: Sequence[Chip], tested: Tested | None, kind: int, name: str, *, of_chips: bool
) -> dict[str, Any]:
    if tested is None:
        return {"reason": untested(chips, of_chips=of_chips)}
    row = _judged(float(tested.site_taus[kind]), tested.null_site_taus[:, kind], name)
    if not of_chips:
        return row
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
    low, high = tau_interval(tau, null)
    return {"tau": tau, "p": p, "reason": reason, "interval_low": low, "interval_high": high}


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
        "memory": corrected_ar1(done.residual, done.operator),
        "residual_ar1": rolling.ar1(done.residual),
    }


def _medians(facts: Sequence[Facts]) -> dict[str, float]:
    """Medians over chips."""
    names = facts[0].keys()
    medians = {name: float(np.median([one[name] for one in facts])) for name in names}
    return medians | {"n": facts[0]["n"], "window": facts[0]["window"]}


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
