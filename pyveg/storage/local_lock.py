"""The lock of a folder: one of the operating system, and a note that says whose it is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from pyveg.core.clock import elapsed
from pyveg.core.errors import StoreGoneError
from pyveg.core.ports import Holder
from pyveg.storage.lock_owner import LockOwner, locked
from pyveg.storage.process_marks import is_alive, is_of_other_start
from pyveg.storage.renewed_lock import TAKEOVER_SECONDS, Losable

BEAT_SECONDS = 10.0
"""How often the time of the note is set anew while the lock is held: a sign of life for other
hosts, which cannot see the process."""
_LOOK_SECONDS = 0.5
"""How long it is trusted that the folder is there, while somebody asks again and again."""
_SILENCE = timedelta(seconds=6 * BEAT_SECONDS)


class LocalLock(Losable):
    """The right to write to a folder, freed with the process however it ends.

    The file of the lock stays: another process may have it open already, and would lock a file
    that is no longer there. The note beside it stays too, as it has the epoch. Where somebody
    removes the folder, the lock is lost: it would not keep another process out of a new one.

    Parameters
    ----------
    path : Path
        The file of the lock.
    url : str
        Of the Store, for messages.
    """

    def __init__(self, path: Path, url: str) -> None:
        super().__init__()
        self._path = path
        self._url = url
        self._file = FileLock(path, thread_local=False)  # whoever ends the context, frees it
        self._looked = float("-inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pyveg-lock", daemon=True)

    def acquire(self) -> None:
        """Take it; `RunLockedError` where another process has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file.acquire(blocking=False)
        except Timeout:
            raise locked(self._url, _read(self._path)) from None
        try:
            self._sign()
        except BaseException:
            self._file.release()
            raise

    def _sign(self) -> None:
        """Raise the epoch, and give Tasks of a holder that died the time to see it."""
        before = _read(self._path)
        self.epoch = (before.epoch if before else 0) + 1
        self._owner = LockOwner(epoch=self.epoch)
        _write(self._path, self._owner)
        self._thread.start()
        if before is not None and not before.released:
            try:
                time.sleep(TAKEOVER_SECONDS)
            except BaseException:
                self._rest()
                raise

    def check(self) -> None:
        """Look whether the folder is there: a write would make it anew, with nothing else in it."""
        now = elapsed()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._look(os.stat)
        super().check()

    def _look(self, touch: Callable[[Path], object]) -> None:
        try:
            touch(_note(self._path))
        except (FileNotFoundError, NotADirectoryError):
            self._lose(_removed(self._url))
            self._announce()
        except OSError:  # a network drive that is away for a moment
            return

    def release(self) -> None:
        """Give it back."""
        self._rest()
        self._file.release()

    def _rest(self) -> None:
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        with suppress(OSError):
            if self._lost is None:
                _write(self._path, replace(self._owner, released=True))

    def _beat(self) -> None:
        while self._lost is None and not self._stop.wait(BEAT_SECONDS):
            self._look(os.utime)


def _removed(url: str) -> StoreGoneError:
    return StoreGoneError(
        f"the folder of the run, {url}, is gone: somebody removed it, or what is in it",
        "put it back where that is possible, or start the run again",
    )


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock of that file, or died while it did; raises `OSError`."""
    owner = _read(path)
    if owner is None or owner.released:
        return None
    try:
        seen = datetime.fromtimestamp(_note(path).stat().st_mtime, UTC)
    except FileNotFoundError:  # removed at this moment
        return None
    alive = is_alive(owner.host, owner.pid, owner.mark)
    # The machine was started again, unless another one has its name, whose process gives signs.
    if is_of_other_start(owner.host, owner.mark) and datetime.now(UTC) - seen > _SILENCE:
        alive = False
    return owner.holder(alive, seen)


def epoch_of(path: Path) -> int:
    """How often the lock of that file has been taken; raises `OSError`."""
    owner = _read(path)
    return owner.epoch if owner else 0


def _note(path: Path) -> Path:
    # Not the file of the lock, which Windows lets nobody else read while it is held.
    return path.with_name(f"{path.name}.holder")


def _read(path: Path) -> LockOwner | None:
    try:
        return LockOwner.from_json(_note(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write(path: Path, owner: LockOwner) -> None:
    """Put the note there, whole, also for those who read it now and after a loss of power."""
    note = _note(path)
    new = note.with_name(f"{note.name}.new")  # one name: only who holds the lock writes it
    with new.open("w", encoding="utf-8") as stream:
        stream.write(owner.to_json())
        stream.flush()
        os.fsync(stream.fileno())
    _replace(new, note)


def _replace(new: Path, note: Path) -> None:
    end = time.monotonic() + (2.0 if os.name == "nt" else 0.0)  # Windows: it is being read
    while True:
        try:
            new.replace(note)
        except PermissionError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)
        else:
            return
