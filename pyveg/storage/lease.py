"""A lock where there are only objects: one that says until when it is held."""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import suppress
from typing import Protocol

from pyveg.core.errors import KeyMissingError, RunLockedError, StoreError
from pyveg.storage.lock_owner import LockOwner, locked

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


class Lease:
    """The right to write, which a thread renews until it is given back.

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
        self._objects = objects
        self._key = key
        self._seconds = seconds
        self._settle = min(seconds / 20, 2.0)  # longer than a write takes to be seen
        self._token = uuid.uuid4().hex
        self._owner = LockOwner()
        self._stop = threading.Event()
        self._taken_over: RunLockedError | None = None
        self._thread = threading.Thread(target=self._renew, name="pyveg-lease", daemon=True)

    def acquire(self) -> None:
        """Take it; `RunLockedError` where someone else has it."""
        with _taking:
            self._take()
        self._thread.start()

    def release(self) -> None:
        """Give it back."""
        self._stop.set()
        self._thread.join()
        with suppress(StoreError):  # then it expires by itself
            self._refuse_others()  # or the lease of who took over would be deleted
            self._objects.delete(self._key)

    def check(self) -> None:
        """Raise `RunLockedError` if someone took over while it was held.

        That happens when this process could not renew it in time: it was suspended, or had no
        connection.
        """
        if self._taken_over:
            raise self._taken_over

    def _take(self) -> None:
        if self._objects.create(self._key, self._record()):
            return
        self._refuse_others()
        self._objects.write(self._key, self._record())
        time.sleep(self._settle)  # if others found it free too, the last of us has it
        self._refuse_others()

    def _renew(self) -> None:
        # Every third, so that two renewals may fail before the lease runs out.
        while not self._stop.wait(self._seconds / 3):
            try:
                self._refuse_others()
                self._objects.write(self._key, self._record())
            except RunLockedError as error:
                self._taken_over = error
                return
            except StoreError:  # no connection just now
                continue

    def _refuse_others(self) -> None:
        """Raise `RunLockedError` where a valid lease is somebody else's."""
        text = self._read()
        owner = LockOwner.from_json(text)
        if text and owner is None:  # being written, unless its writer was killed then
            time.sleep(self._settle)
            text = self._read()
            owner = LockOwner.from_json(text)
        if owner is None:
            return
        document = json.loads(text)
        if document.get("token") != self._token and document.get("expires", 0) > time.time():
            raise locked(self._objects.url, owner, self._seconds)

    def _read(self) -> str:
        """Text of the lease as it is now; empty where there is none."""
        try:
            return self._objects.read(self._key).decode(errors="replace") or " "
        except KeyMissingError:
            return ""

    def _record(self) -> bytes:
        expires = time.time() + self._seconds
        document = {**json.loads(self._owner.to_json()), "token": self._token, "expires": expires}
        return json.dumps(document).encode()
