"""Pieces of HTML: text that is anyone's, tables, numbers with their units.

Every run writes a page at its end, so it is put together by hand: a template engine would take
longer to load than all else.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyveg.core.texts import shown

_MIB = 2**20


@dataclass(frozen=True)
class Html:
    """Text that is HTML already."""

    text: str


class Amount(str):
    """A number with its unit: it stands to the right of its cell, and on one line."""

    __slots__ = ()


Cell = str | int | float | Html
"""What a table shows: numbers stand to the right."""


def text(value: str) -> str:
    """Anyone's text as it may stand in a page or an attribute.

    Examples
    --------
    >>> text("<b>&")
    '&lt;b&gt;&amp;'
    """
    return html.escape(shown(value), quote=True)


def seconds(value: float) -> Amount:
    """A length of time as people say it.

    Examples
    --------
    >>> [seconds(value) for value in (0, 0.0042, 7.25, 75, 3725, 200_000)]
    ['0 s', '4 ms', '7.2 s', '1 min 15 s', '1 h 02 min', '55 h 33 min']
    """
    if value < 1:
        return Amount(f"{1000 * value:.0f} ms" if value else "0 s")
    if value < 60:
        return Amount(f"{value:.1f} s")
    minutes, left = divmod(round(value), 60)
    if minutes < 60:
        return Amount(f"{minutes} min {left:02d} s" if left else f"{minutes} min")
    return Amount(f"{minutes // 60} h {minutes % 60:02d} min")


def mebibytes(value: float | None) -> Amount:
    """A size in memory; empty where it is not known."""
    return Amount(f"{value:,.0f} MiB" if value else "")


def size(value: float) -> str:
    """A number of bytes.

    Examples
    --------
    >>> size(0), size(20_000), size(3 * 2**20), size(5 * 2**30)
    ('0', '0.02 MiB', '3.0 MiB', '5.00 GiB')
    """
    if not value:
        return "0"
    if value < _MIB:
        return f"{value / _MIB:.2f} MiB"
    return f"{value / _MIB:.1f} MiB" if value < 2**30 else f"{value / 2**30:.2f} GiB"


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that moves in its frame where the screen is narrow.

    Parameters
    ----------
    caption : str
    columns : sequence of str
    rows : iterable of sequence
        The first cell of each names it.
    """
    heads = "".join(f'<th scope="col">{text(name)}</th>' for name in columns)
    body = "\n".join(_row(row) for row in rows)
    return (
        f'<div class="scroll" role="region" aria-label="Table: {text(caption)}" tabindex="0">\n'
        f"<table>\n<caption>{text(caption)}</caption>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n"
    )


def _row(cells: Sequence[Cell]) -> str:
    first, *rest = cells
    return f'<tr><th scope="row">{_inner(first)}</th>{"".join(map(_cell, rest))}</tr>'


def _cell(cell: Cell) -> str:
    plain = isinstance(cell, str | Html) and not isinstance(cell, Amount)
    return f"<td>{_inner(cell)}</td>" if plain else f'<td class="n">{_inner(cell)}</td>'


def _inner(cell: Cell) -> str:
    if isinstance(cell, Html):
        return cell.text
    return text(cell) if isinstance(cell, str) else f"{cell:,}"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values side by side."""
    inner = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>\n" for k, v in pairs)
    return f'<dl class="facts">\n{inner}</dl>\n'


def keys(names: Sequence[str], about: str) -> str:
    """What the colours mean."""
    inner = "".join(
        f'<li><svg class="key" viewBox="0 0 10 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="10" height="10" class="c{min(number, 7)}"/></svg> {text(name)}</li>'
        for number, name in enumerate(names)
    )
    return f'<ul class="keys" aria-label="{text(about)}">{inner}</ul>\n'
