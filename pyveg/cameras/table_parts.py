"""Tables of images, taken apart by their dates and put together again, cell by cell."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple

from pyveg.cameras.roistats import stamps
from pyveg.core.errors import DataError

__all__ = ["FAILURES", "ROISTATS", "Dated", "joined"]

ROISTATS, FAILURES = "roistats", "failures"
"""Names of the tables of a period: all its images, and those that could not be measured."""
_UPDATE = "# Update "


class _Parts(NamedTuple):
    """A table, taken apart."""

    comment: tuple[str, ...]
    columns: str
    """The line of their names."""
    rows: tuple[str, ...]


class Dated:
    r"""A table of images whose rows are found by their dates.

    Parameters
    ----------
    data : bytes
        As PhenoCam writes it.
    name : str
        Of its file, for messages.

    Raises
    ------
    DataError
        If it has no column ``date``, or a row that is of no day.

    Examples
    --------
    >>> table = Dated(b"# Site: oak\ndate,gcc\n2020-05-01,0.4\n2020-05-02,0.5\n", "oak.csv")
    >>> table.between(date(2020, 5, 2), date(2020, 5, 3))
    b'# Site: oak\ndate,gcc\n2020-05-02,0.5\n'
    """

    def __init__(self, data: bytes, name: str) -> None:
        parts = _parts(data)
        columns = _cells(parts.columns)
        if "date" not in columns:
            raise DataError(f"{name} has no column date", "give a _roistats.csv of PhenoCam")
        place = columns.index("date")
        self._head = [*parts.comment, parts.columns]
        self._rows: dict[str, list[str]] = {}
        for row in parts.rows:
            cells = _cells(row)
            day = cells[place] if len(cells) > place else ""
            self._rows.setdefault(day, []).append(row)
        # They would be of no period, and so be left out without a word.
        odd = next((day for day in self._rows if not _is_day(day)), None)
        if odd is not None:
            raise DataError(
                f"{name} has a row whose date is {odd[:40]!r}", "write dates as 2009-06-30"
            )

    def between(self, start: date, end: date) -> bytes | None:
        """The rows of some days, with the comment and all columns of the table.

        Parameters
        ----------
        start, end : date
            The first day, and the day after the last.

        Returns
        -------
        bytes or None
            None where the table has no row of these days.
        """
        first, last = start.isoformat(), end.isoformat()
        chosen = [rows for day, rows in self._rows.items() if first <= day < last]
        return _text([*self._head, *(row for rows in chosen for row in rows)]) if chosen else None


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


def _cells(row: str) -> list[str]:
    try:
        return next(csv.reader([row]), [])
    except csv.Error:  # a cell of more than 131,072 characters
        return []


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _parts(data: bytes) -> _Parts:
    lines = [line for line in data.decode("utf-8-sig", "replace").splitlines() if line]
    head = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    columns = lines[head] if head < len(lines) else ""
    return _Parts(tuple(lines[:head]), columns, tuple(lines[head + 1 :]))


def _text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
