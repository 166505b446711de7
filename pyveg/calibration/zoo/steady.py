"""Situations in which memory is constant and something else happens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from pyveg.calibration.zoo.record import (
    LEVEL,
    PERIOD,
    REST,
    SD,
    SEASON,
    USUAL,
    Generator,
    Record,
    Situation,
    Values,
    from_rest,
    memory,
    noise,
    season,
    stable,
)

FAINTEST, FULLEST = 0.03, 0.3
"""Shares of missed clouds."""
CLOUD_DEPTH = 3.0
"""Mean fall of a value under a missed cloud, SD of the driving noise."""


def growing_noise(record: Record, rng: Generator, factor: float) -> Values:
    """The SD of the noise grows by a factor."""
    grown = from_rest(np.linspace(1.0, factor, record.n))
    return memory(record, noise(record, rng) * grown, USUAL)


def with_observation_noise(series: Values, rng: Generator, spread: Values) -> Values:
    """Noise of the observation, in SD of the series."""
    return np.asarray(series + SD * spread * rng.standard_normal(series.shape), dtype=np.float64)


def observed(record: Record, rng: Generator, first: float, last: float) -> Values:
    """Observation noise that changes in a straight line."""
    return with_observation_noise(stable(record, rng), rng, np.linspace(first, last, record.n))


def other_sensor(
    record: Record, rng: Generator, first: float, last: float, step: float = 0.0
) -> Values:
    """Another sensor half-way: other observation noise, and perhaps another level."""
    later = record.time >= 0.5
    series = stable(record, rng) + SD * step * later
    return with_observation_noise(series, rng, np.where(later, last, first))


def under_clouds(series: Values, rng: Generator, share: Values) -> Values:
    """Missed clouds pull values down."""
    depth = rng.exponential(CLOUD_DEPTH, series.shape)
    hidden = np.where(rng.random(series.shape) < share, depth, 0.0)
    return np.asarray(series - hidden, dtype=np.float64)


def clouds(record: Record, rng: Generator, first: float, last: float) -> Values:
    """The share of missed clouds changes."""
    return under_clouds(stable(record, rng), rng, np.linspace(first, last, record.n))


def step(size: float, when: float, record: Record) -> Values:
    """A step of so many SD at a share of the record, (n,)."""
    return np.asarray(SD * size * (record.time >= when), dtype=np.float64)


def slow_return(size: float, when: float, years: float, record: Record) -> Values:
    """A drop of so many SD that returns, (n,)."""
    since = np.arange(record.n) - when * record.n
    back = np.where(since >= 0, np.exp(-np.maximum(since, 0) / (PERIOD * years)), 0.0)
    return np.asarray(-SD * size * back, dtype=np.float64)


def cleared(record: Record, rng: Generator, size: float, chips: int | None = None) -> Values:
    """A drop for good at some date in the middle of the record, in all or some chips."""
    drop = step(-size, rng.uniform(0.3, 0.7), record)
    affected = np.arange(record.chips) < (record.chips if chips is None else chips)
    return np.asarray(stable(record, rng) + affected[:, np.newaxis] * drop, dtype=np.float64)


def greened(series: Values, record: Record, last: float) -> Values:
    """Level, season and noise grow together."""
    grown = (series + season(record)) * np.linspace(1.0, last, record.n) - season(record)
    return np.asarray(grown, dtype=np.float64)


def greening_fewer_clouds(record: Record, rng: Generator, last: float) -> Values:
    """It greens, and fewer clouds are missed."""
    green = greened(stable(record, rng), record, last)
    return under_clouds(green, rng, np.linspace(FULLEST, FAINTEST, record.n))


def noise_with_step(record: Record, rng: Generator, factor: float, size: float) -> Values:
    """The noise grows, and the level steps."""
    return np.asarray(
        growing_noise(record, rng, factor) + step(size, 0.6, record), dtype=np.float64
    )


def course(record: Record, rng: Generator, size: float, power: float) -> Values:
    """The level moves by so many SD, straight (power 1) or ever faster."""
    return np.asarray(stable(record, rng) + SD * size * record.time**power, dtype=np.float64)


def late_ramp(record: Record, rng: Generator, size: float) -> Values:
    """The level falls in the last 15 % of the record."""
    late = np.clip((record.time - 0.85) / 0.15, 0, 1)
    return np.asarray(stable(record, rng) + SD * size * late, dtype=np.float64)


def season_grows(record: Record, rng: Generator, factor: float) -> Values:
    """The season grows by a factor."""
    extra = (factor - 1) * record.time * (season(record) - LEVEL)
    return np.asarray(stable(record, rng) + extra, dtype=np.float64)


def season_shifts(record: Record, rng: Generator, months: float) -> Values:
    """The season comes later by so many months."""
    t = np.arange(record.n)
    moved = np.sin(2 * np.pi * (t - months * record.time) / PERIOD)
    shift = SEASON * (moved - np.sin(2 * np.pi * t / PERIOD))
    return np.asarray(stable(record, rng) + shift, dtype=np.float64)


def wet_half(record: Record) -> Values:
    """1 in the wet half of the year, 0 in the dry one, from rest; (REST + n,)."""
    t = np.arange(REST + record.n) - REST
    return (np.sin(2 * np.pi * t / PERIOD) > 0).astype(np.float64)


def wet_noise(record: Record, rng: Generator, factor: float) -> Values:
    """Noise that is larger in the wet half of the year."""
    return memory(record, noise(record, rng) * (1 + (factor - 1) * wet_half(record)), USUAL)


def wet_clouds(record: Record, rng: Generator, factor: float) -> Values:
    """Clouds of the wet season get fewer, in which the noise is larger."""
    share = np.linspace(FULLEST, FAINTEST, record.n) * wet_half(record)[REST:]
    return under_clouds(wet_noise(record, rng, factor), rng, share)


def el_nino(record: Record, rng: Generator) -> Values:
    """Half a year of less growth every four years or so."""
    drive = noise(record, rng)
    for year in range(2, int(record.years), 4):
        start = REST + PERIOD * year + int(rng.integers(0, PERIOD))
        drive[:, start : start + 6] -= 1.0
    return memory(record, drive, USUAL)


def long_memory(record: Record, rng: Generator, d: float) -> Values:
    """Fractionally integrated noise."""
    length = REST + record.n
    k = np.arange(1, length)
    weights = np.concatenate([[1.0], np.cumprod((k - 1 + d) / k)])
    drive = noise(record, rng)
    return np.stack([np.convolve(row, weights)[:length] for row in drive])[:, REST:]


def heavy_tails(record: Record, rng: Generator, degrees: int) -> Values:
    """Noise of the t distribution, half of which chips share."""
    shape = (record.chips, REST + record.n)
    drive = rng.standard_t(degrees, (1, shape[1])) + rng.standard_t(degrees, shape)
    return memory(record, drive / 2, USUAL)


def fired(record: Record, rng: Generator, when: float, years: float) -> Values:
    """A drop of 6 SD that returns within some years."""
    return np.asarray(stable(record, rng) + slow_return(6.0, when, years, record), dtype=np.float64)


def stepped(record: Record, rng: Generator, size: float, when: float) -> Values:
    """The level steps by so many SD."""
    return np.asarray(stable(record, rng) + step(size, when, record), dtype=np.float64)


STEADY: Mapping[str, Situation] = {
    "stable .5": stable,
    "stable .8": partial(stable, phi=0.8),
    "noise x 1.5": partial(growing_noise, factor=1.5),
    "noise x 2": partial(growing_noise, factor=2.0),
    "noise x 0.5": partial(growing_noise, factor=0.5),
    "noise x 2 with a step of 3 SD": partial(noise_with_step, factor=2.0, size=-3.0),
    "greening by 60 %": lambda record, rng: greened(stable(record, rng), record, 1.6),
    "greening by 60 %, fewer missed clouds": partial(greening_fewer_clouds, last=1.6),
    "observation noise grows": partial(observed, first=0.2, last=1.2),
    "observation noise falls": partial(observed, first=1.2, last=0.2),
    "observation noise, constant": partial(observed, first=0.6, last=0.6),
    "better sensor half-way": partial(other_sensor, first=1.0, last=0.3),
    "noisier sensor half-way, 1 SD higher": partial(other_sensor, first=0.3, last=1.0, step=1.0),
    "missed clouds grow": partial(clouds, first=FAINTEST, last=FULLEST),
    "missed clouds get fewer": partial(clouds, first=FULLEST, last=FAINTEST),
    "step of 3 SD at 70 %": partial(stepped, size=-3.0, when=0.7),
    "step of 3 SD at 50 %": partial(stepped, size=-3.0, when=0.5),
    "step of 5 SD at 70 %": partial(stepped, size=-5.0, when=0.7),
    "step of 12 SD at 70 %": partial(stepped, size=-12.0, when=0.7),
    "step of 5 SD at 90 %": partial(stepped, size=-5.0, when=0.9),
    "one clearing": partial(cleared, size=6.0),
    "one clearing, in one of the chips": partial(cleared, size=6.0, chips=1),
    "fire at 70 %, slow return": partial(fired, when=0.7, years=1.5),
    "fire at 30 %, very slow return": partial(fired, when=0.3, years=5.0),
    "straight trend of 4 SD": partial(course, size=-4.0, power=1.0),
    "accelerating decline": partial(course, size=-4.0, power=3.0),
    "late drop": partial(late_ramp, size=-4.0),
    "season grows": partial(season_grows, factor=1.5),
    "season shifts": partial(season_shifts, months=1.5),
    "noise of the wet season": partial(wet_noise, factor=3.0),
    "noise of the wet season, its clouds get fewer": partial(wet_clouds, factor=3.0),
    "El Nino": el_nino,
    "long memory, d .3": partial(long_memory, d=0.3),
    "long memory, d .45": partial(long_memory, d=0.45),
    "heavy tails": partial(heavy_tails, degrees=3),
}
"""Names and generators; AR(1) is 0.5 unless said."""
