"""Who owns a lock, as others read it and as messages say it."""

from __future__ import annotations

import json
import os
import socket
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from pyveg.core.clock import is_time
from pyveg.core.errors import LockLostError, RunLockedError
from pyveg.core.ports import Holder
from pyveg.core.values import read_json
from pyveg.storage.process_marks import mark_of

_SINCE = "%Y-%m-%d %H:%M:%S UTC"


def _now() -> str:
    return f"{datetime.now(UTC):{_SINCE}}"


@dataclass(frozen=True)
class LockOwner:
    """The process that owns a lock, or owned it last; this one where nothing else is said."""

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    since: str = field(default_factory=_now)
    epoch: int = 0
    """How often the lock has been taken; 0 in what older versions wrote."""
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Tells this taking from every other one."""
    mark: str = field(default_factory=lambda: mark_of(os.getpid()))
    """Tells the process from a later one of the same number; may be empty."""
    seconds: float = 0.0
    """Length of the lease; 0 where the lock is none."""
    expires: float = 0.0
    """When the lease runs out if nobody renews it, seconds since 1970."""
    released: bool = False
    """Whether it was given back."""

    def to_json(self) -> str:
        """The text that is stored beside the lock."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LockOwner | None:
        """Read it again; None where the text is empty or half written."""
        try:
            document = read_json(text)
            owner = cls(
                host=str(document["host"]),
                pid=int(document["pid"]),
                since=str(document["since"]),
                epoch=int(document.get("epoch", 0)),
                token=str(document.get("token", "")),
                mark=str(document.get("mark", "")),
                seconds=float(document.get("seconds", 0)),
                expires=float(document.get("expires", 0)),
                released=bool(document.get("released", False)),
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return None
        return owner if is_time(owner.expires) and is_time(owner.seconds) else None

    def holder(self, alive: bool | None, seen: datetime | None) -> Holder:
        """The same as those who look at a run are told it."""
        try:
            since = datetime.strptime(self.since, _SINCE).replace(tzinfo=UTC)
        except ValueError:  # written by something else
            since = datetime.min.replace(tzinfo=UTC)
        return Holder(self.host, self.pid, since, self.epoch, alive, seen)


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
    killed = f" (if it was killed, wait {lease_seconds:g} seconds)" if lease_seconds else ""
    return RunLockedError(
        f"the run in {where} is being written by {_named(owner)}", f"wait for it or stop it{killed}"
    )


def lost(where: str, owner: LockOwner | None) -> LockLostError:
    """The error for a lock that somebody else has taken over, `owner` where that is known."""
    return LockLostError(
        f"the run in {where} was taken over by {_named(owner)}, because this process did not "
        "renew its lock in time (it was suspended or had no connection)",
        "leave the run to that process; where it does not finish it, run --from_cache later",
    )


def perhaps_lost(where: str, seconds: float, cause: str) -> LockLostError:
    """The error for a lock that ran out while its Store could not be reached."""
    return LockLostError(
        f"the lock of the run in {where} ran out: it could not be renewed for {seconds:.0f} "
        f"seconds, so that another process may write to the run now ({cause})",
        "run --from_cache when the connection is back",
    )


def _named(owner: LockOwner | None) -> str:
    if owner is None:
        return "another process"
    return f"process {owner.pid} on host {owner.host} since {owner.since}"
