"""The states of a job, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobState(StrEnum):
    """How a job is, in the words of OGC API - Processes."""

    ACCEPTED = "accepted"
    """It waits for its turn, or its run is being planned."""
    RUNNING = "running"
    """Its run has begun; its process works, or is about to be started again."""
    SUCCESSFUL = "successful"
    FAILED = "failed"
    DISMISSED = "dismissed"
    """Somebody had it stopped."""

    @property
    def over(self) -> bool:
        """Whether it stays so for ever."""
        return not MOVES[self]


MOVES: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.ACCEPTED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.DISMISSED}),
        JobState.RUNNING: frozenset({JobState.SUCCESSFUL, JobState.FAILED, JobState.DISMISSED}),
        JobState.SUCCESSFUL: frozenset(),
        JobState.FAILED: frozenset(),
        JobState.DISMISSED: frozenset(),
    }
)
"""State -> the states that may follow it. The table of jobs makes no other move."""

ACTIVE = tuple(state for state in JobState if MOVES[state])
"""States of jobs that are not over; these count against limits."""


def may_follow(state: JobState) -> tuple[JobState, ...]:
    """The states that a state may follow.

    Examples
    --------
    >>> [str(state) for state in may_follow(JobState.DISMISSED)]
    ['accepted', 'running']
    """
    return tuple(before for before, after in MOVES.items() if state in after)
