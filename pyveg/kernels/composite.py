"""Clear pixels of satellite scenes, and one picture made of many.

Classes and bits are those of the producers: ESA's scene classification (Sentinel-2 Level-2A
Algorithm Theoretical Basis Document), the quality bands of USGS (Landsat Collection 2 Level-2
Science Product Guide) and Fmask of HLS (Product User Guide v2.0).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Reflectance = NDArray[np.float32]

SCL_KEPT = (4, 5, 6, 7)
"""Vegetation, bare soil, water and unclassified. Left out: 0 no data, 1 saturated, 2 dark, 3 cloud
shadow, 8 and 9 cloud, 10 cirrus, 11 snow."""
QA_REJECTED = 0b111111
"""Bits 0 to 5 of QA_PIXEL: fill, dilated cloud, cirrus (Landsat 8 and 9), cloud, shadow, snow."""
FMASK_REJECTED = 0b11111
"""Bits 0 to 4 of HLS's Fmask: cirrus (not used), cloud, next to cloud or shadow, shadow, snow."""
FMASK_FILL = 255
UNIT = 1e-4
"""Reflectance of one count in results."""
LARGEST = 65_535


def clear_by_scl(classes: NDArray[Any], kept: Collection[int] = SCL_KEPT) -> Mask:
    """Clear pixels of a Sentinel-2 scene.

    Parameters
    ----------
    classes : ndarray of integers, shape (H, W)
        The scene classification layer.
    kept : collection of int
        Classes that count as clear.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    return np.isin(classes, list(kept))


def clear_by_qa_pixel(bits: NDArray[Any]) -> Mask:
    """Clear pixels of a Landsat Collection 2 scene.

    Parameters
    ----------
    bits : ndarray of integers, shape (H, W)
        QA_PIXEL. 0, which says neither clear nor anything else, counts as not seen.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    clear: Mask = (bits != 0) & (bits & QA_REJECTED == 0)
    return clear


def clear_by_fmask(bits: NDArray[Any]) -> Mask:
    """Clear pixels of a scene of HLS v2.0.

    Parameters
    ----------
    bits : ndarray of integers, shape (H, W)
        Fmask; 255 where nothing was seen. Water and aerosol (bits 5 to 7) leave a pixel clear.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    clear: Mask = (bits != FMASK_FILL) & (bits & FMASK_REJECTED == 0)
    return clear


def saturated(bits: NDArray[Any], band_number: int) -> Mask:
    """Pixels of one band of Landsat whose sensor was saturated.

    Parameters
    ----------
    bits : ndarray of integers, shape (H, W)
        QA_RADSAT; bit n - 1 tells of band n.
    band_number : int
        1 or more.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    is_set: Mask = (bits & (1 << (band_number - 1))) != 0
    return is_set


def counts(values: NDArray[Any], scale: float, offset: float) -> Reflectance:
    """Stored numbers of a scene as reflectance x 10,000, not rounded.

    Computed as ``value * (scale / 1e-4) + offset / 1e-4``: numbers that are stored in units of
    1e-4 stay whole.

    Parameters
    ----------
    values : ndarray of numbers, shape (H, W)
    scale, offset : float
        Reflectance = value * scale + offset.

    Returns
    -------
    ndarray of float32, shape (H, W)
    """
    factor, summand = round(scale / UNIT, 9), round(offset / UNIT, 6)
    return (values.astype(np.float64) * factor + summand).astype(np.float32)


def median(stack: Reflectance) -> Reflectance:
    """Median of the values that there are, pixel by pixel.

    Of an even number of values it is the mean of the two in the middle, as `numpy.nanmedian` has
    it, which takes four times as long on images with gaps (12 of 891 x 891: 0.8 s and 0.2 s).

    Parameters
    ----------
    stack : ndarray of float32, shape (n, H, W)
        NaN where there is no value; n may be 0.

    Returns
    -------
    ndarray of float32, shape (H, W)
        NaN where there is none at all.
    """
    if stack.shape[0] == 0:
        return np.full(stack.shape[1:], np.nan, np.float32)
    ordered = np.sort(stack, axis=0)  # NaN comes last
    number = np.isfinite(stack).sum(axis=0)
    low, high = np.maximum(number - 1, 0) // 2, number // 2
    high = np.minimum(high, stack.shape[0] - 1)
    first = np.take_along_axis(ordered, low[None], axis=0)[0]
    second = np.take_along_axis(ordered, high[None], axis=0)[0]
    middle = (first.astype(np.float64) + second) / 2
    return np.where(number > 0, middle, np.nan).astype(np.float32)


def to_uint16(values: Reflectance) -> NDArray[np.uint16]:
    """Reflectance as results have it: whole numbers from 1 on, and 0 for what was not seen.

    Correction for the atmosphere can give dark ground a reflectance of 0 or less; it becomes 1,
    so that it still counts as seen.

    Parameters
    ----------
    values : ndarray of float32, shape (H, W)
        Reflectance x 10,000; NaN where there is none.

    Returns
    -------
    ndarray of uint16, shape (H, W)
    """
    seen = np.isfinite(values)
    whole = np.clip(np.rint(np.where(seen, values, 0)), 1, LARGEST)
    return np.where(seen, whole, 0).astype(np.uint16)
