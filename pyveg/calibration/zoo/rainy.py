"""Situations in which the rain changes and the vegetation answers it, its own memory constant.

The rain is known. Half of the variance of what drives the vegetation is the rain's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from pyveg.calibration.zoo.record import (
    REST,
    USUAL,
    Generator,
    Record,
    Simulated,
    Situation,
    Values,
    from_rest,
    memory,
    noise,
)
from pyveg.kernels.surrogates import ar_process

MEAN_RAIN = 0.05
"""m per month."""
Rain = Callable[[Record, Generator], Values]
"""Rain over its mean, with rest, (REST + n,)."""


def spreading_rain(record: Record, rng: Generator) -> Values:
    """The coefficient of variation grows from 0.3 to 0.9."""
    shape = 1 / from_rest(np.linspace(0.3, 0.9, record.n)) ** 2
    return rng.gamma(shape) / shape


def remembering_rain(record: Record, rng: Generator) -> Values:
    """AR(1) of the rain rises from 0 to 0.85, and its spread stays."""
    phi = from_rest(np.linspace(0.0, 0.85, record.n))
    drive = rng.standard_normal((1, REST + record.n)) * np.sqrt(1 - phi**2)
    return np.asarray(np.exp(0.4 * ar_process(drive, phi[:, np.newaxis])[0]), dtype=np.float64)


def answering(
    record: Record,
    rng: Generator,
    rain: Rain,
    *,
    phi: float = USUAL,
    threshold: float | None = None,
) -> Simulated:
    """Vegetation that answers rain, in a straight line or above a threshold only."""
    fallen = rain(record, rng)
    answer = fallen if threshold is None else np.maximum(fallen - threshold, 0.0)
    answer = (answer - answer.mean()) / answer.std()
    drive = np.sqrt(0.5) * (answer + noise(record, rng))
    return Simulated(memory(record, drive, phi), MEAN_RAIN * fallen[REST:])


_ANSWERS: Mapping[str, dict[str, Any]] = {
    "": {},
    ", above a threshold": {"threshold": 1.0},
    ", memory .85": {"phi": 0.85},
}
_RAINS: Mapping[str, Rain] = {
    "rain varies ever more": spreading_rain,
    "memory of the rain rises": remembering_rain,
}
RAINY: Mapping[str, Situation] = {
    f"{what}{how}": partial(answering, rain=rain, **settings)
    for what, rain in _RAINS.items()
    for how, settings in _ANSWERS.items()
}
"""Names and generators."""
