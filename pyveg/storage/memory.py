"""A Store in the memory of this process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from threading import Lock as Mutex
from typing import IO, Any, ClassVar
from weakref import WeakValueDictionary

from pyveg.core.errors import KeyMissingError
from pyveg.core.ports import Grant, Holder, Lock, Rights
from pyveg.storage.keys import check_key, check_prefix
from pyveg.storage.lock_owner import LockOwner, locked
from pyveg.storage.renewed_lock import Losable


class _Content:
    """What all Stores of one name have in common."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.owners: dict[str, LockOwner] = {}


_contents: WeakValueDictionary[str, _Content] = WeakValueDictionary()
_guard = Mutex()


class MemoryStore:
    """Keys to bytes for as long as this process lives.

    Stores of the same name have the same bytes; these go when the last of the Stores does.

    Parameters
    ----------
    name : str, optional
        A new Store, which has a name of its own, where it is left out.
    """

    shared: ClassVar[bool] = False
    transfers: ClassVar[int] = 1
    address: ClassVar[str] = ""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or uuid.uuid4().hex
        self.url = f"memory://{self.name}"
        with _guard:
            self._content = _contents.setdefault(self.name, _Content())
        self._values = self._content.values  # single operations of a dict are atomic

    def spec(self) -> dict[str, Any]:
        """What opens it again in this process."""
        return {"type": "memory", "name": self.name}

    def read(self, key: str) -> bytes:
        """Bytes of a key."""
        try:
            return self._values[check_key(key)]
        except KeyError:
            raise KeyMissingError(key, self.url) from None

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key."""
        self._values[check_key(key)] = bytes(data)

    def size(self, key: str) -> int | None:
        """Length in bytes, or None."""
        data = self._values.get(check_key(key))
        return None if data is None else len(data)

    def delete(self, key: str) -> None:
        """Remove a key."""
        self._values.pop(check_key(key), None)

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""
        check_prefix(prefix)
        return iter(sorted(key for key in tuple(self._values) if key.startswith(prefix)))

    @contextmanager
    def open_read(self, key: str) -> Iterator[IO[bytes]]:
        """Read a value as a stream."""
        yield BytesIO(self.read(key))

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        """Write a value as a stream; nothing is stored where the context ends with an error."""
        check_key(key)
        stream = BytesIO()
        yield stream
        self.write(key, stream.getvalue())

    def grant(self, rights: Rights = "all", life: timedelta | None = None) -> Grant:
        """Nothing: no other process can reach it."""
        del rights, life
        return Grant()

    @contextmanager
    def lock(self, key: str) -> Iterator[Lock]:
        """Hold the only lock of that name in this process; it cannot be lost."""
        owners = self._content.owners
        with _guard:
            before = owners.get(check_key(key))
            if before is not None and not before.released:
                raise locked(self.url, before)
            mine = LockOwner(epoch=self.epoch(key) + 1)
            owners[key] = mine
        lock = Losable()
        lock.epoch = mine.epoch
        try:
            yield lock
        finally:
            owners[key] = replace(mine, released=True)

    def holder(self, key: str) -> Holder | None:
        """Who holds the lock of that name; None where nobody does."""
        owner = self._content.owners.get(check_key(key))
        return None if owner is None or owner.released else owner.holder(True, datetime.now(UTC))

    def epoch(self, key: str) -> int:
        """How often the lock of that name has been taken; 0 for never."""
        owner = self._content.owners.get(check_key(key))
        return owner.epoch if owner else 0

    def discard_partial(self) -> None:
        """Do nothing: an interrupted write leaves nothing behind."""
