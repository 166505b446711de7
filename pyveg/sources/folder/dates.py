"""Days as names of files and folders state them."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache

from pyveg.core.errors import ConfigError

_YEAR = r"(?:19|20)\d\d"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_DAY_OF_YEAR = r"(?:00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])"

FORMS = {
    "%Y-%m-%d": r"\d{4}-\d{2}-\d{2}",
    "%Y_%m_%d": rf"{_YEAR}_{_MONTH}_{_DAY}",
    "%Y.%m.%d": rf"{_YEAR}\.{_MONTH}\.{_DAY}",
    "%Y%m%d": rf"{_YEAR}{_MONTH}{_DAY}",
    "%Y-%j": rf"{_YEAR}-{_DAY_OF_YEAR}",
    "%Y%j": rf"{_YEAR}{_DAY_OF_YEAR}",
}
"""What ``{date}`` stands for -> expression. None of them can be read in two ways; day and month in
another order can, and must be given as a format."""
SHAPES = (
    "YYYY-MM-DD, YYYYMMDD, YYYY_MM_DD, YYYY.MM.DD, or with the day of the year YYYYDDD, YYYY-DDD"
)
"""The same for people."""

_DIRECTIVES = {
    "%Y": r"\d{4}", "%y": r"\d{2}", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%j": r"\d{3}",
    "%b": "[A-Za-z]+", "%B": "[A-Za-z]+", "%H": r"\d{2}", "%M": r"\d{2}", "%S": r"\d{2}",
    "%%": "%",
}  # fmt: skip


def expression(form: str) -> str:
    """Regular expression of a format of `strptime`.

    Raises
    ------
    ConfigError
        For a format that states no day, or that no name can have.

    Examples
    --------
    >>> bool(re.fullmatch(expression("%d.%m.%Y"), "30.8.2015"))
    True
    """
    if form in FORMS:
        return FORMS[form]
    parts = re.split(r"(%.?)", form)
    unknown = [part for part in parts if part.startswith("%") and part not in _DIRECTIVES]
    day = "%j" in parts or ("%d" in parts and bool({"%m", "%b", "%B"} & set(parts)))
    if unknown or not day or not {"%Y", "%y"} & set(parts):
        what = f"{unknown[0]} is unknown" if unknown else "it states no day of a year"
        raise ConfigError(
            f"pattern: {{date:{form}}} is no format of a date: {what}",
            "write one such as {date:%Y%m%d}, {date:%d.%m.%Y} or {date:%Y%j}",
        )
    return "".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts)


@lru_cache(maxsize=65_536)  # a folder's names are read anew for each of its dates
def read(text: str, form: str = "") -> tuple[date, str] | None:
    """The day that a text states and the form that it has; None where there is no such day.

    Examples
    --------
    >>> read("2015242")
    (datetime.date(2015, 8, 30), '%Y%j')
    >>> read("2015-02-30")
    """
    forms = [form] if form else [known for known, e in FORMS.items() if re.fullmatch(e, text)]
    for known in forms:
        try:
            day = datetime.strptime(text, known).date()
        except ValueError:
            continue
        # Python takes day 366 of any year, for the first day of the next one.
        if "%j" not in known or day.strftime("%j") in text:
            return day, known
    return None


_ANYWHERE = re.compile(r"(?<!\d)(?:" + "|".join(FORMS.values()) + r")(?!\d)")


def found_in(text: str) -> tuple[date, str, str] | None:
    """The first day that stands anywhere in a name: the day, its form and its text.

    Examples
    --------
    >>> found_in("T33TVL_20150830T100016_B04_10m.tif")
    (datetime.date(2015, 8, 30), '%Y%m%d', '20150830')
    """
    return next(iter(all_in(text)), None)


def all_in(text: str) -> list[tuple[date, str, str]]:
    """All days that stand in a name, as `found_in` tells the first one."""
    found = ((read(match[0]), match[0]) for match in _ANYWHERE.finditer(text))
    return [(*day, said) for day, said in found if day is not None]
