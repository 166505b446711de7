"""What the numbers of a file mean: by the file, by what its maker puts beside it, by the config.

The file says, the config may say more. Where two of them say different things about one band the
date fails, because one of them must be wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import ConfigError, DataError
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.sources.folder import beside
from pyveg.sources.folder.opening import BandNumbers
from pyveg.sources.folder.settings import FolderSettings, of_band

REFLECTANCE = {"reflectance": 1.0, "percent": 0.01, "reflectance x 10000": 1e-4}
"""Unit -> reflectance of one."""
RAIN = {
    **dict.fromkeys(("m", "metre", "meter"), 1.0),
    **dict.fromkeys(("mm", "millimetre", "millimeter"), 1e-3),
    **dict.fromkeys(("kg m-2", "kg/m2", "kg/m^2", "kg m**-2"), 1e-3),
    "cm": 1e-2,
}
"""Unit -> metres of water of one."""
WARMTH = {"K": 0.0, "kelvin": 0.0, "degC": 273.15, "deg C": 273.15, "C": 273.15,
          "Celsius": 273.15, "degrees Celsius": 273.15, "\u00b0C": 273.15}  # fmt: skip
"""Unit -> kelvin to add."""
PER_RUN = 1e4
"""Runs keep reflectance x 10,000."""


@dataclass(frozen=True)
class Meaning:
    """value = number x scale + offset, in the units that runs keep."""

    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    told: str = ""
    """How it was found, for the record; empty where numbers stay as they are."""

    @property
    def as_it_is(self) -> bool:
        """Whether numbers are kept as they stand in the file."""
        return math.isclose(self.scale, 1, rel_tol=1e-9) and self.offset == 0

    def values(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Numbers in the units that runs keep; the same array where nothing changes."""
        if self.as_it_is:
            return numbers
        return (numbers.astype(np.float64) * self.scale + self.offset).astype(np.float32)


@dataclass(frozen=True)
class Kind:
    """What a raster is, as far as its numbers go."""

    name: str
    """Of the raster that is made: a band, an index, or a variable of the weather."""
    band: str
    """As the collection calls it."""
    weather: bool = False
    index: bool = False
    """Whether it is a vegetation index that the images bring along."""


def meaning(path: Path, said: BandNumbers, settings: FolderSettings, kind: Kind) -> Meaning:
    """What the numbers of a band mean.

    Parameters
    ----------
    path : Path
        Of its file.
    said : BandNumbers
        What the file says.
    settings : FolderSettings
    kind : Kind

    Raises
    ------
    DataError
        If the file, its metadata and the config contradict each other, or a unit is none.
    """
    maker = None if kind.weather or kind.index else beside.product_numbers(path, kind.band)
    given = {
        field: of_band(getattr(settings, field), kind.band, kind.name)
        for field in ("scale", "offset", "nodata")
    }
    if kind.index:  # one number for all bands is about reflectance
        for field in ("scale", "offset"):
            if not isinstance(getattr(settings, field), dict):
                given[field] = None
    scale = _agreed(path, "scale", said.scale, maker.scale if maker else None, given["scale"])
    offset = _agreed(path, "offset", said.offset, maker.offset if maker else None, given["offset"])
    nodata = _agreed(path, "nodata", said.nodata, maker.nodata if maker else None, given["nodata"])
    stated = scale is not None or offset is not None
    scale, offset = 1.0 if scale is None else scale, offset or 0.0
    unit = _unit(path, said.unit, settings, kind)
    if kind.weather:
        return _of_weather(kind.name, unit, Meaning(scale, offset, nodata))
    factor = 1.0
    if not kind.index and (unit or stated):
        factor = REFLECTANCE[unit or "reflectance"] * PER_RUN
    told = f"number x {scale:g} + {offset:g}" + (f" in {unit}" if unit else "")
    kept = Meaning(scale * factor, offset * factor, nodata)
    return kept if kept.as_it_is else Meaning(kept.scale, kept.offset, nodata, told)


def _agreed(path: Path, what: str, file: float | None, maker: float | None, config: Any) -> Any:
    """The one thing that is said; None where nothing is."""
    words = {"the file": file, "the metadata beside it": maker, "the config": config}
    known = {who: value for who, value in words.items() if value is not None}
    if not known:
        return None
    (first, value), *others = known.items()
    for who, other in others:
        same = math.isclose(value, other, rel_tol=1e-6) or (math.isnan(value) and math.isnan(other))
        if not same:
            raise DataError(
                f"{path}: {first} says {what} {value:g} and {who} {other:g}",
                f"correct the one that is wrong, or leave {what} out of the config",
            )
    return value


def _unit(path: Path, file: str, settings: FolderSettings, kind: Kind) -> str:
    """The unit that the config or the file states; the file's only where it is known."""
    known = _known_units(kind)
    by_file = _spelled(file, known)
    given = settings.units
    config = of_band(given, kind.band, kind.name)
    if config is None and kind.weather and file.strip("[] -1") and not by_file:
        raise DataError(
            f'{path}: the file says that "{kind.band}" is in {file}, which is not known here',
            f'bring it to {" or ".join(list(known)[:2])}, and say so by units = {{"{kind.band}": '
            "...}",
        )
    if config is None or (kind.index and not isinstance(given, dict)):
        return by_file
    unit = _spelled(str(config), known)
    if not unit:
        if (
            not isinstance(given, dict) and kind.weather
        ):  # one unit for all is that of rain or of heat
            return by_file
        raise ConfigError(
            f'units: "{config}" is no unit of {kind.band}', f"write one of {', '.join(known)}"
        )
    if by_file and known[by_file] != known[unit]:
        raise DataError(
            f'{path}: the file says that "{kind.band}" is in {by_file} and the config in {unit}',
            "correct the one that is wrong, or leave units out of the config",
        )
    return unit


def _known_units(kind: Kind) -> dict[str, float]:
    if not kind.weather:
        return {"1": 1.0} if kind.index else REFLECTANCE
    return {PRECIPITATION: RAIN, TEMPERATURE: WARMTH}.get(kind.name, {**RAIN, **WARMTH})


def _spelled(text: str, known: dict[str, float]) -> str:
    """A unit as it stands in a table; empty where it is not in it."""
    wanted = text.strip("[] ").lower().replace("\u00d7", "x").replace("10,000", "10000")
    spelled = (unit for unit in known if wanted in {unit.lower(), f"{unit.lower()}s"})
    return next(spelled, "")


def _of_weather(name: str, unit: str, stated: Meaning) -> Meaning:
    """In metres or kelvin."""
    scale, offset = stated.scale, stated.offset
    if unit in RAIN and name != TEMPERATURE:
        scale, offset = scale * RAIN[unit], offset * RAIN[unit]
    elif unit in WARMTH:
        offset += WARMTH[unit]
    kept = Meaning(scale, offset, stated.nodata)
    told = f"number x {scale:g} + {offset:g}"
    return kept if kept.as_it_is else Meaning(scale, offset, stated.nodata, told)
