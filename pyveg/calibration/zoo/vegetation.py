"""The simulator of patterned vegetation under a rain that stays, declines, or all but ends.

As the places of `pyveg_calibrate` by its model, rain, reflectance and history, and without images:
the NDVI of a chip is that of the mean reflectance of its cells, without clouds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from pyveg.calibration.simulated_places import FALLS, SETTLING
from pyveg.calibration.zoo.record import PERIOD, Generator, Record, Situation, Values
from pyveg.kernels import patterns
from pyveg.kernels.ndvi import ndvi
from pyveg.sources.simulated import CLOSURE, GREEN, SOIL, SimulatedSettings

DAYS = 30
"""In a month."""
CELLS = 24
"""Along a chip of 500 m."""
SPIN_UP_YEARS = 4
"""Of usual rain in which the pattern forms, before the years of settling."""
PERCENT = 100.0
"""NDVI is told in hundredths, so that its noise is of the size of that of other situations."""


def vegetation(record: Record, rng: Generator, lost: float) -> Values:
    """NDVI of chips under one rain, a share of which is lost by the end of the record."""
    settings = SimulatedSettings()
    before = PERIOD * (SPIN_UP_YEARS + SETTLING)
    months = np.arange(-before, record.n)
    usual = settings.rainfall * (1 + settings.seasonality * np.cos(2 * np.pi * months / PERIOD))
    sigma = settings.rainfall_noise
    chance = np.where(months < -PERIOD * SETTLING, 0.0, rng.standard_normal(months.size))
    falling = 1 - lost * np.maximum(months, 0) / record.n
    rain = usual * falling * np.exp(sigma * chance - (chance != 0) * sigma**2 / 2)
    chips = [_grown(rng, rain, before, settings.rainfall) for _ in range(record.chips)]
    return PERCENT * np.stack(chips)


def _grown(rng: Generator, rain: Values, before: int, usual: float) -> Values:
    """NDVI in the middle of each month after the first ones."""
    state = patterns.initial_state(patterns.random_plants((CELLS, CELLS), rng), usual)
    daily = np.repeat(rain, DAYS)
    start = before * DAYS + DAYS // 2
    state = patterns.step(state, daily[:start], n_steps=start)
    seen = [_greenness(state.plants)]
    for day in range(start, daily.size - DAYS, DAYS):
        state = patterns.step(state, daily[day : day + DAYS], n_steps=DAYS)
        seen.append(_greenness(state.plants))
    return np.array(seen)


def _greenness(plants: Values) -> float:
    """NDVI of cells with so much biomass."""
    hidden = 1 - np.exp(-plants / CLOSURE)
    red, near = (SOIL[band] + (GREEN[band] - SOIL[band]) * hidden for band in ("B4", "B8"))
    return float(ndvi(near, red).mean())


STABLE_VEGETATION: Mapping[str, Situation] = {
    "simulator, stable rain": partial(vegetation, lost=FALLS["stable"])
}
"""Its null."""
DYING_VEGETATION: Mapping[str, Situation] = {
    "simulator, decline": partial(vegetation, lost=FALLS["declining"]),
    "simulator, collapse": partial(vegetation, lost=FALLS["collapsing"]),
}
"""Names and generators of simulated places that lose resilience."""
