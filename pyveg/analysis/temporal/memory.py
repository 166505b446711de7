"""Does memory itself rise? The trend of phi, its noise told apart, against joint surrogates.

Rolling AR(1) and variance rise together where the noise changes, a sensor is exchanged or a field
is cleared. Here AR(1) is fitted as a straight line over the record beside a noise that changes too
(`pyveg.kernels.phi_trend`), after the most likely break has been taken from the series and, each
its own, from every surrogate. A place's statistic is the mean of t over its chips: many chips know
more than one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.analysis.data.columns import MEMORY
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.breaks import Break, find_break, return_steps, site_mean
from pyveg.analysis.temporal.significance import p_value
from pyveg.analysis.temporal.surrogate_tests import (
    SITE,
    Chip,
    Ready,
    Values,
    draw_residuals,
    least_taus,
    prepare_chips,
    site_median,
    spread,
    stream,
    untested,
    window_steps,
)
from pyveg.kernels import rolling
from pyveg.kernels.breaks import break_templates, scan_breaks, without_breaks
from pyveg.kernels.phi_trend import PhiTrends, phi_trends

Mask = NDArray[np.bool_]

WEATHER_SHARE = 0.7
"""Share of the pairs that must have weather for a comparison with and without it."""
_T, _CHANGE, _NOISE, _SAME, _BESIDE = range(5)


@dataclass
class MemoryTrends:
    """Collects the trend of phi of some chips, and that of their surrogates as these are made."""

    chips: Sequence[Ready]
    broken: Break
    period: float
    weather: Values | None = None
    """Anomalies beside which memory is fitted too, (k, n)."""
    weather_names: str = ""
    """What they are, in words."""
    n_threads: int = 1
    weather_surrogates: int = 199
    """Of the surrogates, how many are fitted beside the weather too, which costs most."""
    fits: list[PhiTrends] = field(init=False)
    beside: list[PhiTrends] = field(init=False)
    """With the weather; not filled without."""
    observed: Values = field(init=False)
    """Shape (chips, 5): t, change, noise, t on the steps with weather, t beside the weather."""
    rests: list[Values] = field(init=False)
    """Residuals without the most likely break, (n,) each."""
    _null: list[Values] = field(default_factory=list)

    def __post_init__(self) -> None:
        prepared = [chip.prepared for chip in self.chips]
        operator = site_mean(prepared).operator
        self._templates = break_templates(operator, return_steps(self.period))
        series = [done.residual[np.newaxis] for done in prepared]
        self.rests = [rows[0] for rows in self._without(series)]
        self.fits = [phi_trends(row[np.newaxis]) for row in self.rests]
        self.beside = [
            phi_trends(row[np.newaxis], self.weather)
            for row in (self.rests if self.weather is not None else ())
        ]
        self.observed = np.stack([self._numbers(row[np.newaxis])[0] for row in self.rests])

    @property
    def null(self) -> Values:
        """As `observed` of each surrogate, shape (surrogates, chips, 5)."""
        return np.concatenate(self._null) if self._null else np.empty((0, len(self.chips), 5))

    def add(self, residuals: Sequence[Values]) -> None:
        """Take the residuals (surrogates, n) of each chip into account, drawn together."""
        rests = self._without(residuals)
        first = max(0, self.weather_surrogates - sum(map(len, self._null)))
        numbers = partial(self._numbers, beside=first)
        self._null.append(np.stack(spread(numbers, rests, self.n_threads), axis=1))

    def _without(self, residuals: Sequence[Values]) -> list[Values]:
        """Without the break that their mean looks most like."""
        places = scan_breaks(_mean(residuals), self._templates, self.broken.memory).place

        def one(number: int) -> Values:
            own = self.chips[number].prepared.operator
            templates = break_templates(own, return_steps(self.period))
            return without_breaks(residuals[number], templates, self.broken.memory, places)

        return spread(one, range(len(residuals)), self.n_threads)

    def _numbers(self, rows: Values, beside: int = 1) -> Values:
        """As `observed`; with the weather of the first rows only."""
        out = np.full((len(rows), 5), np.nan)
        fit = phi_trends(rows)
        out[:, _T], out[:, _CHANGE], out[:, _NOISE] = fit.t, fit.change, fit.noise
        if self.weather is not None:
            known: Mask = np.asarray(np.isfinite(self.weather).all(axis=0))
            out[:beside, _SAME] = phi_trends(rows[:beside], where=known).t
            out[:beside, _BESIDE] = phi_trends(rows[:beside], self.weather).t
        return out


def memory_trends(
    chips: Sequence[Ready],
    broken: Break,
    period: float,
    settings: AnalysisSettings,
    seed: Sequence[int],
    *,
    weather: Values | None = None,
    weather_names: str = "",
) -> MemoryTrends:
    """The trend of phi with its surrogates, and nothing else: the short way to a verdict.

    Given the same seed the numbers are those that the indicators bring along.
    """
    trends = MemoryTrends(
        chips, broken, period, weather, weather_names, settings.n_threads, settings.chip_surrogates
    )
    for residuals in draw_residuals(chips, settings, seed):
        trends.add(residuals)
    return trends


def memory_rows(
    trends: MemoryTrends | None,
    chips: Sequence[Chip],
    numbers: Sequence[int],
    settings: AnalysisSettings,
    common: Mapping[str, Any],
    *,
    weather_reason: str = "",
) -> Iterable[dict[str, Any]]:
    """Rows of the table of memory: the site, then its chips.

    A metric of the whole region has the site's row only.
    """
    start = {**MEMORY.blank(), **common, "seed": settings.seed, "surrogates": settings.surrogates}
    if trends is None:
        none = "there are no dates"
        reason = untested(chips, of_chips=SITE not in numbers) if chips else none
        yield {**start, "chip": SITE, "chips": 0, "reason": reason, "weather_reason": "no test"}
        return
    row = partial(_row, trends, settings=settings, weather_reason=weather_reason)
    everyone = list(range(len(trends.chips)))
    yield {**start, **row(everyone), "chip": SITE, "chips": len(everyone)}
    if SITE in numbers:
        return
    place_of = {ready.number: place for place, ready in enumerate(trends.chips)}
    for chip in chips:
        some = {**start, "chip": numbers[chip.number], "chips": 1, "reason": chip.reason}
        if chip.number in place_of:
            some |= row([place_of[chip.number]], most=settings.chip_surrogates)
        yield some


def _row(
    trends: MemoryTrends,
    places: Sequence[int],
    *,
    settings: AnalysisSettings,
    weather_reason: str,
    most: int | None = None,
) -> dict[str, Any]:
    """Of the mean over some chips."""
    seen = _means(trends.observed[np.newaxis, places])[0]
    null = _means(trends.null[:most, places])
    change, error = seen[_CHANGE], _sd(null[:, _CHANGE])
    middle = _means(np.array([[[trends.fits[place].memory[0]] for place in places]]))[0, 0]
    noise, noise_error = seen[_NOISE], _sd(null[:, _NOISE])
    row = {
        "first": middle - change / 2,
        "last": middle + change / 2,
        "change": change,
        "change_low": change - 1.96 * error,
        "change_high": change + 1.96 * error,
        "t": seen[_T],
        "p": p_value(seen[_T], null[:, _T], "rise"),
        "variance_tau": _variance_tau([trends.rests[place] for place in places], settings),
        "noise": math.exp(noise / 2),
        "noise_low": math.exp(noise / 2 - 0.98 * noise_error),
        "noise_high": math.exp(noise / 2 + 0.98 * noise_error),
        "noise_p": p_value(noise, null[:, _NOISE], "rise"),
        "pairs": float(np.median([trends.fits[place].pairs[0] for place in places])),
        "surrogates": len(null),
        "reason": ""
        if math.isfinite(seen[_T])
        else "too few pairs of neighbouring steps have values",
    }
    if trends.weather is None:
        return row | {"weather_reason": weather_reason or "there is no weather"}
    known = float(np.median([trends.beside[place].pairs[0] for place in places]))
    if known < WEATHER_SHARE * row["pairs"]:
        why = (
            f"{trends.weather_names} is known for {known:.0f} of {row['pairs']:.0f} pairs of steps"
        )
        return row | {"weather_pairs": known, "weather_reason": why}
    named = {"weather_pairs": known, "weather": trends.weather_names}
    return row | named | _beside_weather(seen, null[: trends.weather_surrogates])


def _beside_weather(seen: Values, null: Values) -> dict[str, Any]:
    """With and without the weather on the same steps, and the difference, each with its p."""
    difference, of_null = seen[_SAME] - seen[_BESIDE], null[:, _SAME] - null[:, _BESIDE]
    return {
        "t_same": seen[_SAME],
        "p_same": p_value(seen[_SAME], null[:, _SAME], "rise"),
        "t_beside": seen[_BESIDE],
        "p_beside": p_value(seen[_BESIDE], null[:, _BESIDE], "rise"),
        "p_difference": p_value(difference, of_null, "rise"),
        "weather_reason": "" if math.isfinite(difference) else "the weather could not be fitted",
    }


def rain_row(
    rain: Values, period: float, settings: AnalysisSettings, common: Mapping[str, Any]
) -> dict[str, Any]:
    """Row of the rain itself: whether its memory rises."""
    chips = prepare_chips(rain[np.newaxis], period, settings)
    usable = [chip.ready for chip in chips if chip.ready]
    trends = None
    if usable:
        seed = stream(settings.seed, "memory of the rain")
        broken = find_break(usable, period, settings, seed)
        trends = memory_trends(usable, broken, period, settings, seed)
    row = next(iter(memory_rows(trends, chips, [SITE], settings, common)))
    return {**row, "weather_reason": "it is the weather"}


def _means(values: Values) -> Values:
    """Means over chips (second axis) where at least half of them have a number."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    enough = 2 * count >= values.shape[1]
    return np.where(enough & (count > 0), total / np.maximum(count, 1), np.nan)


def _sd(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.std()) if known.size else math.nan


def _mean(residuals: Sequence[Values]) -> Values:
    """Mean over chips of each surrogate where at least half of them have a value."""
    total, count = np.zeros(residuals[0].shape), np.zeros(residuals[0].shape)
    for rows in residuals:
        known = np.isfinite(rows)
        total += np.where(known, rows, 0.0)
        count += known
    enough = (2 * count >= len(residuals)) & (count > 0)
    return np.where(enough, total / np.maximum(count, 1), np.nan)


def _variance_tau(rests: Sequence[Values], settings: AnalysisSettings) -> float:
    """Kendall's tau of the rolling variance, the median over chips; only its sign is looked at."""
    n = rests[0].size
    window = window_steps(n, settings.window)
    values = rolling.rolling_indicators(np.stack(rests), window, ("variance",))[:, 0]
    return float(rolling.kendall_tau(site_median(values), least=least_taus(n, window)))
