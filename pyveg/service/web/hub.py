"""Tells those who listen to events that something has changed: one look for all of them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress

from starlette.concurrency import run_in_threadpool

from pyveg.core.errors import PyvegError
from pyveg.service import telling
from pyveg.service.desk import Desk
from pyveg.service.telling import LogPage
from pyveg.service.web.guard import Tally
from pyveg.service.web.metrics import keep
from pyveg.service.web.threads import at_table

_LOOK = 0.15
"""Seconds between two looks at the table while somebody listens."""
_IDLE = 1.0
_FLUSH = 5.0
_FRESH = 0.4
"""Seconds that a part of a log is given to all who ask for the same."""
_LOGS = 32
"""Parts that are remembered, of 500 entries at most."""


class Hub:
    """One for each web process.

    Parameters
    ----------
    desk : Desk
    tally : Tally
        What it writes into the table now and then.
    """

    def __init__(self, desk: Desk, tally: Tally) -> None:
        self._desk = desk
        self._tally = tally
        self._listeners = 0
        self._changed = asyncio.Event()
        self._logs: OrderedDict[tuple[str, str], tuple[float, asyncio.Task[LogPage]]] = (
            OrderedDict()
        )
        self.closing = False

    async def run(self) -> None:
        """Look, until it is cancelled."""
        version, flushed = -1, time.monotonic()
        while True:
            await asyncio.sleep(_LOOK if self._listeners else _IDLE)
            if self._listeners:
                with suppress(PyvegError):
                    now = self._desk.table.version()
                    if now != version:
                        version = now
                        self._wake()
            if time.monotonic() - flushed > _FLUSH:
                flushed = time.monotonic()
                await at_table(self._flush)

    @property
    def next_change(self) -> asyncio.Event:
        """What `wait` waits for; taken before a look, so that no change comes in between."""
        return self._changed

    async def wait(self, changed: asyncio.Event, seconds: float) -> None:
        """Return when something has changed, or after so long."""
        self._listeners += 1
        try:
            await asyncio.wait_for(changed.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._listeners -= 1

    def close(self) -> None:
        """Have all streams end: the server stops."""
        self.closing = True
        self._wake()

    async def log(self, url: str, after: str) -> LogPage:
        """A part of the log of a run; read once for all who ask for it at the same time."""
        key = url, after
        at, task = self._logs.get(key, (float("-inf"), None))
        if task is None or (task.done() and time.monotonic() - at > _FRESH):
            task = asyncio.ensure_future(run_in_threadpool(telling.log, url, after, "", 500))
            self._logs[key] = time.monotonic(), task
            while len(self._logs) > _LOGS:
                self._logs.popitem(last=False)
        return await asyncio.shield(task)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _flush(self) -> None:
        with suppress(PyvegError):
            keep(self._desk.table, self._tally)
