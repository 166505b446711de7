"""Whether the service is well, in a small file that all its processes read."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pyveg.core.secrets import redacted

_FILE = "health.json"
_EVERY = 2.0
"""Seconds between two signs of life."""
_LEAST_FREE = 5_000_000
"""Bytes; with less, a disk is called full."""
LATE = 10.0
"""A supervisor that has given no sign for so many seconds does not work."""


@dataclass(frozen=True)
class Report:
    """How the service is."""

    age: float
    """Seconds since the supervisor gave a sign of life."""
    troubles: dict[str, str]
    """What is in trouble, and which."""

    @property
    def well(self) -> bool:
        """Whether it can do all that it is for."""
        return self.age < LATE and not self.troubles


def full_disks(folders: Iterable[str | Path]) -> dict[str, str]:
    """Disks of some folders on which no room is left: what they are -> how it is.

    Parameters
    ----------
    folders : iterable
        Those that are not there are passed over.
    """
    found = {}
    for folder in folders:
        with suppress(OSError):
            free = shutil.disk_usage(folder).free
            if free < _LEAST_FREE:
                found[f"disk of {folder}"] = f"it is full: {free / 1e6:.1f} MB are left"
    return found


class Health:
    """Written by the supervisor, read by everybody.

    Parameters
    ----------
    folder : Path
        Of the service.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._guard = Lock()
        self._troubles: dict[str, str] = {}
        self._written = float("-inf")
        self._changed = True

    def trouble(self, what: str, why: str) -> None:
        """Note that something does not work."""
        with self._guard:
            self._changed |= self._troubles.get(what) != why
            self._troubles[what] = redacted(why)

    def mend(self, what: str) -> None:
        """Note that it works."""
        with self._guard:
            self._changed |= self._troubles.pop(what, None) is not None

    def keep_only(self, begin: str, names: set[str]) -> None:
        """Forget troubles of things that are no more, among those that begin so."""
        with self._guard:
            gone = [one for one in self._troubles if one.startswith(begin) and one not in names]
            for one in gone:
                del self._troubles[one]
            self._changed |= bool(gone)

    def beat(self) -> None:
        """Give a sign of life, now and then; a full disk is seen by there being none."""
        now = time.monotonic()
        with self._guard:
            if not self._changed and now - self._written < _EVERY:
                return
            data = json.dumps({"at": time.time(), "troubles": self._troubles})
            self._changed = False
        new = self._path.with_name(f".{_FILE}.{os.getpid()}")
        with suppress(OSError):
            new.write_text(data, encoding="utf-8")
            new.replace(self._path)
            self._written = now

    def report(self) -> Report:
        """How the service is, as any of its processes sees it."""
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            return Report(time.time() - float(data["at"]), dict(data["troubles"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Report(float("inf"), {"supervisor": "it has given no sign of life"})
