"""Situations in which resilience is lost, and their like in which it is not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from pyveg.calibration.zoo.record import (
    Generator,
    Record,
    Situation,
    Values,
    from_rest,
    memory,
    noise,
)


def fold(record: Record, rng: Generator, last: float) -> Values:
    """Grazed vegetation that nears its fold (May 1977), about its mean.

    x' = x (1 - x / 10) - c x^2 / (1 + x^2); c goes from 1.0 to `last`, and at 2.6 it collapses.
    """
    grazing = from_rest(np.linspace(1.0, last, record.n))
    drive = noise(record, rng)
    x, out = np.full(record.chips, 8.9), np.empty(drive.shape)
    for t, c in enumerate(grazing):
        for _ in range(4):
            x = x + 0.125 * (x * (1 - x / 10) - c * x**2 / (1 + x**2))
        x = np.maximum(x + 0.12 * drive[:, t], 0.05)
        out[:, t] = x
    inside = out[:, -record.n :]
    return np.asarray(inside - inside.mean(), dtype=np.float64)


def transcritical(record: Record, rng: Generator, last: float) -> Values:
    """Growth that nears death: x' = r x - x^2, r from 0.7 to `last`."""
    rate = from_rest(np.linspace(0.7, last, record.n))
    drive = noise(record, rng)
    x, out = np.full(record.chips, 0.7), np.empty(drive.shape)
    for t, r in enumerate(rate):
        x = np.maximum(x + r * x - x**2 + 0.03 * drive[:, t], 0.001)
        out[:, t] = x
    return np.asarray(10 * out[:, -record.n :], dtype=np.float64)


def rise(record: Record, rng: Generator, first: float, last: float, louder: float = 1.0) -> Values:
    """Memory rises in a straight line; the noise stays, or its SD grows by a factor."""
    grown = from_rest(np.linspace(1.0, louder, record.n))
    return memory(record, noise(record, rng) * grown, np.linspace(first, last, record.n))


def rise_of_equal_variance(record: Record, rng: Generator, first: float, last: float) -> Values:
    """Memory rises and the noise falls, such that the variance stays."""
    phi = np.linspace(first, last, record.n)
    return memory(record, noise(record, rng) * np.sqrt(1 - from_rest(phi) ** 2), phi)


STEADY_FOLD: Mapping[str, Situation] = {"grazed, far from the fold": partial(fold, last=1.0)}
"""The fold's own null: grazing stays where it is."""
LOSING: Mapping[str, Situation] = {
    ".3 to .7": partial(rise, first=0.3, last=0.7),
    ".3 to .7, same variance": partial(rise_of_equal_variance, first=0.3, last=0.7),
    ".3 to .7, noise x 1.5": partial(rise, first=0.3, last=0.7, louder=1.5),
    ".5 to .9": partial(rise, first=0.5, last=0.9),
    "fold": partial(fold, last=2.3),
    "transcritical": partial(transcritical, last=0.15),
}
"""Names and generators."""
RISES: Mapping[str, tuple[float, float]] = {
    ".3 to .5": (0.3, 0.5),
    ".3 to .7": (0.3, 0.7),
    ".5 to .9": (0.5, 0.9),
}
"""Rises of AR(1) whose power is told: name -> at the beginning, at the end."""
RISING: Mapping[str, Situation] = {
    name: partial(rise, first=first, last=last) for name, (first, last) in RISES.items()
}
