"""Writes `_pyveg/run.log`: whole, and only so often that its bytes grow with its length."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
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
_AT_A_TIME = 0.2
"""Seconds that are spent at once on reading back what earlier attempts have told."""


class LogWriter:
    """Keeps the lines of an attempt in a temporary file, and puts them behind those before it.

    Where this machine has no room for the temporary file, the log is drawn from the events at the
    end, and nothing of it is written before.

    Parameters
    ----------
    store : Store
    epoch : int
        The attempt. What the attempts before it have told is read back from the Store.
    """

    def __init__(self, store: Store, epoch: int) -> None:
        self._store = store
        self._epoch = epoch
        self._before: IO[bytes] = _temporary()
        self._reader: Iterator[str] | None = None
        self._is_read = False
        self._own: IO[bytes] = _temporary()
        self._has_room = True
        self._written = 0
        self._failed_at: float | None = None

    def add(self, lines: Iterable[str]) -> None:
        """Take lines."""
        if not self._has_room:
            return
        try:
            self._own.writelines(_bytes_of(line) for line in lines)
        except OSError:
            self._has_room = False

    def due(self, now: float) -> bool:
        """Whether something is to be done: the log is twice as long as when it was written last."""
        if self._failed_at is not None and now - self._failed_at < _RETRY:
            return False
        return self._has_room and (not self._is_read or self._has_doubled())

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
            self._read_back(float("inf") if last else _AT_A_TIME)
            if last or (self._is_read and self._has_doubled()):
                self._put()
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
        self._before.close()

    def _has_doubled(self) -> bool:
        return self._length() >= 2 * max(self._written, _SHORT)

    def _length(self) -> int:
        return self._before.tell() + self._own.tell()

    def _read_back(self, seconds: float) -> None:
        """Read what the attempts before this one have told, a part of it at a time."""
        if self._is_read or not self._has_room:
            return
        if self._reader is None:
            earlier = [key for key in segment_keys(self._store) if epoch_of(key) < self._epoch]
            self._reader = log_so_far(self._store, earlier, all_over=True)
        end = time.monotonic() + seconds
        try:
            for line in self._reader:
                self._before.write(_bytes_of(line))
                if time.monotonic() > end:
                    return
        except BaseException as error:
            self._has_room = not isinstance(error, OSError)
            self._reader = None
            self._before.close()
            self._before = _temporary()
            raise
        self._is_read, self._reader = True, None
        self._written = self._before.tell()  # what was there already

    def _put(self) -> None:
        with self._store.open_write(LOG_FILE) as out:
            if not self._has_room:
                out.writelines(_bytes_of(line) for line in log_so_far(self._store))
                return
            for part in (self._before, self._own):
                end = part.tell()
                part.seek(0)
                try:
                    shutil.copyfileobj(part, out)
                finally:
                    part.seek(end)
        self._written = self._length()


def _temporary() -> IO[bytes]:
    """A file that is in memory while it is small."""
    return tempfile.SpooledTemporaryFile(_IN_MEMORY, prefix="pyveg-")


def _bytes_of(line: str) -> bytes:
    return f"{line}\n".encode("utf-8", "backslashreplace")
