"""All situations of the zoo by name, and the places that they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyveg.calibration.zoo import losing
from pyveg.calibration.zoo.rainy import RAINY
from pyveg.calibration.zoo.record import Record, Simulated, Situation, Values, season
from pyveg.calibration.zoo.steady import STEADY as _STEADY
from pyveg.calibration.zoo.vegetation import DYING_VEGETATION, STABLE_VEGETATION

STEADY: Mapping[str, Situation] = {
    **_STEADY,
    **losing.STEADY_FOLD,
    **RAINY,
    **STABLE_VEGETATION,
}
"""Situations in which resilience does not change."""
LOSING: Mapping[str, Situation] = {**losing.LOSING, **DYING_VEGETATION}
"""Situations in which it is lost."""
SITUATIONS: Mapping[str, Situation] = {**STEADY, **LOSING}
_ALL: Mapping[str, Situation] = {**SITUATIONS, **losing.RISING}


def zoo_place(name: str, record: Record, seed: int) -> Simulated:
    """One place of a situation.

    Parameters
    ----------
    name : str
        Of `SITUATIONS`, or of `losing.RISES`.
    record : Record
    seed : int

    Returns
    -------
    Simulated
        Chips of shape (chips, n) with a level and a season, NaN where missing, and the rain where
        the situation has some.

    Examples
    --------
    >>> place = zoo_place("stable .5", Record(years=5, gaps=0.2, chips=3), seed=1)
    >>> place.chips.shape, place.rain is None
    ((3, 60), True)
    """
    rng = np.random.default_rng([seed, *map(ord, name)])
    made: Any = _ALL[name](record, rng)
    chips, rain = made if isinstance(made, Simulated) else (made, None)
    chips = chips + season(record)
    chips[rng.random(chips.shape) < record.gaps] = np.nan
    return Simulated(chips, rain)


def zoo_series(name: str, record: Record, seed: int) -> Values:
    """The chips of `zoo_place`, shape (chips, n)."""
    return zoo_place(name, record, seed).chips
