"""What a Sequence of a job about places is about, as its Scope carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.core.types import Scope
from pyveg.earth.layout import Layout
from pyveg.earth.types import Collection, DateRange, Place

T = TypeVar("T")


@dataclass(frozen=True)
class Subject:
    """A place, the days that are looked at, and, but for combiners, a collection.

    Examples
    --------
    >>> from datetime import date
    >>> days = DateRange(date(2016, 1, 1), date(2017, 1, 1))
    >>> subject = Subject(Place(27.95, 11.57), days)
    >>> Subject.of(subject.scope("combine")) == subject
    True
    """

    place: Place
    date_range: DateRange
    collection: Collection | None = None

    def scope(self, sequence: str) -> Scope:
        """The Scope of a Sequence of that name."""
        place = asdict(self.place)
        if not self.place.outline:  # or all runs without one would be other ones than before
            del place["outline"]
        subject = {"place": place}
        if self.collection is not None:
            subject["collection"] = asdict(self.collection)
        return Scope(
            sequence=sequence,
            folder=Layout(self.place, sequence).root,
            subject=params.plain(subject),
            extent=params.plain(asdict(self.date_range)),
        )

    @classmethod
    def of(cls, scope: Scope) -> Subject:
        """Read it from a Scope.

        Raises
        ------
        ConfigError
            If the Sequence is not about a place.
        """
        if not has_subject(scope):
            raise ConfigError(
                f'"{scope.sequence}" is about no place',
                "give the job coordinates, a date_range and a collection of that name",
            )
        about, collection = scope.subject, scope.subject.get("collection")
        return cls(
            # Numbers stay as they are: folder names repeat them as they were written, 27 or 27.0.
            place=_read(Place, about["place"]),
            date_range=_read(DateRange, scope.extent),
            collection=None if collection is None else _read(Collection, collection),
        )


def has_subject(scope: Scope) -> bool:
    """Whether a Sequence is about a place."""
    return "place" in scope.subject


def collection_of(scope: Scope) -> Collection | None:
    """The collection of a Sequence; None for combiners, and where it is about something else."""
    return Subject.of(scope).collection if has_subject(scope) else None


def _read(cls: type[T], data: Mapping[str, Any]) -> T:
    return params.build(cls, data, cls.__name__, kept=False)
