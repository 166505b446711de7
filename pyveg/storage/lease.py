"""A lock for storage without locks: a small object that its holder renews while it lives."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from dataclasses import asdict
from typing import Any

from pyveg.core.errors import RunLockedError
from pyveg.storage.holder import Holder, locked

_SETTLE_SECONDS = 0.2
"""How long two that take over an old lease at once wait to see whose write came last."""


class Lease:
    """One lease at one path.

    Taken by an exclusive write where the file system can, otherwise by writing and looking whose
    write came last. One that has run out is taken over the second way. Clocks of machines that
    share a run must agree to much less than `seconds`.

    Parameters
    ----------
    fs : fsspec file system
    path : str
    where : str
        The Store, for the message.
    seconds : float
        How long it lasts without being renewed; it is renewed three times as often.
    """

    def __init__(self, fs: Any, path: str, where: str, seconds: float) -> None:
        self._fs, self._path, self._where, self._seconds = fs, path, where, seconds
        self._token = uuid.uuid4().hex
        self._holder = Holder()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True, name="pyveg-lease")

    def acquire(self) -> None:
        """Take it, or raise `RunLockedError`."""
        if not self._create():
            found = self._read()
            if found is not None and found["expires"] > time.time():
                raise self._refused(found)
            self._write()
            time.sleep(_SETTLE_SECONDS)
            now = self._read()
            if now is None or now["token"] != self._token:
                raise self._refused(now)
        self._thread.start()

    def release(self) -> None:
        """Give it back, unless somebody else has it by now."""
        self._done.set()
        self._thread.join()
        if self._is_mine():
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path)

    def _refused(self, found: dict[str, Any] | None) -> RunLockedError:
        holder = Holder.from_json(json.dumps(found)) if found else None
        error = locked(self._where, holder)
        return RunLockedError(f"{error} (if it was killed, wait {self._seconds:g} seconds)")

    def _document(self) -> bytes:
        expires = time.time() + self._seconds
        return json.dumps(
            {**asdict(self._holder), "token": self._token, "expires": expires}
        ).encode()

    def _create(self) -> bool:
        """Write it where there is none; False where there is one already."""
        try:
            self._fs.pipe_file(self._path, self._document(), mode="create")
        except FileExistsError:
            return False
        except (TypeError, NotImplementedError, ValueError):  # this file system cannot do that
            return False
        return self._is_mine()

    def _write(self) -> None:
        self._fs.pipe_file(self._path, self._document())

    def _read(self) -> dict[str, Any] | None:
        """The lease that is there; None where there is none or it cannot be understood."""
        try:
            found = json.loads(self._fs.cat_file(self._path))
            return {**found, "expires": float(found["expires"]), "token": str(found["token"])}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _is_mine(self) -> bool:
        found = self._read()
        return found is not None and found["token"] == self._token

    def _renew(self) -> None:
        while not self._done.wait(self._seconds / 3):
            with contextlib.suppress(Exception):  # the network may be back next time
                if self._is_mine():
                    self._write()
