"""A Store in a folder of a file system."""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, ClassVar

from pyveg.core.errors import KeyMissingError, StoreError
from pyveg.core.ports import Grant, Holder, Lock, Rights
from pyveg.core.texts import brief
from pyveg.storage.keys import LOCKS, PARTIAL, RESERVED, check_key, check_prefix
from pyveg.storage.local_lock import LocalLock, epoch_of, holder_of
from pyveg.storage.no_room import NO_ROOM, full, is_full

_NOTHING_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

_NOT_ALLOWED = (
    "it may not be written or read",
    "change its permissions or choose another folder",
)
_IN_THE_WAY = ("a file stands where a folder is needed, or the other way round", "move it away")
_ADVICE = {
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: ("it is on a file system that cannot be written to", "choose another folder"),
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENAMETOOLONG: ("the name is too long", "choose a folder with a shorter path"),
}
"""Number of the operating system -> what is wrong, and the cure."""
_OF_A_STREAM = {*NO_ROOM, errno.EIO, errno.EFBIG}
"""Errors that a write to an open file can end with."""

_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""Lets nobody wait for the other end of a pipe; for files it changes nothing."""

_REPLACE_SECONDS = 2.0 if os.name == "nt" else 0.0
"""How long a file may stay in use by a reader or a virus scanner; Windows refuses to replace it
until then, other systems never do."""


class LocalStore:
    """Files below a folder.

    A value is written to a file in the folder `.partial` and then moved to its place, so it is
    there whole or not at all, however the process ends. Nothing is forced to the disk (fsync):
    what a killed process has written, the operating system has. After a loss of power a file may
    be empty or damaged although its manifest, which is written last, says that it was finished.
    A manifest also has the sizes of the outputs, so files that lost their end are made again; to
    be sure of all of them, give such a run up and start a new one.

    Parameters
    ----------
    path : str or path-like
        The folder; made with the first write. "~" is the home folder.

    Raises
    ------
    StoreError
        If it is no path, as it has a NUL or half a character in it.
    """

    shared: ClassVar[bool] = True
    transfers: ClassVar[int] = 1
    address: ClassVar[str] = ""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        _check_path(os.fspath(path))
        self._root = Path(path).expanduser().absolute()
        self.url = str(self._root)
        # Values are found by text: to make and join Path objects takes as long as a small write.
        self._begin = str(self._root / "x")[:-1]
        self._token = secrets.token_hex(4)  # other hosts may have processes of the same id
        self._count = itertools.count()

    def spec(self) -> dict[str, Any]:
        """What opens it again in any process of this machine."""
        return {"type": "local", "path": str(self._root)}

    def read(self, key: str) -> bytes:
        """Bytes of a key."""
        with self._reader(key, buffering=0) as stream:
            return stream.read()

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key."""
        with self._writer(key, buffering=0) as stream:
            left = memoryview(data)
            while left:  # a file without a buffer may take a part of what it is given
                left = left[stream.write(left) :]

    def size(self, key: str) -> int | None:
        """Length in bytes, or None."""
        path = self._path(key)
        with _explained(path), suppress(*_NOTHING_THERE):
            status = os.stat(path)  # noqa: PTH116 - see __init__
            return status.st_size if stat.S_ISREG(status.st_mode) else None
        return None

    def delete(self, key: str) -> None:
        """Remove a key; its folder stays."""
        path = self._path(key)
        with _explained(path):
            try:
                os.unlink(path)  # noqa: PTH108 - see __init__
            except _NOTHING_THERE:
                return
            except PermissionError:  # what some systems say to the removal of a folder
                if not Path(path).is_dir():
                    raise

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""
        folder = check_prefix(prefix).rpartition("/")[0]
        with _explained(self._root / folder):
            keys = _keys_below(self._root / folder, f"{folder}/" if folder else "")
            return iter(sorted(key for key in keys if key.startswith(prefix)))

    @contextmanager
    def open_read(self, key: str) -> Iterator[IO[bytes]]:
        """Read a value as a stream."""
        with self._reader(key) as stream:
            yield stream

    def open_write(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Write a value as a stream; nothing is stored where the context ends with an error."""
        return self._writer(key)

    def _reader(self, key: str, buffering: int = -1) -> IO[bytes]:
        path = self._path(key)
        with _explained(path):
            try:
                return open(path, "rb", buffering, opener=_opened)
            except _NOTHING_THERE:
                raise KeyMissingError(key, self.url) from None
            except PermissionError:  # what Windows says to opening a folder
                if Path(path).is_dir():
                    raise KeyMissingError(key, self.url) from None
                raise

    @contextmanager
    def _writer(self, key: str, buffering: int = -1) -> Iterator[IO[bytes]]:
        target = self._path(key)
        partial = f"{self._begin}{PARTIAL}{os.sep}{os.getpid()}-{self._token}-{next(self._count)}"
        with _explained(target, self.url):
            stream = _create(partial, buffering)
        try:
            with stream:
                yield stream
            with _explained(target, self.url):
                _publish(partial, target)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(partial)  # noqa: PTH108 - see __init__
            if isinstance(error, OSError) and _is_of_stream(error):
                raise _explain(error, target, self.url) from error
            raise

    def grant(self, rights: Rights = "all", life: timedelta | None = None) -> Grant:
        """Nothing: who may open the folder is up to the operating system."""
        del rights, life
        return Grant()

    @contextmanager
    def lock(self, key: str) -> Iterator[Lock]:
        """Hold the only lock of that name: a lock of the operating system, freed with the process.

        It lasts as long as this process and the folder do.
        """
        path = self._lock_path(key)
        with _explained(path):
            lock = LocalLock(path, self.url)
            lock.acquire()
        try:
            yield lock
        finally:
            lock.release()
        lock.refuse_if_lost()  # not in the finally: an error of the context goes first

    def holder(self, key: str) -> Holder | None:
        """Who holds the lock of that name; one that was killed on this host is dead at once."""
        path = self._lock_path(key)
        with _explained(path):
            return holder_of(path)

    def epoch(self, key: str) -> int:
        """How often the lock of that name has been taken; 0 for never. One read."""
        path = self._lock_path(key)
        with _explained(path):
            return epoch_of(path)

    def discard_partial(self) -> None:
        """Remove files of interrupted writes."""
        folder = self._root / PARTIAL
        with _explained(folder), suppress(*_NOTHING_THERE), os.scandir(folder) as entries:
            for entry in entries:
                Path(entry.path).unlink(missing_ok=True)

    def _lock_path(self, key: str) -> Path:
        return self._root / LOCKS / check_key(key)

    def _path(self, key: str) -> str:
        return self._begin + check_key(key).replace("/", os.sep)


def _check_path(path: str) -> None:
    """Refuse what no file system takes for a path."""
    try:
        wrong = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        wrong = True
    if wrong:
        raise StoreError(f"{brief(path)} is no path", "name a folder")


def _create(partial: str, buffering: int) -> IO[bytes]:
    """Open a new file; its folder is made when it is found missing, which costs nothing else."""
    try:
        return open(partial, "xb", buffering)  # noqa: PTH123 - a path as text, see LocalStore
    except FileNotFoundError:
        Path(partial).parent.mkdir(parents=True, exist_ok=True)
        return Path(partial).open("xb", buffering)


def _opened(path: str, flags: int) -> int:
    """Open a file for reading; what is none, such as a pipe or a device, is not there."""
    file = os.open(path, flags | _AT_ONCE)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise FileNotFoundError(errno.ENOENT, "it is no file", path)


def _publish(partial: str, target: str) -> None:
    """Move a whole file to its place; folders as in `_create`."""
    try:
        _replace(partial, target)
    except FileNotFoundError:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        _replace(partial, target)


def _replace(partial: str, target: str) -> None:
    end = time.monotonic() + _REPLACE_SECONDS
    while True:
        try:
            os.replace(partial, target)  # noqa: PTH105 - as above
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)
        else:
            return


def _keys_below(folder: Path | str, prefix: str) -> Iterator[str]:
    """Keys of all files below a folder, in no order; links to folders are not followed."""
    try:
        with os.scandir(folder) as scan:
            entries = tuple(scan)
    except (FileNotFoundError, NotADirectoryError):  # or removed by someone else meanwhile
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if prefix or entry.name not in RESERVED:
                yield from _keys_below(entry.path, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield f"{prefix}{entry.name}"


def _is_of_stream(error: OSError) -> bool:
    """Whether it came from an open file, and not from something else that the caller opened."""
    return error.filename is None and error.errno in _OF_A_STREAM


def _explain(error: OSError, path: str | Path, folder: str = "") -> StoreError:
    """Name the path and the cure; the folder of the Store where no file of it has room."""
    if is_full(error):
        # The same words for each file: a run tells, and gives up, what all its Tasks share.
        return full(folder or str(path))
    meaning, cure = _ADVICE.get(error.errno or 0, ("", "look at the disk and its connection"))
    wrong = f"{path}: {error.strerror or error}"
    return StoreError(f"{wrong}: {meaning}" if meaning else wrong, cure)


@contextmanager
def _explained(path: str | Path, folder: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explain(error, path, folder) from error
