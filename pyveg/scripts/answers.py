"""What people type for numbers, days and choices: on a command line, and when they are asked.

Whoever is asked is asked again until the answer can be used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, TypeVar

import click

from pyveg.core.errors import PyvegError
from pyveg.core.texts import brief

T = TypeVar("T")
_NUMBER = re.compile(
    r"([+-]?\d+(?:[.,]\d*)?|[+-]?[.,]\d+)\s*°?\s*([NSEW])?", re.IGNORECASE | re.ASCII
)


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """An answer that cannot be used, and how it should be."""


def ask(question: str, read: Callable[[str], T], default: str | None = None) -> T:
    """Ask until an answer can be read.

    Parameters
    ----------
    question : str
    read : callable
        Makes a value of an answer, or raises `Refused` or an error of pyveg that says what is
        wrong with it.
    default : str, optional
        What an empty answer means.
    """

    def checked(answer: str) -> T:
        try:
            return read(answer.strip())
        except (Refused, PyvegError) as error:
            raise click.UsageError(str(error)) from error  # the prompt says so and asks again

    value: T = click.prompt(question, default=default, value_proc=checked)
    return value


def number(text: str) -> float:
    """A number as people write it: with a decimal point or comma, N, S, E or W behind it.

    Examples
    --------
    >>> number("13,12"), number("2.59 W")
    (13.12, -2.59)

    Raises
    ------
    Refused
    """
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        one = "one number is asked for here; " if len(re.findall(r"\d[ ,;]+[-+]?\d", text)) else ""
        raise Refused(f"{brief(text)} is no number; {one}write degrees as 13.12")
    digits, side = found.groups()
    value = float(digits.replace(",", "."))
    return -value if (side or "").upper() in ("S", "W") else value


def size(text: str) -> float:
    """A length of more than nothing.

    Raises
    ------
    Refused
    """
    value = number(text)
    if value <= 0:
        raise Refused(f"{value:g} is not above 0")
    return value


def degrees(low: float, high: float, sides: str) -> Callable[[str], float]:
    """Reads degrees within limits; `sides` are the letters that may stand behind them."""

    def read(text: str) -> float:
        value = number(text)
        letter = text.strip()[-1].upper()
        if letter.isalpha() and letter not in sides:
            raise Refused(f"{brief(text)} has {letter} behind it; write {' or '.join(sides)}")
        if not low <= value <= high:
            raise Refused(f"{value:g} is not between {low:g} and {high:g}")
        return value

    return read


LATITUDE = degrees(-90, 90, "NS")
LONGITUDE = degrees(-180, 180, "EW")


def day(text: str) -> date:
    """A day, year first.

    Raises
    ------
    Refused
    """
    found = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text.strip(), re.ASCII)
    if found is None:
        raise Refused(f"{brief(text)} is no day; write it as 2020-01-31")
    year, month, number_ = map(int, found.groups())
    try:
        return date(year, month, number_)
    except ValueError:
        raise Refused(f"{brief(text)} is not in the calendar") from None


def choice(names: Sequence[str], read: Callable[[str], str]) -> Callable[[str], str]:
    """Reads one of some names, or its number in the list, from 1."""

    def chosen(text: str) -> str:
        if text.isascii() and text.isdigit():
            if 1 <= int(text[:9]) <= len(names):
                return names[int(text) - 1]
            raise Refused(f"{text} is not between 1 and {len(names)}")
        same = [name for name in names if name.lower() == text.lower()]
        return same[0] if same else read(text)

    return chosen


if TYPE_CHECKING:
    _Type = click.ParamType[object]
else:  # the class is generic in newer versions of click alone
    _Type = click.ParamType


class Typed(_Type):
    """An option that is read as an answer is."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Read it, or fail with what is wrong."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except Refused as error:
            raise click.BadParameter(str(error), ctx, param) from error
