"""How green a photograph is: chromatic coordinates of a region of interest."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["QUANTILES", "Colour", "Greenness", "colours", "greenness", "of_counts"]

QUANTILES = (5, 10, 25, 50, 75, 90, 95)
"""Percentiles of each colour that a `Colour` has."""
_LEVELS = 256


class Greenness(NamedTuple):
    """Colours of a region, from the means of its pixels."""

    red: float
    """Mean digital number, 0 to 255."""
    green: float
    blue: float
    pixels: int
    """Of the region."""

    @property
    def brightness(self) -> float:
        """Sum of the three means, 0 to 765."""
        return self.red + self.green + self.blue

    @property
    def gcc(self) -> float:
        """Green chromatic coordinate: the share of green in the brightness. NaN where black."""
        return self.green / self.brightness if self.brightness else float("nan")

    @property
    def rcc(self) -> float:
        """Red chromatic coordinate."""
        return self.red / self.brightness if self.brightness else float("nan")


class Colour(NamedTuple):
    """One colour of a region."""

    mean: float
    """Digital number, 0 to 255, as all of these."""
    sd: float
    """Of the population."""
    quantiles: tuple[float, ...]
    """At `QUANTILES`, with interpolation between values."""


def greenness(image: NDArray[Any], region: NDArray[Any]) -> Greenness:
    """Mean colours of a region.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
        Red, green and blue.
    region : array of bool, shape (height, width)
        True where a pixel counts.

    Raises
    ------
    ValueError
        If their shapes differ, or no pixel counts.

    Notes
    -----
    Richardson et al. 2018 (10.1038/sdata.2018.28): coordinates of the mean colours, and not means
    of coordinates.

    Examples
    --------
    >>> green = np.zeros((2, 2, 3), dtype=np.uint8)
    >>> green[..., 1] = 90
    >>> green[..., 0] = 30
    >>> greenness(green, np.ones((2, 2), dtype=bool)).gcc
    0.75
    """
    _check(image, region)
    return of_counts(np.array(_histograms(image, region)))


def of_counts(counts: NDArray[np.int64]) -> Greenness:
    """Mean colours of a region whose pixels were counted.

    Parameters
    ----------
    counts : array of int64, shape (3, 256)
        How often each digital number occurs in red, green and blue.

    Raises
    ------
    ValueError
        If nothing was counted.

    Examples
    --------
    >>> counts = np.zeros((3, 256), dtype=np.int64)
    >>> counts[0, 30] = counts[1, 90] = counts[2, 0] = 4
    >>> of_counts(counts)
    Greenness(red=30.0, green=90.0, blue=0.0, pixels=4)
    """
    pixels = int(counts[0].sum())
    if not pixels:
        raise ValueError("the region has no pixel")
    red, green, blue = (float(count @ np.arange(_LEVELS)) / pixels for count in counts)
    return Greenness(red, green, blue, pixels)


def colours(
    image: NDArray[Any], region: NDArray[Any]
) -> tuple[tuple[Colour, Colour, Colour], tuple[float, float, float]]:
    """Means, spread and quantiles of each colour of a region, and how colours go together.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
    region : array of bool, shape (height, width)

    Returns
    -------
    three of Colour
        Red, green and blue.
    three of float
        Pearson correlation of red and green, green and blue, blue and red; NaN where a colour is
        the same everywhere.
    """
    _check(image, region)
    counts = _histograms(image, region)
    three = tuple(_colour(count) for count in counts)
    values = image[region].astype(np.float64)
    values -= values.mean(axis=0)
    products = values.T @ values
    scale = np.sqrt(np.diag(products))
    with np.errstate(invalid="ignore", divide="ignore"):
        together = products / np.outer(scale, scale)
    pairs = float(together[0, 1]), float(together[1, 2]), float(together[2, 0])
    return (three[0], three[1], three[2]), pairs


def _check(image: NDArray[Any], region: NDArray[Any]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError("an image has three colours of 8 bits")
    if region.shape != image.shape[:2]:
        raise ValueError(
            f"the region is {region.shape[1]} x {region.shape[0]} pixels, and the image "
            f"{image.shape[1]} x {image.shape[0]}"
        )
    if not region.any():
        raise ValueError("the region has no pixel")


def _histograms(image: NDArray[Any], region: NDArray[Any]) -> list[NDArray[np.int64]]:
    """How often each digital number occurs, of each colour."""
    chosen = image[region]
    return [np.bincount(chosen[:, band], minlength=_LEVELS) for band in range(3)]


def _colour(counts: NDArray[np.int64]) -> Colour:
    number, levels = int(counts.sum()), np.arange(_LEVELS, dtype=np.float64)
    mean = float(counts @ levels) / number
    spread = float(counts @ (levels - mean) ** 2) / number
    return Colour(mean, spread**0.5, tuple(_quantile(counts, q / 100) for q in QUANTILES))


def _quantile(counts: NDArray[np.int64], share: float) -> float:
    """Of values that are only counted; linear between the two around it."""
    ends = np.cumsum(counts)
    place = share * (int(ends[-1]) - 1)
    low = int(np.searchsorted(ends, int(place), side="right"))
    high = int(np.searchsorted(ends, min(int(place) + 1, int(ends[-1]) - 1), side="right"))
    return low + (place - int(place)) * (high - low)
