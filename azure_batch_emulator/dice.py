"""Dice that fall the same way for the same thing, whatever the order of threads."""

from __future__ import annotations

import random


def chance(seed: int, *what: object) -> float:
    """A number in [0, 1) that depends on nothing but the seed and what it is for."""
    return random.Random(repr((seed, *what))).random()


def hits(rate: float, seed: int, *what: object) -> bool:
    """Whether something that happens with a rate happens here."""
    return rate > 0 and chance(seed, *what) < rate
