"""Epochs of locks under any history of taking, giving back, dying and waking up."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Literal
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from pyveg.core.errors import LockLostError, RunLockedError
from pyveg.storage import lease, renewed_lock
from pyveg.storage.lease import Lease
from pyveg.storage.remote import FsspecStore

SECONDS = 60.0
Act = tuple[Literal["take", "give back", "die", "check", "run out"], int]


class History:
    """A lock as processes use it, and what it should be like."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()
        self.store = FsspecStore(f"memory://{uuid.uuid4().hex}", lease_seconds=SECONDS)
        self.locks: dict[int, Lease] = {}
        self.epoch = 0
        self.holder: Lease | None = None
        self.expires = 0.0

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Let time go by only when the history says so."""

        def sleep(seconds: float) -> None:
            self.now += seconds

        clock = SimpleNamespace(time=lambda: self.now, sleep=sleep)
        with (
            patch.object(lease, "time", clock),
            patch.object(renewed_lock, "time", clock),
            patch.object(lease, "elapsed", clock.time),
            patch.object(renewed_lock, "elapsed", clock.time),
        ):
            yield

    def do(self, act: Act) -> None:
        name, process = act
        if name == "run out":
            self.now += SECONDS + 1
        elif name == "take" and process not in self.locks:
            self._take(process)
        elif process in self.locks:
            one = self.locks[process]
            if name == "die":
                del self.locks[process]
                one._stop.set()
            elif name == "check":
                self._check(one)
            elif name == "give back":
                del self.locks[process]
                self._give_back(one)

    def _take(self, process: int) -> None:
        one = Lease(self.store._objects, ".locks/lock", SECONDS)
        begin, free = self.now, self.holder is None or self.now >= self.expires
        try:
            one.acquire()
        except RunLockedError:
            assert not free
            return
        assert free
        self.locks[process] = self.holder = one
        self.epoch += 1
        self.expires = begin + SECONDS
        assert one.epoch == self.epoch

    def _check(self, one: Lease) -> None:
        begin = self.now
        try:
            one.check()
        except LockLostError:
            assert one is not self.holder
            return
        assert one is self.holder
        if begin >= self.expires:
            self.expires = begin + SECONDS

    def _give_back(self, one: Lease) -> None:
        one.release()
        if one is self.holder:
            self.holder = None
            one.refuse_if_lost()

    def is_told(self) -> None:
        """By the Store, to anybody who looks."""
        assert self.store.epoch("lock") == self.epoch
        told = self.store.holder("lock")
        if self.holder is None:
            assert told is None
        else:
            assert told is not None
            assert told.epoch == self.epoch
            assert told.alive is (self.now < self.expires)
            assert told.seen == datetime.fromtimestamp(self.expires, UTC) - timedelta(
                seconds=SECONDS
            )


ACTS = st.tuples(
    st.sampled_from(["take", "take", "give back", "die", "check", "run out"]), st.integers(0, 2)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTS, max_size=25))
def test_each_taking_has_the_next_epoch_and_one_process_the_lock(acts: list[Act]) -> None:
    history = History()
    with history.clock():
        try:
            for act in acts:
                history.do(act)
                history.is_told()
        finally:
            for one in history.locks.values():
                one._stop.set()
