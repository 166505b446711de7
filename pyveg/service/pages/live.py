"""Pages that stay true while they are open: parts are sent as they change.

Whatever many people look at is looked up and rendered once for all of them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from pyveg.core.errors import PyvegError
from pyveg.service.pages.rendering import digest
from pyveg.service.refusals import Refusal

K = TypeVar("K", bound=Hashable)
S = TypeVar("S")
Parts = Mapping[str, str]
"""Name of a part -> its HTML."""

EVERY = 1.0
"""Seconds between two looks at what somebody watches."""
_FORGOTTEN = 30.0
"""Seconds after which a view that nobody asks for is dropped."""
_COMMENT = 15.0
"""Seconds after which something is sent, so that nothing on the way takes the line for dead."""
_CHECKED = 10.0
"""Seconds between two looks at whether the reader may still read."""
_GONE = "event: gone\ndata:\n\n"
_RETRY = 2000
"""Milliseconds after which a browser tries again."""


@dataclass
class _Kept(Generic[S]):
    view: Callable[[], S]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    seen: list[S] = field(default_factory=list)
    """The last; empty before the first look."""
    looked: float = 0.0
    asked: float = 0.0


class Glances(Generic[K, S]):
    """What pages show, made at most once in a while for all who look at the same.

    Parameters
    ----------
    open_view : callable
        Gives the view of a key: a function that looks anew, and keeps from one look to the next
        what it need not look up again.
    every : float
        Seconds for which what was seen is good.
    """

    def __init__(self, open_view: Callable[[K], Callable[[], S]], every: float = EVERY) -> None:
        self._open_view = open_view
        self._every = every
        self._kept: dict[K, _Kept[S]] = {}

    async def get(self, key: K) -> S:
        """What there is to be seen of a key."""
        self._forget()
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(self._open_view(key))
        kept.asked = time.monotonic()
        async with kept.lock:
            if not kept.seen or time.monotonic() - kept.looked >= self._every:
                kept.seen = [await run_in_threadpool(kept.view)]
                kept.looked = time.monotonic()
        return kept.seen[0]

    def _forget(self) -> None:
        limit = time.monotonic() - _FORGOTTEN
        for key in [key for key, kept in self._kept.items() if kept.asked < limit]:
            del self._kept[key]


class Ending:
    """Whether the server ends: streams end with it, and browsers come back to the next one."""

    def __init__(self) -> None:
        self.closing = False

    def close(self) -> None:
        """Have all streams end."""
        self.closing = True


def stream(
    look: Callable[[], Awaitable[Parts]],
    may_read: Callable[[], Awaitable[bool]],
    ends: Callable[[], bool],
    every: float = EVERY,
) -> StreamingResponse:
    """The parts of a page as server-sent events: all of them first, then those that change.

    Parameters
    ----------
    look : callable
        Gives the parts.
    may_read : callable
        Whether whoever listens may still do so.
    ends : callable
        Whether the server ends.
    every : float
        Seconds between two looks.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    events = _events(look, may_read, ends, every)
    return StreamingResponse(events, 200, headers, "text/event-stream")


def gone() -> StreamingResponse:
    """For those who may not listen, or no more: has their browser load the page again."""
    headers = {"Cache-Control": "no-store"}
    return StreamingResponse(iter([_GONE]), 200, headers, "text/event-stream")


async def _events(
    look: Callable[[], Awaitable[Parts]],
    may_read: Callable[[], Awaitable[bool]],
    ends: Callable[[], bool],
    every: float,
) -> AsyncIterator[str]:
    yield f"retry: {_RETRY}\n\n"
    sent: dict[str, str] = {}
    said = checked = time.monotonic()
    while not ends():
        try:
            parts = await look()
            if time.monotonic() - checked > _CHECKED:
                checked = time.monotonic()
                if not await may_read():
                    parts = {}
        except Refusal:
            parts = {}  # it is gone, or no longer theirs
        except PyvegError:
            parts = sent  # its Store does not answer; what was seen stands
        if not parts:
            yield _GONE
            return
        for name, html in parts.items():
            if sent.get(name) != html:
                sent[name] = html
                said = time.monotonic()
                told = {"id": f"part-{name}", "html": html, "digest": digest(html)}
                yield f"event: part\ndata: {json.dumps(told)}\n\n"
        if time.monotonic() - said > _COMMENT:
            said = time.monotonic()
            yield ": here\n\n"
        await asyncio.sleep(every)
