"""Files of the operator that say who may do what, read again when they change.

One that cannot be read changes nothing: who was allowed before still is, and `Listed.troubles`
says why.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from pyveg.core.texts import said

T = TypeVar("T")


class Listed(Generic[T]):
    """What a file says, as it is now or was when it could last be read.

    Parameters
    ----------
    path : str
    read : callable
        Makes something of its text; raises ValueError where that is not right.
    empty : object
        Stands for a file that could never be read.
    """

    def __init__(self, path: str, read: Callable[[str], T], empty: T) -> None:
        self._path, self._read, self._known = Path(path), read, empty
        self._state: tuple[int, int, int] | None = None
        self._guard = threading.Lock()
        self._trouble = ""

    def now(self) -> T:
        """What it says."""
        with self._guard:
            try:
                found = self._path.stat()
                state = (found.st_mtime_ns, found.st_size, found.st_ino)
                if state != self._state:
                    self._known = self._read(self._path.read_text(encoding="utf-8-sig"))
                    self._state, self._trouble = state, ""
            except (OSError, ValueError) as error:
                self._state = None
                self._trouble = f"{self._path} cannot be used: {said(error)}"
            return self._known

    def troubles(self, name: str) -> Mapping[str, str]:
        """Why the file cannot be used, by a name for it; empty where it can."""
        self.now()
        return {name: self._trouble} if self._trouble else {}


def callers(text: str) -> Mapping[str, str]:
    """Caller -> instance.

    Examples
    --------
    >>> callers('{"zooniverse": "default"}')
    {'zooniverse': 'default'}
    """
    found = json.loads(text)
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise ValueError('it is no JSON object {"CALLER": "INSTANCE"}')
    return found


def keys(text: str) -> frozenset[str]:
    r"""Keys, one a line; lines that begin with ``#`` are none.

    Examples
    --------
    >>> sorted(keys("# of May\nabc\n\ndef\n"))
    ['abc', 'def']
    """
    lines = (line.strip() for line in text.splitlines())
    return frozenset(line for line in lines if line and not line.startswith("#"))
