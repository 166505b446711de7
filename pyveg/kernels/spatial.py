"""Early-warning signals of one image: neighbours alike, spread, patches.

Masked pixels (NaN) leave every sum; they are not zeros. None of these may be read as a warning
where the vegetation has a regular pattern: see `pyveg.kernels.spectrum`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "coarse",
    "morans_i",
    "patch_sizes",
    "permuted",
    "random_phases",
    "spatial_moments",
]

Values = NDArray[np.float64]


def morans_i(image: NDArray[Any]) -> float:
    """Moran's I of neighbours that share a side.

    Parameters
    ----------
    image : array of numbers, shape (H, W)
        NaN where masked.

    Returns
    -------
    float
        NaN where no two neighbours are valid, or the image is constant. Without pattern its
        expectation is -1 / (N - 1), N the number of valid pixels.

    Notes
    -----
    Moran 1950, 10.1093/biomet/37.1-2.17, with weights of 1. All N valid pixels count for mean and
    variance, those without a valid neighbour too.
    """
    data = _image(image)
    known = np.isfinite(data)
    if known.sum() < 2:
        return math.nan
    off = np.where(known, data - data[known].mean(), np.nan)
    total = float(np.sum(off[known] ** 2))
    across, down = off[:, 1:] * off[:, :-1], off[1:] * off[:-1]
    pairs = int(np.isfinite(across).sum() + np.isfinite(down).sum())
    if not pairs or total <= (1e-12 * np.abs(data[known]).max()) ** 2 * known.sum():
        return math.nan
    return float(known.sum()) / pairs * float(np.nansum(across) + np.nansum(down)) / total


def coarse(image: NDArray[Any], block: int, *, least_valid: float = 0.5) -> Values:
    """Means of blocks of pixels; what does not fill a block at the far edges is left out.

    Parameters
    ----------
    image : array of numbers, shape (H, W)
    block : int
        Pixels along a side; binary images need it (5 is usual), as their raw moments only tell
        the cover.
    least_valid : float
        Share of valid pixels below which a block is NaN.

    Returns
    -------
    array of float64, shape (H // block, W // block)
    """
    data = _image(image)
    if block < 1:
        raise ValueError(f"block must be at least 1 pixel, got {block}")
    rows, columns = data.shape[0] // block, data.shape[1] // block
    parts = data[: rows * block, : columns * block].reshape(rows, block, columns, block)
    known = np.isfinite(parts)
    counts = known.sum(axis=(1, 3))
    sums = np.where(known, parts, 0.0).sum(axis=(1, 3))
    out = np.full((rows, columns), np.nan)
    enough = counts >= max(1.0, least_valid * block**2)
    np.divide(sums, counts, out=out, where=enough)
    return out


def spatial_moments(image: NDArray[Any], block: int = 1) -> tuple[float, float]:
    """Variance and skewness over the valid pixels, or over the means of blocks.

    Parameters
    ----------
    image : array of numbers, shape (H, W)
    block : int
        See `coarse`.

    Returns
    -------
    (float, float)
        Variance (divided by N - 1) and unbiased skewness G1 of Joanes & Gill 1998,
        10.1111/1467-9884.00122. NaN for too few values; skewness NaN for a constant image.
    """
    data = coarse(image, block)
    known = data[np.isfinite(data)]
    n = known.size
    if n < 2:
        return math.nan, math.nan
    off = known - known.mean()
    second = float(np.mean(off**2))
    if second <= (1e-12 * float(np.abs(known).max())) ** 2:
        return 0.0, math.nan
    skewness = math.nan
    if n > 2:
        third = float(np.mean(off**3))
        skewness = math.sqrt(n * (n - 1.0)) / (n - 2.0) * third / second**1.5
    return second * n / (n - 1.0), skewness


def patch_sizes(
    mask: NDArray[Any], valid: NDArray[np.bool_] | None = None, *, whole_only: bool = False
) -> NDArray[np.int64]:
    """Pixels of each patch of a binary image, neighbours sharing a side.

    Parameters
    ----------
    mask : array of bool, shape (H, W)
    valid : array of bool, shape (H, W), optional
        False where masked: no part of any patch.
    whole_only : bool
        Leave out patches that touch the edge or a masked pixel, whose size is not known.

    Returns
    -------
    array of int64
        Sorted, smallest first.
    """
    from scipy import ndimage

    cells = np.asarray(mask, dtype=np.bool_)
    if cells.ndim != 2:
        raise ValueError(f"an image (H, W) is needed, not shape {cells.shape}")
    seen = np.ones(cells.shape, np.bool_) if valid is None else np.asarray(valid, np.bool_)
    labels, _ = ndimage.label(cells & seen)
    sizes = np.bincount(labels.ravel())
    if whole_only:
        edge = ndimage.binary_dilation(~np.pad(seen, 1))[1:-1, 1:-1]
        sizes[np.unique(labels[edge])] = 0
    return np.sort(sizes[1:][sizes[1:] > 0]).astype(np.int64)


def permuted(image: NDArray[Any], rng: np.random.Generator) -> Values:
    """The same values at other valid pixels: no pattern, equal cover."""
    data = _image(image).copy()
    known = np.isfinite(data)
    data[known] = rng.permutation(data[known])
    return data


def random_phases(image: NDArray[Any], rng: np.random.Generator) -> Values:
    """An image with the same power spectrum and no other structure.

    Parameters
    ----------
    image : array of numbers, shape (H, W)
        Masked pixels count as the mean, and are masked in the result.
    rng : Generator

    Returns
    -------
    array of float64, shape (H, W)
    """
    data = _image(image)
    known = np.isfinite(data)
    if not known.any():
        return data.copy()
    mean = data[known].mean()
    noise = np.fft.rfft2(rng.standard_normal(data.shape))
    phases = noise / np.maximum(np.abs(noise), 1e-300)
    amplitude = np.abs(np.fft.rfft2(np.where(known, data - mean, 0.0)))
    made = np.fft.irfft2(amplitude * phases, s=data.shape) + mean
    return np.where(known, made, np.nan)


def _image(image: NDArray[Any]) -> Values:
    data = np.asarray(image, dtype=np.float64)
    if data.ndim != 2:
        raise ValueError(f"an image (H, W) is needed, not shape {data.shape}")
    return np.where(np.isfinite(data), data, np.nan)
