"""Where a machine keeps applications and their environments, for all tasks and runs on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pyveg.caches import VARIABLE, cache_folder
from pyveg.core.errors import CommandError

_NODE = "AZ_BATCH_NODE_SHARED_DIR"
"""Set on nodes of Azure Batch: the folder that all tasks of a node share."""
_FOR_ALL = 0o777


def machine_folder(kind: str) -> Path:
    """A folder for what is made once per machine; below ``PYVEG_CACHE`` where that is set.

    Parameters
    ----------
    kind : str
        ``"applications"`` or ``"application_environments"``.

    Raises
    ------
    CommandError
        If it cannot be made.
    """
    folder = _root() / kind
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if _NODE in os.environ:  # each task of a node may run as a user of its own
            _open_to_all(folder)
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be made: {error.strerror or error}",
            f"set {VARIABLE} to a folder that may be written to",
        ) from error
    return folder


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Let one process of this machine at a time make what is at a path."""
    lock = path.with_name(f"{path.name}.lock")
    with FileLock(lock, mode=0o666 if _NODE in os.environ else 0o644):
        yield


def readable_by_all(folder: Path) -> None:
    """On a node, let the users of other tasks read what is in a folder and run its programs."""
    if _NODE not in os.environ:
        return
    for root, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            path = Path(root, name)
            if not path.is_symlink():
                run = 0o111 if path.is_dir() or path.stat().st_mode & 0o100 else 0
                path.chmod(path.stat().st_mode | 0o444 | run)


def _root() -> Path:
    for name, below in (("PYVEG_ENVIRONMENTS", ""), (_NODE, "pyveg-applications")):
        if os.environ.get(name):
            return Path(os.environ[name], below)
    return cache_folder()


def _open_to_all(folder: Path) -> None:
    for path in (folder, folder.parent):
        if path.stat().st_uid == os.getuid():
            path.chmod(_FOR_ALL)
