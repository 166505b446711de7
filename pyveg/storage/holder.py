"""Who holds a lock, as others read it and are told."""

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
class Holder:
    """The process that holds a lock; this one where nothing else is said."""

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    since: str = field(default_factory=_now)

    def to_json(self) -> str:
        """As it is kept beside the lock."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Holder | None:
        """Read it again; None where the text is empty or half written."""
        try:
            document = json.loads(text)
            return cls(str(document["host"]), int(document["pid"]), str(document["since"]))
        except (ValueError, KeyError, TypeError):
            return None


def locked(where: str, holder: Holder | None) -> RunLockedError:
    """Say who writes to the run and what to do about it."""
    who = "another process"
    if holder:
        who = f"process {holder.pid} on host {holder.host} since {holder.since}"
    return RunLockedError(f"the run in {where} is being written by {who}; wait for it or stop it")
