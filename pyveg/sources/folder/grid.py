"""One grid for all images of a collection: how files lie on each other, and how they are moved.

Images whose pixels coincide are only cut: numbers stay as they are. Bands with pixels a whole
number of times as large are brought to the finest ones by repeating each pixel (nearest
neighbour), which invents no values. Everything else is warped, and only when it is asked for:
bilinear for measurements, nearest neighbour for masks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg import formats

Transform = tuple[float, float, float, float, float, float]
Box = tuple[int, int, int, int]
"""First column and row, and those behind the last."""
SAME = 0.05
"""How far two pixels may be from each other that are still one, in pixels, anywhere in an image.
Well below the accuracy that satellites are located with, a fifth of a pixel and more."""


@dataclass(frozen=True)
class Ground:
    """The pixels of an image, and where they are."""

    crs: str | None
    transform: Transform | None
    width: int
    height: int

    @property
    def placed(self) -> bool:
        """Whether it is known where it is."""
        return self.crs is not None and self.transform is not None

    @property
    def size(self) -> str:
        """For people."""
        return f"{self.width} x {self.height}"

    @cached_property
    def linear(self) -> NDArray[np.float64]:
        """Columns and rows to x and y, but for the origin; shape (2, 2)."""
        a, b, _, d, e, _ = self._transform
        return np.array([[a, b], [d, e]])

    @property
    def origin(self) -> NDArray[np.float64]:
        """Outer corner of the first pixel; shape (2,)."""
        _, _, c, _, _, f = self._transform
        return np.array([c, f])

    @property
    def pixel(self) -> tuple[float, float]:
        """Sides of a pixel."""
        across, down = np.hypot(*self.linear)
        return float(across), float(down)

    @property
    def _transform(self) -> Transform:
        if self.transform is None:
            raise ValueError("the image has no transform")
        return self.transform

    def to_json(self) -> list[Any]:
        """As a list that the constructor takes back, with the transform as a list."""
        return [self.crs, None if self.transform is None else list(self.transform),
                self.width, self.height]  # fmt: skip

    @classmethod
    def from_json(cls, data: list[Any]) -> Ground:
        """Read what `to_json` wrote."""
        crs, transform, width, height = data
        return cls(crs, None if transform is None else tuple(transform), width, height)


@dataclass(frozen=True)
class Placed:
    """A file and its pixels."""

    path: Path
    ground: Ground
    mask: bool = False
    """Whether it only says which pixels are clear."""


@lru_cache(maxsize=256)
def same_crs(one: str, other: str) -> bool:
    """Whether two texts name one reference system."""
    from rasterio.crs import CRS

    if one == other:
        return True
    try:
        with formats.gdal_errors("an unknown reference system"):
            return bool(CRS.from_user_input(one) == CRS.from_user_input(other))
    except formats.FormatError:
        return False


def difference(one: Ground, other: Ground) -> str:
    """In what two placed images differ so that their pixels do not coincide; empty for nothing."""
    if one == other:
        return ""
    if not same_crs(str(one.crs), str(other.crs)):
        return f"they are in {_short(one.crs)} and {_short(other.crs)}"
    if np.any(np.sign(np.diag(one.linear)) != np.sign(np.diag(other.linear))):
        return f"their rows run {_direction(one)} and {_direction(other)}"
    reach = max(one.width, one.height, other.width, other.height)
    steps = np.linalg.solve(other.linear, one.linear)  # pixels of one in those of the other
    if np.abs(steps - np.eye(2)).max() * reach > SAME:
        return f"their pixels are {_pixel(one)} and {_pixel(other)}"
    shift = _shift(one, other)
    between = np.abs(shift - np.rint(shift)).max()
    if between > SAME:
        return f"their pixels are {between:.2f} of a pixel apart"
    return ""


def times_as_large(one: Ground, other: Ground) -> int:
    """How many pixels of `other` a side of a pixel of `one` has; 0 where they do not fit."""
    if one == other:
        return 1
    if not same_crs(str(one.crs), str(other.crs)):
        return 0
    steps = np.linalg.solve(other.linear, one.linear)
    if not 0.5 <= steps[0, 0] <= max(other.width, other.height):
        return 0
    count = int(np.rint(steps[0, 0]))
    reach = max(other.width, other.height) / max(count, 1)
    shift = _shift(one, other)
    fits = count >= 1 and np.abs(steps - count * np.eye(2)).max() * reach <= SAME
    return count if fits and np.abs(shift - np.rint(shift)).max() <= SAME else 0


def box_of(one: Ground, other: Ground) -> Box:
    """The pixels of `other` that an image covers whose pixels fit into them."""
    count = times_as_large(one, other)
    left, top = (int(value) for value in np.rint(_shift(one, other)))
    return left, top, left + count * one.width, top + count * one.height


def common(boxes: list[Box]) -> Box:
    """What all of some boxes share; its width or height is 0 or less where they share nothing."""
    return (
        max(box[0] for box in boxes),
        max(box[1] for box in boxes),
        min(box[2] for box in boxes),
        min(box[3] for box in boxes),
    )


def around(boxes: list[Box]) -> Box:
    """The box around some boxes."""
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def part(ground: Ground, box: Box) -> Ground:
    """The pixels of a box."""
    left, top, right, bottom = box
    a, b, c, d, e, f = ground._transform
    moved = (a, b, c + a * left + b * top, d, e, f + d * left + e * top)
    return replace(ground, transform=moved, width=right - left, height=bottom - top)


def north_up(ground: Ground) -> Ground:
    """The same pixels with the northernmost row first, where rows run north."""
    if ground.transform is None or ground.transform[4] <= 0 or ground.transform[1]:
        return ground
    a, b, c, d, e, f = ground.transform
    return replace(ground, transform=(a, b, c, d, -e, f + e * ground.height))


def upright(
    array: NDArray[Any], hidden: NDArray[np.bool_], ground: Ground
) -> tuple[NDArray[Any], NDArray[np.bool_], Ground]:
    """An image with its northernmost row first."""
    turned = north_up(ground)
    return (array, hidden, ground) if turned == ground else (array[::-1], hidden[::-1], turned)


def extent(ground: Ground, box: Ground) -> Box:
    """The pixels of `box` around an image in any reference system."""
    from rasterio.warp import transform_bounds

    left, top, right, bottom = 0, 0, ground.width, ground.height
    corners = np.array([(left, top), (right, top), (left, bottom), (right, bottom)])
    x, y = (corners @ ground.linear.T + ground.origin).T
    with formats.gdal_errors("an image cannot be placed in another reference system"):
        west, south, east, north = transform_bounds(
            ground.crs, box.crs, x.min(), y.min(), x.max(), y.max()
        )
    there = np.array([(west, north), (east, north), (west, south), (east, south)])
    columns, rows = np.asarray(np.linalg.solve(box.linear, (there - box.origin).T))
    if not (np.isfinite(columns).all() and np.isfinite(rows).all()):
        raise formats.FormatError("an image cannot be placed in another reference system")
    low, high = SAME, 1 - SAME  # a pixel that is only touched is none
    return (
        int(np.floor(columns.min() + low)),
        int(np.floor(rows.min() + low)),
        int(np.floor(columns.max() + high)),
        int(np.floor(rows.max() + high)),
    )


def lay(
    array: NDArray[Any], hidden: NDArray[np.bool_], ground: Ground, target: Ground
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Numbers of an image on the pixels of a grid that its own fit into, and what is not there.

    Parameters
    ----------
    array, hidden : ndarray, shape (H, W)
        Numbers, and True where there is none.
    ground, target : Ground
    """
    if ground == target:
        return array, hidden
    count = times_as_large(ground, target)
    if count == 0:
        return _lay_finer(array, hidden, ground, target)
    left, top, _, _ = box_of(ground, target)
    rows = (np.arange(target.height) - top) // count
    columns = (np.arange(target.width) - left) // count
    inside = np.outer(
        (rows >= 0) & (rows < ground.height), (columns >= 0) & (columns < ground.width)
    )
    where = np.ix_(np.clip(rows, 0, ground.height - 1), np.clip(columns, 0, ground.width - 1))
    return array[where], np.asarray(hidden[where] | ~inside)


def _lay_finer(
    array: NDArray[Any], hidden: NDArray[np.bool_], ground: Ground, target: Ground
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A mask of finer pixels: the first of each block, hidden where any of it is."""
    count = times_as_large(target, ground)
    left, top, right, bottom = box_of(target, ground)
    array, hidden = lay(array, hidden, ground, part(ground, (left, top, right, bottom)))
    blocks = hidden.reshape(target.height, count, target.width, count)
    return array[::count, ::count], np.asarray(blocks.any(axis=(1, 3)))


def fits(ground: Ground, target: Ground) -> bool:
    """Whether an image can be laid on a grid without new numbers."""
    return bool(times_as_large(ground, target) or times_as_large(target, ground))


def warp(
    array: NDArray[Any],
    hidden: NDArray[np.bool_],
    ground: Ground,
    target: Ground,
    *,
    nearest: bool = False,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Numbers of an image on the pixels of any grid.

    Returns
    -------
    ndarray of float32, shape of the target
    ndarray of bool
        True where the image has nothing to tell.
    """
    from rasterio.enums import Resampling
    from rasterio.transform import Affine
    from rasterio.warp import reproject

    source = np.where(hidden, np.nan, array).astype(np.float32)
    made: NDArray[np.float32] = np.full((target.height, target.width), np.nan, np.float32)
    with formats.gdal_errors("an image cannot be warped to the grid of the others"):
        reproject(
            source, made, src_crs=ground.crs, dst_crs=target.crs,
            src_transform=Affine(*ground._transform), dst_transform=Affine(*target._transform),
            src_nodata=np.nan, dst_nodata=np.nan,
            resampling=Resampling.nearest if nearest else Resampling.bilinear,
        )  # fmt: skip
    return made, np.isnan(made)


def _shift(one: Ground, other: Ground) -> NDArray[np.float64]:
    """Columns and rows of `other` at which `one` begins."""
    return np.asarray(np.linalg.solve(other.linear, one.origin - other.origin), np.float64)


def _short(crs: str | None) -> str:
    text = str(crs)
    return text if len(text) <= 40 else text.split('"')[1] if '"' in text else text[:40]


def _direction(ground: Ground) -> str:
    return "south" if ground.linear[1, 1] < 0 else "north"


def _pixel(ground: Ground) -> str:
    across, down = ground.pixel
    return f"{across:.6g} x {down:.6g}"
