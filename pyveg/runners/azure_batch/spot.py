"""Spot nodes first, and dedicated ones in place of those that do not come or do not stay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """Numbers of nodes that a pool is asked for."""

    dedicated: int
    spot: int

    @property
    def total(self) -> int:
        """Nodes of both kinds."""
        return self.dedicated + self.spot


class SpotFirst:
    """Decides when dedicated nodes are to stand in for Spot nodes.

    The number of nodes of both kinds together stays the same, so Spot nodes that come back later
    are not paid for on top of those that have replaced them.

    Parameters
    ----------
    target : Target
        What the pool is asked for at first.
    after : float
        Seconds that Spot nodes may be missing. The time runs on while nodes come back only to be
        taken away again: it ends once all have stood for so long. 0 to replace none.

    Examples
    --------
    >>> first = SpotFirst(Target(dedicated=0, spot=4), after=600)
    >>> first.see(spot=1, now=0), first.see(spot=1, now=599)
    (None, None)
    >>> first.see(spot=1, now=600)
    Target(dedicated=3, spot=1)
    """

    def __init__(self, target: Target, after: float) -> None:
        self.target = target
        """What the pool is asked for now."""
        self._after = after
        self._missing_since: float | None = None
        self._whole_since: float | None = None

    def waits(self, spot: int) -> bool:
        """Whether dedicated nodes will be asked for unless more than `spot` Spot nodes come."""
        return bool(self._after) and spot < self.target.spot

    def see(self, spot: int, now: float) -> Target | None:
        """What to ask for from now on, where that is something else than before.

        Parameters
        ----------
        spot : int
            Spot nodes that stand.
        now : float
            Seconds of a clock that never goes back.

        Returns
        -------
        Target or None
            It becomes `target` by `asked_for`.
        """
        if not self.waits(spot):
            self._see_whole(now)
            return None
        self._whole_since = None
        if self._missing_since is None:
            self._missing_since = now
        if now - self._missing_since < self._after:
            return None
        return Target(self.target.total - spot, spot)

    def asked_for(self, target: Target) -> None:
        """The service has taken a request for these nodes."""
        self.target = target
        self._missing_since = self._whole_since = None

    def _see_whole(self, now: float) -> None:
        if self._whole_since is None:
            self._whole_since = now
        if now - self._whole_since >= self._after:
            self._missing_since = None
