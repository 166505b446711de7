"""A lock where there are only objects: one that says until when it is held."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from pyveg.core.clock import elapsed
from pyveg.core.errors import KeyMissingError, LockLostError, StoreError, StoreGoneError
from pyveg.core.ports import Holder
from pyveg.storage.lock_owner import LockOwner, locked, lost
from pyveg.storage.renewed_lock import RenewedLock, Taken

_taking = threading.Lock()
"""Threads of one process take leases one after the other."""


class LeaseObjects(Protocol):
    """What a lease needs of a Store."""

    url: str

    def read(self, key: str) -> bytes:
        """Bytes of a key; `KeyMissingError` where there is none."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Put bytes under a key."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Put bytes under a key; False, where it is there or it is unsure that it was not."""
        ...

    def delete(self, key: str) -> None:
        """Remove a key."""
        ...


class Lease(RenewedLock):
    """The right to write, as two kinds of objects.

    One of a fixed name, the lease, says who has it until when, or who had it last; its epoch is
    what Tasks look at. Beside it each epoch has an object, its claim, which who takes the lock
    makes before writing the lease, so only one process can ever have that epoch: object stores
    and file systems refuse to make an object that is there. Of those that cannot, the last one
    to write a claim has it. Claims stay: they are what no process can overwrite that wakes up
    after any time in the middle of a write.

    A process that was killed renews nothing, and after `seconds` anybody may take over. Clocks of
    the machines must agree to much better than that.

    Parameters
    ----------
    objects : LeaseObjects
        Where it is kept.
    key : str
        Under which key.
    seconds : float
        How long it is valid if nobody renews it; it is renewed every third of that.
    """

    def __init__(self, objects: LeaseObjects, key: str, seconds: float) -> None:
        self._settle = min(seconds / 20, 2.0)  # longer than a write takes to be seen
        super().__init__(objects.url, seconds, margin=self._settle)
        self._objects = objects
        self._key = key
        self._owner = LockOwner(seconds=seconds)

    def _take(self) -> Taken:
        with _taking:
            before = self._current(self._key)
            self._refuse_valid(before)
            at = self._claim_next(before)
            try:
                self._write_lease(before)
            except BaseException:
                with suppress(StoreError):
                    self._put(self._claim_key(self._owner.epoch), released=True)
                raise
        return Taken(self._owner.epoch, at, before is not None and not before.released)

    def _claim_next(self, before: LockOwner | None) -> float:
        """Get an epoch that nobody else has ever had; when that was, on the clock `elapsed`."""
        epoch = self._last_epoch(before)
        at = elapsed()
        self._owner = replace(self._owner, epoch=epoch + 1, expires=time.time() + self._seconds)
        if not self._claim():
            raise locked(self._url, self._current(self._claim_key(epoch + 1)), self._seconds)
        return at

    def _last_epoch(self, before: LockOwner | None) -> int:
        """The last epoch that was claimed, if its owner can hold nothing any more."""
        first = before.epoch if before else 0
        claims = self._claims_after(first)
        for claim in claims:
            self._refuse_valid(claim)
        if any(claim is None or not claim.released for claim in claims):
            # Its maker died before it wrote the lease; or an old holder that woke up has put its
            # own lease over that of a newer one, who mends it as long as it lives.
            time.sleep(self._seconds)
            self._refuse_changed(before)
        return first + len(claims)

    def _claim(self) -> bool:
        """Make the claim of this epoch, unless somebody else has."""
        key, data = self._claim_key(self._owner.epoch), self._owner.to_json().encode()
        if self._objects.create(key, data):
            return True
        if _read(self._objects, key):
            return False
        self._objects.write(key, data)  # no exclusive writes here
        time.sleep(self._settle)  # if others do the same, the last of us has it
        return self._current(key) == self._owner

    def _write_lease(self, before: LockOwner | None) -> None:
        """Write it, if the last holder has not come back and nobody was faster."""
        self._refuse_changed(before)
        self._put(self._key)
        if self._claims_after(self._owner.epoch):
            raise locked(self._url, self._current(self._key), self._seconds)

    def _refuse_valid(self, owner: LockOwner | None) -> None:
        """Raise `RunLockedError` where somebody holds it now."""
        if owner is not None and _is_valid(owner):
            raise locked(self._url, owner, self._seconds)

    def _refuse_changed(self, before: LockOwner | None) -> None:
        """Raise `RunLockedError` where the lease is another one than `before`."""
        now = self._current(self._key)
        if now != before:
            raise locked(self._url, now, self._seconds)

    def _renew(self, late: bool) -> None:
        # Made before the look: where the process is suspended after that, what it writes is old.
        self._owner = replace(self._owner, expires=time.time() + self._seconds)
        self._refuse_successor(late)
        self._put(self._key)
        # Who takes over looks at the lease once more after its claim, as this does at claims.
        if late or self._runs_out():
            try:
                self._refuse_successor(late=True)
            except LockLostError:
                self._hand_over()
                raise

    def _hand_over(self) -> None:
        """Put the lease of who took over in the place of the one just written over it.

        That one does so itself at its next renewal; Tasks look at the epoch before that.
        """
        now, successors = self._current(self._key), self._successors()
        last = successors[-1] if successors else None
        if last is not None and now is not None and now.token == self._owner.token:
            theirs = replace(last, expires=time.time() + self._seconds)
            self._objects.write(self._key, theirs.to_json().encode())

    def _give_back(self) -> None:
        self._refuse_successor(late=False)
        self._put(self._key, released=True)

    def _refuse_successor(self, late: bool) -> None:
        """Raise `LockLostError` where somebody has it, or had it, or is just taking it."""
        now = self._current(self._key)
        if now is None:
            raise StoreGoneError(
                f"the lock of the run in {self._url} is gone: somebody deleted it, or the whole "
                "run",
                "start the run again",
            )
        if now.token != self._owner.token and self._is_newer(now):
            raise lost(self._url, now)
        if late and self._successors():
            time.sleep(2 * self._settle)  # it may see this process and withdraw
            if successors := self._successors():
                raise lost(self._url, successors[-1])

    def _is_newer(self, other: LockOwner) -> bool:
        """Whether a lease is of a later holder, and not one that an earlier holder wrote late."""
        of_older_version = other.epoch == 0 and _is_valid(other)
        return of_older_version or other.epoch >= self._owner.epoch

    def _successors(self) -> list[LockOwner | None]:
        """Claims of later epochs that were not withdrawn."""
        claims = self._claims_after(self._owner.epoch)
        return [claim for claim in claims if claim is None or not claim.released]

    def _claims_after(self, epoch: int) -> list[LockOwner | None]:
        """All claims of later epochs in their order, None for a damaged one."""
        claims: list[LockOwner | None] = []
        while _read(self._objects, key := self._claim_key(epoch + len(claims) + 1)):
            claims.append(self._current(key))
        return claims

    def _put(self, key: str, released: bool = False) -> None:
        self._objects.write(key, replace(self._owner, released=released).to_json().encode())

    def _current(self, key: str) -> LockOwner | None:
        """What a lease or a claim says now; None where there is none, or a damaged one."""
        text = _read(self._objects, key)
        owner = LockOwner.from_json(text)
        if text and owner is None:  # being written, unless its writer was killed then
            time.sleep(self._settle)
            owner = LockOwner.from_json(_read(self._objects, key))
        return owner

    def _claim_key(self, epoch: int) -> str:
        return f"{self._key}.epoch.{epoch}"


def holder_of(objects: LeaseObjects, key: str) -> Holder | None:
    """Who holds a lease, or died while it did."""
    owner = LockOwner.from_json(_read(objects, key))
    if owner is None or owner.released:
        return None
    # Older versions did not write how long a lease is.
    renewed = datetime.fromtimestamp(owner.expires - owner.seconds, UTC) if owner.seconds else None
    return owner.holder(_is_valid(owner), renewed)


def epoch_of(objects: LeaseObjects, key: str) -> int:
    """How often a lease has been taken."""
    owner = LockOwner.from_json(_read(objects, key))
    return owner.epoch if owner else 0


def _read(objects: LeaseObjects, key: str) -> str:
    """Text of an object as it is now; empty where there is none."""
    try:
        return objects.read(key).decode(errors="replace") or " "
    except KeyMissingError:
        return ""


def _is_valid(owner: LockOwner) -> bool:
    return not owner.released and owner.expires > time.time()
