"""Disks that are full, and quotas that are used up."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from pyveg.core.errors import StoreFullError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Numbers of the operating system that say so."""


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no room left."""
    return isinstance(error, OSError) and error.errno in NO_ROOM


def full(where: str) -> StoreFullError:
    """The error for a place without room."""
    return StoreFullError(
        f"{where}: the disk is full, or the quota is used up",
        "free some space or choose another folder, then run it again",
    )


@contextmanager
def room_for_temporary_files() -> Iterator[None]:
    """Say that it is the folder of temporary files that is full, which few people think of."""
    try:
        yield
    except OSError as error:
        if not is_full(error) or error.filename is not None:  # something else that was opened
            raise
        folder = tempfile.gettempdir()
        raise StoreFullError(
            f"{folder}: the disk of temporary files is full",
            "free some space there, or set TMPDIR to a folder on another disk",
        ) from error
