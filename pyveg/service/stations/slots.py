"""How many images are in hand at once; who finds no room waits for a turn, for a while.

Who waits costs a connection and no memory for an image: the body of its request is not read yet.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyveg.service.refusals import Refusal

PATIENCE = 3.5
"""Seconds that a request waits for its turn: nobody waits more than five for an answer."""
MOST_WAITING = 256
"""Requests of a process that wait; more are told at once to come again."""
_BUSY = 2


class Slots:
    """Room for some images, given in the order in which it was asked for.

    Parameters
    ----------
    most : int
        Images in hand at once.
    patience : float
        Longest wait for a turn, seconds.
    """

    def __init__(self, most: int, patience: float = PATIENCE) -> None:
        self._free = most
        self._patience = patience
        self._guard = threading.Lock()
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Room for one image.

        Raises
        ------
        Refusal
            503 where there is none in time.
        """
        await self._take()
        try:
            yield
        finally:
            self._give()

    async def _take(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        with self._guard:
            if self._free > 0:
                self._free -= 1
                return
            if len(self._waiting) >= MOST_WAITING:
                raise _full()
            self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException as error:
            self._take_back(turn)
            if isinstance(error, TimeoutError):
                raise _full() from None
            raise

    def _take_back(self, turn: asyncio.Future[None]) -> None:
        """Wait no more; a turn that has just come goes to the next."""
        with self._guard:
            waits = turn in self._waiting
            if waits:
                self._waiting.remove(turn)
        if not waits:
            self._give()

    def _give(self) -> None:
        with self._guard:
            while self._waiting:
                turn = self._waiting.popleft()
                try:
                    turn.get_loop().call_soon_threadsafe(_tell, turn)
                except RuntimeError:  # its loop has ended, and with it whoever waited
                    continue
                return
            self._free += 1


def _tell(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _full() -> Refusal:
    return Refusal(503, "as many images as fit are in hand", "send it again", retry_after=_BUSY)
