"""Answers that are there already: files named after a digest of what was asked.

Writes are atomic, so processes may share a folder. A file that cannot be read counts as missing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def key_of(question: Any) -> str:
    """Digest of plain data, independent of the order of its names."""
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


class Cache:
    """A folder of answers.

    Parameters
    ----------
    folder : str
        ``~`` is the user's home. Empty: nothing is kept.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder).expanduser() if folder else None

    def read_json(self, key: str) -> Any:
        """What was kept under a key, or None."""
        data = self._read(f"{key}.json")
        try:
            return None if data is None else json.loads(data)
        except ValueError:
            return None

    def write_json(self, key: str, value: Any) -> None:
        """Keep plain data."""
        self._write(f"{key}.json", json.dumps(value).encode())

    def read_array(self, key: str) -> NDArray[np.void] | None:
        """A structured array, or None."""
        data = self._read(f"{key}.npz")
        if data is None:
            return None
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                found: NDArray[np.void] = file["pixels"]
        except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None
        return found

    def write_array(self, key: str, array: NDArray[np.void]) -> None:
        """Keep a structured array, compressed without loss."""
        if self.folder is None:
            return
        buffer = io.BytesIO()
        np.savez_compressed(buffer, pixels=array)
        self._write(f"{key}.npz", buffer.getvalue())

    def _read(self, name: str) -> bytes | None:
        if self.folder is None:
            return None
        try:
            return _path(self.folder, name).read_bytes()
        except OSError:
            return None

    def _write(self, name: str, data: bytes) -> None:
        """A full or read-only disk costs the cache, never the answer."""
        if self.folder is None:
            return
        path, partial = _path(self.folder, name), ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(partial).replace(path)
        except OSError:
            if partial:
                with suppress(OSError):
                    Path(partial).unlink(missing_ok=True)


def _path(folder: Path, name: str) -> Path:
    """In one of 256 folders, so that none grows too long."""
    return folder / name[:2] / name
