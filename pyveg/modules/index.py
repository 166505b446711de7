"""The vegetation index of one date, beside the bands that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import DataError
from pyveg.earth.indices import NDVI, IndexSettings, bands_of
from pyveg.formats import Raster
from pyveg.kernels import formulas
from pyveg.kernels.images import valid_pixels
from pyveg.kernels.ndvi import ndvi

KEPT = 1e4
"""Runs keep reflectance x 10,000."""
BEYOND = 0.05
"""Share of pixels beyond the range of an index that no date may have more of."""
_DARKEST, _BRIGHTEST = 0.005, 2.0
"""Reflectance that the brightest hundredth of a band must lie between."""


def add_index(rasters: dict[str, Raster], settings: IndexSettings) -> tuple[float, dict[str, Any]]:
    """Put the index beside the bands, on their grid, NaN where they are masked.

    Parameters
    ----------
    rasters : dict of str to Raster
        By name. The index is computed where there is none; one that is there is changed only where
        it has a value for a masked pixel, or one that cannot be.
    settings : IndexSettings

    Returns
    -------
    valid : float
        Share of pixels that are valid.
    notes : dict
        What is worth keeping of it.

    Raises
    ------
    DataError
        If the rasters are not of one shape, the bands of an index that needs reflectance are none,
        or more than 5 % of the index cannot be.
    """
    name = settings.index
    check_shapes({one: raster.array.shape for one, raster in rasters.items()})
    bands = {one: raster for one, raster in rasters.items() if one != name}
    given = rasters.get(name)
    values = given.array if given is not None else _computed(bands, settings)
    if bands:
        valid = valid_pixels([raster.array for raster in bands.values()], values)
    else:
        valid = np.isfinite(values)
    beyond = 0.0
    if name != NDVI or not bands:
        valid, beyond = _within(values, valid, settings)
    # Otherwise it stays as it was given, and its file is copied without being encoded again.
    if given is None or np.isfinite(values[~valid]).any():
        values = np.where(valid, values, np.nan).astype(np.float32)
        like = given if given is not None else next(reversed(bands.values()))
        rasters[name] = Raster(values, like.crs, like.transform, nodata=float("nan"))
    notes: dict[str, Any] = {} if name == NDVI else {"index": settings.told}
    return float(valid.mean()), notes | ({"beyond_range": beyond} if beyond else {})


def _computed(bands: Mapping[str, Raster], settings: IndexSettings) -> NDArray[np.floating[Any]]:
    names = bands_of(settings, settings.index)
    if settings.index == NDVI:
        return ndvi(bands[names["N"]].array, bands[names["R"]].array)
    formula = settings.index_formula
    arrays = {letter: bands[band].array for letter, band in names.items()}
    if not formulas.scale_free(formula):
        arrays = {letter: array / KEPT for letter, array in arrays.items()}
        for letter, array in arrays.items():
            _check_reflectance(array, settings.index, names[letter])
    return formulas.evaluate(formula, arrays).astype(np.float32)


def _check_reflectance(array: NDArray[Any], index: str, band: str) -> None:
    known = array[np.isfinite(array) & (array != 0)]
    brightest = float(np.percentile(known, 99)) if known.size else _BRIGHTEST
    if not _DARKEST <= brightest <= _BRIGHTEST:
        raise DataError(
            f"{index} needs reflectance, and {band}, read as reflectance x 10,000, reaches "
            f"{brightest:.3g}",
            'say what its numbers are, as in units = "reflectance"',
        )


def _within(
    values: NDArray[Any], valid: NDArray[np.bool_], settings: IndexSettings
) -> tuple[NDArray[np.bool_], float]:
    """Valid pixels that lie in the range of the index, and the share of those that do not."""
    low, high = settings.index_range
    with np.errstate(invalid="ignore"):
        outside = valid & ((values < low) | (values > high))
    share = float(outside.sum() / valid.sum()) if valid.any() else 0.0
    if share > BEYOND:
        least, most = np.percentile(values[valid], (1, 99))
        raise DataError(
            f"{share:.0%} of the pixels of {settings.index} lie beyond {low:g} to {high:g}; 98 % "
            f"of them are {least:.3g} to {most:.3g}",
            f'say what its numbers are, as in scale = {{"{settings.index}": 0.0001}}, or set '
            "index_range",
        )
    return valid & ~outside, share


def check_shapes(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Rasters of one date must be of one shape."""
    (first, shape), *others = shapes.items()
    for name, other in others:
        if other != shape:
            sizes = f"{shape[1]} x {shape[0]} pixels and {name} {other[1]} x {other[0]}"
            raise DataError(
                f"the bands are not of one shape: {first} has {sizes}",
                "resample them to the pixels of one",
            )
