"""Laying chips over the image of one date."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core.errors import DataError
from pyveg.earth.chips import SIZE, ChipGrid
from pyveg.earth.types import Place
from pyveg.kernels import images


def cut(
    valid: NDArray[np.bool_], raster: formats.Raster, place: Place, max_masked: float
) -> ChipGrid:
    """Lay chips over an image.

    Parameters
    ----------
    valid : ndarray of bool, shape (H, W)
    raster : Raster
        Its georeferencing tells where the chips are; where it has none, they divide the region.
    place : Place
    max_masked : float
        A chip is usable while fewer than this share of its pixels are masked.

    Raises
    ------
    DataError
        If the image is smaller than one chip.
    """
    rows, columns = images.chip_grid(valid.shape, SIZE)
    if rows * columns == 0:
        height, width = valid.shape
        raise DataError(
            f"the image of {width} x {height} pixels is smaller than a chip, {SIZE} x {SIZE}",
            "give a larger region_size or a smaller scale",
        )
    if raster.crs and raster.transform:
        pixels = images.chip_centre_pixels(rows, columns, SIZE)
        centres = formats.lonlat(raster.crs, raster.transform, pixels[:, 0], pixels[:, 1])
    else:
        centres = images.chip_centres_in_region(
            place.longitude, place.latitude, place.region_size, rows, columns
        )
    masked = (~images.cut_chips(valid, SIZE)).sum(axis=(1, 2))
    usable = masked < max_masked * SIZE**2
    return ChipGrid(
        rows=rows,
        columns=columns,
        longitude=tuple(centres[:, 0].tolist()),
        latitude=tuple(centres[:, 1].tolist()),
        valid_fraction=tuple((1 - masked / SIZE**2).tolist()),
        usable=tuple(usable.tolist()),
    )
