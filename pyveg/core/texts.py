"""Texts of others as they may be shown: short, on one line, without escapes, and never failing.

Names of files, what programs print, values of configs and messages of libraries are anyone's. What
is shown or kept of them goes through here, and through `pyveg.core.secrets`.
"""

from __future__ import annotations

import re
from typing import Any

LONGEST_MESSAGE = 500
"""Characters of what is wrong, and of its cure, that a message about a config has."""
LONGEST_REPR = 1_000
"""Characters of what a value shows of itself."""
LONGEST_VALUE = 120
"""Characters of a value that a message shows."""
_LARGE = 10**30
_UNSAFE_AT_FIRST = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Begin what a spreadsheet takes for a formula; the last four are wide forms of the first."""


def shown(text: str) -> str:
    r"""A text on one line: what would not show, such as a line break in a name, as an escape.

    Examples
    --------
    >>> print(shown("a\nb"))
    a\nb
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown_lines(text: str) -> str:
    """A text of several lines, each as `shown` has it, but for tabs."""
    if text.isprintable():
        return text
    return "".join(part if part in "\t\n" else shown(part) for part in re.split("([\t\n])", text))


def cut(text: str, most: int) -> str:
    """The beginning and the end of a text that is too long, with what was left out counted."""
    if len(text) <= most:
        return text
    begin, end = most // 4, most - most // 4
    return f"{text[:begin]} ... {len(text) - most} characters left out ... {text[-end:]}"


def brief(value: Any, most: int = LONGEST_VALUE) -> str:
    """A value as a message shows it: never too long, and never an error of its own.

    Examples
    --------
    >>> brief([1, 2]), brief(10**5000)
    ('[1, 2]', 'a whole number of more than 30 digits')
    """
    if isinstance(value, int) and abs(value) > _LARGE:
        return "a whole number of more than 30 digits"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - repr is code of the value's class, and may do anything
        return f"a value of {type(value).__name__} that cannot be shown"
    if len(text) > most:
        text = (
            f"{text[: most // 2]} ... {len(text) - most} characters left out ... "
            + (text[-(most // 2) :])
        )
    return shown(text)


def said(error: BaseException) -> str:
    """The kind of an error and what it says on one line, even where its text cannot be had."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - anyone's code
        text = ""
    text = cut(" ".join(text.split()), LONGEST_MESSAGE)
    return shown(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def cell(text: str) -> str:
    """A text as a cell of a table that may be opened in a spreadsheet: never a formula of one.

    Examples
    --------
    >>> cell("=1+1"), cell("plain"), cell("-3.5")
    ("'=1+1", 'plain', '-3.5')
    """
    text = shown_lines(text)  # a line break is fine in a cell, which has quotes around it
    return f"'{text}" if _is_formula(text.lstrip("'")) else text


def uncell(text: str) -> str:
    """What a cell was made from, but for characters that would not show.

    Examples
    --------
    >>> uncell("'=1+1"), uncell("'plain'")
    ('=1+1', "'plain'")
    """
    return text[1:] if text.startswith("'") and _is_formula(text.lstrip("'")) else text


def _is_formula(text: str) -> bool:
    return text.startswith(_UNSAFE_AT_FIRST) and not _is_number(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
