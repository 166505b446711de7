"""Kinds of records, and what all generators of the zoo are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyveg.kernels.surrogates import ar_process

Values = NDArray[np.float64]
Generator = np.random.Generator

PERIOD = 12
"""Steps in a year."""
REST = 200
"""Steps before a record, for the series to be stationary when it begins."""
LEVEL, SEASON = 10.0, 2.0
USUAL = 0.5
"""AR(1) where nothing else is said."""
SD = 1 / np.sqrt(1 - USUAL**2)
"""Of a series with that memory, driven by noise of SD 1."""


@dataclass(frozen=True)
class Record:
    """How long a record is, and how many chips it has."""

    years: float = 10
    gaps: float = 0.0
    """Share of values missing at random, of each chip by itself."""
    chips: int = 1
    shared: float = 0.5
    """Share of the variance of the driving noise that chips have in common."""

    @property
    def n(self) -> int:
        """Steps."""
        return round(PERIOD * self.years)

    @property
    def time(self) -> Values:
        """0 at the first step, 1 at the last."""
        return np.linspace(0.0, 1.0, self.n)

    @property
    def name(self) -> str:
        """Short, for files."""
        kind = f"{self.years:g}y-{100 * self.gaps:.0f}g-{self.chips}c"
        return kind if self.chips == 1 else f"{kind}-{100 * self.shared:.0f}s"


class Simulated(NamedTuple):
    """A simulated place, complete."""

    chips: Values
    """Shape (chips, n); about 0, without a season."""
    rain: Values | None = None
    """Of the place, m per step, shape (n,); None where it is not known."""


Situation = Callable[[Record, Generator], Values | Simulated]
"""Simulates a place, or its chips where there is no rain; gaps come after it."""


def noise(record: Record, rng: Generator) -> Values:
    """Driving noise of SD 1 with steps of rest before the record, (chips, REST + n)."""
    shape = (record.chips, REST + record.n)
    own = rng.standard_normal(shape) * np.sqrt(1 - record.shared)
    together = rng.standard_normal((1, shape[1])) * np.sqrt(record.shared)
    return np.asarray(own + together, dtype=np.float64)


def season(record: Record) -> Values:
    """A level with a season, (n,)."""
    return LEVEL + SEASON * np.sin(2 * np.pi * np.arange(record.n) / PERIOD)


def memory(record: Record, drive: Values, phi: float | Values) -> Values:
    """AR(1) with a coefficient that may change over the record, (chips, n)."""
    whole = np.broadcast_to(np.asarray(phi, dtype=np.float64), record.n)
    series: Values = ar_process(drive, from_rest(whole)[:, np.newaxis])[:, REST:]
    return series


def from_rest(course: Values) -> Values:
    """A course over the record, with its first value during the rest before it."""
    return np.concatenate([np.full(REST, course[0]), course])


def stable(record: Record, rng: Generator, phi: float = USUAL) -> Values:
    """Nothing happens."""
    return memory(record, noise(record, rng), phi)
