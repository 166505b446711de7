"""Parts of an answer that are there already: values and tiles, by the digest of what was asked."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.values import read_json
from pyveg.sources.file_cache import FileCache


def key_of(question: Any) -> str:
    """Digest of plain data, independent of the order of its names."""
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


class Cache:
    """Plain data and arrays; what cannot be read counts as missing.

    Parameters
    ----------
    folder : str
        As for `FileCache`.
    """

    def __init__(self, folder: str) -> None:
        self._files = FileCache(folder, "earth_engine")

    @property
    def empty(self) -> bool:
        """Whether nothing is stored at all."""
        return self._files.empty

    def read_json(self, key: str) -> Any:
        """What is stored under a key, or None."""
        data = self._files.read(f"{key}.json")
        try:
            return None if data is None else read_json(data)
        except ValueError:
            return None

    def write_json(self, key: str, value: Any) -> None:
        """Store plain data."""
        self._files.write(f"{key}.json", json.dumps(value).encode())

    def read_array(self, key: str) -> NDArray[np.void] | None:
        """A structured array, or None."""
        data = self._files.read(f"{key}.npz")
        if data is None:
            return None
        try:
            # A pickle could run the code of whoever can write to the folder.
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                pixels: NDArray[np.void] = file["pixels"]
        except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None
        return pixels

    def has_array(self, key: str) -> bool:
        """Whether an array is stored; it is not looked at."""
        path = self._files.path(f"{key}.npz")
        return path is not None and path.is_file()

    def write_array(self, key: str, array: NDArray[np.void]) -> None:
        """Store a structured array, compressed without loss."""
        if self._files.folder is None:
            return  # before the array is compressed for nothing
        buffer = io.BytesIO()
        np.savez_compressed(buffer, pixels=array)
        self._files.write(f"{key}.npz", buffer.getvalue())
