"""The chips of one date: where they are and how much of each is valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core.errors import DataError
from pyveg.core.types import Place
from pyveg.kernels import images

SIZE = 50
"""Pixels along a side."""


@dataclass(frozen=True)
class Chips:
    """The chips of one date, column by column from the north-west corner."""

    rows: int
    columns: int
    longitude: tuple[float, ...]
    """Of the centres, degrees."""
    latitude: tuple[float, ...]
    valid_fraction: tuple[float, ...]
    usable: tuple[bool, ...]
    """Whether enough of it is valid to be measured."""

    def __len__(self) -> int:
        return self.rows * self.columns

    def chosen(self, n_sub_images: int) -> list[int]:
        """Indices of the usable ones among the first `n_sub_images`; -1 for all."""
        count = len(self) if n_sub_images < 0 else min(n_sub_images, len(self))
        return [index for index in range(count) if self.usable[index]]

    def record(self, index: int, date: str) -> dict[str, Any]:
        """What the records of every kind say of a chip."""
        return {
            "date": date,
            "latitude": round(self.latitude[index], 4),
            "longitude": round(self.longitude[index], 4),
            "chip": index,
            "valid_fraction": round(self.valid_fraction[index], 6),
        }

    def encode(self) -> bytes:
        """As JSON."""
        return formats.encode_json({"size": SIZE, **vars(self)})

    @classmethod
    def decode(cls, data: bytes) -> Chips:
        """Read what `encode` wrote."""
        found = formats.decode_json(data)
        return cls(
            rows=found["rows"],
            columns=found["columns"],
            longitude=tuple(found["longitude"]),
            latitude=tuple(found["latitude"]),
            valid_fraction=tuple(found["valid_fraction"]),
            usable=tuple(found["usable"]),
        )


def cut(valid: NDArray[np.bool_], raster: formats.Raster, place: Place, max_masked: float) -> Chips:
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
        raise DataError(f"the image of {width} x {height} pixels is smaller than a chip, 50 x 50")
    if raster.crs and raster.transform:
        pixels = images.chip_centre_pixels(rows, columns, SIZE)
        centres = formats.lonlat(raster.crs, raster.transform, pixels[:, 0], pixels[:, 1])
    else:
        centres = images.chip_centres_in_region(
            place.longitude, place.latitude, place.region_size, rows, columns
        )
    masked = (~images.cut_chips(valid, SIZE)).sum(axis=(1, 2))
    usable = masked < max_masked * SIZE**2
    return Chips(
        rows=rows,
        columns=columns,
        longitude=tuple(centres[:, 0].tolist()),
        latitude=tuple(centres[:, 1].tolist()),
        valid_fraction=tuple((1 - masked / SIZE**2).tolist()),
        usable=tuple(usable.tolist()),
    )
