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
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from pyveg.analysis.data.columns import MEMORY
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.beside_weather import BesideWeather
from pyveg.analysis.temporal.breaks import Break, find_break, return_steps, site_mean
from pyveg.analysis.temporal.means import chip_means, step_means
from pyveg.analysis.temporal.response import Response, Weather, find_response
from pyveg.analysis.temporal.sequential import ChipTests, chip_tests
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

COMPANIONS = 3
"""Chips that are drawn beside one that needs more surrogates."""
_T, _CHANGE, _NOISE = range(3)


@dataclass
class MemoryTrends:
    """Collects the trend of phi of some chips, and that of their surrogates as these are made."""

    chips: Sequence[Ready]
    broken: Break
    period: float
    weather: Weather = field(default_factory=Weather)
    """Beside which memory is fitted too."""
    n_threads: int = 1
    weather_surrogates: int = 199
    """Of the surrogates, how many are fitted beside the weather too, which costs most."""
    fits: list[PhiTrends] = field(init=False)
    response: Response = field(init=False)
    beside: BesideWeather | None = field(init=False)
    """None without weather."""
    observed: Values = field(init=False)
    """Shape (chips, 3): t, change, noise."""
    rests: list[Values] = field(init=False)
    """Residuals without the most likely break, (n,) each."""
    tests: ChipTests | None = None
    """p of t and of noise of each chip; None where they come from `null` alone."""
    _null: list[Values] = field(default_factory=list)

    def __post_init__(self) -> None:
        prepared = [chip.prepared for chip in self.chips]
        operator = site_mean(prepared).operator
        self._templates = break_templates(operator, return_steps(self.period))
        series = [done.residual[np.newaxis] for done in prepared]
        self.rests = [rows[0] for rows in self._without(series)]
        self.fits = [phi_trends(row[np.newaxis]) for row in self.rests]
        self.observed = np.stack([_numbers(row[np.newaxis])[0] for row in self.rests])
        rows = [row[np.newaxis] for row in self.rests]
        self.response = find_response(step_means(rows)[0], self.weather)
        self.beside = None
        if self.response.rows is not None:
            self.beside = BesideWeather(self.response, self.chips, self.rests, self.n_threads)

    @property
    def null(self) -> Values:
        """As `observed` of each surrogate, shape (surrogates, chips, 3)."""
        return np.concatenate(self._null) if self._null else np.empty((0, len(self.chips), 3))

    def add(self, residuals: Sequence[Values]) -> None:
        """Take the residuals (surrogates, n) of each chip into account, drawn together."""
        rests = self._without(residuals)
        first = max(0, self.weather_surrogates - sum(map(len, self._null)))
        self._null.append(np.stack(spread(_numbers, rests, self.n_threads), axis=1))
        if self.beside is not None and first:
            self.beside.add([rows[:first] for rows in rests])

    def compare(self, settings: AnalysisSettings, seed: Sequence[int]) -> None:
        """Ask whether memory rises beside the weather; when all surrogates have been added."""
        if self.beside is not None:
            self.beside.compare(self._without, settings, [*seed, *stream(0, "weather")])

    def judge_chips(self, settings: AnalysisSettings, seed: Sequence[int]) -> None:
        """Give each chip its p, with more surrogates where few are as extreme.

        They are drawn together with those of some other chips, for the break that is taken out is
        one of the place.
        """
        kinds = [_T, _NOISE]
        self.tests = chip_tests(
            self.observed[:, kinds],
            self.null[:, :, kinds],
            ("rise", "rise"),
            more=partial(self._more, settings, seed),
            alpha=settings.alpha,
            spread=lambda work, places: spread(work, places, self.n_threads),
        )

    def _more(
        self, settings: AnalysisSettings, seed: Sequence[int], place: int, first: int, count: int
    ) -> Values:
        """Change and noise of a chip's own surrogates, (count, 2)."""
        others = np.linspace(0, len(self.chips), COMPANIONS + 1, dtype=np.intp)[:-1]
        among = list(dict.fromkeys([place, *map(int, others)]))
        some = replace(settings, surrogates=count, n_threads=1)
        parts = []
        chips = [self.chips[number] for number in among]
        for residuals in draw_residuals(chips, some, [*seed, place, first]):
            rests = self._without(residuals, among)
            parts.append(_numbers(rests[0])[:, [_T, _NOISE]])
        return np.concatenate(parts)

    def _without(
        self, residuals: Sequence[Values], among: Sequence[int] | None = None
    ) -> list[Values]:
        """Without the break that their mean looks most like; of all chips, or of some."""
        places = scan_breaks(step_means(residuals), self._templates, self.broken.memory).place
        chips = list(self.chips) if among is None else [self.chips[number] for number in among]

        def one(number: int) -> Values:
            own = chips[number].prepared.operator
            templates = break_templates(own, return_steps(self.period))
            return without_breaks(residuals[number], templates, self.broken.memory, places)

        return spread(one, range(len(residuals)), self.n_threads)


def memory_trends(
    chips: Sequence[Ready],
    broken: Break,
    period: float,
    settings: AnalysisSettings,
    seed: Sequence[int],
    *,
    weather: Weather | None = None,
) -> MemoryTrends:
    """The trend of phi with its surrogates, and nothing else: the short way to a verdict.

    Given the same seed the numbers are those that the indicators bring along.
    """
    trends = MemoryTrends(
        chips, broken, period, weather or Weather(), settings.n_threads, settings.chip_surrogates
    )
    for residuals in draw_residuals(chips, settings, seed):
        trends.add(residuals)
    trends.compare(settings, seed)
    return trends


def memory_rows(
    trends: MemoryTrends | None,
    chips: Sequence[Chip],
    numbers: Sequence[int],
    settings: AnalysisSettings,
    common: Mapping[str, Any],
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
    row = partial(_row, trends, settings=settings)
    everyone = list(range(len(trends.chips)))
    yield {**start, **row(everyone), "chip": SITE, "chips": len(everyone)}
    if SITE in numbers:
        return
    place_of = {ready.number: place for place, ready in enumerate(trends.chips)}
    for chip in chips:
        some = {**start, "chip": numbers[chip.number], "chips": 1, "reason": chip.reason}
        if chip.number in place_of:
            some |= row([place_of[chip.number]])
            if trends.tests is not None:
                p, counted = (part[place_of[chip.number]] for part in trends.tests)
                some |= {"p": p[0], "noise_p": p[1], "surrogates": int(counted[0])}
        yield some


def _row(
    trends: MemoryTrends,
    places: Sequence[int],
    *,
    settings: AnalysisSettings,
) -> dict[str, Any]:
    """Of the mean over some chips."""
    seen = chip_means(trends.observed[np.newaxis, places])[0]
    null = chip_means(trends.null[:, places])
    change, error = seen[_CHANGE], _sd(null[:, _CHANGE])
    middle = chip_means(np.array([[[trends.fits[place].memory[0]] for place in places]]))[0, 0]
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
    if trends.beside is None:
        return row | {"weather_reason": trends.response.reason or "there is no weather"}
    own = [trends.beside.own[place] for place in places]
    return row | {
        **trends.beside.row(places, row["pairs"]),
        "beside_variance_tau": _variance_tau(own, settings),
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


def _numbers(rows: Values) -> Values:
    """t, change and noise of each row, (S, 3)."""
    fit = phi_trends(rows)
    return np.stack([fit.t, fit.change, fit.noise], axis=1)


def _sd(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.std()) if known.size else math.nan


def _variance_tau(rests: Sequence[Values], settings: AnalysisSettings) -> float:
    """Kendall's tau of the rolling variance, the median over chips; only its sign is looked at."""
    n = rests[0].size
    window = window_steps(n, settings.window)
    values = rolling.rolling_indicators(np.stack(rests), window, ("variance",))[:, 0]
    return float(rolling.kendall_tau(site_median(values), least=least_taus(n, window)))
