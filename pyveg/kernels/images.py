"""Pictures of an image's bands, what is vegetation in them, and the chips they are cut into.

The pictures equal those of the older pyveg 1.1.0 bit for bit. It made them with OpenCV, whose
contrast-limited equalisation, local threshold and median are restated here in NumPy, without its
code: they are sums of integers, and blends in float32 in a given order.

Arrays are [row, column], row 0 in the north. Images of any size from 1 x 1 are accepted.

References
----------
K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV (1994) 474-485.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Band = NDArray[Any]
Shape = tuple[int, ...]

LEVELS = 256
WIDEST_WINDOW = 1001
"""Pixels; sums over wider windows would not fit in 32 bits."""


def rgb_stretch(
    red: Band, green: Band, blue: Band, *, limits: tuple[float, float] | None = None
) -> Grey:
    """Colour picture of three bands.

    Without limits, a value v becomes 255 v / (M + 1), truncated, where M is the maximum of the
    three bands: brightness then differs from image to image, as in the older pyveg 1.1.0.

    Parameters
    ----------
    red, green, blue : ndarray of numbers, shape (H, W)
        Reflectance in any unit. What is not finite becomes 0, and so does what is negative.
    limits : (float, float), optional
        Values shown as 0 and as 255, in the unit of the bands, for pictures that can be compared.
        Values beyond them are clipped.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    ValueError
        If the bands differ in shape or are not two-dimensional, or the limits are not ascending.
    """
    bands = [np.asarray(band) for band in (red, green, blue)]
    _check_same_shape(bands)
    low, span = _stretch(bands) if limits is None else _fixed_stretch(*limits)
    picture = np.empty((*bands[0].shape, 3), np.uint8)
    for channel, band in enumerate(bands):
        values = np.where(np.isfinite(band), band, low).astype(np.float64)
        values -= low
        values *= 255.0
        values /= span
        picture[..., channel] = np.clip(values, 0.0, 255.0, out=values)
    return picture


def ndvi_grey(ndvi: Band) -> Grey:
    """Grey picture of NDVI: (v + 1) / 2 * 255, truncated.

    Parameters
    ----------
    ndvi : ndarray of numbers, shape (H, W)
        Clipped to -1 .. 1. What is not finite counts as 0, as masked pixels did in the older
        pyveg 1.1.0, and becomes 127.

    Returns
    -------
    ndarray of uint8, shape (H, W)

    Notes
    -----
    In float32, one operation after the other, whatever the input: this gives the pictures of the
    older pyveg, where float64 differs in a pixel or so of 10,000.
    """
    values = np.where(np.isfinite(ndvi), ndvi, 0)
    values = np.clip(values, -1, 1).astype(np.float32)
    values += np.float32(1)
    values /= np.float32(2)
    values *= np.float32(255)
    return values.astype(np.uint8)


def index_grey(values: Band, limits: tuple[float, float]) -> Grey:
    """Grey picture of a vegetation index; see `ndvi_grey`.

    Parameters
    ----------
    values : ndarray of numbers, shape (H, W)
    limits : (float, float)
        What is black and what is white; -1 and 1 for NDVI. What is not finite becomes their middle.

    Returns
    -------
    ndarray of uint8, shape (H, W)
    """
    low, high = limits
    if (low, high) == (-1, 1):
        return ndvi_grey(values)
    return ndvi_grey(2 * (np.asarray(values, np.float64) - low) / (high - low) - 1)


def bwndvi(grey: Grey) -> Grey:
    """Black-and-white picture of NDVI: which pixels are greener than the ground around them.

    Contrast is equalised, compared with its local mean, and single pixels are smoothed away.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        From `ndvi_grey`.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        255 where NDVI is low, bare soil; 0 where there is vegetation.

    Raises
    ------
    ValueError
        If it is not a grey picture with at least one pixel.
    """
    return median3(local_threshold(equalise_contrast(grey)))


def equalise_contrast(grey: Grey, *, clip_limit: float = 2.0, tiles: int = 11) -> Grey:
    """Contrast-limited adaptive histogram equalisation, in the arithmetic of OpenCV's CLAHE.

    The grey levels of each tile are spread evenly, but that no level may count more than
    `clip_limit` times the mean; pixels blend the tables of the four tiles around them.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
        Unless both sides are multiples of `tiles`, both are extended, right and below, to the next
        multiple (a whole `tiles` more where a side is one), by reflection that does not repeat the
        edge; the reflection turns back at the other edge where the image is smaller than that.
    clip_limit : float
        Above 0.
    tiles : int
        Along each side.

    Returns
    -------
    ndarray of uint8, shape (H, W)

    Raises
    ------
    ValueError
        If it is not a grey picture with at least one pixel, or a parameter is out of range.
    """
    _check_grey(grey)
    if tiles < 1 or not clip_limit > 0:
        raise ValueError(f"tiles must be 1 or more and clip_limit above 0: {tiles}, {clip_limit}")
    extended = _extend(grey, tiles)
    height, width = (side // tiles for side in extended.shape)
    tables = _tile_tables(extended, height, width, clip_limit)
    result = np.empty_like(grey)
    across = list(_tile_pairs(grey.shape[1], width, tiles))
    for rows, above, below, down in _tile_pairs(grey.shape[0], height, tiles):
        for columns, left, right, along in across:
            levels = grey[rows, columns].astype(np.intp)
            top = _blend(tables[above, left][levels], tables[above, right][levels], along)
            bottom = _blend(tables[below, left][levels], tables[below, right][levels], along)
            result[rows, columns] = np.rint(_blend(top, bottom, down[:, np.newaxis]))
    return result


def local_threshold(grey: Grey, *, window: int = 51, offset: int = 5) -> Grey:
    """Compare every pixel with the mean around it, as OpenCV's adaptive threshold does.

    Parameters
    ----------
    grey : ndarray of uint8, shape (H, W)
    window : int
        Pixels along the side of the neighbourhood, odd, 1 to 1001. Pixels of the edge are repeated
        beyond it.
    offset : int
        Grey levels above the mean, -255 to 255.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        255 where the pixel is at most the rounded mean plus `offset`, else 0.

    Raises
    ------
    ValueError
        If it is not a grey picture with at least one pixel, or a parameter is out of range.

    Notes
    -----
    With A pixels in the window and their sum S, the mean rounded is floor((2 S + A) / (2 A)): A is
    odd, so that halves do not occur. Hence p <= mean + offset without any division, when
    A (2 (p - offset) - 1) <= 2 S.
    """
    _check_grey(grey)
    if not 1 <= window <= WIDEST_WINDOW or window % 2 == 0:
        raise ValueError(f"window must be odd and 1 to {WIDEST_WINDOW}, not {window}")
    if abs(offset) >= LEVELS:
        raise ValueError(f"offset must be -255 to 255, not {offset}")
    twice_sums = _window_sums(grey, window)
    twice_sums *= 2
    wanted = grey.astype(np.int32)
    wanted -= offset
    wanted *= 2
    wanted -= 1
    wanted *= window * window
    return _black_and_white(wanted <= twice_sums)


def median3(binary: Grey) -> Grey:
    """Median of 3 x 3 pixels of a black-and-white picture: what most of the nine are.

    Parameters
    ----------
    binary : ndarray of uint8, shape (H, W)
        0 or 255. Pixels of the edge are repeated beyond it.

    Returns
    -------
    ndarray of uint8, shape (H, W)

    Raises
    ------
    ValueError
        If it is not a grey picture with at least one pixel, or holds other values.
    """
    _check_grey(binary)
    white = binary == LEVELS - 1
    if np.any(white != (binary != 0)):
        raise ValueError("the picture has values other than 0 and 255")
    padded = np.pad(white, 1, mode="edge").view(np.uint8)
    of_three = padded[:-2] + padded[1:-1] + padded[2:]
    of_nine = of_three[:, :-2] + of_three[:, 1:-1] + of_three[:, 2:]
    return _black_and_white(of_nine >= 5)


def valid_pixels(bands: Sequence[Band], ndvi: Band | None = None) -> NDArray[np.bool_]:
    """Which pixels were seen: not masked as cloud, and inside the scene.

    Parameters
    ----------
    bands : sequence of ndarray, shape (H, W)
        One or more. Masked pixels are 0 in all of them, or not finite in any.
    ndvi : ndarray, shape (H, W), optional
        Not finite where it is not known.

    Returns
    -------
    ndarray of bool, shape (H, W)

    Raises
    ------
    ValueError
        If there is no band or the arrays differ in shape or are not two-dimensional.
    """
    bands = [np.asarray(band) for band in bands]
    if not bands:
        raise ValueError("there is no band")
    _check_same_shape(bands if ndvi is None else [*bands, np.asarray(ndvi)])
    valid = np.zeros(bands[0].shape, np.bool_)
    for band in bands:
        valid |= band != 0
    for band in bands if ndvi is None else [*bands, ndvi]:
        valid &= np.isfinite(band)
    return valid


def chip_grid(shape: Shape, size: int = 50) -> tuple[int, int]:
    """Rows and columns of whole chips in an image.

    Parameters
    ----------
    shape : tuple of int
        Of the image: height, width and perhaps channels.
    size : int
        Pixels along the side of a chip.

    Returns
    -------
    (int, int)
        0 where the image is smaller than a chip.

    Raises
    ------
    ValueError
        If `size` is not 1 or more.
    """
    if size < 1:
        raise ValueError(f"a chip has sides of 1 pixel or more, not {size}")
    return shape[0] // size, shape[1] // size


def cut_chips(image: Band, size: int = 50) -> Band:
    """Chips of an image, from the top left, column by column: index = column * rows + row.

    Parameters
    ----------
    image : ndarray, shape (H, W) or (H, W, C)
    size : int
        Pixels along the side of a chip. What remains at the right and below is dropped.

    Returns
    -------
    ndarray, shape (n, size, size) or (n, size, size, C)
        A copy, of the image's dtype.

    Raises
    ------
    ValueError
        If `size` is not 1 or more.

    Examples
    --------
    >>> import numpy as np
    >>> cut_chips(np.zeros((101, 150)), 50).shape
    (6, 50, 50)
    """
    rows, columns = chip_grid(image.shape, size)
    channels = image.shape[2:]
    cut = image[: rows * size, : columns * size].reshape(rows, size, columns, size, *channels)
    return np.moveaxis(cut, 2, 0).reshape(rows * columns, size, size, *channels)


def chip_centres_in_region(
    longitude: float, latitude: float, region_size: float, rows: int, columns: int
) -> NDArray[np.float64]:
    """Centres of chips that divide a square region evenly, for images without georeferencing.

    Parameters
    ----------
    longitude, latitude : float
        Of the centre of the region, degrees.
    region_size : float
        Side of the region, degrees.
    rows, columns : int
        Of chips.

    Returns
    -------
    ndarray of float64, shape (rows * columns, 2)
        Longitude and latitude in degrees, in the order of `cut_chips`.
    """
    half = region_size / 2
    east = longitude - half + (np.arange(columns) + 0.5) * region_size / columns
    north = latitude + half - (np.arange(rows) + 0.5) * region_size / rows
    return _column_by_column(east, north)


def chip_centre_pixels(rows: int, columns: int, size: int = 50) -> NDArray[np.float64]:
    """Centres of chips in the image.

    Parameters
    ----------
    rows, columns : int
        Of chips.
    size : int
        Pixels along the side of a chip.

    Returns
    -------
    ndarray of float64, shape (rows * columns, 2)
        Column and row in pixels, (0, 0) at the outer corner of the first pixel, as an affine
        transform takes them; in the order of `cut_chips`.
    """
    return _column_by_column((np.arange(columns) + 0.5) * size, (np.arange(rows) + 0.5) * size)


def _column_by_column(across: NDArray[Any], down: NDArray[Any]) -> NDArray[np.float64]:
    return np.stack([np.repeat(across, len(down)), np.tile(down, len(across))], axis=-1)


def _check_same_shape(bands: Sequence[Band]) -> None:
    shapes = {band.shape for band in bands}
    if len(shapes) > 1 or len(bands[0].shape) != 2:
        raise ValueError(f"bands must have the same two-dimensional shape, not {sorted(shapes)}")


def _check_grey(image: Grey) -> None:
    if image.ndim != 2 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(
            f"a grey picture is needed: uint8 (height, width), not {image.dtype} {image.shape}"
        )


def _black_and_white(white: NDArray[np.bool_]) -> Grey:
    picture = white.view(np.uint8)
    return np.multiply(picture, np.uint8(LEVELS - 1), out=picture)


def _stretch(bands: Sequence[Band]) -> tuple[float, float]:
    """Value shown as 0, and distance from it to 255, for bands shown by their maximum."""
    highest = (np.max(band, where=np.isfinite(band), initial=0) for band in bands)
    return 0.0, max(map(float, highest)) + 1.0


def _fixed_stretch(low: float, high: float) -> tuple[float, float]:
    span = float(high) - float(low)
    if not (np.isfinite(span) and span > 0):
        raise ValueError(f"limits must be finite and ascending, not {low}, {high}")
    return float(low), span


def _extend(grey: Grey, tiles: int) -> Grey:
    """The image, extended so that tiles of one size cover it."""
    if not any(side % tiles for side in grey.shape):
        return grey
    rows, columns = (_reflected(side, side + tiles - side % tiles) for side in grey.shape)
    return grey[rows[:, np.newaxis], columns]


def _reflected(length: int, extended: int) -> NDArray[np.intp]:
    """Indices 0 .. extended - 1, turned back at both ends of 0 .. length - 1."""
    period = max(2 * (length - 1), 1)
    index = np.arange(extended) % period
    return np.minimum(index, period - index) if length > 1 else np.zeros(extended, np.intp)


def _tile_tables(extended: Grey, height: int, width: int, clip_limit: float) -> NDArray[np.float32]:
    """For each tile the grey levels that equalise it: shape (tiles, tiles, 256), whole numbers."""
    area = height * width
    counts = _histograms(extended, height, width)
    limit = max(1, int(clip_limit * area / LEVELS))
    excess = np.maximum(counts - limit, 0).sum(axis=-1, keepdims=True)
    np.minimum(counts, limit, out=counts)
    counts += excess // LEVELS
    rest = excess % LEVELS
    bins = np.arange(LEVELS)
    step = LEVELS // np.maximum(rest, 1)
    counts += (bins % step == 0) & (bins // step < rest)
    tables = np.cumsum(counts, axis=-1).astype(np.float32)
    tables *= np.float32(LEVELS - 1) / np.float32(area)
    return np.rint(tables, out=tables)


def _histograms(extended: Grey, height: int, width: int) -> NDArray[np.intp]:
    rows, columns = extended.shape[0] // height, extended.shape[1] // width
    tiles = extended.reshape(rows, height, columns, width).swapaxes(1, 2)
    counts = [np.bincount(tile.ravel(), minlength=LEVELS) for line in tiles for tile in line]
    return np.reshape(counts, (rows, columns, LEVELS))


def _tile_pairs(
    length: int, size: int, tiles: int
) -> Iterator[tuple[slice, int, int, NDArray[np.float32]]]:
    """Stretches of pixels between the centres of two neighbouring tiles.

    Yields
    ------
    slice
        Of the pixels.
    int, int
        Tile before and after them; the same where there is none further.
    ndarray of float32
        Weight of the one after, per pixel.
    """
    position = np.arange(length, dtype=np.float32) * (np.float32(1) / np.float32(size))
    position -= np.float32(0.5)
    before = np.floor(position)
    weight = position - before
    starts = np.flatnonzero(np.diff(before, prepend=-2, append=tiles + 1))
    for start, stop in pairwise(starts):
        first = int(before[start])
        yield (
            slice(int(start), int(stop)),
            max(first, 0),
            min(first + 1, tiles - 1),
            weight[start:stop],
        )


def _blend(
    first: NDArray[np.float32], second: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    first *= 1 - weight
    second *= weight
    first += second
    return first


def _window_sums(grey: Grey, window: int) -> NDArray[np.int32]:
    """Sums over the square around each pixel; running totals that overflow cancel out."""
    half = window // 2
    padded = np.pad(grey, (half + 1, half), mode="edge")
    totals = np.cumsum(padded, axis=0, dtype=np.int32)
    totals = np.cumsum(totals[window:] - totals[:-window], axis=1, dtype=np.int32)
    return totals[:, window:] - totals[:, :-window]
