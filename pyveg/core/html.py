"""Small tables for notebooks. All text is escaped, and no secret is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from pyveg.core.secrets import redacted
from pyveg.core.texts import cut, shown

MOST_ROWS = 30
"""Rows that are shown; of more only how many there are."""
LONGEST_CELL = 500
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"


def table(
    title: str,
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    notes: Iterable[object] = (),
) -> str:
    """One table with a title, for ``_repr_html_``.

    Parameters
    ----------
    title : str
    head : sequence of str
        Headings of the columns; none are shown where it is empty.
    rows : iterable of sequence
        Each as long as `head`, if that has any.
    notes : iterable
        Lines below the table.

    Returns
    -------
    str
        HTML without scripts, styles from elsewhere or links.

    Examples
    --------
    >>> made = table("Runs", ["name", "done"], [["<b>", 3]])
    >>> "&lt;b&gt;" in made, "<script" in made
    (True, False)
    """
    all_rows = list(rows)
    lines = [f"<strong>{_text(title)}</strong>", "<table>"]
    if head:
        lines.append(_row("th", head))
    lines += [_row("td", row) for row in all_rows[:MOST_ROWS]]
    lines.append("</table>")
    left = len(all_rows) - MOST_ROWS
    lines += [f"<div>{_text(note)}</div>" for note in (*_more(left), *notes)]
    return f"<div>{''.join(lines)}</div>"


def _more(left: int) -> Iterable[str]:
    return (f"... and {left} more",) if left > 0 else ()


def _row(tag: str, cells: Sequence[object]) -> str:
    made = (f'<{tag} style="{_CELL}">{_text(cell)}</{tag}>' for cell in cells)
    return f"<tr>{''.join(made)}</tr>"


def _text(value: object) -> str:
    return escape(cut(shown(redacted(str(value))), LONGEST_CELL))
