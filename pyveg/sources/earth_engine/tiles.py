"""Requests within the size limit of the service, and their answers joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import ConfigError
from pyveg.sources.grid import MAX_SIDE, Grid

MAX_BYTES = 50_331_648
"""Of one answer without compression: width x height x bytes per pixel (48 MiB)."""
MASK_BYTES = 1
"""What the service counts for each band of a pixel besides its number: the band's mask."""


@dataclass(frozen=True)
class Tile:
    """Part of a grid."""

    row: int
    column: int
    """Of its first pixel in the whole grid."""
    grid: Grid


def bytes_per_pixel(dtypes: Sequence[str]) -> int:
    """What the service counts for a pixel.

    Parameters
    ----------
    dtypes : sequence of str
        One per band, such as ``"uint16"``.
    """
    return sum(np.dtype(dtype).itemsize + MASK_BYTES for dtype in dtypes)


def split(grid: Grid, pixel_bytes: int, max_bytes: int = MAX_BYTES) -> list[Tile]:
    """Cut a grid into as few tiles as the limit allows, as square as they can be.

    Parameters
    ----------
    grid : Grid
    pixel_bytes : int
        Bytes per pixel, as the service counts them.
    max_bytes : int
        Limit of one answer.

    Returns
    -------
    list of Tile
        Row by row from the upper left; every pixel is in exactly one.

    Raises
    ------
    ConfigError
        If not even one pixel fits.
    """
    pixels = max_bytes // pixel_bytes
    if pixels < 1:
        raise ConfigError(
            f"max_request_bytes = {max_bytes} is less than one pixel of {pixel_bytes} bytes",
            f"give {pixel_bytes} or more",
        )
    rows, columns = min(_layouts(grid, pixels), key=lambda layout: _cost(grid, *layout))
    return [
        Tile(top, left, _window(grid, top, left, bottom - top, right - left))
        for top, bottom in _parts(grid.height, rows)
        for left, right in _parts(grid.width, columns)
    ]


def _layouts(grid: Grid, pixels: int) -> Iterator[tuple[int, int]]:
    """Numbers of rows and columns of tiles that keep to the limit."""
    fewest = -(-grid.height // MAX_SIDE)
    for rows in range(fewest, grid.height + 1):
        tall = -(-grid.height // rows)
        if tall > pixels:
            continue
        # As wide as the limit allows: for this number of rows no layout has fewer tiles.
        wide = min(pixels // tall, MAX_SIDE)
        columns = -(-grid.width // wide)
        yield rows, columns
        if columns == -(-grid.width // min(grid.width, MAX_SIDE)):
            return  # more rows only make more tiles


def _cost(grid: Grid, rows: int, columns: int) -> tuple[int, float]:
    tall, wide = grid.height / rows, grid.width / columns
    return rows * columns, max(tall, wide) / min(tall, wide)


def _parts(length: int, count: int) -> Iterator[tuple[int, int]]:
    """Nearly equal parts, none longer than ceil(length / count)."""
    edges = [length * i // count for i in range(count + 1)]
    return pairwise(edges)


def _window(grid: Grid, row: int, column: int, height: int, width: int) -> Grid:
    a, b, c, d, e, f = grid.transform
    corner = (a, b, c + a * column + b * row, d, e, f + d * column + e * row)
    return Grid(grid.crs, corner, width, height)


def join(
    shape: tuple[int, int], tiles: Sequence[Tile], answers: Sequence[NDArray[np.void]]
) -> NDArray[np.void]:
    """Put the answers of tiles together.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the whole.
    tiles : sequence of Tile
    answers : sequence of structured arrays
        One per tile, of its grid's shape, with one field per band.

    Returns
    -------
    structured array of that shape
    """
    whole = np.zeros(shape, dtype=answers[0].dtype)
    for tile, answer in zip(tiles, answers, strict=True):
        rows = slice(tile.row, tile.row + tile.grid.height)
        whole[rows, tile.column : tile.column + tile.grid.width] = answer
    return whole
