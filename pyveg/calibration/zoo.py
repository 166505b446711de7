"""A zoo of records: situations in which resilience does not change, and some in which it does.

Each is a short generator of a place's chips. What the verdict says of them is counted, for a rule
is as good as its rates where memory is constant and something else happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.states import metric_state
from pyveg.analysis.temporal.breaks import Break, find_break
from pyveg.analysis.temporal.memory import memory_rows, memory_trends
from pyveg.analysis.temporal.surrogate_tests import SITE, prepare_chips, stream
from pyveg.kernels.surrogates import ar_process

Values = NDArray[np.float64]

PERIOD = 12
"""Steps in a year."""
_REST = 200
_LEVEL = 10.0
_SEASON = 2.0


@dataclass(frozen=True)
class Record:
    """How long a record is, and how many chips it has."""

    years: int = 10
    gaps: float = 0.0
    """Share of values missing at random, of each chip by itself."""
    chips: int = 1
    shared: float = 0.5
    """Share of the variance of the driving noise that chips have in common."""

    @property
    def n(self) -> int:
        """Steps."""
        return PERIOD * self.years

    @property
    def time(self) -> Values:
        """0 at the first step, 1 at the last."""
        return np.linspace(0.0, 1.0, self.n)


Generator = np.random.Generator
Situation = Callable[[Record, Generator], Values]
"""Gives chips of shape (chips, n), complete; gaps come after it."""


def noise(record: Record, rng: Generator) -> Values:
    """Driving noise of SD 1 with steps of rest before the record, (chips, rest + n)."""
    shape = (record.chips, _REST + record.n)
    own = rng.standard_normal(shape) * np.sqrt(1 - record.shared)
    together = rng.standard_normal((1, shape[1])) * np.sqrt(record.shared)
    return np.asarray(own + together, dtype=np.float64)


def season(record: Record) -> Values:
    """A level with a season, (n,)."""
    return _LEVEL + _SEASON * np.sin(2 * np.pi * np.arange(record.n) / PERIOD)


def memory(record: Record, drive: Values, phi: float | Values) -> Values:
    """AR(1) with a coefficient that may change over the record."""
    whole = np.broadcast_to(np.asarray(phi, dtype=np.float64), record.n)
    coefficients = np.concatenate([np.full(_REST, whole[0]), whole])
    series: Values = ar_process(drive, coefficients[:, np.newaxis])[:, _REST:]
    return series


def _stable(record: Record, rng: Generator, phi: float = 0.5) -> Values:
    return memory(record, noise(record, rng), phi)


def _growing(record: Record, rng: Generator, factor: float) -> Values:
    """The SD of the noise grows by a factor."""
    grown = np.concatenate([np.ones(_REST), np.linspace(1.0, factor, record.n)])
    return memory(record, noise(record, rng) * grown, 0.5)


def _observed(record: Record, rng: Generator, first: float, last: float) -> Values:
    """Noise of the observation, in SD of the series, changes in a straight line."""
    clear = _stable(record, rng)
    spread = np.linspace(first, last, record.n) / np.sqrt(0.75)
    return np.asarray(clear + spread * rng.standard_normal(clear.shape), dtype=np.float64)


def _sensor(record: Record, rng: Generator, first: float, last: float) -> Values:
    """Another sensor half-way."""
    clear = _stable(record, rng)
    spread = np.where(record.time < 0.5, first, last) / np.sqrt(0.75)
    return np.asarray(clear + spread * rng.standard_normal(clear.shape), dtype=np.float64)


def _clouds(record: Record, rng: Generator, first: float, last: float) -> Values:
    """Missed clouds pull values down; their share changes."""
    clear = _stable(record, rng)
    share = np.linspace(first, last, record.n)
    depth = rng.exponential(3.0, clear.shape)
    hidden = np.where(rng.random(clear.shape) < share, depth, 0.0)
    return np.asarray(clear - hidden, dtype=np.float64)


def _step(record: Record, rng: Generator, size: float, when: float) -> Values:
    """A step, in SD of the series."""
    jump = size / np.sqrt(0.75) * (record.time >= when)
    return np.asarray(_stable(record, rng) + jump, dtype=np.float64)


def _fire(record: Record, rng: Generator, size: float, when: float, years: float) -> Values:
    """A drop that comes back."""
    since = np.arange(record.n) - when * record.n
    back = np.where(since >= 0, np.exp(-np.maximum(since, 0) / (PERIOD * years)), 0.0)
    return np.asarray(_stable(record, rng) - size / np.sqrt(0.75) * back, dtype=np.float64)


def _greening(record: Record, rng: Generator, last: float) -> Values:
    """Level, season and noise grow together."""
    grown = np.linspace(1.0, last, record.n)
    grown = (_stable(record, rng) + season(record)) * grown - season(record)
    return np.asarray(grown, dtype=np.float64)


def _trend(record: Record, rng: Generator, size: float) -> Values:
    return np.asarray(_stable(record, rng) + size / np.sqrt(0.75) * record.time, dtype=np.float64)


def _accelerating(record: Record, rng: Generator, size: float) -> Values:
    return np.asarray(
        _stable(record, rng) - size / np.sqrt(0.75) * record.time**3, dtype=np.float64
    )


def _late_drop(record: Record, rng: Generator, size: float) -> Values:
    late = np.clip((record.time - 0.85) / 0.15, 0, 1)
    return np.asarray(_stable(record, rng) - size / np.sqrt(0.75) * late, dtype=np.float64)


def _season_grows(record: Record, rng: Generator, factor: float) -> Values:
    extra = (factor - 1) * record.time * (season(record) - _LEVEL)
    return np.asarray(_stable(record, rng) + extra, dtype=np.float64)


def _season_shifts(record: Record, rng: Generator, months: float) -> Values:
    t = np.arange(record.n)
    moved = np.sin(2 * np.pi * (t - months * record.time) / PERIOD)
    return np.asarray(
        _stable(record, rng) + _SEASON * (moved - np.sin(2 * np.pi * t / PERIOD)), dtype=np.float64
    )


def _wet_noise(record: Record, rng: Generator, factor: float) -> Values:
    """Noise that is larger in the wet half of the year."""
    t = np.arange(_REST + record.n)
    wet = np.where(np.sin(2 * np.pi * (t - _REST) / PERIOD) > 0, factor, 1.0)
    return memory(record, noise(record, rng) * wet, 0.5)


def _el_nino(record: Record, rng: Generator) -> Values:
    """Large events some years apart."""
    drive = noise(record, rng)
    for year in range(2, record.years, 4):
        start = _REST + PERIOD * year + int(rng.integers(0, PERIOD))
        drive[:, start : start + 6] -= 1.0
    return memory(record, drive, 0.5)


def _long_memory(record: Record, rng: Generator, d: float) -> Values:
    """Fractionally integrated noise."""
    length = _REST + record.n
    k = np.arange(1, length)
    weights = np.concatenate([[1.0], np.cumprod((k - 1 + d) / k)])
    drive = noise(record, rng)
    return np.stack([np.convolve(row, weights)[:length] for row in drive])[:, _REST:]


def _heavy(record: Record, rng: Generator) -> Values:
    """Noise with heavy tails (t of 4 degrees)."""
    shape = (record.chips, _REST + record.n)
    drive = rng.standard_t(4, (1, shape[1])) + rng.standard_t(4, shape)
    return memory(record, drive / 2, 0.5)


def _fold(record: Record, rng: Generator, last: float) -> Values:
    """Grazed vegetation that nears its fold (May 1977), about its equilibrium.

    x' = x (1 - x / 10) - c x^2 / (1 + x^2); c goes from 1.0 to `last`, and at 2.6 it collapses.
    """
    grazing = np.concatenate([np.full(_REST, 1.0), np.linspace(1.0, last, record.n)])
    drive = noise(record, rng)
    x = np.full(record.chips, 8.9)
    out = np.empty(drive.shape)
    for t, c in enumerate(grazing):
        for _ in range(4):
            x = x + 0.125 * (x * (1 - x / 10) - c * x**2 / (1 + x**2))
        x = np.maximum(x + 0.12 * drive[:, t], 0.05)
        out[:, t] = x
    return np.asarray(out[:, _REST:] - out[:, _REST:].mean(), dtype=np.float64)


def _transcritical(record: Record, rng: Generator, last: float) -> Values:
    """Growth that nears death: x' = r x - x^2, r from 0.7 to `last`."""
    rate = np.concatenate([np.full(_REST, 0.7), np.linspace(0.7, last, record.n)])
    drive = noise(record, rng)
    x, out = np.full(record.chips, 0.7), np.empty(drive.shape)
    for t, r in enumerate(rate):
        x = np.maximum(x + r * x - x**2 + 0.03 * drive[:, t], 0.001)
        out[:, t] = x
    return np.asarray(10 * out[:, _REST:], dtype=np.float64)


def _ramp(record: Record, rng: Generator, first: float, last: float) -> Values:
    """Memory rises in a straight line, the noise stays."""
    return memory(record, noise(record, rng), np.linspace(first, last, record.n))


def _ramp_alike(record: Record, rng: Generator, first: float, last: float) -> Values:
    """Memory rises and the noise falls, such that the variance stays."""
    phi = np.linspace(first, last, record.n)
    spread = np.sqrt(1 - np.concatenate([np.full(_REST, first), phi]) ** 2)
    return memory(record, noise(record, rng) * spread, phi)


def _ramp_noisy(record: Record, rng: Generator, first: float, last: float) -> Values:
    """Memory rises, and the noise with it."""
    grown = np.concatenate([np.ones(_REST), np.linspace(1.0, 1.5, record.n)])
    return memory(record, noise(record, rng) * grown, np.linspace(first, last, record.n))


STEADY: Mapping[str, Situation] = {
    "stable .5": _stable,
    "stable .8": lambda record, rng: _stable(record, rng, 0.8),
    "fold's null": lambda record, rng: _fold(record, rng, 1.0),
    "noise x 1.5": lambda record, rng: _growing(record, rng, 1.5),
    "noise x 2": lambda record, rng: _growing(record, rng, 2.0),
    "noise x 0.5": lambda record, rng: _growing(record, rng, 0.5),
    "greening by 60 %": lambda record, rng: _greening(record, rng, 1.6),
    "observation noise grows": lambda record, rng: _observed(record, rng, 0.2, 1.2),
    "observation noise falls": lambda record, rng: _observed(record, rng, 1.2, 0.2),
    "observation noise, constant": lambda record, rng: _observed(record, rng, 0.6, 0.6),
    "better sensor half-way": lambda record, rng: _sensor(record, rng, 1.0, 0.3),
    "missed clouds grow": lambda record, rng: _clouds(record, rng, 0.03, 0.3),
    "missed clouds get fewer": lambda record, rng: _clouds(record, rng, 0.3, 0.03),
    "step of 3 SD at 70 %": lambda record, rng: _step(record, rng, -3.0, 0.7),
    "step of 3 SD at 50 %": lambda record, rng: _step(record, rng, -3.0, 0.5),
    "step of 5 SD at 70 %": lambda record, rng: _step(record, rng, -5.0, 0.7),
    "step of 12 SD at 70 %": lambda record, rng: _step(record, rng, -12.0, 0.7),
    "fire at 70 %, slow return": lambda record, rng: _fire(record, rng, 6.0, 0.7, 1.5),
    "straight trend of 4 SD": lambda record, rng: _trend(record, rng, -4.0),
    "accelerating decline": lambda record, rng: _accelerating(record, rng, 4.0),
    "late drop": lambda record, rng: _late_drop(record, rng, 4.0),
    "season grows": lambda record, rng: _season_grows(record, rng, 1.5),
    "season shifts": lambda record, rng: _season_shifts(record, rng, 1.5),
    "noise of the wet season": lambda record, rng: _wet_noise(record, rng, 3.0),
    "El Nino": _el_nino,
    "long memory, d .3": lambda record, rng: _long_memory(record, rng, 0.3),
    "long memory, d .45": lambda record, rng: _long_memory(record, rng, 0.45),
    "heavy tails": _heavy,
}
"""Situations in which memory is constant."""
LOSING: Mapping[str, Situation] = {
    ".3 to .7": lambda record, rng: _ramp(record, rng, 0.3, 0.7),
    ".3 to .7, same variance": lambda record, rng: _ramp_alike(record, rng, 0.3, 0.7),
    ".3 to .7, growing noise": lambda record, rng: _ramp_noisy(record, rng, 0.3, 0.7),
    ".5 to .9": lambda record, rng: _ramp(record, rng, 0.5, 0.9),
    "fold": lambda record, rng: _fold(record, rng, 2.3),
    "transcritical": lambda record, rng: _transcritical(record, rng, 0.15),
}
"""Situations in which it rises."""
SITUATIONS: Mapping[str, Situation] = {**STEADY, **LOSING}


def zoo_series(name: str, record: Record, seed: int) -> Values:
    """Chips of one place of a situation.

    Parameters
    ----------
    name : str
        Of `SITUATIONS`.
    record : Record
    seed : int

    Returns
    -------
    array of float64, shape (chips, n)
        With a season; NaN where missing.
    """
    rng = np.random.default_rng([seed, *map(ord, name)])
    series = SITUATIONS[name](record, rng) + season(record)
    series[rng.random(series.shape) < record.gaps] = np.nan
    return series


@dataclass(frozen=True)
class Seen:
    """What the tests say of one record."""

    state: str
    """Of `pyveg.analysis.states.metric_state`, which decides the verdict on one metric."""
    broken: Break
    memory: dict[str, Any]
    """Row of the table of memory, with q as of a single metric."""


def judge(series: Values, settings: AnalysisSettings, seed: int) -> Seen:
    """The verdict's short way: breaks, memory and noise of the site, and nothing else.

    Parameters
    ----------
    series : array of float, shape (chips, n)
        Monthly; NaN where missing.
    settings : AnalysisSettings
    seed : int
        Of the surrogates.

    Returns
    -------
    Seen
        As the whole analysis of one metric without weather says, given the same seeds.
    """
    chips = prepare_chips(series, PERIOD, settings)
    usable = [chip.ready for chip in chips if chip.ready]
    broken, trends = Break(), None
    if usable:
        broken = find_break(usable, PERIOD, settings, stream(seed, "zoo", "break"))
        trends = memory_trends(usable, broken, PERIOD, settings, stream(seed, "zoo"))
    row = next(iter(memory_rows(trends, chips, [SITE], settings, {})))
    memory = {**row, "q": row["p"], "noise_q": row["noise_p"]}
    state = metric_state(memory, {"found": broken.found}, settings.alpha)
    return Seen(state, broken, memory)
