"""The radial spectrum of an image: how much of its variance lies at which wavelength.

It comes before every other spatial signal: where it has a clear peak the vegetation has a regular
(Turing) pattern, and variance, skewness, neighbour correlation, patch sizes and the spectral
density ratio say nothing of resilience (Kefi et al. 2014, 10.1371/journal.pone.0092097).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["RadialSpectrum", "density_ratio", "is_periodic", "radial_spectrum", "wavelength"]

Values = NDArray[np.float64]

_PEAK = 2.0
"""Power of a clear peak against that of the rings around."""


class RadialSpectrum(NamedTuple):
    """Rings of a two-dimensional spectrum."""

    wavenumber: Values
    """Waves along the side of the image: 1, 2, 3 ... , shape (R,)."""
    power: Values
    """Mean power in a ring in units of the image's variance (1 for white noise); NaN for a
    constant image."""


def radial_spectrum(image: NDArray[Any]) -> RadialSpectrum:
    """Radially averaged power spectrum of a square image.

    Parameters
    ----------
    image : array of numbers, shape (N, N)
        At least 8 x 8. NaN where masked; such pixels count as the mean, up to a tenth of all.

    Returns
    -------
    RadialSpectrum
        N // 2 rings; ring k holds the wavenumbers nearest to k.

    Raises
    ------
    ValueError
        If the image is not square, too small or more than a tenth of it is masked.

    References
    ----------
    Couteron & Lejeune 2001, 10.1046/j.0022-0477.2001.00588.x.
    """
    data = np.asarray(image, dtype=np.float64)
    if data.ndim != 2 or data.shape[0] != data.shape[1] or data.shape[0] < 8:
        raise ValueError(f"a square image of 8 x 8 or more is needed, not shape {data.shape}")
    known = np.isfinite(data)
    if known.mean() < 0.9:
        raise ValueError(f"{100 * (1 - known.mean()):.0f} % of the image is masked; 10 % may be")
    n = data.shape[0]
    rings = np.arange(1, n // 2 + 1)
    off = np.where(known, data - data[known].mean(), 0.0)
    total = float(np.sum(off**2))
    if total <= (1e-12 * float(np.abs(data[known]).max())) ** 2 * n * n:
        return RadialSpectrum(rings.astype(np.float64), np.full(rings.size, np.nan))
    power = np.abs(np.fft.fft2(off)) ** 2 / total
    waves = np.fft.fftfreq(n, 1.0 / n)
    ring = np.rint(np.hypot(waves[:, None], waves)).astype(np.intp)
    counts = np.bincount(ring.ravel())
    sums = np.bincount(ring.ravel(), weights=power.ravel())
    return RadialSpectrum(rings.astype(np.float64), (sums / counts)[rings])


def density_ratio(spectrum: RadialSpectrum) -> float:
    """Mean power of the lowest fifth of the wavenumbers over that of the highest fifth.

    Rises as an image reddens. Without meaning where `is_periodic`. NaN for a constant image.
    Definition as in Kefi et al. 2014.
    """
    fifth = max(1, spectrum.power.size // 5)
    high = float(spectrum.power[-fifth:].mean())
    return float(spectrum.power[:fifth].mean()) / high if high > 0 else math.nan


def is_periodic(spectrum: RadialSpectrum) -> bool:
    """Whether the spectrum has a clear peak at a wavelength that fits at least 3 times.

    The peak is the ring with the largest power among those from the third on; it is clear if its
    power is more than twice the mean of rings 1 and 2, twice that at half its wavelength, and twice
    that of white noise. Up to 6 % of single 50 x 50 chips of featureless noise have such a peak
    (measured); judge a site by the mean spectrum of its chips. A spectrum that falls from its
    lowest wavenumber on (red noise, a gradient) has none.
    """
    return not math.isnan(wavelength(spectrum))


def wavelength(spectrum: RadialSpectrum, side: float = 1.0) -> float:
    """The dominant wavelength, in the unit of `side` (the length of the image's side).

    NaN where the pattern is not periodic; see `is_periodic`.
    """
    power = spectrum.power
    if power.size < 4 or not np.isfinite(power).all():
        return math.nan
    peak = 2 + int(np.argmax(power[2:]))
    wave = spectrum.wavenumber[peak]
    longer = float(power[:2].mean())
    shorter = float(power[min(2 * (peak + 1), power.size) - 1])
    clear = power[peak] > _PEAK * max(longer, shorter, 1.0)
    return side / float(wave) if clear else math.nan
