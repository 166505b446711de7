"""The nouns of a job about places: place, date range, collection. Plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

DataType = Literal["vegetation", "weather"]


@dataclass(frozen=True)
class Place:
    """A square region of the earth.

    Longitude and latitude keep the type they were written with, because folder names repeat them.

    Examples
    --------
    >>> Place(27.95, 11.57).label
    '27.95_11.57'
    """

    longitude: float
    """Of the centre, degrees east."""
    latitude: float
    """Of the centre, degrees north."""
    region_size: float = 0.08
    """Length of a side, degrees."""
    outline: str = ""
    """What of the square is looked at: a GeoJSON geometry in text; all of it where empty."""

    @property
    def label(self) -> str:
        """``<lon>_<lat>`` as written in the config."""
        return f"{self.longitude}_{self.latitude}"


@dataclass(frozen=True)
class DateRange:
    """Days from `start` up to `end`, which is not included.

    Examples
    --------
    >>> days = DateRange(date(2016, 1, 1), date(2017, 1, 1))
    >>> print(days.clip(date(2016, 6, 1), None))
    2016-06-01..2017-01-01
    """

    start: date
    end: date

    def clip(self, low: date | None, high: date | None) -> DateRange:
        """Cut to a collection's life; may leave ``start >= end``, an empty range.

        Parameters
        ----------
        low, high : date or None
            First day, and the one behind the last; None where there is no limit.

        Returns
        -------
        DateRange
        """
        start = self.start if low is None else max(self.start, low)
        end = self.end if high is None else min(self.end, high)
        return DateRange(start, end)

    @property
    def empty(self) -> bool:
        """Whether no day is left."""
        return self.start >= self.end

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"


@dataclass(frozen=True)
class Collection:
    """One kind of imagery or weather, and the Source that it comes from.

    Examples
    --------
    >>> Collection("Mine", "Mine", "vegetation", "folder", {"path": "images"}).time_per_point
    '1m'
    """

    key: str
    """The name it goes by in the config, and in folder names."""
    collection_name: str
    """The name its data have in `results_summary.json`."""
    data_type: DataType
    source: str
    """Name of the Source in the registry, or ``package.module:Class``."""
    source_settings: Mapping[str, Any] = field(default_factory=dict)
    min_date: date | None = None
    max_date: date | None = None
    time_per_point: str = "1m"
    """Length of a period; empty for a Source of dates where nobody states it: what they say."""
