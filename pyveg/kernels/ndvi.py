"""NDVI, and what it says of the vegetation of chips."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def ndvi(nir: NDArray[Any], red: NDArray[Any]) -> NDArray[np.float32]:
    """Normalised difference vegetation index: (NIR - red) / (NIR + red).

    Parameters
    ----------
    nir, red : ndarray of numbers, shape (H, W)
        Reflectance, both in the same unit. Computed in float64: integers do not wrap.

    Returns
    -------
    ndarray of float32, shape (H, W)
        -1 to 1 where both are 0 or more; NaN where their sum is 0 or one is not finite.

    Raises
    ------
    ValueError
        If the two differ in shape.
    """
    if np.shape(nir) != np.shape(red):
        raise ValueError(f"bands must have the same shape, not {np.shape(nir)}, {np.shape(red)}")
    near, seen = np.asarray(nir, np.float64), np.asarray(red, np.float64)
    with np.errstate(all="ignore"):
        total = near + seen
        ratio = ((near - seen) / total).astype(np.float32)
    ratio[~(np.isfinite(total) & np.isfinite(ratio))] = np.nan
    return ratio


def chip_statistics(
    ndvi: NDArray[Any], grey: NDArray[np.uint8], bw: NDArray[np.uint8], valid: NDArray[np.bool_]
) -> dict[str, Values]:
    """Greenness and cover of chips.

    Parameters
    ----------
    ndvi : ndarray of numbers, shape (n, H, W)
    grey : ndarray of uint8, shape (n, H, W)
        Its grey picture.
    bw : ndarray of uint8, shape (n, H, W)
        Its black-and-white picture; 0 is vegetation.
    valid : ndarray of bool, shape (n, H, W)
        Pixels that were seen; those whose `ndvi` is not finite count as not valid.

    Returns
    -------
    dict of str to ndarray of float64, shape (n,)
        NaN where there is no pixel to tell of.

        ``ndvi``
            Mean of `grey`, all pixels, to 4 decimals (as in the older pyveg 1.1.0).
        ``ndvi_veg``
            Mean of `grey` over vegetation, valid or not (as there).
        ``ndvi_mean``, ``ndvi_std``
            Mean and population standard deviation of `ndvi` over valid pixels.
        ``ndvi_veg_mean``
            Mean of `ndvi` over valid vegetation.
        ``cover``
            Share of vegetation among valid pixels, 0 to 1.
        ``valid_fraction``
            Share of valid pixels, 0 to 1.

    Raises
    ------
    ValueError
        If the four differ in shape or are not stacks of chips.
    """
    shapes = {array.shape for array in (ndvi, grey, bw, valid)}
    if len(shapes) > 1 or ndvi.ndim != 3:
        raise ValueError(f"stacks of chips (n, height, width) are needed, not {sorted(shapes)}")
    every = np.ones_like(bw, np.bool_)
    seen = valid & np.isfinite(ndvi)
    vegetation = bw == 0
    index = np.where(seen, ndvi, 0).astype(np.float64)
    mean = _mean(index, seen)
    spread = _mean((index - mean[:, np.newaxis, np.newaxis]) ** 2, seen)
    return {
        "ndvi": np.round(_mean(grey, every), 4),
        "ndvi_veg": _mean(grey, vegetation),
        "ndvi_mean": mean,
        "ndvi_std": np.sqrt(spread),
        "ndvi_veg_mean": _mean(index, seen & vegetation),
        "cover": _mean(vegetation, seen),
        "valid_fraction": _mean(seen, every),
    }


def _mean(values: NDArray[Any], where: NDArray[np.bool_]) -> Values:
    """Mean of the chosen pixels of each chip; NaN if there are none."""
    sums = np.sum(values, axis=(1, 2), where=where, dtype=np.float64)
    counts = np.count_nonzero(where, axis=(1, 2))
    means = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
