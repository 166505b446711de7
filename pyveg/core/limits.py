"""What a run may use up, and what becomes of its Tasks when it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pyveg.core.params import setting

_REACHED = re.compile(r"has reached (max_\w+) = ")

AtLimit = Literal["finish", "cancel"]
"""Whether Tasks that have begun come to their end when a limit is reached."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may use up, all its attempts together.

    Examples
    --------
    >>> Limits(max_hours=2.0).reached(hours=2.1, node_hours=0.4, cost=None)
    'the run has reached max_hours = 2'
    >>> Limits(max_cost=5.0).reached(hours=2.1, node_hours=0.4, cost=1.0)
    ''
    """

    max_node_hours: float | None = setting(
        None, doc="node-hours that a run may use; docs/costs.md", low=0
    )
    max_cost: float | None = setting(
        None, doc="what a run may cost, in the currency of prices", low=0
    )
    max_hours: float | None = setting(None, doc="hours that a run may last", low=0)
    at_limit: AtLimit = setting(
        "finish", doc='"finish" or "cancel" tasks that have begun when a limit is reached'
    )

    @property
    def any(self) -> bool:
        """Whether there is one."""
        given = (self.max_node_hours, self.max_cost, self.max_hours)
        return any(limit is not None for limit in given)

    def reached(self, *, hours: float, node_hours: float, cost: float | None) -> str:
        """Which limit is reached, in words; empty while none is.

        Parameters
        ----------
        hours, node_hours : float
        cost : float, optional
            None where it is not known, which reaches no limit.
        """
        used = {"max_node_hours": node_hours, "max_cost": cost, "max_hours": hours}
        for name, value in used.items():
            limit = getattr(self, name)
            if limit is not None and value is not None and value >= limit:
                return f"the run has reached {name} = {limit:g}"
        return ""


def name_in(reached: str) -> str:
    """The name of the limit that `Limits.reached` tells of; empty where it tells of none.

    Examples
    --------
    >>> name_in(Limits(max_hours=2.0).reached(hours=3.0, node_hours=0.0, cost=None))
    'max_hours'
    >>> name_in("the disk is full")
    ''
    """
    found = _REACHED.search(reached)
    return found[1] if found else ""
