"""Tables as people and programs write them: separator and decimal mark are told, or refused.

Spreadsheets, statistics packages and export buttons all write "CSV", each in its own way. What a
table leaves no doubt about is read; what could be meant in two ways is an error that names the
file, the line and the column.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyveg.core.errors import DataError
from pyveg.core.reading import read_whole

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""What stands between cells -> its name. Spaces are tried where the heading has none of these."""
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "-", "--", "nodata"})
"""What stands for no value, in small letters."""

_SPACES = "\u0020\u00a0\u202f'"
_SIGNED = r"[+\-\u2212]?(?:{digits})(?:[eE][+-]?\d+)?"
_DIGITS = r"\d+(?:{mark}\d*)?|{mark}\d+|[1-9]\d{{0,2}}(?:[{groups}]\d{{3}})+(?:{mark}\d*)?"


def _pattern(mark: str, other: str) -> re.Pattern[str]:
    digits = _DIGITS.format(mark=re.escape(mark), groups=re.escape(other) + _SPACES)
    return re.compile(_SIGNED.format(digits=digits), re.ASCII)


_NUMBER = {".": _pattern(".", ","), ",": _pattern(",", ".")}
"""Decimal mark -> a number that is written with it; the other mark may stand between thousands."""
_GROUPING = {mark: re.compile(f"[{re.escape(other)}{_SPACES}]") for mark, other in (".,", ",.")}


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table."""

    text: str
    where: str
    """File, line and column, to begin a message with."""

    @property
    def missing(self) -> bool:
        """Whether it holds no value."""
        return self.text.lower() in MISSING


@dataclass(frozen=True)
class TextTable:
    """The cells of a table, as text."""

    name: str
    """The file, for messages."""
    columns: tuple[str, ...]
    """Headings; no two are the same but for case."""
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Number of the line and its cells, as many as there are columns; none is all empty."""
    separator: str = ","
    counted: str = "line"
    """What the numbers of its rows count."""

    def cells(self, column: str) -> list[Cell]:
        """One column, from the top."""
        place = self.columns.index(column)
        return [
            Cell(cells[place], f'{self.name}, {self.counted} {line}, column "{column}"')
            for line, cells in self.rows
        ]


def read_table(path: Path) -> TextTable:
    """Read a file of separated values, whatever separates them.

    Parameters
    ----------
    path : Path
        In UTF-8, or in UTF-16 with its mark. Lines before the heading that are empty or begin with
        "#" are passed over; a first line ``sep=;`` is obeyed.

    Returns
    -------
    TextTable

    Raises
    ------
    DataError
        If it cannot be read, has no heading or no rows, or is separated in no way or in two ways.
    """
    return table_of(_text(path), str(path))


def table_of(text: str, name: str) -> TextTable:
    r"""Read a table from its text; see `read_table`.

    Examples
    --------
    >>> table = table_of("date;value\n2016-01-31;0,5\n", "a.csv")
    >>> table.columns, table.cells("value")[0].text
    (('date', 'value'), '0,5')
    """
    lines = text.splitlines()
    skipped, told = 0, ""
    while skipped < len(lines) and (not lines[skipped].strip() or lines[skipped][0] == "#"):
        skipped += 1
    if skipped < len(lines) and re.fullmatch(r"sep=[^\w\s]|sep=\t", lines[skipped], re.I):
        told, skipped = lines[skipped][4], skipped + 1
    if skipped >= len(lines):
        raise DataError(f"{name} is empty", "give a table with a heading and rows below it")
    heading = lines[skipped]
    # Without its line ends a table would lose a line break inside quotes.
    body = "".join(text.splitlines(keepends=True)[skipped:])
    candidates = [told] if told else [mark for mark in SEPARATORS if mark in heading] or [" "]
    tried = {mark: _split(body, mark, skipped, name) for mark in candidates}
    fitting = {mark: rows for mark, rows in tried.items() if not _misfit(rows)}
    if len(fitting) > 1:
        both = " or ".join(SEPARATORS.get(mark, mark) for mark in fitting)
        raise DataError(f"{name}: its cells are separated by {both}", "use one separator only")
    if not fitting:
        raise _no_separator(tried, name)
    ((mark, rows),) = fitting.items()
    return _checked(rows, name, mark)


Rows = list[tuple[int, list[str]]]


def _text(path: Path) -> str:
    try:
        data = read_whole(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}", "check its path and permissions"
        ) from error
    # Spreadsheets write a mark at the beginning.
    code = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(code)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} cannot be read: it is not in UTF-8 ({error.reason} at byte {error.start})",
            "save it as CSV in UTF-8",
        ) from error
    if "\0" in text:
        raise DataError(f"{path} is no text: it has zero bytes", "save it as CSV in UTF-8")
    return text


def _split(body: str, separator: str, skipped: int, name: str) -> Rows:
    """Cells of each line, without empty ones at the right and lines of nothing else."""
    if separator == " ":
        rows: Rows = [(i, line.split()) for i, line in enumerate(body.splitlines(), 1)]
    else:
        reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True)
        rows = []
        try:
            for cells in reader:
                rows.append((reader.line_num, [cell.strip() for cell in cells]))
        except csv.Error as error:
            raise DataError(
                f"{name}, line {skipped + len(rows) + 1} is no row: {error}",
                "close its quotation marks",
            ) from error
    trimmed = [(line + skipped, _trimmed(cells)) for line, cells in rows]
    return [(line, cells) for line, cells in trimmed if cells]


def _trimmed(cells: list[str]) -> list[str]:
    last = max((number for number, cell in enumerate(cells) if cell), default=-1)
    # Of two cells both stay, so that an empty one shows that they are separated.
    return cells[: max(last + 1, 2)] if last >= 0 else []


def _misfit(rows: Rows) -> str:
    """Why cells were not separated so; empty where they may have been."""
    if not rows:
        return "all of its cells are empty"
    (_, heading), *others = rows
    if len(heading) < 2:
        return "the heading has one cell"
    for line, cells in others:
        if len(cells) > len(heading):
            return f"line {line} has {len(cells)} cells, and the heading {len(heading)}"
    # One cell alone is what is left of a line that another mark separates.
    if others and all(len(cells) == 1 for _, cells in others):
        return f"line {others[0][0]} has one cell, and the heading {len(heading)}"
    return ""


def _no_separator(tried: dict[str, Rows], name: str) -> DataError:
    mark, rows = max(tried.items(), key=lambda pair: len(pair[1][0][1]) if pair[1] else 0)
    why = _misfit(rows)
    cure = "separate cells by commas, semicolons or tabs, and put a heading above them"
    if mark == "," and "cells, and" in why:
        cure = "separate cells by semicolons where numbers have decimal commas"
    read = "" if mark == " " else f" where cells are separated by {SEPARATORS.get(mark, mark)}"
    return DataError(f"{name}: {why}{read}", cure)


def _checked(rows: Rows, name: str, separator: str) -> TextTable:
    (line, heading), *others = rows
    if not others:
        raise DataError(f"{name} has a heading and no rows", "add a row for each date or place")
    for cell in heading:
        if cell and any(pattern.fullmatch(cell) for pattern in _NUMBER.values()):
            raise DataError(
                f"{name}, line {line}: {cell} is no heading", "name the columns in the first line"
            )
    used = [i for i, cell in enumerate(heading) if cell or any(row[i : i + 1] for _, row in others)]
    columns = [heading[i] or f"column {i + 1}" for i in used]
    small = [column.lower() for column in columns]
    for column in columns:
        if small.count(column.lower()) > 1:
            raise DataError(f'{name} has two columns "{column}"', "rename one of them")
    padded = ((number, row + [""] * (len(heading) - len(row))) for number, row in others)
    cells = tuple((number, tuple(row[i] for i in used)) for number, row in padded)
    return TextTable(name, tuple(columns), cells, separator)


def decimal_mark(cells: Iterable[Cell], separator: str = "") -> str:
    """The decimal mark of all numbers of a table, ``"."`` or ``","``.

    Parameters
    ----------
    cells : iterable of Cell
        Those that hold a number or nothing.
    separator : str
        Of the cells. Where it is a comma, nobody writes decimals with one, so that 1.234 is not
        1234.

    Raises
    ------
    DataError
        For a cell that holds no number, marks that contradict each other, and numbers that can all
        be read with either, such as 1,234.
    """
    known = [cell for cell in cells if not cell.missing]
    fits = {mark: [cell for cell in known if _NUMBER[mark].fullmatch(cell.text)] for mark in ".,"}
    for cell in known:
        if not any(_NUMBER[mark].fullmatch(cell.text) for mark in ".,"):
            raise DataError(
                f"{cell.where}: {cell.text!r} is no number",
                "write the number alone; its unit goes into the heading, as in rain (mm)",
            )
    whole = [mark for mark in ".," if len(fits[mark]) == len(known)]
    if separator == "," and "." in whole and not any("," in cell.text for cell in known):
        return "."
    if not whole:
        one = next(cell for cell in known if cell not in fits["."])
        other = next(cell for cell in known if cell not in fits[","])
        raise DataError(
            f"{one.where}: {one.text!r} has another decimal mark than {other.text!r} "
            f"({other.where.removeprefix(one.where.split(',')[0] + ', ')})",
            "write all numbers with one decimal mark, best a point",
        )
    doubtful = next((cell for cell in known if set(cell.text) & {".", ","}), None)
    if len(whole) == 2 and doubtful is not None:
        raise DataError(
            f"{doubtful.where}: {doubtful.text!r} can be read in two ways, and no other number "
            "tells whether its mark separates decimals or thousands",
            "write numbers without a mark between thousands, and decimals with a point",
        )
    return whole[0]


def number(cell: Cell, mark: str) -> float:
    """The number in a cell; NaN where it holds none.

    Raises
    ------
    DataError
        If it is no number with that decimal mark, or too large for one.
    """
    if cell.missing:
        return math.nan
    if _NUMBER[mark].fullmatch(cell.text):
        plain = _GROUPING[mark].sub("", cell.text).replace(mark, ".").replace("\u2212", "-")
        value = float(plain)
        if math.isfinite(value):
            return value
    raise DataError(f"{cell.where}: {cell.text!r} is no number", "write a number, or nothing")


def is_number(text: str) -> bool:
    """Whether a text is a number with some decimal mark."""
    return any(pattern.fullmatch(text) for pattern in _NUMBER.values())


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names for a message, the first few of many."""
    quoted = ", ".join(f'"{name}"' for name in names[:most])
    return quoted + (f" and {len(names) - most} more" if len(names) > most else "")
