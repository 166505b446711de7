"""What every Source gives is looked at before it is kept: numbers that cannot be are no data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import DataError
from pyveg.core.report import DOUBTS
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.formats import Raster
from pyveg.kernels import plausibility
from pyveg.kernels.images import valid_pixels
from pyveg.kernels.ndvi import ndvi
from pyveg.kernels.plausibility import Finding

INDEX = "NDVI"
_FILES = 4


@dataclass
class Checked:
    """Rasters without the pixels that cannot be."""

    rasters: dict[str, Raster]
    impossible: int = 0
    """How many pixels were taken out."""
    doubts: list[str] = field(default_factory=list)

    @property
    def notes(self) -> dict[str, Any]:
        """For the Task; empty where nothing is to be said."""
        notes: dict[str, Any] = {}
        if self.impossible:
            notes["impossible_pixels"] = self.impossible
        if self.doubts:
            notes[DOUBTS] = self.doubts
        return notes


def check_image(
    rasters: Mapping[str, Raster], record: Mapping[str, Any], rgb: Sequence[str], nir: str
) -> Checked:
    """Bands of a date, without impossible pixels.

    Parameters
    ----------
    rasters : mapping of str to Raster
        Of one shape, by name.
    record : mapping
        Where they came from, for messages.
    rgb : sequence of str
        Names of the red, green and blue band.
    nir : str
        Name of the near-infrared band.

    Raises
    ------
    DataError
        If many pixels are impossible, or bands contradict each other.
    """
    names = [name for name in dict.fromkeys((*rgb, nir)) if name in rasters]
    if not rgb or rgb[0] not in names or nir not in names:
        return _check_index(rasters, record)
    bands = {name: rasters[name].array for name in names}
    given = rasters.get(INDEX)
    index = ndvi(bands[nir], bands[rgb[0]]) if given is None else given.array
    if len({index.shape, *(band.shape for band in bands.values())}) > 1:
        return Checked(dict(rasters))  # refused by whoever lays them on each other
    valid = valid_pixels(list(bands.values()), index)
    found = plausibility.image(bands, index, valid, red=rgb[0], nir=nir, rgb=rgb)
    _refuse(found, record, names)
    if not found.impossible.any():
        return Checked(dict(rasters), doubts=list(found.doubts))
    kept = {
        name: without(raster, found.impossible, zero=name in names)
        for name, raster in rasters.items()
    }
    return Checked(kept, int(found.impossible.sum()), list(found.doubts))


def _check_index(rasters: Mapping[str, Raster], record: Mapping[str, Any]) -> Checked:
    """NDVI without bands; the range of other indices is not known."""
    if INDEX not in rasters:
        return Checked(dict(rasters))
    found = plausibility.index(rasters[INDEX].array)
    _refuse(found, record, [INDEX])
    if not found.impossible.any():
        return Checked(dict(rasters))
    kept = {**rasters, INDEX: without(rasters[INDEX], found.impossible, zero=False)}
    return Checked(kept, int(found.impossible.sum()), list(found.doubts))


def check_weather(rasters: Mapping[str, Raster], record: Mapping[str, Any], days: float) -> Checked:
    """Rain and temperature of a period of some days, without impossible pixels.

    Raises
    ------
    DataError
        If many pixels are impossible.
    """
    checked = Checked(dict(rasters))
    for name, raster in rasters.items():
        if name == PRECIPITATION:
            found = plausibility.rain(raster.array, days)
        elif name == TEMPERATURE:
            found = plausibility.temperature(raster.array)
        else:
            continue
        _refuse(found, record, [name])
        checked.doubts += [f"{name}: {doubt}" for doubt in found.doubts]
        if found.impossible.any():
            checked.impossible += int(found.impossible.sum())
            checked.rasters[name] = without(raster, found.impossible, zero=False)
    return checked


def without(raster: Raster, pixels: NDArray[np.bool_], *, zero: bool) -> Raster:
    """A raster in which some pixels are missing: NaN, or 0 where integers are reflectance."""
    array = raster.array
    if zero and array.dtype.kind in "iu":
        kept, nodata = np.where(pixels, 0, array).astype(array.dtype), 0.0
    else:
        kind = np.result_type(array.dtype, np.float32)
        kept, nodata = np.where(pixels, np.nan, array).astype(kind), float("nan")
    return Raster(kept, raster.crs, raster.transform, nodata)


def _refuse(found: Finding, record: Mapping[str, Any], names: Sequence[str]) -> None:
    if not found.wrong:
        return
    files = record.get("files") or {}
    # The bands that it is about, where it names some.
    named = [name for name in (*names, INDEX) if re.search(rf"\b{re.escape(name)}\b", found.wrong)]
    told = [str(files[name]) for name in (named or names) if name in files]
    where = f" ({', '.join(told[:_FILES])})" if told else ""
    raise DataError(f"{found.wrong}{where}", found.cure)
