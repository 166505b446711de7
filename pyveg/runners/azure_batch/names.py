"""Names of pools, jobs and tasks, by the rules of the service.

An id has 1 to 64 of the characters A-Z, a-z, 0-9, "-" and "_", and compares without case. Where a
text cannot be kept as it is, a digest of it keeps different texts apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

LONGEST = 64
_ROOM = LONGEST - len("-r999")
"""What attempts leave of an id."""
_OTHERS = re.compile("[^A-Za-z0-9_-]+")
_DIGEST = 8


class Ids:
    """A set of ids as the service compares them, without regard to case.

    Examples
    --------
    >>> "START-1" in Ids(["Start-1"])
    True
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._ids = {id_.lower() for id_ in ids}

    def __contains__(self, id_: str) -> bool:
        return id_.lower() in self._ids

    def add(self, id_: str) -> None:
        """Put an id in."""
        self._ids.add(id_.lower())


def pool_id(pool: str, run: str, attempt: int = 1) -> str:
    """The pool that a run makes for itself."""
    return _numbered(_safe(f"{pool}_{run}"), attempt)


def job_id(sequence: str, run: str, attempt: int = 1) -> str:
    """``<sequence>_<run>``; from the second attempt on with its number."""
    return _numbered(_safe(f"{sequence}_{run}"), attempt)


def task_id(module: str, items: Sequence[str], attempt: int = 1) -> str:
    """``<module>-<item>``, or ``<module>-<first item>-to-<last item>``."""
    span = items[0] if len(items) == 1 else f"{items[0]}-to-{items[-1]}"
    # Items that differ in case only must not meet in one id.
    return _numbered(_safe(f"{module}-{span}", plain=span == span.lower()), attempt)


def _numbered(name: str, attempt: int) -> str:
    return name if attempt == 1 else f"{name}-r{attempt}"


def _safe(text: str, *, plain: bool = True) -> str:
    name = _OTHERS.sub("-", text)
    if plain and name == text and len(name) <= _ROOM:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{name[: _ROOM - _DIGEST - 1]}-{digest}"
