"""The chips of one date of a run, as arrays, with the network that the run made of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyveg.earth.chips import SIZE
from pyveg.earth.indices import NDVI
from pyveg.earth.network import Network, nodes
from pyveg.kernels.images import cut_chips

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Chips:
    """Some chips of one date."""

    date: pd.Timestamp
    ndvi: NDArray[np.float64]
    """Shape (chips, N, N), NaN where masked."""
    vegetation: NDArray[np.bool_]
    """Pixels with plants, the same shape; the others are bare soil."""
    numbers: tuple[int, ...]
    """Which chips of the image they are."""
    image: NDArray[np.float64] | None = None
    """NDVI, or its `index`, of the whole image that they were cut from."""
    network: Network = field(default_factory=Network)
    index: str = NDVI
    """The vegetation index that `ndvi` and `image` hold."""
    limits: tuple[float, float] = (-1.0, 1.0)
    """Values of it that its grey picture has as black and as white."""

    @property
    def nodes(self) -> NDArray[np.bool_]:
        """Pixels that are nodes of the run's network, shape (chips, N, N)."""
        return self.network.nodes_of(self.vegetation)

    def only(self, places: NDArray[np.intp]) -> Chips:
        """Those at some places among these."""
        numbers = tuple(self.numbers[place] for place in places)
        ndvi, vegetation = self.ndvi[places], self.vegetation[places]
        return replace(self, ndvi=ndvi, vegetation=vegetation, numbers=numbers)


def cut(
    date: pd.Timestamp,
    ndvi: NDArray[np.float64],
    picture: NDArray[np.uint8],
    chosen: list[int],
    network: Network,
) -> Chips:
    """Cut the images of a date.

    Parameters
    ----------
    date : Timestamp
    ndvi : ndarray of float64, shape (H, W)
    picture : ndarray of uint8, shape (H, W)
        Black-and-white NDVI: 255 is bare soil, 0 vegetation.
    chosen : list of int
        Numbers of the chips that the run has measured.
    network : Network
    """
    vegetation = nodes(cut_chips(picture, SIZE)[chosen], "vegetation")
    return Chips(date, cut_chips(ndvi, SIZE)[chosen], vegetation, tuple(chosen), ndvi, network)
