"""A Store at any URL that fsspec knows: object storage, servers, folders."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import fsspec
from fsspec.registry import known_implementations

from pyveg.core.errors import (
    KeyMissingError,
    MissingPackageError,
    PyvegError,
    StoreError,
    UnknownNameError,
)
from pyveg.storage.keys import LOCKS, PARTIAL, RESERVED, check_key, check_prefix
from pyveg.storage.lease import Lease

_FOLDERS = {"file", "local", "sftp", "ssh", "ftp", "smb"}
"""Protocols of real files, where a value grows while it is written."""

_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}
"""Packages of usual protocols, in case fsspec's own table does not name one."""

_SPOOL = 32 * 2**20
"""A streamed value is kept in memory up to this length, on disk beyond it."""


class FsspecStore:
    """Values below a URL.

    Object storage shows a value only when it is whole. Where real files grow, a value is written
    to the folder `.partial` first and then moved. The lock is a lease: a small object that its
    holder renews; where the holder was killed, it ends by itself after `lease_seconds`.

    Parameters
    ----------
    url : str
        Such as ``"s3://bucket/folder"``.
    lease_seconds : float
        How long the lock of a process that was killed lasts.
    **storage_options
        Handed to fsspec. They are not part of `spec`, which may be written down: give secrets by
        the environment or the configuration files of fsspec, where other processes find them too.
    """

    def __init__(self, url: str, *, lease_seconds: float = 60.0, **storage_options: Any) -> None:
        options = {"use_listings_cache": False, **storage_options}
        protocol = url.partition("://")[0]
        try:
            self._fs, root = fsspec.core.url_to_fs(url, **options)
        except ImportError as error:
            raise MissingPackageError(f'storage at "{protocol}://"', _package(protocol)) from error
        except ValueError as error:
            if protocol in known_implementations:
                raise StoreError(f"{url} cannot be opened: {error}") from error
            raise UnknownNameError("storage protocol", protocol, known_implementations) from error
        self.url = url.rstrip("/")
        self._root = str(root).rstrip("/")
        self._protocols = (
            {self._fs.protocol} if isinstance(self._fs.protocol, str) else {*self._fs.protocol}
        )
        self._lease_seconds = lease_seconds

    @property
    def shared(self) -> bool:
        """Whether other processes reach the same bytes."""
        return "memory" not in self._protocols

    def spec(self) -> dict[str, Any]:
        """What opens it again in any process that has the same credentials."""
        return {"type": "fsspec", "url": self.url, "lease_seconds": self._lease_seconds}

    def read(self, key: str) -> bytes:
        """Bytes of a key."""
        with self._explained(key):
            data: bytes = self._fs.cat_file(self._path(key))
            return data

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key."""
        path = self._path(key)
        with self._explained(key), self._in_place(path) as target:
            self._fs.pipe_file(target, data)

    def size(self, key: str) -> int | None:
        """Length in bytes, or None."""
        path = self._path(key)
        try:
            with self._explained(key):
                info = self._fs.info(path)
        except KeyMissingError:
            return None
        return int(info["size"]) if info["type"] == "file" else None

    def delete(self, key: str) -> None:
        """Remove a key."""
        if self.size(key) is None:
            return
        with contextlib.suppress(KeyMissingError), self._explained(key):
            self._fs.rm_file(self._path(key))

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""
        folder = check_prefix(prefix).rpartition("/")[0]
        start = f"{self._root}/{folder}" if folder else self._root
        found: list[str] = []
        with contextlib.suppress(KeyMissingError), self._explained(prefix):
            found = self._fs.find(start)
        skip = len(self._root) + 1
        keys = sorted(str(path)[skip:] for path in found)
        return iter(
            [key for key in keys if key.startswith(prefix) and key.split("/")[0] not in RESERVED]
        )

    @contextmanager
    def open_read(self, key: str) -> Iterator[IO[bytes]]:
        """Read a value as a stream."""
        with self._explained(key):
            if self.size(key) is None:
                raise KeyMissingError(key, self.url)
            stream = self._fs.open(self._path(key), "rb")
        with stream:
            yield stream

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        """Write a value as a stream; it is sent when the context ends without an error."""
        path = self._path(key)
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
            yield cast("IO[bytes]", spool)
            spool.seek(0)
            with self._explained(key), self._in_place(path) as target:
                self._send(spool, target)

    def _send(self, stream: Any, target: str) -> None:
        """Send a stream; a value that fails half-way is taken back rather than finished."""
        with self._fs.open(target, "wb") as out:
            try:
                while chunk := stream.read(2**20):
                    out.write(chunk)
            except BaseException:
                out.discard() if hasattr(out, "discard") else None
                raise

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the only lock of that name, as a lease that is renewed."""
        path = f"{self._root}/{LOCKS}/{check_key(key)}"
        with self._explained(key):
            self._make_folder(path)
            lease = Lease(self._fs, path, self.url, self._lease_seconds)
            lease.acquire()
        try:
            yield
        finally:
            with self._explained(key):
                lease.release()

    def discard_partial(self) -> None:
        """Remove files of interrupted writes."""
        folder = f"{self._root}/{PARTIAL}"
        with self._explained(PARTIAL):
            if self._fs.exists(folder):
                self._fs.rm(folder, recursive=True)

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    @contextmanager
    def _in_place(self, path: str) -> Iterator[str]:
        """Where to write, so that the value appears at `path` whole or not at all."""
        if not self._protocols & _FOLDERS:
            yield path
            return
        partial = f"{self._root}/{PARTIAL}/{uuid.uuid4().hex}"
        self._make_folder(partial)
        self._make_folder(path)
        yield partial
        self._fs.mv(partial, path)

    def _make_folder(self, path: str) -> None:
        """Make the folder of a path where there are real folders."""
        if self._protocols & _FOLDERS:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except PyvegError:
            raise
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyMissingError(key, self.url) from None
        except Exception as error:
            kind = type(error).__name__
            raise StoreError(
                f"{self.url}: {kind}: {error}: check the address, your credentials and the network"
            ) from error


def _package(protocol: str) -> str:
    """What to install for a protocol."""
    if protocol in _PACKAGES:
        return _PACKAGES[protocol]
    words = str(known_implementations.get(protocol, {}).get("err", "")).split()
    after = [word for before, word in itertools.pairwise(words) if before == "install"]
    return after[0].strip("\"'.,;()") if after else f"fsspec[{protocol}]"
