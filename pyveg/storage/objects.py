"""Whole values on any file system of fsspec, and its errors in our words."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.core import split_protocol

from pyveg.core.errors import (
    ConfigError,
    KeyMissingError,
    MissingPackageError,
    PyvegError,
    StoreError,
    UnknownNameError,
)
from pyveg.core.secrets import HIDDEN, has_secret, redacted
from pyveg.storage.keys import PARTIAL, RESERVED
from pyveg.storage.no_room import full, is_full, room_for_temporary_files

_FILE_LIKE = frozenset(
    {"file", "local", "sftp", "ssh", "smb", "ftp", "hdfs", "arrow_hdfs", "webhdfs"}
)
"""Protocols where others see a file grow; elsewhere an object is put whole."""

_NOTHING_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class Objects:
    """Keys to bytes below a URL; the keys are taken as they are.

    Parameters
    ----------
    url : str
        ``protocol://path``, without a password.
    options : mapping
        For the file system of fsspec.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self.protocol = _protocol(url)
        self._fs, root = _open(url, self.protocol, options)
        self._root = root.rstrip("/")
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else self._fs.protocol
        self.in_memory = "memory" in protocols
        self.is_async = bool(getattr(self._fs, "async_impl", False))
        self._is_local = "file" in protocols
        self._is_file_like = not _FILE_LIKE.isdisjoint(protocols)
        self.url = self._fs.unstrip_protocol(root) if self._is_local else url.rstrip("/")

    def read(self, key: str) -> bytes:
        """Bytes of a key."""
        with self._explained(key):
            try:
                return cast(bytes, self._fs.cat_file(self._path(key)))
            except _NOTHING_THERE:
                raise KeyMissingError(key, self.url) from None

    def write(self, key: str, data: bytes) -> None:
        """Put bytes under a key."""
        data = bytes(data)
        with self._explained(key):
            if self._is_file_like:
                self._publish(key, lambda path: self._fs.pipe_file(path, data))
            else:
                self._fs.pipe_file(self._path(key), data)

    def create(self, key: str, data: bytes) -> bool:
        """Put bytes under a key that is not there; False where it is, or nobody can be sure."""
        path = self._path(key)
        try:
            if self._is_file_like:
                self._fs.makedirs(self._fs._parent(path), exist_ok=True)
            with self._fs.open(path, "xb") as stream:
                stream.write(data)
        except (OSError, ValueError, NotImplementedError, TypeError):
            return False  # it exists, or this file system cannot tell: each says it in its own way
        return True

    def size(self, key: str) -> int | None:
        """Length in bytes, or None."""
        path = self._path(key)
        with self._explained(key):
            try:
                self._fs.invalidate_cache(path)  # other processes write too
                info = self._fs.info(path)
            except _NOTHING_THERE:
                return None
        return None if info["type"] == "directory" else int(info["size"])

    def delete(self, key: str) -> None:
        """Remove a key."""
        path = self._path(key)
        with self._explained(key), suppress(*_NOTHING_THERE):
            if not self._fs.isdir(path):
                self._fs.rm_file(path)

    def find(self, folder: str) -> list[str]:
        """Keys of all values below a folder, in no order."""
        top = self._path(folder) if folder else self._root
        with self._explained(folder):
            self._fs.invalidate_cache()  # as above: fsspec remembers what it has listed
            try:
                names = self._fs.find(top)
            except _NOTHING_THERE:
                return []
        start = f"{self._root}/"
        keys = [name.removeprefix(start) for name in names if name.startswith(start)]
        # A name that ends with a slash is what some tools put into a bucket for a folder.
        return [
            key for key in keys if key.partition("/")[0] not in RESERVED and not key.endswith("/")
        ]

    @contextmanager
    def open_read(self, key: str) -> Iterator[IO[bytes]]:
        """Read a value as a stream."""
        if self.in_memory:  # fsspec has one stream of each value for all its readers
            yield BytesIO(self.read(key))
            return
        with self._explained(key):
            try:
                stream = self._fs.open(self._path(key), "rb")
            except _NOTHING_THERE:
                raise KeyMissingError(key, self.url) from None
        with stream:
            yield stream

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        """Write a value as a stream, by way of a file of this machine.

        The streams of most object stores put what they have when they are closed, also after an
        error; a file of our own is sent when it is whole.
        """
        with tempfile.TemporaryDirectory(prefix="pyveg-") as folder:
            copy = Path(folder, "value")
            with room_for_temporary_files(), copy.open("wb") as stream:
                yield stream
            with self._explained(key):
                self._send(copy, key)

    def discard_partial(self) -> None:
        """Remove files of interrupted writes."""
        with self._explained(PARTIAL), suppress(*_NOTHING_THERE):
            for path in self._fs.find(self._path(PARTIAL)):
                self._fs.rm_file(path)

    def _send(self, copy: Path, key: str) -> None:
        if self.in_memory:
            self._fs.pipe_file(self._path(key), copy.read_bytes())
        elif self._is_local:
            self._publish(key, lambda path: shutil.copyfile(copy, path))
        elif self._is_file_like:
            self._publish(key, lambda path: self._fs.put_file(str(copy), path))
        else:
            self._fs.put_file(str(copy), self._path(key))

    def _publish(self, key: str, fill: Any) -> None:
        """Fill a file of another name and move it to its place."""
        # Not by process id: other machines write here too.
        partial = self._path(f"{PARTIAL}/{uuid.uuid4().hex}")
        target = self._path(key)
        try:
            self._with_folder(partial, lambda: fill(partial))
            self._with_folder(target, lambda: self._move(partial, target))
        except BaseException:
            with suppress(Exception):
                self._fs.rm_file(partial)
            raise

    def _with_folder(self, path: str, act: Any) -> None:
        """Do it, and once more with the folder of `path` made if it failed."""
        try:
            act()
        except OSError:  # the classes for a missing folder differ
            self._fs.makedirs(self._fs._parent(path), exist_ok=True)
            act()

    def _move(self, partial: str, target: str) -> None:
        if self._is_local:
            os.replace(partial, target)  # noqa: PTH105 - paths of fsspec are text
        elif self.protocol == "smb" and self._fs.exists(target):
            self._fs.rm_file(target)  # it cannot replace; readers may miss the key for a moment
            self._fs.mv(partial, target)
        else:
            self._fs.mv(partial, target)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turn what a file system raises, which may be any class, into one of our errors."""
        try:
            yield
        except PyvegError:
            raise
        except Exception as error:
            if is_full(error):
                raise full(self.url) from error  # the same words for each key, see `LocalStore`
            raise StoreError(
                f"{self.url}/{key}: {_said(error)}",
                "check the address, your permissions and the connection",
            ) from error


def _protocol(url: str) -> str:
    """Protocol of a URL that can be a Store."""
    if "::" in url:
        raise ConfigError(
            f"{url}: a Store cannot be a chain of file systems", 'write it without "::"'
        )
    if has_secret(url):
        address = redacted(url).replace(f"{HIDDEN}@", "")
        raise ConfigError(
            f"{address} was given with a password, and addresses are written to logs",
            "leave the password out of the address, and give it by the environment, such as "
            "FSSPEC_SFTP_PASSWORD",
        )
    return split_protocol(url)[0] or "file"


def _open(url: str, protocol: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Make the file system; gives it and the path on it."""
    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        known = fsspec.available_protocols()
        raise UnknownNameError("storage protocol", protocol, known) from None
    except ImportError as error:
        raise MissingPackageError(f'storage "{protocol}"', _package(error, protocol)) from error
    try:
        fs, root = fsspec.url_to_fs(url, **options)
        return fs, fs._strip_protocol(root)
    except Exception as error:
        raise StoreError(
            f"{url} cannot be opened: {_said(error)}",
            "check the address and what it needs to log in",
        ) from error


def _package(error: ImportError, protocol: str) -> str:
    """The package that was looked for, or else the one that fsspec's table has."""
    cause = error.__cause__
    if isinstance(cause, ImportError) and cause.name:
        return cause.name.partition(".")[0]
    path: str = fsspec.registry.known_implementations[protocol]["class"]
    package = path.partition(".")[0]
    return f"fsspec[{protocol}]" if package == "fsspec" else package


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
