"""What every job has: Items, and what the Modules of a Sequence know. Plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

StopHow = Literal["cancel", "detach"]
"""What ends with a run that is stopped: everything, or only what cannot go on without its
process."""


@dataclass(frozen=True)
class Item:
    """What a Module is split by: a date of a place, an input file, a shard of images.

    `details` says more, as JSON, for the Modules that know what it means.

    Examples
    --------
    >>> Item("2016-01-16", {"start": "2016-01-01", "end": "2016-02-01"}).name
    '2016-01-16'
    """

    name: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scope:
    """What all Modules of a Sequence know of the job.

    The engine passes `subject` and `extent` on unread; `pyveg.earth.subject` reads those of places.

    Examples
    --------
    >>> Scope("Sentinel2", folder="gee_27.95_11.57_Sentinel2").root
    'gee_27.95_11.57_Sentinel2'
    """

    sequence: str
    folder: str = ""
    """Where its keys lie; the name of the Sequence where empty."""
    subject: Mapping[str, Any] = field(default_factory=dict)
    """What it is about, as JSON. Another subject gives other results."""
    extent: Mapping[str, Any] = field(default_factory=dict)
    """How much of the subject is looked at, as JSON. Each Item says which part it is, so a wider
    extent leaves the results of an Item as they are."""

    @property
    def root(self) -> str:
        """Folder of its keys."""
        return self.folder or self.sequence.replace("/", "-")
