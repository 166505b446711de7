"""How a worker opens the Store of a run, and sees that it is the very same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from pyveg.core import registry
from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import PRIVATE
from pyveg.core.ports import Store
from pyveg.runners.environment import environment

_LATE = 2.0
"""How long a new file may take to be seen through a network file system, seconds."""
_guard = Lock()
"""One thread at a time changes the environment of the process."""


@dataclass(frozen=True)
class Opening:
    """How a worker opens the Store of a run."""

    token: str
    """Names the run on the scheduler; new for each try."""
    store: Mapping[str, Any]
    """What `registry.open_store` needs."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def marker(self) -> str:
        """Key of a file by which a worker sees that it has opened the very same Store."""
        return marker_key(self.token)


def marker_key(token: str) -> str:
    """See `Opening.marker`."""
    return f"{PRIVATE}/dask/{token}"


def open_store(opening: Opening) -> Store:
    """Open the Store; what it needs of the environment is there for that moment only.

    Other people's Tasks may run in the same process, and another run may need another secret.
    """
    with _guard, environment(opening.environment):
        return registry.open_store(opening.store)


def see_marker(store: Store, opening: Opening) -> None:
    """Raise `KeyMissingError` where the marker is not to be seen."""
    end = time.monotonic() + _LATE
    while True:
        try:
            store.read(opening.marker)
        except KeyMissingError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return
