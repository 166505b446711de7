"""Indicators of chips and of their site, and those of surrogates that went the same way."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pyveg.analysis.settings import AnalysisSettings
from pyveg.kernels import rolling
from pyveg.kernels.chain import Prepared, prepare
from pyveg.kernels.medians import column_medians
from pyveg.kernels.noise import Noise, fit_noise
from pyveg.kernels.surrogates import Draws, common_steps, draw, surrogates

Values = NDArray[np.float64]
Given = TypeVar("Given")
Got = TypeVar("Got")

SITE = -1
"""In the place of a chip's number: the median over all chips."""
LEAST_VALUES = 24
"""Valid values below which a series is not tested."""
LEAST_WINDOW = 12
"""Steps of the shortest window."""
_CELLS = 8_000_000
"""Indicator values of surrogates that are kept at once, 64 MB."""


@dataclass(frozen=True)
class Ready:
    """A series that can be tested."""

    number: int
    """Its row in the matrix."""
    series: Values
    prepared: Prepared
    noise: Noise


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
    """Shape (chips, indicators, n); NaN also for a restoring rate that is infinite."""
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
            noise = fit_noise(prepared.residual, prepared.turned)
        except ValueError as error:
            return Chip(number, row, None, str(error))
        return Chip(number, row, Ready(number, row, prepared, noise))

    return spread(one, range(len(matrix)), settings.n_threads)


def measure(
    chips: Sequence[Ready],
    windows: Sequence[int],
    settings: AnalysisSettings,
    seed: Sequence[int],
) -> list[Tested]:
    """Indicators of prepared chips and of their surrogates, for each window length."""
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
        least = _least_taus(n, window)
        taus = rolling.kendall_taus(values, least=least)
        site_taus = rolling.kendall_taus(site, least=least)
        tested.append(Tested(window, _numbers(values), taus, _numbers(site), site_taus))
    _add_surrogates(tested, chips, settings, seed)
    return tested


def site_median(values: Values, n_threads: int = 1) -> Values:
    """Median over chips (first axis) where at least half of them have a value."""
    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(len(values), -1)
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
            f"{known.size} values of {row.size} steps; a test needs {LEAST_VALUES}: this series "
            "cannot tell"
        )
    if known.max() - known.min() <= 1e-12 * np.abs(known).max():
        return "all values are equal, so there is no memory to measure"
    return ""


def _indicators(
    chip: Ready, residuals: Values, windows: Sequence[int], settings: AnalysisSettings
) -> list[Values]:
    """One array (series, indicators, n) per window."""
    fixed = np.nan_to_num(chip.prepared.fixed)
    period = chip.prepared.steps.period
    return [
        rolling.rolling_indicators(
            residuals, window, settings.indicators, fixed=fixed, step=1 / period
        )
        for window in windows
    ]


def _add_surrogates(
    tested: Sequence[Tested],
    chips: Sequence[Ready],
    settings: AnalysisSettings,
    seed: Sequence[int],
) -> None:
    n, kinds = chips[0].series.size, len(settings.indicators)
    draws = draw(
        n,
        settings.surrogates,
        seed,
        common_steps(np.stack([chip.noise.innovations for chip in chips])),
    )
    size = max(1, _CELLS // (len(chips) * len(tested) * kinds * n))
    parts: list[list[tuple[Values, Values, Values]]] = [[] for _ in tested]
    for first in range(0, settings.surrogates, size):
        some = draws.part(first, min(first + size, settings.surrogates))
        made = spread(
            partial(
                _surrogate_indicators,
                draws=some,
                tested=tested,
                settings=settings,
                judged=max(0, settings.chip_surrogates - first),
            ),
            chips,
            settings.n_threads,
        )
        for place, one in enumerate(tested):
            values = np.stack([found[0][place] for found in made])
            taus = np.stack([found[1][place] for found in made], axis=1)
            sites = site_median(values, settings.n_threads)
            site_taus = rolling.kendall_taus(sites, least=_least_taus(n, one.window))
            parts[place].append((taus, site_taus, _numbers(sites)))
    for place, one in enumerate(tested):
        one.null_taus, one.null_site_taus, one.null_sites = (
            np.concatenate(group) for group in zip(*parts[place], strict=True)
        )


def _surrogate_indicators(
    chip: Ready,
    draws: Draws,
    tested: Sequence[Tested],
    settings: AnalysisSettings,
    judged: int,
) -> tuple[list[Values], list[Values]]:
    """Indicators of one chip's surrogates, and taus of the first of them, for each window."""
    made = surrogates(chip.prepared.residual, chip.noise, draws, settings.null)
    residuals = chip.prepared.residuals(made)
    windows = [one.window for one in tested]
    values = _indicators(chip, residuals, windows, settings)
    n = chip.series.size
    taus = [
        rolling.kendall_taus(found[:judged], least=_least_taus(n, window))
        for found, window in zip(values, windows, strict=True)
    ]
    return values, taus


def _numbers(values: Values) -> Values:
    """Values for tables: an infinite rate has its place in a ranking, and is no number."""
    values[np.isinf(values)] = np.nan
    return values


def _least_taus(n: int, window: int) -> int:
    """Windows with a value below which an indicator's trend is not judged: half of them."""
    return max(6, math.ceil((n - window + 1) / 2))


def spread(work: Callable[[Given], Got], given: Iterable[Given], n_threads: int) -> list[Got]:
    """What `work` makes of each, in order; in threads, as kernels let go of the interpreter."""
    if n_threads == 1:
        return [work(one) for one in given]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(work, given))
