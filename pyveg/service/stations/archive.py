"""The files of stations, in PhenoCam's layout: ``<station>/<YYYY>/<mm>/<name>.jpg``."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyveg.cameras.names import file_name
from pyveg.cameras.roistats import time_of
from pyveg.core.errors import StoreError, StoreFullError
from pyveg.core.texts import said

_PART = ".part"
_GONE = ".deleted-"


class Archive:
    """A folder of stations.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def image_path(self, station: str, taken: int, ending: str) -> str:
        """Where an image belongs, below the folder."""
        when = time_of(taken)
        return f"{station}/{when.year:04d}/{when.month:02d}/{file_name(station, when, ending)}"

    def mask_path(self, station: str, roi: str, number: int) -> str:
        """Where a mask belongs."""
        return f"{station}/ROI/{station}_{roi}_{number:02d}.tif"

    @contextmanager
    def written(self, path: str, data: bytes) -> Iterator[Part]:
        """Have a file on the disk, beside its place; it is removed where nobody puts it there."""
        target = self.folder / path
        part = target.with_name(f".{uuid.uuid4().hex}{_PART}")
        try:
            with _told():
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
            yield Part(part, target)
        finally:
            part.unlink(missing_ok=True)

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises
        ------
        StoreError
        """
        with _told():
            return (self.folder / path).read_bytes()

    def stamp(self, path: str) -> str:
        """What tells a file from the one that stood there before."""
        with _told():
            found = (self.folder / path).stat()
        return f"{path} {found.st_ino} {found.st_mtime_ns}"

    def set_aside(self, station: str) -> Path | None:
        """Take the folder of a station away, at once and as a whole; None where there is none."""
        aside = self.folder / f"{_GONE}{uuid.uuid4().hex}"
        with _told():
            try:
                (self.folder / station).rename(aside)
            except FileNotFoundError:
                return None
        return aside

    def tidy(self) -> None:
        """Remove what a server that was killed has left half done; called before others write."""
        for path in self.folder.glob(f"{_GONE}*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(f"*/*/*/.*{_PART}"):
            path.unlink(missing_ok=True)


class Part:
    """A file beside its place."""

    def __init__(self, part: Path, target: Path) -> None:
        self._part = part
        self._target = target

    def place(self) -> None:
        """Put it there, so that it stays there whenever the power goes."""
        with _told():
            self._part.replace(self._target)
            descriptor = os.open(self._target.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFullError("the disk of the stations is full", "make room on it") from error
        raise StoreError(f"the folder of stations cannot be used: {said(error)}") from error
