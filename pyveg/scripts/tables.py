"""Tables and names as they fit a terminal; where nobody looks at one, nothing is shortened."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_GAP = 2
_LEAST_NAME = 12
"""Columns that a name has at least, however narrow the terminal."""


def columns() -> int | None:
    """Columns of the terminal that somebody looks at; None where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def aligned(
    rows: Sequence[Sequence[str]],
    notes: Sequence[tuple[str, ...]] | None = None,
    width: int | None = None,
) -> str:
    """Rows of text in columns, the first to the left, with lines of notes below each.

    Parameters
    ----------
    rows : sequence of sequence of str
        The first is the head.
    notes : sequence of tuple of str, optional
        Lines below each row.
    width : int, optional
        Columns that no line goes beyond: names in the first column are shortened for it, and notes
        go on in the next line. None for as many as it takes.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    names = {row[0]: row[0] for row in rows}
    if width is not None:
        left = max(_LEAST_NAME, width - sum(w + _GAP for w in widths[1:]))
        names = {rows[0][0]: rows[0][0], **short_names([row[0] for row in rows[1:]], left)}
        widths[0] = max(map(len, names.values()))
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append((" " * _GAP).join([names[row[0]].ljust(widths[0]), *cells]))
        for note in notes[number] if notes else ():
            lines += _wrapped(note, width)
    return "\n".join(lines)


def _wrapped(note: str, width: int | None) -> list[str]:
    """A note, indented; in more lines than one where it is longer than a line."""
    if width is None or len(note) + 4 <= width:
        return [f"    {note}"]
    return textwrap.wrap(
        note, width, initial_indent=" " * 4, subsequent_indent=" " * 6, break_on_hyphens=False
    )


def short_names(labels: Iterable[str], width: int) -> Mapping[str, str]:
    """Labels ``<sequence>/<module>`` in at most so many columns, each still another one.

    Where one is too long, all Modules go without their sequence whose names say enough; the others
    are shortened in the middle.

    Examples
    --------
    >>> short_names(["Sentinel2/NDVICalculator", "combine/Joiner"], 15)
    {'Sentinel2/NDVICalculator': 'NDVICalculator', 'combine/Joiner': 'Joiner'}
    >>> short_names(["Landsat8/NDVICalculator", "Landsat9/NDVICalculator"], 20)
    {'Landsat8/NDVICalculator': 'Lan…8/NDVICalculator', 'Landsat9/NDVICalculator': 'Lan…9/NDVICalculator'}
    """  # noqa: E501 - an example
    known = list(dict.fromkeys(labels))
    if all(len(label) <= width for label in known):
        return {label: label for label in known}
    modules = Counter(label.rpartition("/")[2] for label in known)
    short: dict[str, str] = {}
    for label in known:
        name = _fitted(label, width, alone=modules[label.rpartition("/")[2]] == 1)
        taken = set(short.values())
        number = 1
        while name in taken:  # what differs was cut away
            number += 1
            name = f"{middle_cut(label, width - len(str(number)) - 1)}~{number}"
        short[label] = name
    return short


def _fitted(label: str, width: int, *, alone: bool) -> str:
    """One label, by whatever is left out with the least loss."""
    sequence, _, module = label.rpartition("/")
    if alone or not sequence:
        return middle_cut(module, width)
    if len(label) <= width:
        return label
    room = max(4, width - len(module) - 1)
    return f"{middle_cut(sequence, room)}/{middle_cut(module, width - room - 1)}"


def middle_cut(text: str, width: int) -> str:
    """A text in at most so many columns: beginning and end, as these tell names apart."""
    if len(text) <= width:
        return text
    end = (width - 1) // 3
    return f"{text[: width - 1 - end]}…{text[len(text) - end :] if end else ''}"
