"""Which pixels are clear, by a band of the images that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import ConfigError
from pyveg.kernels.composite import SCL_KEPT
from pyveg.sources.folder.settings import FolderSettings


@dataclass(frozen=True)
class Rule:
    """How a band says that a pixel is clear."""

    values: tuple[int, ...] = ()
    """These values are clear, or ..."""
    clear_bits: tuple[int, ...] = ()
    """any of these bits says so, or ..."""
    masked_bits: tuple[int, ...] = ()
    """none of these bits says the contrary, or ..."""
    limit: float | None = None
    """the probability of cloud is below this."""
    fill: tuple[int, ...] = ()
    """Values where nothing was seen, whatever their bits say."""

    def clear(self, numbers: NDArray[Any]) -> NDArray[np.bool_]:
        """Which pixels are clear."""
        if self.limit is not None:
            return np.asarray(numbers < self.limit)
        if self.values:
            return np.isin(numbers, self.values)
        given = np.asarray(numbers)
        # What is no whole number has no bits: nobody knows whether such a pixel is clear.
        sound = np.isfinite(given) & (np.abs(given.astype(np.float64)) < _MOST_FLAGS)
        whole = np.where(sound, given, 0).astype(np.int64)
        clear = np.ones(whole.shape, np.bool_)
        if self.clear_bits:
            clear &= (whole & _bits(self.clear_bits)) != 0
        if self.masked_bits:
            clear &= (whole & _bits(self.masked_bits)) == 0
        return np.asarray(clear & sound & ~np.isin(whole, self.fill), np.bool_)


_MOST_FLAGS = 2.0**53
"""Beyond it a float does not tell one whole number from the next."""

PRESETS = {
    # Scene classification of Sen2Cor: vegetation, bare soil, water, unclassified. Clouds, cirrus,
    # shadows, dark areas, snow, saturated and missing pixels are not clear.
    "SCL": Rule(values=SCL_KEPT),
    # Landsat Collection 2: fill, dilated cloud, cirrus, cloud, cloud shadow, snow.
    "QA_PIXEL": Rule(masked_bits=(0, 1, 2, 3, 4, 5)),
    # HLS v2.0: cirrus (not used), cloud, adjacent to cloud or shadow, cloud shadow, snow; 255 fill.
    "FMASK": Rule(masked_bits=(0, 1, 2, 3, 4), fill=(255,)),
    # The first band of Planet's udm2: 1 is clear.
    "UDM2": Rule(values=(1,)),
}
LIMITS = {"MSK_CLDPRB": 40.0, "CLDPRB": 40.0, "CLD": 40.0, "S2_CLOUDPROB": 40.0}
"""Bands of cloud probability, percent -> at which value a pixel is masked."""
_FLAGS = ("clear_values", "clear_bits", "masked_bits", "mask_limit", "mask")


def rule_of(settings: FolderSettings) -> Rule | None:
    """The rule that a folder's settings state; None where there is no mask band.

    Raises
    ------
    ConfigError
        If they state none for a mask band, or more than one.
    """
    said = [name for name in _FLAGS if getattr(settings, name) not in ((), None, "")]
    if not settings.mask_band:
        if said:
            raise ConfigError(
                f"{said[0]} says how a mask band is read, and mask_band names none",
                'name the band, such as mask_band = "SCL"',
            )
        return None
    own = Rule(
        settings.clear_values, settings.clear_bits, settings.masked_bits, settings.mask_limit
    )
    ways = [own.values, own.clear_bits or own.masked_bits, own.limit is not None, settings.mask]
    if sum(map(bool, ways)) > 1:
        raise ConfigError(
            f"{' and '.join(said)} say in two ways which pixels are clear", "give one of them"
        )
    if any(not 0 <= bit < 32 for bit in (*own.clear_bits, *own.masked_bits)):
        raise ConfigError("clear_bits and masked_bits count from 0 to 31", "correct them")
    if any(ways[:3]):
        return own
    name = (settings.mask or settings.mask_band).upper()
    if name in LIMITS and not settings.mask:
        return Rule(limit=LIMITS[name])
    if name not in PRESETS:
        raise ConfigError(
            f'mask_band = "{settings.mask_band}": which of its values are clear is not known',
            f"give clear_values, clear_bits, masked_bits or mask_limit, or mask as one of "
            f"{', '.join(PRESETS)}",
        )
    return PRESETS[name]


def _bits(numbers: Iterable[int]) -> int:
    return sum(1 << number for number in set(numbers))
