"""A Store in a folder of a file system."""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, ClassVar

from filelock import FileLock, Timeout

from pyveg.core.errors import KeyMissingError, StoreError
from pyveg.storage.holder import Holder, locked
from pyveg.storage.keys import LOCKS, PARTIAL, RESERVED, check_key, check_prefix

_NOTHING_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

_FULL = "the disk is full; free some space or choose another folder, then run it again"
_NOT_ALLOWED = "it may not be written or read; change its permissions or choose another folder"
_IN_THE_WAY = "a file stands where a folder is needed, or the other way round; move it away"
_CURES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EROFS: "it is on a file system that cannot be written to; choose another folder",
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENAMETOOLONG: "the name is too long; choose a folder with a shorter path",
}
_OF_A_STREAM = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
"""Errors that a write to an open file can end with."""

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
    """

    shared: ClassVar[bool] = True
    transfers: ClassVar[int] = 1

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = Path(path).expanduser().absolute()
        self.url = str(self._root)
        self._token = secrets.token_hex(4)  # other hosts may have processes of the same id
        self._count = itertools.count()

    def spec(self) -> dict[str, Any]:
        """What opens it again in any process of this machine."""
        return {"type": "local", "path": str(self._root)}

    def read(self, key: str) -> bytes:
        """Bytes of a key."""
        with self.open_read(key) as stream:
            return stream.read()

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key."""
        with self.open_write(key) as stream:
            stream.write(data)

    def size(self, key: str) -> int | None:
        """Length in bytes, or None."""
        path = self._path(key)
        with _explained(path), suppress(*_NOTHING_THERE):
            return path.stat().st_size if path.is_file() else None
        return None

    def delete(self, key: str) -> None:
        """Remove a key; its folder stays."""
        path = self._path(key)
        with _explained(path):
            try:
                path.unlink()
            except _NOTHING_THERE:
                return
            except PermissionError:  # what some systems say to the removal of a folder
                if not path.is_dir():
                    raise

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""
        folder = check_prefix(prefix).rpartition("/")[0]
        with _explained(self._root / folder):
            found = _keys_below(self._root / folder, f"{folder}/" if folder else "")
            return iter(sorted(key for key in found if key.startswith(prefix)))

    @contextmanager
    def open_read(self, key: str) -> Iterator[IO[bytes]]:
        """Read a value as a stream."""
        path = self._path(key)
        with _explained(path):
            try:
                stream = path.open("rb")
            except _NOTHING_THERE:
                raise KeyMissingError(key, self.url) from None
            except PermissionError:  # what Windows says to opening a folder
                if path.is_dir():
                    raise KeyMissingError(key, self.url) from None
                raise
        with stream:
            yield stream

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        """Write a value as a stream; nothing is stored where the context ends with an error."""
        target = self._path(key)
        partial = self._root / PARTIAL / f"{os.getpid()}-{self._token}-{next(self._count)}"
        with _explained(target):
            stream = _create(partial)
        try:
            with stream:
                yield stream
            with _explained(target):
                _publish(partial, target)
        except BaseException as error:
            with suppress(OSError):
                partial.unlink()
            if isinstance(error, OSError) and _is_of_stream(error):
                raise _explain(error, target) from error
            raise

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the only lock of that name: a lock of the operating system, freed with the process.

        A text beside it tells others who holds it. The file of the lock stays: another process may
        have it open already, and would lock a file that is no longer there.
        """
        path = self._root / LOCKS / check_key(key)
        note = path.with_name(f"{path.name}.holder")
        with _explained(path):
            guard = self._acquire(path, note)
        try:
            with _explained(note):
                note.write_text(Holder().to_json(), encoding="utf-8")
            yield
        finally:
            with suppress(OSError):
                note.unlink()
            guard.release()

    def _acquire(self, path: Path, note: Path) -> Any:
        path.parent.mkdir(parents=True, exist_ok=True)
        guard = FileLock(path, thread_local=False)  # whoever ends the context, frees it
        try:
            guard.acquire(blocking=False)
        except Timeout:
            raise locked(self.url, _read_note(note)) from None
        return guard

    def discard_partial(self) -> None:
        """Remove files of interrupted writes."""
        folder = self._root / PARTIAL
        with _explained(folder), suppress(*_NOTHING_THERE), os.scandir(folder) as entries:
            for entry in entries:
                Path(entry.path).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)


def _create(partial: Path) -> IO[bytes]:
    """Open a new file; its folder is made when it is found missing, which costs nothing else."""
    try:
        return partial.open("xb")
    except FileNotFoundError:
        partial.parent.mkdir(parents=True, exist_ok=True)
        return partial.open("xb")


def _publish(partial: Path, target: Path) -> None:
    """Move a whole file to its place; folders as in `_create`."""
    try:
        _replace(partial, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(partial, target)


def _replace(partial: Path, target: Path) -> None:
    end = time.monotonic() + _REPLACE_SECONDS
    while True:
        try:
            partial.replace(target)
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


def _read_note(note: Path) -> Holder | None:
    try:
        return Holder.from_json(note.read_text(encoding="utf-8"))
    except OSError:
        return None


def _is_of_stream(error: OSError) -> bool:
    """Whether it came from an open file, and not from something else that the caller opened."""
    return error.filename is None and error.errno in _OF_A_STREAM


def _explain(error: OSError, path: Path) -> StoreError:
    """Name the path and the cure."""
    cure = _CURES.get(error.errno or 0, "look at the disk and its connection")
    return StoreError(f"{path}: {error.strerror or error}: {cure}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explain(error, path) from error
