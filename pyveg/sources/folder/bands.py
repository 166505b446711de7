"""Names of bands, as users, Earth Engine and the makers of images write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pyveg.core.errors import DataError
from pyveg.sources.folder.names import Name, listed

_NUMBERED = re.compile(r"(?:SR_)?B(?:and)?_?0?(\d{1,2})", re.IGNORECASE)


def spellings(band: str) -> tuple[str, ...]:
    """Names that a band goes by, the given one first.

    Examples
    --------
    >>> spellings("B4")
    ('B4', 'B04', 'SR_B4', 'sr_band4', 'band4')
    >>> spellings("nir")
    ('nir',)
    """
    match = _NUMBERED.fullmatch(band)
    if match is None:
        return (band,)
    number = int(match[1])
    known = (f"B{number}", f"B{number:02}", f"SR_B{number}", f"sr_band{number}", f"band{number}")
    return tuple(dict.fromkeys((band, *known)))


def of_band(names: Sequence[Name], band: str, more: Iterable[str] = ()) -> list[Name]:
    """The files of a band, by the first of its names that any file has."""
    for spelling in (*spellings(band), *more):
        found = [name for name in names if name.band.lower() == spelling.lower()]
        exact = [name for name in found if name.band == spelling]
        if found:
            return exact or found
    return []


def number_of(
    band: str,
    path: Path,
    descriptions: Sequence[str],
    given: Mapping[str, int | str],
    known: Mapping[str, int],
) -> int:
    """Which band of a file of several is meant, beginning with 1.

    Parameters
    ----------
    band : str
        As the user calls it.
    path : Path
    descriptions : sequence of str
        Of the file's bands, in order.
    given : mapping
        The setting ``bands``.
    known : mapping of str to int
        Bands of files of this kind, by name.

    Raises
    ------
    DataError
        If the file has no such band; says which it has.
    """
    wanted = given.get(band, band)
    if isinstance(wanted, int):
        if wanted <= len(descriptions):
            return wanted
    else:
        lower = [text.lower() for text in descriptions]
        numbers = {name.lower(): number for name, number in known.items()}
        for spelling in map(str.lower, spellings(wanted)):
            if lower.count(spelling) == 1:
                return lower.index(spelling) + 1
            if spelling in numbers and numbers[spelling] <= len(descriptions):
                return numbers[spelling]
    there = [f"{n} {text}".strip() for n, text in enumerate(descriptions, start=1)]
    raise DataError(
        f'{path} has no band "{band}"; its bands are {listed(there)}',
        f'say which one it is, as in bands = {{"{band}": 1}}',
    )
