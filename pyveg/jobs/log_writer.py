"""Writes `_pyveg/run.log`: whole, and only so often that its bytes grow with its length."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from typing import IO

from pyveg.core.errors import PyvegError, RunLockedError
from pyveg.core.layout import LOG_FILE
from pyveg.core.ports import Store
from pyveg.core.runlog import log_so_far
from pyveg.core.segments import epoch_of, segment_keys

_IN_MEMORY = 2**20
_RETRY = 30.0
_SHORT = 2 * 2**10
"""Bytes that count as written already: shorter logs are read from events while a run goes on."""


class LogWriter:
    """Keeps the lines of an attempt in a temporary file, and puts them behind those before it.

    Parameters
    ----------
    store : Store
    epoch : int
        The attempt. What the attempts before it have told is read back from the Store.
    """

    def __init__(self, store: Store, epoch: int) -> None:
        self._store = store
        self._epoch = epoch
        self._before: IO[bytes] | None = None
        self._own: IO[bytes] = _temporary()
        self._lost = 0
        self._written: int | None = None
        self._failed_at: float | None = None

    def add(self, lines: Iterable[str]) -> None:
        """Take lines; those for which this machine has no room are counted."""
        for line in lines:
            try:
                self._own.write(_bytes_of(line))
            except OSError:
                self._lost += 1

    def due(self, now: float) -> bool:
        """Whether something is to be done: the log is twice as long as when it was written last."""
        if self._failed_at is not None and now - self._failed_at < _RETRY:
            return False
        return self._before is None or self._has_doubled(self._before)

    def write(self, now: float, *, last: bool = False) -> bool:
        """Write the whole log where that is worth it; False where it cannot be done now.

        Parameters
        ----------
        now : float
        last : bool
            Whether this is the end of the attempt, when it is always worth it.

        Raises
        ------
        LockLostError
            If nothing may be written any more.
        """
        try:
            if self._before is None:
                self._before = self._read_back()
            if last or self._has_doubled(self._before):
                self._put(self._before)
        except RunLockedError:
            raise
        except (PyvegError, OSError):
            self._failed_at = now
            return False
        self._failed_at = None
        return True

    def close(self) -> None:
        """Remove the temporary files."""
        self._own.close()
        if self._before is not None:
            self._before.close()

    def _has_doubled(self, before: IO[bytes]) -> bool:
        length = before.tell() + self._own.tell()
        written = max(before.tell(), _SHORT) if self._written is None else self._written
        return length >= 2 * written

    def _read_back(self) -> IO[bytes]:
        """What the attempts before this one have told."""
        earlier = [key for key in segment_keys(self._store) if epoch_of(key) < self._epoch]
        file = _temporary()
        try:
            for line in log_so_far(self._store, earlier, all_over=True):
                file.write(_bytes_of(line))
        except BaseException:
            file.close()
            raise
        return file

    def _put(self, before: IO[bytes]) -> None:
        with self._store.open_write(LOG_FILE) as out:
            for part in (before, self._own):
                end = part.tell()
                part.seek(0)
                try:
                    shutil.copyfileobj(part, out)
                finally:
                    part.seek(end)
            if self._lost:
                out.write(f"{self._lost} lines had no room and are lost\n".encode())
        self._written = before.tell() + self._own.tell()


def _temporary() -> IO[bytes]:
    """A file that is in memory while it is small."""
    return tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="pyveg-")


def _bytes_of(line: str) -> bytes:
    return f"{line}\n".encode("utf-8", "backslashreplace")
