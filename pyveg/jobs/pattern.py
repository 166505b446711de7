"""A run of the vegetation model, from files and into files: what `pyveg_gen_pattern` does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.reading import read_text
from pyveg.core.values import read_json
from pyveg.kernels.patterns import (
    RietkerkParameters,
    State,
    initial_state,
    random_plants,
    step,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OLDER_NAMES: Mapping[str, str] = {
    "DifP": "plant_diffusion",
    "DifW": "soil_water_diffusion",
    "DifO": "surface_water_diffusion",
    "alpha": "infiltration",
    "W0": "bare_infiltration",
    "beta": "grazing",
    "rw": "evaporation",
    "c": "conversion",
    "gmax": "uptake",
    "d": "mortality",
    "k1": "uptake_half",
    "k2": "infiltration_half",
    "DeltaX": "cell_size",
    "DeltaY": "cell_size",
    "R": "rainfall",
    "m": "size",
    "frac": "bare_share",
    "vmass": "biomass",
}
"""Names in parameter files of the older pyveg -> ours."""

RAINFALL, SIZE, BARE_SHARE, BIOMASS = 1.0, 50, 0.90, 90.0
CHUNK = 500
"""Days between two reports of progress."""
_WRITE = 'write one object of names and numbers, such as {"beta": 0.3}'
PICTURE = 400
"""A picture's shorter side has at least so many pixels."""


@dataclass(frozen=True, kw_only=True)
class PatternSettings:
    """A simulation."""

    parameters: RietkerkParameters = field(default_factory=RietkerkParameters)
    rainfall: float = RAINFALL
    """mm per day."""
    size: int = SIZE
    """Cells along a side, where no pattern is given to start from."""
    bare_share: float = BARE_SHARE
    """Probability of a cell to be bare at the start; likewise."""
    biomass: float = BIOMASS
    """Plants on the fullest cells at the start, g / m2."""
    seed: int = 0


def read_settings(path: str | Path | None, **given: Any) -> PatternSettings:
    """Settings from a parameter file, under those that were given themselves.

    Parameters
    ----------
    path : str or Path, optional
        A JSON object; names are ours (those of `RietkerkParameters` and `PatternSettings`) or
        those of the older pyveg. What it does not name has its default.
    **given
        Settings that go before those of the file; None for none.

    Raises
    ------
    ConfigError
        If the file cannot be read, a name is unknown or given twice, or a number makes no sense.
    """
    where = "" if path is None else f"{path}: "
    numbers = {} if path is None else _named(_object(Path(path)), where)
    numbers |= {name: value for name, value in given.items() if value is not None}
    parameters = {spec.name for spec in fields(RietkerkParameters)}
    try:
        settings = PatternSettings(
            parameters=RietkerkParameters(
                **{name: value for name, value in numbers.items() if name in parameters}
            ),
            **{name: value for name, value in numbers.items() if name not in parameters},
        )
    except ValueError as error:
        raise _refused(error, where) from error
    _check(settings, where)
    return settings


def _refused(error: ValueError, where: str = "") -> ConfigError:
    """What the model says of its numbers; some of its messages hold a cure."""
    wrong, _, cure = str(error).partition("; ")
    return ConfigError(f"{where}{wrong}", cure or "give numbers near those of the defaults")


def _check(settings: PatternSettings, where: str) -> None:
    for name, least in (("size", 1), ("seed", 0)):
        value = getattr(settings, name)
        # 2.0 is whole too: JSON has no integers of its own.
        if value != round(value) or value < least:
            raise ConfigError(
                f"{where}{name} = {value} is out of range", f"give a whole number from {least}"
            )
    for name, most in (("rainfall", math.inf), ("bare_share", 1), ("biomass", math.inf)):
        value = getattr(settings, name)
        if not 0 <= value <= most or math.isinf(value):
            limits = "0 or more" if most > 1 else "0 to 1"
            raise ConfigError(f"{where}{name} = {value} is out of range", f"give {limits}")


def starting_plants(settings: PatternSettings, pattern: NDArray[np.float64] | None) -> State:
    """The state at the beginning: random plants, or a pattern scaled to the greatest biomass.

    Parameters
    ----------
    settings : PatternSettings
    pattern : array of float, shape (rows, columns), optional
        At least 0; such as 0 and 255, or biomass.

    Raises
    ------
    ConfigError
        If it holds no plants, or what is none, or a setting makes no sense.
    """
    import numpy as np

    try:
        if pattern is None:
            plants = random_plants(
                (int(settings.size), int(settings.size)),
                np.random.default_rng(int(settings.seed)),
                settings.bare_share,
                settings.biomass,
            )
        else:
            if not np.isfinite(pattern).all() or pattern.min() < 0 or pattern.max() == 0:
                raise ConfigError(
                    "the starting pattern holds no plants, or numbers below 0",
                    "give 0 for bare cells and numbers above 0 for plants",
                )
            plants = pattern * (settings.biomass / pattern.max())
        return initial_state(plants, settings.rainfall, settings.parameters)
    except ValueError as error:
        raise _refused(error) from error


def simulate(
    state: State,
    settings: PatternSettings,
    steps: int,
    report: Callable[[int], None] = lambda _days: None,
) -> State:
    """Run the model for some days; `report` gets the number of days of each part as it is done.

    Raises
    ------
    ConfigError
        If the numbers grow beyond all bounds.
    """
    left = steps
    while left > 0:
        # In parts for the sake of the progress: they give the same bits as one call.
        days = min(left, CHUNK)
        try:
            state = step(state, settings.rainfall, settings.parameters, days)
        except ValueError as error:
            raise _refused(error) from error
        left -= days
        report(days)
    return state


def csv_of(plants: NDArray[np.float64]) -> bytes:
    """Biomass as the older pyveg writes it: commas, six decimals, a line per row."""
    lines = [",".join(f"{value:.6f}" for value in row) for row in plants.tolist()]
    return ("\n".join(lines) + "\n").encode()


def picture_of(plants: NDArray[np.float64]) -> bytes:
    """A PNG of biomass, from none (bright) to the greatest (dark green)."""
    import matplotlib
    import numpy as np

    greatest = float(plants.max())
    shares = plants / greatest if greatest > 0 else plants
    pixels = np.round(255 * matplotlib.colormaps["YlGn"](shares)[..., :3]).astype(np.uint8)
    return _png(pixels)


def binary_picture_of(plants: NDArray[np.float64]) -> bytes:
    """A PNG of the pattern, white where it is bare, one pixel per cell: for `pyveg_calc_EC`."""
    from pyveg import formats
    from pyveg.kernels.patterns import binary_pattern

    return formats.encode_png(binary_pattern(plants))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from pyveg import formats

    zoom = -(-PICTURE // min(pixels.shape[:2]))
    return formats.encode_png(pixels.repeat(zoom, axis=0).repeat(zoom, axis=1))


def _object(path: Path) -> dict[str, Any]:
    try:
        document = read_json(read_text(path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check its path") from error
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}", _WRITE) from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds something else than names and numbers", _WRITE)
    return document


def _named(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """By our names, numbers only."""
    ours = {spec.name for spec in fields(RietkerkParameters)}
    ours |= {spec.name for spec in fields(PatternSettings)} - {"parameters"}
    numbers: dict[str, Any] = {}
    for name, value in given.items():
        mine = OLDER_NAMES.get(name, name)
        if mine not in ours:
            raise UnknownNameError("parameter", name, [*ours, *OLDER_NAMES], where.rstrip(": "))
        # Or true would be 1.
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{where}{name} = {value!r} is no number", "write a number")
        if numbers.get(mine, value) != value:
            why = "cells are square" if mine == "cell_size" else "they are one parameter"
            raise ConfigError(
                f"{where}{name} = {value} and {numbers[mine]} for the same: {why}",
                "give one value",
            )
        numbers[mine] = value
    return numbers
