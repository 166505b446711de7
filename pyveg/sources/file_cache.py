"""A folder of what services have answered, for all runs and processes of a machine.

Files are named by the digest of what was asked. A file appears whole or not at all. A folder that
cannot be read or written costs more requests, but never an answer.
"""

from __future__ import annotations

import functools
import logging
import os
import tempfile
from pathlib import Path

from pyveg.caches import cache_folder

log = logging.getLogger(__name__)

NONE = "none"
"""The value of the setting ``cache`` that stores nothing."""


class FileCache:
    """Small files by name.

    Parameters
    ----------
    folder : str
        The setting ``cache`` of a Source: a path, ``"none"``, or empty for the usual folder.
    usual : str
        Name of that one in `pyveg.caches.cache_folder`.
    """

    def __init__(self, folder: str, usual: str) -> None:
        self.folder: Path | None = None
        try:
            if folder != NONE:
                self.folder = Path(folder).expanduser() if folder else cache_folder() / usual
        except RuntimeError as error:  # nobody knows where this user is at home
            _warn_once(f"answers are not stored: {error}")

    def read(self, name: str) -> bytes | None:
        """What is stored under a name; None where nothing is."""
        if self.folder is None:
            return None
        try:
            return self._path(self.folder, name).read_bytes()
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Store something, in place of what was stored under that name."""
        if self.folder is None:
            return
        path = self._path(self.folder, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, data)
        except OSError as error:
            why = error.strerror or error
            _warn_once(f"{self.folder} cannot be written, and answers are not stored: {why}")

    @property
    def empty(self) -> bool:
        """Whether nothing is stored at all, which is found sooner than that many names are not."""
        if self.folder is None:
            return True
        try:
            with os.scandir(self.folder) as entries:
                return next(entries, None) is None
        except OSError:
            return True

    def path(self, name: str) -> Path | None:
        """Where something of that name would be; None where nothing is stored."""
        return None if self.folder is None else self._path(self.folder, name)

    @staticmethod
    def _path(folder: Path, name: str) -> Path:
        """In one of 256 folders, so that none grows too long."""
        return folder / name[:2] / name


@functools.cache
def _warn_once(text: str) -> None:
    """Once per process, and not for each of thousands of files."""
    log.warning(text)


def _write_whole(path: Path, data: bytes) -> None:
    """By another name first, so that nobody ever reads half of it."""
    # In the same folder: a file is moved in one step only within one file system.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
