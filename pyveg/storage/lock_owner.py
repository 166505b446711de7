"""Who owns a lock, as others read it and as messages say it."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from pyveg.core.errors import RunLockedError


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True)
class LockOwner:
    """The process that owns a lock; this one where nothing else is said."""

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    since: str = field(default_factory=_now)

    def to_json(self) -> str:
        """The text that is stored beside the lock."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LockOwner | None:
        """Read it again; None where the text is empty or half written."""
        try:
            document = json.loads(text)
            return cls(str(document["host"]), int(document["pid"]), str(document["since"]))
        except (ValueError, KeyError, TypeError):
            return None


def locked(
    where: str, owner: LockOwner | None, lease_seconds: float | None = None
) -> RunLockedError:
    """The error that says who writes to a run, and what to do about it.

    Parameters
    ----------
    where : str
        The Store.
    owner : LockOwner or None
        None where it is not known.
    lease_seconds : float, optional
        How long the lock of a process that was killed stays; left out where it goes at once.
    """
    who = "another process"
    if owner:
        who = f"process {owner.pid} on host {owner.host} since {owner.since}"
    killed = f" (if it was killed, wait {lease_seconds:g} seconds)" if lease_seconds else ""
    return RunLockedError(
        f"the run in {where} is being written by {who}", f"wait for it or stop it{killed}"
    )
