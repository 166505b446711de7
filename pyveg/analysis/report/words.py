"""Small pieces of text that a report is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.figures.maps import chip_places
from pyveg.core.texts import shown


def sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop."""
    text = text.strip()
    if not text:
        return ""
    return f"{text[0].upper()}{text[1:]}{'' if text[-1] in '.!?' else '.'}"


_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of the text around them."""


def visible(value: Any) -> Any:
    r"""What a page shows of a value: characters that would hide or turn its text are escapes.

    Examples
    --------
    >>> print(visible("abc\u202egnp"))
    abc\u202egnp
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _HIDDEN.sub(lambda found: shown(found.group()), value)


_TIED = re.compile(r"(?<=\d) (?=%|mm\b|°C)|(?<=\bp) (?=\d)|(?<=%) (?=confidence)")
"""Spaces at which no line may end: before a unit, and between p and its value."""


def tied(text: str) -> str:
    """A sentence whose numbers stay with their units where a line ends."""
    return _TIED.sub("\N{NO-BREAK SPACE}", text)


def plain(text: str) -> str:
    """AR(1) as people write it, not as columns name it."""
    return re.sub(r"\bar1\b", "AR(1)", text)


def unrepeated(lines: Iterable[str]) -> list[str]:
    """Sentences without those that another one says too.

    Examples
    --------
    >>> unrepeated(["There is no rain.", "Not tested: there is no rain."])
    ['Not tested: there is no rain.']
    """
    every = list(dict.fromkeys(lines))
    cores = [line.rstrip(".").lower() for line in every]
    return [
        line
        for line, core in zip(every, cores, strict=True)
        if sum(core in other for other in cores) == 1
    ]


def number(value: float, digits: int = 3) -> str:
    """A number of so many digits, "unknown" where there is none."""
    if not math.isfinite(value):
        return "unknown"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    places = max(0, digits - 1 - (math.floor(math.log10(abs(value))) if value else 0))
    return f"{value:.{places}f}"


def coordinates(analysis: Analysis) -> tuple[float, float] | None:
    """Latitude and longitude of the place, of the run or else the middle of its chips."""
    about = analysis.series.metadata
    try:
        pair = float(about["latitude"]), float(about["longitude"])
    except (KeyError, TypeError, ValueError):
        pair = math.nan, math.nan
    places = chip_places(analysis)
    if not all(map(math.isfinite, pair)) and len(places):
        pair = float(places["latitude"].mean()), float(places["longitude"].mean())
    return pair if all(map(math.isfinite, pair)) else None


def place_name(analysis: Analysis) -> str:
    """The place, as people write it."""
    about = analysis.series.metadata
    known = [str(about[key]) for key in ("name", "coords_id") if about.get(key) not in (None, "")]
    where = coordinates(analysis)
    if where:
        latitude, longitude = where
        known.append(
            f"{abs(latitude):.4g}° {'N' if latitude >= 0 else 'S'}, "
            f"{abs(longitude):.5g}° {'E' if longitude >= 0 else 'W'}"
        )
    return ", ".join(known) or "a place without coordinates"


def record_text(analysis: Analysis) -> str:
    """How long the record is, its step and its chips."""
    axis = analysis.series.axis
    if axis is None:
        return "no dates"
    chips = len(analysis.series.chips)
    return (
        f"{axis.dates[0]:%Y-%m-%d} to {axis.dates[-1]:%Y-%m-%d}, {len(axis)} steps of {axis.text}, "
        + (f"{chips} chip{'' if chips == 1 else 's'}" if chips else "measured as a whole")
    )


def ends(dates: Any, values: Any) -> tuple[float, float]:
    """Medians of the first and the last year of a series."""
    table = pd.Series(np.asarray(values, dtype=np.float64), index=pd.DatetimeIndex(dates)).dropna()
    if table.empty:
        return math.nan, math.nan
    year = pd.Timedelta(days=365)
    first = table[table.index < table.index[0] + year]
    last = table[table.index > table.index[-1] - year]
    return float(first.median()), float(last.median())


def common_reason(reasons: pd.Series) -> str:
    """The reason that is given most often; "" without any."""
    known = reasons[reasons.notna() & (reasons != "")]
    return str(known.mode().iloc[0]) if len(known) else ""
