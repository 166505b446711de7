"""How a run makes a network of the pixels of a chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Signal = Literal["bare_soil", "vegetation"]
_GREY: Mapping[str, int] = {"bare_soil": 255, "vegetation": 0}
"""Grey value of the pixels of each in the black-and-white picture."""


def nodes(picture: NDArray[np.uint8], signal: Signal) -> NDArray[np.bool_]:
    """Pixels that are nodes of the network.

    Parameters
    ----------
    picture : ndarray of uint8, any shape
        Black-and-white NDVI: 255 is bare soil, 0 vegetation.
    signal : {"bare_soil", "vegetation"}
    """
    mask: NDArray[np.bool_] = picture == _GREY[signal]
    return mask


@dataclass(frozen=True)
class Network:
    """The settings of a run that decide which network its numbers are about."""

    signal: Signal = "bare_soil"
    use_diagonal_neighbours: bool = False
    num_quantiles: int = 20

    def nodes_of(self, vegetation: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Nodes of a mask of any shape in which vegetation is True."""
        return vegetation if self.signal == "vegetation" else ~vegetation

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Network:
        """Read it from the settings of the Module that measures networks."""
        return cls(**{name: settings[name] for name in cls.__annotations__ if name in settings})
