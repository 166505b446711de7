"""To ask a run to stop, from any machine that reaches its Store."""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from typing import Any, get_args

from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import STOP_FILE
from pyveg.core.ports import Store
from pyveg.core.records import plain_bytes
from pyveg.core.types import StopHow


@dataclass(frozen=True)
class StopRequest:
    """What asks one attempt at a run to stop.

    Examples
    --------
    >>> request = StopRequest(3, "kim on pc1", 1769860800.0, "cancel")
    >>> StopRequest.from_json(request.to_json()) == request
    True
    """

    epoch: int
    """The attempt that is asked; nobody else heeds it."""
    by: str
    at: float
    """Seconds since 1970 (UTC)."""
    how: StopHow
    """Whether what runs elsewhere is ended, or left to go on."""

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> StopRequest:
        """Read what `to_json` wrote; further names are passed over.

        Raises
        ------
        ValueError
            If it is no request.
        """
        try:
            how = data["how"]
            request = cls(int(data["epoch"]), str(data["by"]), float(data["at"]), how)
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"no request to stop: {error}") from error
        if how not in get_args(StopHow):
            raise ValueError(f"no request to stop: {how!r}")
        return request


def ask(store: Store, epoch: int, how: StopHow = "cancel") -> StopRequest:
    """Ask an attempt at a run to stop.

    Parameters
    ----------
    store : Store
        The Store of the run.
    epoch : int
        The attempt, as `Store.holder` tells it.
    how : {"cancel", "detach"}
    """
    request = StopRequest(epoch, f"{_user()} on {socket.gethostname()}", time.time(), how)
    store.write(STOP_FILE, plain_bytes(request.to_json()))
    return request


def read(store: Store) -> StopRequest | None:
    """The request that lies in a Store, whatever attempt it is for; None where there is none."""
    try:
        return StopRequest.from_json(json.loads(store.read(STOP_FILE)))
    except (KeyMissingError, ValueError, RecursionError):
        return None


def forget(store: Store) -> None:
    """Remove what an earlier attempt was asked."""
    store.delete(STOP_FILE)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a name for its user
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"
