"""A Store in the memory of this process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Lock
from typing import IO, Any, ClassVar
from weakref import WeakValueDictionary

from pyveg.core.errors import KeyMissingError
from pyveg.storage.keys import check_key, check_prefix
from pyveg.storage.lock_owner import LockOwner, locked


class _Content:
    """What all Stores of one name have in common."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.owners: dict[str, LockOwner] = {}


_contents: WeakValueDictionary[str, _Content] = WeakValueDictionary()
_guard = Lock()


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

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the only lock of that name in this process."""
        mine = LockOwner()
        # One operation, which is atomic: a look and then a write would let two threads in.
        owner = self._content.owners.setdefault(check_key(key), mine)
        if owner is not mine:
            raise locked(self.url, owner)
        try:
            yield
        finally:
            del self._content.owners[key]

    def discard_partial(self) -> None:
        """Do nothing: an interrupted write leaves nothing behind."""
