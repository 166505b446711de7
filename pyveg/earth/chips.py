"""The chips of one date: where they are and how much of each is valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyveg import formats
from pyveg.earth.metrics import Metric

SIZE = 50
"""Pixels along a side."""

VALID_FRACTION = Metric(
    "valid_fraction", "1", "share of the chip's pixels that hold a measurement",
    "Valid pixels", test="none", low=0, high=1,
)  # fmt: skip
"""Every record of a chip has it."""


@dataclass(frozen=True)
class ChipGrid:
    """The chips of one date, column by column from the north-west corner.

    Examples
    --------
    Two chips beside each other, one of them under clouds:

    >>> grid = ChipGrid(1, 2, (27.9, 28.0), (11.5, 11.5), (1.0, 0.2), (True, False))
    >>> len(grid), grid.chosen(-1)
    (2, [0])
    """

    rows: int
    columns: int
    longitude: tuple[float, ...]
    """Of the centres, degrees."""
    latitude: tuple[float, ...]
    valid_fraction: tuple[float, ...]
    usable: tuple[bool, ...]
    """Whether enough of it is valid to be measured."""

    def __len__(self) -> int:
        return self.rows * self.columns

    def chosen(self, n_sub_images: int) -> list[int]:
        """Indices of the usable ones among the first `n_sub_images`; -1 for all."""
        count = len(self) if n_sub_images < 0 else min(n_sub_images, len(self))
        return [index for index in range(count) if self.usable[index]]

    def record(self, index: int, date: str) -> dict[str, Any]:
        """What the records of every Module say of a chip.

        Parameters
        ----------
        index : int
            Number of the chip.
        date : str
            Name of the Item.

        Returns
        -------
        dict
            `date`, `latitude`, `longitude` (degrees, four decimals), `chip`, `valid_fraction`.
        """
        return {
            "date": date,
            # Four decimals, as in the records of the older pyveg: 11 m.
            "latitude": round(self.latitude[index], 4),
            "longitude": round(self.longitude[index], 4),
            "chip": index,
            VALID_FRACTION.name: round(self.valid_fraction[index], 6),
        }

    def encode(self) -> bytes:
        """As JSON."""
        return formats.encode_json({"size": SIZE, **vars(self)})

    @classmethod
    def decode(cls, data: bytes) -> ChipGrid:
        """Read what `encode` wrote."""
        record = formats.decode_json(data)
        return cls(
            rows=record["rows"],
            columns=record["columns"],
            longitude=tuple(record["longitude"]),
            latitude=tuple(record["latitude"]),
            valid_fraction=tuple(record["valid_fraction"]),
            usable=tuple(record["usable"]),
        )
