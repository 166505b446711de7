"""Moments and durations as the service writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

UNLIMITED = "P10675199DT2H48M5.4775807S"
"""The service's way to say that a duration has no limit."""

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")
"""What `text_of` writes."""

_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}


def text_of(moment: datetime) -> str:
    """``2026-11-21T03:00:00.1234560Z``: of one length, so that texts order as moments do."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def now() -> str:
    """The moment of the call."""
    return text_of(datetime.now(UTC))


def parse_moment(text: str) -> str:
    """A moment that a client wrote, in the form of `text_of`; ValueError where it is none."""
    seven_digits = re.sub(r"(\.\d{6})\d+", r"\1", text)
    moment = datetime.fromisoformat(seven_digits)
    return text_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def parse_duration(text: str) -> float:
    """Seconds of an ISO 8601 duration; ValueError where it is none."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is no duration like PT1H or P1D")
    return sum(float(value) * _SECONDS[unit] for unit, value in match.groupdict().items() if value)


def limit_of(text: str | None) -> float | None:
    """Seconds of a time limit; None where there is none."""
    return None if text is None or text == UNLIMITED else parse_duration(text)
