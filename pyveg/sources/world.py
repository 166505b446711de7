"""The simulated world: its weather, and the history of its vegetation.

Everything depends on the numbers of a `World` and the date alone: the history begins at a fixed
epoch, and every draw of random numbers has its own generator, made from what it is for.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pyveg.earth.types import Place
from pyveg.kernels import patterns
from pyveg.sources.grid import Grid, grid_of

VERSION = 1
"""Raise it when the same settings give other numbers."""

YEAR = 365.2425
"""Days."""
WETTEST_DAY = date(2015, 8, 15).toordinal()
"""Height of the rains in the north, as in the Sahel; half a year later in the south."""
WARMEST_DAY = date(2015, 5, 1).toordinal()
"""Height of the heat, before the rains; likewise."""
TEMPERATURE_SWING, TEMPERATURE_NOISE = 5.0, 0.8
"""Half the yearly range, and spread of whole months, K."""
CHECKPOINT = 365
"""Days between states that are kept for dates asked for out of order."""
CACHE_BYTES, CACHE_STATES = 96 * 2**20, 128
"""Bounds of what one process keeps of model states."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """All that weather and vegetation depend on besides the date; the key of kept states."""

    place: tuple[float, float, float]
    seed: int
    rainfall: float
    seasonality: float
    decline: float
    decline_from: int
    rainfall_noise: float
    spin_up: int
    cell_size: float
    epoch: int
    clearing: int = 0
    clearing_share: float = 0.0

    def rng(self, *purpose: object) -> np.random.Generator:
        """Random numbers for one purpose, always the same."""
        return generator("pyveg", VERSION, self.seed, self.place, *purpose)

    def season(self, day: int, height: int) -> float:
        """From -1 to 1 over the year; the southern half of the earth is half a year late."""
        late = YEAR / 2 if self.place[1] < 0 else 0.0
        return math.cos(2 * math.pi * (day - height - late) / YEAR)

    def usual_rain(self, first: int, end: int) -> Array:
        """Rain without chance or change of each day from `first` up to `end`, mm per day."""
        shares = [self.seasonality * self.season(day, WETTEST_DAY) for day in range(first, end)]
        return self.rainfall * (1 + np.array(shares))

    def rain(self, first: int, end: int) -> Array:
        """Rain of each day from `first` up to `end`, ordinals, mm per day.

        By the scalar functions of `math`: those of NumPy may round a value differently by its
        place in the array, and results would depend on where a history was taken up again.
        """
        values = []
        for day, chance in zip(range(first, end), self.monthly("rain", first, end), strict=True):
            years = max(day - self.decline_from, 0) / YEAR
            mean = max(self.rainfall - self.decline * years, 0.0)
            season = 1 + self.seasonality * self.season(day, WETTEST_DAY)
            sigma = self.rainfall_noise
            values.append(mean * season * math.exp(sigma * chance - sigma**2 / 2))
        return np.array(values, dtype=np.float64)

    def temperature(self, first: int, end: int, mean: float) -> Array:
        """Air temperature of each day, K."""
        chances = self.monthly("temperature", first, end)
        days = zip(range(first, end), chances, strict=True)
        swing, spread = TEMPERATURE_SWING, TEMPERATURE_NOISE
        values = [mean + swing * self.season(day, WARMEST_DAY) + spread * z for day, z in days]
        return np.array(values, dtype=np.float64)

    def monthly(self, purpose: str, first: int, end: int) -> list[float]:
        """A standard normal number per calendar month, for each day."""
        months: dict[tuple[int, int], float] = {}
        values = []
        for day in range(first, end):
            when = date.fromordinal(day)
            month = (when.year, when.month)
            if month not in months:
                months[month] = float(self.rng(purpose, *month).standard_normal())
            values.append(months[month])
        return values

    def grid(self) -> Grid:
        """Cells of the vegetation model."""
        return grid_of(Place(*self.place), self.cell_size)


def generator(*purpose: object) -> np.random.Generator:
    """Random numbers for one purpose, the same in every process and on every machine."""
    text = json.dumps(purpose)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


class StateCache:
    """States of the model that this process has reached, so that later dates continue from them.

    A run of m days and then n gives the same bits as one of m + n, so it does not matter for
    results which states are kept. Threads that need the same history wait for one another
    instead of making it twice.

    Parameters
    ----------
    max_bytes, max_states : int
        The least recently used states beyond these are dropped.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES, max_states: int = CACHE_STATES) -> None:
        self.max_bytes, self.max_states = max_bytes, max_states
        self._states: OrderedDict[tuple[World, int], patterns.State] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        # Of several worlds at once, but not one lock per world, which would grow without bound.
        self._histories = tuple(threading.Lock() for _ in range(16))

    def __len__(self) -> int:
        return len(self._states)

    @property
    def nbytes(self) -> int:
        """Bytes of all states that are kept."""
        return self._bytes

    def at(self, world: World, day: int) -> patterns.State:
        """State of a world at the beginning of a day, an ordinal not before its epoch."""
        with self._histories[hash(world) % len(self._histories)]:
            return self._reach(world, day)

    def _reach(self, world: World, day: int) -> patterns.State:
        nearest = self._nearest(world, day)
        if nearest is None:
            now, state = world.epoch, _cleared(world, world.epoch, _spun_up(world))
            self._keep(world, now, state)
        else:
            now, state = nearest
        parameters = _parameters(world)
        while now < day:
            # Checkpoints lie at fixed days after the epoch, whatever dates are asked for.
            until = min(day, now + CHECKPOINT - (now - world.epoch) % CHECKPOINT)
            if now < world.clearing:
                until = min(until, world.clearing)
            state = patterns.step(state, world.rain(now, until), parameters, until - now)
            now = until
            state = _cleared(world, now, state)
            self._keep(world, now, state)
        return state

    def _nearest(self, world: World, day: int) -> tuple[int, patterns.State] | None:
        """The latest state that is kept and not later than a day."""
        with self._lock:
            days = [when for other, when in self._states if other == world and when <= day]
            if not days:
                return None
            key = (world, max(days))
            self._states.move_to_end(key)
            return max(days), self._states[key]

    def _keep(self, world: World, day: int, state: patterns.State) -> None:
        with self._lock:
            # Out first: a state that is stored again is the newest, and must count once.
            old = self._states.pop((world, day), None)
            self._bytes += _size(state) - (_size(old) if old else 0)
            self._states[world, day] = state
            while self._states and (
                self._bytes > self.max_bytes or len(self._states) > self.max_states
            ):
                self._bytes -= _size(self._states.popitem(last=False)[1])


def _size(state: patterns.State) -> int:
    return sum(field.nbytes for field in state)


def _parameters(world: World) -> patterns.RietkerkParameters:
    return patterns.RietkerkParameters(cell_size=world.cell_size)


def _spun_up(world: World) -> patterns.State:
    """The landscape at the epoch: random plants, left to themselves under the usual rain."""
    parameters = _parameters(world)
    plants = patterns.random_plants(world.grid().shape, world.rng("plants"))
    state = patterns.initial_state(plants, world.rainfall, parameters)
    rain = world.usual_rain(world.epoch - world.spin_up, world.epoch)
    return patterns.step(state, rain, parameters, world.spin_up)


def _cleared(world: World, day: int, state: patterns.State) -> patterns.State:
    """The state in which a day begins: on that of the clearing, with less plants."""
    if day != world.clearing:
        return state
    return state._replace(plants=state.plants * (1 - world.clearing_share))


STATES = StateCache()
"""Of this process."""
