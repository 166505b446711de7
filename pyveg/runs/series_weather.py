"""Rain and temperature in a table that people write, in the units of results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyveg.core.errors import DataError
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.runs.delimited import TextTable
from pyveg.runs.headings import name_and_unit


@dataclass(frozen=True)
class _Unit:
    """How numbers of a unit become those of results, and what they can be there."""

    convert: Callable[[float], float]
    low: float
    high: float


# Most rain that was ever measured: 1.8 m in a day, 9.3 m in a month, 26.5 m in a year.
_METRES = _Unit(lambda x: x, 0, 27)
_KELVIN = _Unit(lambda x: x, 150, 350)
UNITS: Mapping[str, Mapping[str, _Unit]] = {
    "rain": {
        "m": _METRES,
        "cm": _Unit(lambda x: x / 100, 0, 27),
        "mm": _Unit(lambda x: x / 1000, 0, 27),
    },
    "temperature": {
        "K": _KELVIN,
        "°C": _Unit(lambda x: x + 273.15, 150, 350),
    },
}
"""Role -> unit -> how to read it. Results have rain in m per period, and temperature in K."""
_CELSIUS = ("c", "°c", "ºc", "degc", "deg c", "celsius", "degrees celsius")
_SPELLINGS = {
    **dict.fromkeys(_CELSIUS, "°C"),
    **dict.fromkeys(("k", "kelvin"), "K"),
    **dict.fromkeys(("mm", "millimetres", "millimeters", "kg m-2", "kg/m2"), "mm"),
    **dict.fromkeys(("m", "metres", "meters"), "m"),
}
"""In small letters."""
_OWN_UNITS = {PRECIPITATION: "m", TEMPERATURE: "K"}


def in_units_of_results(
    table: TextTable, role: str, column: str, numbers: Sequence[float]
) -> tuple[list[float], str]:
    """Weather in the units of results, and a note where its unit was told by its numbers."""
    name, said = name_and_unit(column)
    said = said or _OWN_UNITS.get(name, "")
    unit = _SPELLINGS.get(said.lower(), said)
    known = UNITS[role]
    if unit and unit not in known:
        raise DataError(
            f'{table.name}, column "{column}": the unit {unit} of {role} is not known',
            f"give {role} in {' or '.join(known)}, in sum or mean over each period",
        )
    note = ""
    if not unit:
        unit = _unit_by_numbers(table, role, column, [x for x in numbers if math.isfinite(x)])
        note = f'{role} was taken as {unit} by its range; write "{role} ({unit})" to say so'
    converted = [known[unit].convert(value) for value in numbers]
    for cell, value in zip(table.cells(column), converted, strict=True):
        if math.isfinite(value) and not known[unit].low <= value <= known[unit].high:
            raise DataError(
                f"{cell.where}: {role} of {cell.text} {unit} cannot be",
                f"say its unit in the heading, as in {role} ({next(iter(known))})",
            )
    return converted, note


def _unit_by_numbers(table: TextTable, role: str, column: str, numbers: Sequence[float]) -> str:
    """The unit that numbers can only be in."""
    low, high = min(numbers, default=0.0), max(numbers, default=0.0)
    if role == "temperature":
        units = ["K"] if low > 150 else ["°C"] if high < 70 else []
    else:  # 1 mm as the most of all periods is no rain at all, and 5 m more than falls in dry lands
        units = ["m"] if high <= 1 else ["mm"] if high > 5 else []
    if not units:
        raise DataError(
            f'{table.name}, column "{column}": its numbers, {low:g} to {high:g}, do not tell in '
            "which unit they are",
            f'write the unit into the heading, as in "{role} ({list(UNITS[role])[-1]})"',
        )
    return units[0]
