"""Whether the numbers of a date can be what they are taken for.

Single impossible pixels are invalid. A date with many of them, or whose bands contradict each
other, is refused: something that nobody stated, such as a scale or a no-data value, is needed to
read it. What may be true and mostly is not is a doubt, in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]

MOST_IMPOSSIBLE = 0.05
"""Share of a date's pixels that may be impossible."""
SPREAD_OF_NIR, SPREAD, ODD_SPREAD = 60.0, 30.0, 20.0
"""How many times as large as another near infrared and any other band may be, in their 95th
percentiles, and from where it is odd. Near infrared over dense forest is 20 times red; percent are
100 times reflectance, and reflectance x 10,000 is 100 times percent."""
HUGE = 1e6
"""No unit of reflectance has numbers of this size."""
HAZY, HOT_LIMIT = 0.8, 0.08
"""Share of hazy pixels from which a scene is told, and the limit of the haze test of Zhu and
Woodcock (2012), doi:10.1016/j.rse.2011.10.028, equation 3: blue - 0.5 red - 0.08 > 0."""
WHITE = 1.6
"""Reflectance that even clouds and snow seldom have."""
LOOKED_AT = 50_000
"""About how many pixels, evenly spread, tell how large numbers are and how bright a scene is."""
NO_CHANGE = 1e-4
"""Standard deviation of NDVI below which an image shows nothing."""
FILLED = (65535.0, -9999.0, -32768.0, 32767.0, -99999.0)
"""Numbers that in all bands of a pixel are no measurement."""
COLDEST, WARMEST = 170.0, 345.0
"""Air temperature near the ground, kelvin; records are 184 and 330."""
RAIN_NOISE = -1e-6
"""Rain below 0 that packing leaves, m."""
USUAL_RAIN = 0.05
"""Rain per day, m, that no place has on average: five times that of Cherrapunji."""


@dataclass(frozen=True)
class Finding:
    """What was found on a date."""

    impossible: Mask
    """Pixels that cannot be; shape (H, W)."""
    share: float = 0.0
    """Of the pixels that were seen."""
    wrong: str = ""
    """Why the date is refused; empty where it is not."""
    cure: str = ""
    doubts: Sequence[str] = field(default_factory=tuple)


def image(
    bands: Mapping[str, Array], ndvi: Array, valid: Mask, *, red: str, nir: str, rgb: Sequence[str]
) -> Finding:
    """Look at the bands of a date and its NDVI.

    Parameters
    ----------
    bands : mapping of str to ndarray, shape (H, W)
        Reflectance in any unit, the same for all.
    ndvi : ndarray, shape (H, W)
    valid : ndarray of bool, shape (H, W)
        Pixels that were seen.
    red, nir : str
        Names of bands.
    rgb : sequence of str
        Names of the red, green and blue band.

    Returns
    -------
    Finding
    """
    impossible = valid & _impossible(bands, ndvi, red, nir)
    share = float(impossible.sum() / max(valid.sum(), 1))
    rest = valid & ~impossible
    if share > MOST_IMPOSSIBLE:
        return Finding(impossible, share, *_many(bands, ndvi, valid, share))
    chosen = np.flatnonzero(rest)
    if not chosen.size:
        return Finding(impossible, share)
    chosen = chosen[:: max(1, chosen.size // LOOKED_AT)]
    some = {name: band.ravel()[chosen] for name, band in bands.items()}
    sizes = {name: float(np.percentile(np.abs(band), 95)) for name, band in some.items()}
    wrong = _units(sizes, nir)
    if wrong:
        return Finding(impossible, share, wrong, "state scale and units of each band")
    doubts = [*_odd_sizes(sizes), *_empty(bands, ndvi.ravel()[chosen], red, nir)]
    doubts += _brightness(some, sizes, rgb)
    if impossible.any():
        doubts.insert(0, f"{int(impossible.sum())} pixels have impossible values and are invalid")
    return Finding(impossible, share, doubts=tuple(doubts))


def index(values: Array) -> Finding:
    """Look at NDVI alone; shape (H, W)."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        odd = known & (np.abs(values) > 1 + 1e-6)
    share = float(odd.sum() / max(known.sum(), 1))
    if share > MOST_IMPOSSIBLE:
        least, most = float(values[known].min()), float(values[known].max())
        return Finding(
            odd, share,
            f"NDVI of {least:.4g} to {most:.4g} cannot be: it is -1 to 1",
            'state its scale and nodata, such as scale = {"NDVI": 0.0001}',
        )  # fmt: skip
    return Finding(odd, share, doubts=_counted(odd))


def _impossible(bands: Mapping[str, Array], ndvi: Array, red: str, nir: str) -> Mask:
    with np.errstate(invalid="ignore"):
        odd = np.asarray(np.abs(ndvi) > 1 + 1e-6)
        for name in (red, nir):
            odd |= bands[name] < 0
            if bands[name].dtype.kind in "iu" and bands[name].dtype.itemsize == 2:
                odd |= bands[name] == np.iinfo(bands[name].dtype).max  # saturated, or no data
        for band in bands.values():
            if band.dtype.kind == "f" or band.dtype.itemsize > 2:
                odd |= np.abs(band) > HUGE
        if len(bands) > 1:
            odd |= filled(list(bands.values())) != 0
    return odd


def filled(bands: Sequence[Array]) -> NDArray[np.float64]:
    """The number that all bands of a pixel have where it is one of `FILLED`, else 0."""
    first, *others = bands
    same = np.logical_and.reduce([first == other for other in others]) if others else True
    marker = np.where(np.isin(first, FILLED) & same, first, 0).astype(np.float64)
    # 255 says nothing: white in a picture of 8 bits.
    return np.asarray(marker)


def _many(bands: Mapping[str, Array], ndvi: Array, valid: Mask, share: float) -> tuple[str, str]:
    """What is wrong with a date of which much is impossible, and the cure."""
    markers = filled(list(bands.values()))[valid]
    if (markers != 0).mean() > MOST_IMPOSSIBLE:
        values, counts = np.unique(markers[markers != 0], return_counts=True)
        marker = float(values[counts.argmax()])
        return (
            f"{share:.0%} of the pixels are {marker:g} in all bands, which is no measurement",
            f"if it marks missing pixels, state nodata = {marker:g}",
        )
    low = {name: float(np.nanmin(band[valid])) for name, band in bands.items()}
    if min(low.values()) >= 0:
        found = index(np.where(valid, ndvi, np.nan))
        if found.wrong:
            return found.wrong, found.cure
    lowest = min(low, key=lambda name: low[name])
    known = ndvi[valid & np.isfinite(ndvi)]
    reach = f"{known.min():.4g} to {known.max():.4g}" if known.size else "nothing"
    return (
        f"{share:.0%} of the pixels are impossible: NDVI is {reach}, and {lowest} goes down to "
        f"{low[lowest]:.4g}",
        "state scale, offset and nodata of the bands",
    )


def _units(sizes: Mapping[str, float], nir: str) -> str:
    """Why two bands cannot be in one unit; empty where they can."""
    known = {name: size for name, size in sizes.items() if size > 0}
    if len(known) < 2:
        return ""
    least, most = min(known, key=lambda n: known[n]), max(known, key=lambda n: known[n])
    if known[most] < (SPREAD_OF_NIR if most == nir else SPREAD) * known[least]:
        return ""
    return (
        f"the bands are not in one unit: {most} has numbers up to {known[most]:.4g} and {least} "
        f"up to {known[least]:.4g}"
    )


def _odd_sizes(sizes: Mapping[str, float]) -> list[str]:
    known = {name: size for name, size in sizes.items() if size > 0}
    if not known or max(known.values()) < ODD_SPREAD * min(known.values()):
        return []
    least, most = min(known, key=lambda n: known[n]), max(known, key=lambda n: known[n])
    return [
        f"{most} is {known[most] / known[least]:.0f} times as large as {least}: are their units "
        "the same?"
    ]


def _empty(bands: Mapping[str, Array], ndvi: Array, red: str, nir: str) -> list[str]:
    """Images that show nothing; of NDVI some pixels."""
    if np.array_equal(bands[red], bands[nir], equal_nan=bands[red].dtype.kind == "f"):
        return [f"{red} and {nir} hold the same numbers"]
    known = ndvi[np.isfinite(ndvi)]
    if known.size > 1 and float(known.std()) < NO_CHANGE:
        return [f"NDVI is {float(known.mean()):.3f} in all pixels, so all chips are equal"]
    if known.size > 1 and abs(float(np.median(known))) > 0.98:
        return [f"NDVI is {float(np.median(known)):.3f} nearly everywhere"]
    return []


def _brightness(
    some: Mapping[str, Array], sizes: Mapping[str, float], rgb: Sequence[str]
) -> list[str]:
    """Scenes that are cloud, haze or snow almost everywhere, as far as units can be guessed."""
    red, _, blue = rgb
    unit = _guessed_unit(max(sizes.values()))
    if unit is None or blue not in some or red not in some:
        return []
    seen_red, seen_blue = some[red] / unit, some[blue] / unit
    hazy = float((seen_blue - 0.5 * seen_red > HOT_LIMIT).mean())
    if max(sizes.values()) / unit > WHITE:
        return [
            f"reflectance reaches {max(sizes.values()) / unit:.2g}: are scale and offset right?"
        ]
    if hazy < HAZY:
        return []
    return [
        f"{hazy:.0%} of the pixels are as bright in blue as cloud, haze or snow: mask clouds, or "
        "leave this date out"
    ]


def _guessed_unit(largest: float) -> float | None:
    """Number that stands for a reflectance of 1; None where that cannot be told."""
    if largest <= 2:
        return 1.0
    return 10_000.0 if 400 <= largest <= 25_000 else None


def wettest(days: float) -> float:
    """Most rain that can fall in some days, m.

    The envelope of the world's records grows with the square root of time (Jennings 1950,
    doi:10.1175/1520-0493(1950)078<0004:WGORO>2.0.CO;2); 1.8 m in a day and 26.5 m in a year are
    known.
    """
    return float(2.0 * np.sqrt(max(days, 1.0)))


def rain(values: Array, days: float) -> Finding:
    """Look at the rain of a period, m; shape (H, W)."""
    known = np.isfinite(values)
    limit = wettest(days)
    with np.errstate(invalid="ignore"):
        odd = known & ((values < RAIN_NOISE) | (values > limit))
    share = float(odd.sum() / max(known.sum(), 1))
    if share > MOST_IMPOSSIBLE:
        least, most = float(values[known].min()), float(values[known].max())
        return Finding(
            odd, share,
            f"rain of {least:.4g} to {most:.4g} m cannot be: 0 to {limit:.3g} m can fall",
            'state its units, such as "mm", or its scale and nodata',
        )  # fmt: skip
    return Finding(odd, share, doubts=_counted(odd))


def temperature(values: Array) -> Finding:
    """Look at air temperature, K; shape (H, W)."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        odd = known & ((values < COLDEST) | (values > WARMEST))
    share = float(odd.sum() / max(known.sum(), 1))
    if share > MOST_IMPOSSIBLE:
        least, most = float(values[known].min()), float(values[known].max())
        return Finding(
            odd, share,
            f"an air temperature of {least:.4g} to {most:.4g} K cannot be",
            'state its units, such as "degC", or its scale and nodata',
        )  # fmt: skip
    return Finding(odd, share, doubts=_counted(odd))


def series(rain_: bool, means: Sequence[float], days: float) -> str:
    """Why a series of weather is in another unit; empty where it need not be.

    Parameters
    ----------
    rain_ : bool
        Whether it is rain, m; else air temperature, K.
    means : sequence of float
        Of some dates.
    days : float
        From one date to the next.
    """
    known = np.array([mean for mean in means if np.isfinite(mean)])
    if not known.size:
        return ""
    if rain_:
        if float(known.mean()) <= USUAL_RAIN * max(days, 1):
            return ""
        return f"rain of {known.mean():.4g} m in {days:g} days on average falls nowhere"
    if COLDEST <= float(np.median(known)) <= WARMEST:
        return ""
    return f"an air temperature of {np.median(known):.4g} K cannot be"


def _counted(odd: Mask) -> tuple[str, ...]:
    if not odd.any():
        return ()
    return (f"{int(odd.sum())} pixels have impossible values and are invalid",)
