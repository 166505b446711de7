"""Ends from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

StopKind = Literal["fail", "requeue", "drop"]


@dataclass(frozen=True)
class Stop:
    """An end from outside.

    Parameters
    ----------
    kind : str
        ``fail`` ends the task, ``requeue`` lets it run again, ``drop`` forgets it.
    message : str
        Why.
    """

    kind: StopKind
    message: str


class Stoppable(Protocol):
    """What can be ended from outside."""

    def stop(self, stop: Stop) -> None:
        """End it; the first reason counts."""
