"""Functions of formulas that take numbers and vectors, which are one vector to them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping

Vector = tuple[float, ...]


def _single(function: Callable[[float], float]) -> Callable[[Vector], float]:
    """A function of one number."""

    def of(vector: Vector) -> float:
        (number,) = vector  # else a ValueError, which is the answer
        return function(number)

    return of


OF_VECTORS: Mapping[str, Callable[[Vector], float]] = {
    "avg": statistics.fmean,
    "len": lambda vector: float(len(vector)),
    "lg": _single(math.log2),
    "ln": _single(math.log),
    "log": _single(math.log10),
    "max": max,
    "min": min,
    "norm": lambda vector: math.hypot(*vector),
    "range": lambda vector: max(vector) - min(vector),
    "std": statistics.stdev,
    "sum": math.fsum,
}
"""Name -> the function. They raise ValueError where they have no value."""

NOT_EVALUATED = frozenset({"percentile", "rand", "stop", "time", "vec"})
"""Functions of the service that the emulator does not know."""
