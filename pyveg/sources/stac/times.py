"""When a scene was taken: at a moment, or over a range of time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pyveg.earth.types import DateRange

Scene = Mapping[str, Any]
"""A STAC item as JSON."""
RANGE = ("start_datetime", "end_datetime")
OVERPASS = timedelta(hours=1)
"""A shorter range is one overpass, which its middle stands for."""


def span_of(scene: Scene) -> tuple[datetime, datetime] | None:
    """From when to when a scene was taken, UTC; None where it does not say.

    An item whose ``datetime`` is null has a range instead (STAC item specification).

    Examples
    --------
    >>> span_of({"properties": {"datetime": "2021-12-05T10:00:00Z"}})[0].hour
    10
    """
    about = scene["properties"]
    moment = _read(about.get("datetime"))
    if moment is not None:
        return moment, moment
    start, end = (_read(about.get(name)) for name in RANGE)
    return None if start is None or end is None or end < start else (start, end)


def time_of(scene: Scene) -> datetime | None:
    """When a scene was taken, UTC, in the middle of a range; None where it does not say."""
    span = span_of(scene)
    return None if span is None else span[0] + (span[1] - span[0]) / 2


def text_of_time(scene: Scene) -> str:
    """When a scene was taken, as it says: a moment, a range as of ISO 8601, or nothing."""
    about = scene["properties"]
    said = [str(about[name]) for name in RANGE if about.get(name)]
    return str(about.get("datetime") or "/".join(said))


def within(scene: Scene, period: DateRange) -> bool:
    """Whether a scene was taken inside of a period, and no part of it before or after."""
    span, middle = span_of(scene), time_of(scene)
    if span is None or middle is None:
        return False
    moments = (middle,) if span[1] - span[0] < OVERPASS else span
    return all(period.start <= moment.date() < period.end for moment in moments)


def may_be_in(scene: Scene, period: DateRange) -> bool:
    """Whether a scene is of this period, of a longer time that touches it, or does not say."""
    span = span_of(scene)
    if span is None or within(scene, period):
        return True
    longer = span[1] - span[0] >= OVERPASS
    return longer and span[0].date() < period.end and span[1].date() >= period.start


def _read(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
