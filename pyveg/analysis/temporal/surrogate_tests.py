"""Indicators of chips and of their site, and those of surrogates that went the same way."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pyveg.analysis.settings import DIRECTIONS, AnalysisSettings
from pyveg.analysis.temporal.sequential import ChipTests, chip_tests
from pyveg.kernels import rolling
from pyveg.kernels.common_innovations import common_steps, filled_together
from pyveg.kernels.decomposition import Prepared, prepare
from pyveg.kernels.medians import column_medians
from pyveg.kernels.noise import Noise, fit_noise
from pyveg.kernels.surrogates import Draws, draw, surrogates

Values = NDArray[np.float64]
Given = TypeVar("Given")
Got = TypeVar("Got")

Watch = Callable[[Sequence[Values]], None]

SITE = -1
"""In the place of a chip's number: the median over all chips."""
NO_CHIP = "no chip can be tested; most often: "
"""Begins the reason of a place whose chips are all too short."""
LEAST_VALUES = 24
"""Valid values below which a series is not tested."""
LEAST_WINDOW = 12
"""Steps of the shortest window."""
RATE = "restoring_rate"
"""-ln AR(1) per year: it falls as AR(1) rises, and has no value where AR(1) is not positive. Its
trend is that of -AR(1), which is known there too."""
_CELLS = 8_000_000
"""Indicator values of surrogates that are kept at once, 64 MB."""
_PARTS = 4
"""Parts of the work for each thread, so that one with slow series does not end long after others.
"""


@dataclass(frozen=True)
class Ready:
    """A series that can be tested."""

    number: int
    """Its row in the matrix."""
    series: Values
    prepared: Prepared
    noise: Noise
    driven: Values | None = None
    """What is no noise and is added to each surrogate, (n,); `noise` is that of the rest."""


@dataclass(frozen=True)
class Chip:
    """One series, and why it cannot be tested if it cannot."""

    number: int
    series: Values
    ready: Ready | None
    reason: str = ""


@dataclass
class Tested:
    """Indicators of some chips and their site, and those of surrogates."""

    window: int
    values: Values
    """Shape (chips, indicators, n); AR(1) in the place of `RATE`, here and below."""
    taus: Values
    """Shape (chips, indicators)."""
    site_values: Values
    """Shape (indicators, n)."""
    site_taus: Values
    null_taus: Values = field(default_factory=lambda: np.empty((0, 0, 0)))
    """Shape (surrogates, chips, indicators); of the first `chip_surrogates` only."""
    null_site_taus: Values = field(default_factory=lambda: np.empty((0, 0)))
    null_sites: Values = field(default_factory=lambda: np.empty((0, 0, 0)))
    """Shape (surrogates, indicators, n)."""
    chip_tests: ChipTests | None = None
    """p of each chip and indicator; None where they come from `null_taus` alone."""


def prepare_chips(
    matrix: Values, period: float, settings: AnalysisSettings, drivers: Values | None = None
) -> list[Chip]:
    """Send each row of (chips, n) through the chain; a row that cannot be gets a reason."""
    steps = settings.steps(period)

    def one(number: int) -> Chip:
        row = np.where(np.isfinite(matrix[number]), matrix[number], np.nan)
        reason = too_little(row)
        if reason:
            return Chip(number, row, None, reason)
        try:
            prepared = prepare(row, steps, drivers)
            noise = fit_noise(prepared.residual, prepared.operator)
        except ValueError as error:
            return Chip(number, row, None, str(error))
        return Chip(number, row, Ready(number, row, prepared, noise))

    return spread(one, range(len(matrix)), settings.n_threads)


def measure(
    chips: Sequence[Ready],
    windows: Sequence[int],
    settings: AnalysisSettings,
    seed: Sequence[int],
    watch: Watch | None = None,
) -> list[Tested]:
    """Indicators of prepared chips and of their surrogates, for each window length.

    `watch` is given the residuals of the surrogates as they are made, one array for each chip.
    """
    if not chips:
        return []
    n = chips[0].series.size
    observed = [
        _indicators(chip, chip.prepared.residual[np.newaxis], windows, settings) for chip in chips
    ]
    tested = []
    for place, window in enumerate(windows):
        values = np.stack([one[place][0] for one in observed])
        site = site_median(values[:, np.newaxis])[0]
        least = least_taus(n, window)
        taus = _signed(rolling.kendall_taus(values, least=least), settings)
        site_taus = _signed(rolling.kendall_taus(site, least=least), settings)
        tested.append(Tested(window, values, taus, site, site_taus))
    _add_surrogates(tested, chips, settings, seed, watch)
    return tested


def judge_chips(
    tested: Tested, chips: Sequence[Ready], settings: AnalysisSettings, seed: Sequence[int]
) -> Tested:
    """Give each chip its p, with more surrogates of its own where few are as extreme."""

    def more(place: int, first: int, count: int) -> Values:
        some = replace(settings, surrogates=count, n_threads=1)
        own = [*seed, place, first]
        parts = []
        for residuals in draw_residuals([chips[place]], some, own, len(settings.indicators)):
            given = (chips[place], residuals[0])
            parts.append(_surrogate_indicators(given, [tested], settings, count)[1][0])
        return np.concatenate(parts)

    return replace(
        tested,
        chip_tests=chip_tests(
            tested.taus,
            tested.null_taus,
            [DIRECTIONS[name] for name in settings.indicators],
            more=more,
            alpha=settings.alpha,
            spread=lambda work, places: spread(work, places, settings.n_threads),
        ),
    )


def site_median(values: Values, n_threads: int = 1) -> Values:
    """Median over chips (first axis) where at least half of them have a value."""
    flat = np.require(values, np.float64, ["C", "W"]).reshape(len(values), -1)
    bounds = np.linspace(0, flat.shape[1], n_threads + 1).astype(np.intp)
    out = np.empty(flat.shape[1])

    def part(number: int) -> None:
        first, last = bounds[number], bounds[number + 1]
        out[first:last] = column_medians(flat, first, last)

    spread(part, range(n_threads), n_threads)
    return out.reshape(values.shape[1:])


def stream(seed: int, *names: object) -> list[int]:
    """The seed of one purpose."""
    return [seed, *(zlib.crc32(str(name).encode()) for name in names)]


def window_steps(n: int, share: float) -> int:
    """Steps of a window."""
    return max(min(round(share * n), n), min(LEAST_WINDOW, n))


def too_little(row: Values) -> str:
    """Why a series cannot be tested; empty if it can."""
    known = row[np.isfinite(row)]
    if known.size < LEAST_VALUES:
        return (
            f"{known.size} value{'' if known.size == 1 else 's'} of {row.size} "
            f"step{'' if row.size == 1 else 's'}; a test needs {LEAST_VALUES}: this series "
            "cannot tell"
        )
    if known.max() - known.min() <= 1e-12 * np.abs(known).max():
        return "all values are equal, so there is nothing to test"
    return ""


def untested(chips: Sequence[Chip], *, of_chips: bool) -> str:
    """Why none of some series can be tested; the commonest reason."""
    reasons = Counter(chip.reason for chip in chips)
    most = max(reasons.values())
    reason = min(text for text, count in reasons.items() if count == most)
    return f"{NO_CHIP}{reason}" if of_chips else reason


def _indicators(
    chip: Ready, residuals: Values, windows: Sequence[int], settings: AnalysisSettings
) -> list[Values]:
    """One array (series, indicators, n) per window; AR(1) stands in for `RATE`."""
    fixed = np.nan_to_num(chip.prepared.fixed)
    names = tuple("ar1" if name == RATE else name for name in settings.indicators)
    return [rolling.rolling_indicators(residuals, window, names, fixed=fixed) for window in windows]


def _signed(taus: Values, settings: AnalysisSettings) -> Values:
    """Taus (..., indicators), where those of `RATE` were made from AR(1)."""
    if RATE in settings.indicators:
        kind = settings.indicators.index(RATE)
        taus[..., kind] = 0.0 - taus[..., kind]
    return taus


def draw_residuals(
    chips: Sequence[Ready], settings: AnalysisSettings, seed: Sequence[int], kinds: int = 1
) -> Iterable[list[Values]]:
    """Residuals (surrogates, n) of each chip's surrogates, drawn together, some after others.

    Parameters
    ----------
    chips : sequence of Ready
    settings : AnalysisSettings
    seed : sequence of int
    kinds : int
        Numbers that will be kept of each value; the more, the fewer surrogates come at once.
    """
    n = chips[0].series.size
    chips, steps = _together(chips, seed)
    draws = draw(n, settings.surrogates, seed, steps)
    size = max(1, _CELLS // (len(chips) * kinds * n))
    for first in range(0, settings.surrogates, size):
        some = draws.part(first, min(first + size, settings.surrogates))
        of_chip = partial(_surrogate_residuals, draws=some, settings=settings)
        yield spread(of_chip, chips, settings.n_threads)


def _add_surrogates(
    tested: Sequence[Tested],
    chips: Sequence[Ready],
    settings: AnalysisSettings,
    seed: Sequence[int],
    watch: Watch | None,
) -> None:
    n, kinds = chips[0].series.size, len(settings.indicators)
    parts: list[list[tuple[Values, Values, Values]]] = [[] for _ in tested]
    first = 0
    for residuals in draw_residuals(chips, settings, seed, len(tested) * kinds):
        if watch is not None:
            watch(residuals)
        of_chip = partial(
            _surrogate_indicators,
            tested=tested,
            settings=settings,
            judged=max(0, settings.chip_surrogates - first),
        )
        made = spread(of_chip, zip(chips, residuals, strict=True), settings.n_threads)
        first += len(residuals[0])
        for place, one in enumerate(tested):
            values = np.stack([found[0][place] for found in made])
            taus = np.stack([found[1][place] for found in made], axis=1)
            sites = site_median(values, settings.n_threads)
            site_taus = rolling.kendall_taus(sites, least=least_taus(n, one.window))
            site_taus = _signed(site_taus, settings)
            parts[place].append((taus, site_taus, sites))
    for place, one in enumerate(tested):
        one.null_taus, one.null_site_taus, one.null_sites = (
            np.concatenate(group) for group in zip(*parts[place], strict=True)
        )


def _surrogate_residuals(chip: Ready, draws: Draws, settings: AnalysisSettings) -> Values:
    """What season, trend and the outlier rule leave of a chip's surrogates."""
    driven = 0.0 if chip.driven is None else chip.driven
    made = surrogates(chip.prepared.residual - driven, chip.noise, draws, settings.null)
    return chip.prepared.residuals(made + driven)


def _together(chips: Sequence[Ready], seed: Sequence[int]) -> tuple[list[Ready], NDArray[np.int64]]:
    """Chips with innovations at all steps that are drawn for the whole place, and those steps."""
    innovations = np.stack([chip.noise.innovations for chip in chips])
    filled = filled_together(innovations, seed)
    whole = [
        replace(chip, noise=chip.noise._replace(innovations=row))
        for chip, row in zip(chips, filled, strict=True)
    ]
    return whole, common_steps(innovations)


def _surrogate_indicators(
    given: tuple[Ready, Values],
    tested: Sequence[Tested],
    settings: AnalysisSettings,
    judged: int,
) -> tuple[list[Values], list[Values]]:
    """Indicators of one chip's surrogates, and taus of the first of them, for each window."""
    chip, residuals = given
    windows = [one.window for one in tested]
    values = _indicators(chip, residuals, windows, settings)
    n = chip.series.size
    taus = [
        _signed(rolling.kendall_taus(found[:judged], least=least_taus(n, window)), settings)
        for found, window in zip(values, windows, strict=True)
    ]
    return values, taus


def least_taus(n: int, window: int) -> int:
    """Windows with a value below which an indicator's trend is not judged: half of them."""
    return max(6, math.ceil((n - window + 1) / 2))


def spread(work: Callable[[Given], Got], given: Iterable[Given], n_threads: int) -> list[Got]:
    """What `work` makes of each, in order; in threads, as kernels let go of the interpreter.

    A thread takes several at once: to hand over one costs more than many kernels take.
    """
    ones = list(given)
    if min(n_threads, len(ones)) <= 1:
        return [work(one) for one in ones]
    size = math.ceil(len(ones) / (_PARTS * n_threads))
    parts = [ones[first : first + size] for first in range(0, len(ones), size)]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(chain.from_iterable(pool.map(lambda part: list(map(work, part)), parts)))
