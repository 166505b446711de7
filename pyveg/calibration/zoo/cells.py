"""Cells of the zoo: so many records of one situation and one kind, made some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyveg.calibration.zoo.losing import RISES
from pyveg.calibration.zoo.rainy import RAINY
from pyveg.calibration.zoo.record import Record
from pyveg.calibration.zoo.situations import LOSING, SITUATIONS

MANY, FEW = 400, 60
BATCH = 20
"""Records that are judged at once, and kept."""
CLEARINGS = ("stable .5", "one clearing", "one clearing, in one of the chips")
CLAIMED = ("stable .5", *(name for name in LOSING if name in RISES))
"""Situations that are looked at where it is claimed how often a rise is found."""


@dataclass(frozen=True)
class Cell:
    """Records of one situation and one kind."""

    situation: str
    record: Record
    series: int

    @property
    def name(self) -> str:
        """Of the cell, for people."""
        return f"{self.record.name} {self.situation}"

    @property
    def key(self) -> str:
        """Where its records are kept."""
        text = "".join(letter if letter.isalnum() else "-" for letter in self.situation)
        return f"records/{self.record.name}/{text}"


@dataclass(frozen=True)
class Batch:
    """Some records of a cell."""

    cell: Cell
    first: int
    """Seed of the first record."""

    @property
    def seeds(self) -> range:
        """Of its records."""
        return range(self.first, min(self.first + BATCH, self.cell.series))

    @property
    def key(self) -> str:
        """Its file."""
        return f"{self.cell.key}/{self.first:04d}.csv"


def zoo_cells(series: int = MANY, years: Iterable[float] = ()) -> list[list[Cell]]:
    """All situations, in the kinds of records that the docs tell of; the most telling come first.

    Parameters
    ----------
    series : int
        Records of 10 and 25 years with 20 % gaps and one chip; of the other kinds at most 60.
    years : iterable of float
        Of these only; all where empty.

    Returns
    -------
    list of list of Cell
        Groups that are done one after the other.
    """
    few, wanted = min(series, FEW), set(years)
    usual = tuple(name for name in SITUATIONS if name not in RAINY)
    rainy, everything = tuple(RAINY), tuple(SITUATIONS)
    groups: list[list[tuple[Record, int, Sequence[str]]]] = [
        [(Record(10, 0.2), series, usual), (Record(25, 0.2), series, usual)],
        [(Record(10, 0.2), series, rainy), (Record(25, 0.2), series, rainy)],
        [(Record(25), series, CLAIMED), (Record(25, 0.2, 25), few, CLAIMED)],
        [(Record(15, 0.2, 4), few, CLEARINGS), (Record(10, 0.2, 25), few, everything)],
        [
            (Record(5, 0.2), few, everything),
            *((Record(10, gaps), few, everything) for gaps in (0.0, 0.4)),
        ],
    ]
    return [
        [
            Cell(name, record, count)
            for record, count, names in group
            if not wanted or record.years in wanted
            for name in names
        ]
        for group in groups
    ]


def batches(groups: Iterable[Sequence[Cell]]) -> Iterator[Batch]:
    """Batches in the order in which they are made: group by group, the cells of one side by side.

    So what is done of an interrupted run is a smaller one.
    """
    for group in groups:
        most = max((cell.series for cell in group), default=0)
        for first in range(0, most, BATCH):
            yield from (Batch(cell, first) for cell in group if first < cell.series)
