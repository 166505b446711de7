"""A Store at any URL that fsspec knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import IO, Any, ClassVar

from pyveg.core.ports import Grant, Holder, Lock, Rights
from pyveg.storage import lease_life
from pyveg.storage.keys import LOCKS, check_key, check_prefix
from pyveg.storage.lease import Lease, epoch_of, holder_of
from pyveg.storage.objects import Objects
from pyveg.storage.renewed_lock import held


class FsspecStore:
    """Objects or files at a URL, such as ``s3://bucket/folder`` or ``sftp://host/folder``.

    Object stores put a value whole or not at all; on the file systems that do not, it gets another
    name first and is then moved. ``smb`` and ``ftp`` servers that cannot replace a file by a move
    may lack a key for a moment.

    Every process that opens the Store takes its secrets from its own environment, in the way of the
    service or of fsspec (``FSSPEC_<PROTOCOL>_<OPTION>``): `spec` has the URL only. Use options
    where one process does all the work.

    Parameters
    ----------
    url : str
        Where; without a password.
    lease_seconds : float, optional
        How long the lock of a process that was killed stays; what the environment variable
        ``PYVEG_LEASE_SECONDS`` says, or else 60.
    **storage_options
        For the file system of fsspec; they do not travel to other processes.

    Raises
    ------
    UnknownNameError
        If fsspec does not know the protocol.
    MissingPackageError
        If the package for the protocol is not installed.
    ConfigError
        If the URL holds a password or a chain of file systems.
    StoreError
        If it cannot be opened.
    """

    address: ClassVar[str] = ""

    def __init__(
        self, url: str, *, lease_seconds: float | None = None, **storage_options: Any
    ) -> None:
        self._objects = Objects(url, storage_options)
        self._lease_seconds = lease_seconds or lease_life.lease_seconds(60.0, 1.0, 3600.0)
        self.url = self._objects.url

    @property
    def transfers(self) -> int:
        """More than one where each costs the time of a request."""
        return 8 if self._objects.is_async else 1

    @property
    def shared(self) -> bool:
        """Whether other processes of this machine reach the same bytes."""
        return not self._objects.in_memory

    def spec(self) -> dict[str, Any]:
        """What opens it again in a process that has the same secrets."""
        return {"type": "fsspec", "url": self.url}

    def read(self, key: str) -> bytes:
        """Bytes of a key."""
        return self._objects.read(check_key(key))

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key."""
        self._objects.write(check_key(key), data)

    def size(self, key: str) -> int | None:
        """Length in bytes, or None."""
        return self._objects.size(check_key(key))

    def delete(self, key: str) -> None:
        """Remove a key."""
        self._objects.delete(check_key(key))

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""
        # File systems list folders: that of the prefix is asked for, and the rest left out here.
        folder = check_prefix(prefix).rpartition("/")[0]
        keys = self._objects.find(folder)
        return iter(sorted(key for key in keys if key.startswith(prefix)))

    def open_read(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Read a value as a stream."""
        return self._objects.open_read(check_key(key))

    def open_write(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Write a value as a stream; it is sent when the context ends without an error."""
        return self._objects.open_write(check_key(key))

    def grant(self, rights: Rights = "all", life: timedelta | None = None) -> Grant:
        """Nothing: every process brings its own secrets."""
        del rights, life
        return Grant()

    @contextmanager
    def lock(self, key: str) -> Iterator[Lock]:
        """Hold the only lock of that name, by a lease that is renewed while it is held.

        Where another process took over, because this one could not renew it in time, the end of
        the context raises `LockLostError`.
        """
        lease = Lease(self._objects, _lock_key(key), self._lease_seconds)
        lease.acquire()
        with held(lease):
            yield lease

    def holder(self, key: str) -> Holder | None:
        """Who holds the lock of that name; dead as soon as its lease has run out."""
        return holder_of(self._objects, _lock_key(key))

    def epoch(self, key: str) -> int:
        """How often the lock of that name has been taken; 0 for never. One read."""
        return epoch_of(self._objects, _lock_key(key))

    def discard_partial(self) -> None:
        """Remove files of interrupted writes."""
        self._objects.discard_partial()


def _lock_key(key: str) -> str:
    return f"{LOCKS}/{check_key(key)}"
