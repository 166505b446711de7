"""Tables of images, taken apart by their dates and put together again, cell by cell."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from pyveg.cameras.roistats import stamps
from pyveg.core.errors import DataError

__all__ = ["joined", "rows_between"]

_UPDATE = "# Update "


class _Parts(NamedTuple):
    """A table, taken apart."""

    comment: tuple[str, ...]
    columns: str
    """The line of their names."""
    rows: tuple[str, ...]


def rows_between(data: bytes, name: str, start: date, end: date) -> bytes | None:
    r"""The rows of some days, with the comment and all columns of the table.

    Parameters
    ----------
    data : bytes
        A table of images, as PhenoCam writes it.
    name : str
        Of its file, for messages.
    start, end : date
        The first day, and the day after the last.

    Returns
    -------
    bytes or None
        None where the table has no row of these days.

    Raises
    ------
    DataError
        If it has no column ``date``.

    Examples
    --------
    >>> table = b"# Site: oak\ndate,gcc\n2020-05-01,0.4\n2020-05-02,0.5\n"
    >>> rows_between(table, "oak.csv", date(2020, 5, 2), date(2020, 5, 3))
    b'# Site: oak\ndate,gcc\n2020-05-02,0.5\n'
    """
    parts, days = _by_day(data, name)
    first, last = start.isoformat(), end.isoformat()
    rows = [row for day, row in zip(days, parts.rows, strict=True) if first <= day < last]
    return _text([*parts.comment, parts.columns, *rows]) if rows else None


def joined(tables: Iterable[bytes], made: datetime | None = None) -> bytes:
    r"""Tables of one region of interest as one.

    Parameters
    ----------
    tables : iterable of bytes
        In order of time; the comment is that of the first.
    made : datetime, optional
        When they are joined; now where left out.

    Raises
    ------
    DataError
        If there is none, or they have different columns.

    Examples
    --------
    >>> joined([b"date,gcc\n2020-05-01,0.4\n", b"date,gcc\n2020-05-02,0.5\n"])
    b'date,gcc\n2020-05-01,0.4\n2020-05-02,0.5\n'
    """
    parts = [_parts(table) for table in tables]
    if not parts:
        raise DataError("there is no table of images", "measure some first")
    odd = next((one for one in parts if one.columns != parts[0].columns), None)
    if odd is not None:
        raise DataError(
            f"tables of images have different columns: {parts[0].columns[:200]} and "
            f"{odd.columns[:200]}",
            "measure all images anew",
        )
    now = iter(line for line in stamps(made or datetime.now(UTC)) if line.startswith(_UPDATE))
    comment = [next(now, "") if one.startswith(_UPDATE) else one for one in parts[0].comment]
    return _text([*comment, parts[0].columns, *(row for one in parts for row in one.rows)])


@lru_cache(maxsize=2)
def _by_day(data: bytes, name: str) -> tuple[_Parts, list[str]]:
    """A table and the day of each row; kept, as a run asks for one day after the other."""
    parts = _parts(data)
    columns = next(csv.reader([parts.columns]), [])
    if "date" not in columns:
        raise DataError(f"{name} has no column date", "give a _roistats.csv of PhenoCam")
    place = columns.index("date")
    days = [cells[place] if len(cells) > place else "" for cells in csv.reader(parts.rows)]
    return parts, days


def _parts(data: bytes) -> _Parts:
    lines = [line for line in data.decode("utf-8-sig", "replace").splitlines() if line]
    head = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    columns = lines[head] if head < len(lines) else ""
    return _Parts(tuple(lines[:head]), columns, tuple(lines[head + 1 :]))


def _text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
