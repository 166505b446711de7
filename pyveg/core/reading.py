"""Files that a user names, read to their end, which a device does not have."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from stat import S_ISBLK, S_ISCHR
from typing import IO

LARGEST = 2 * 2**30
"""Bytes; what is read at once is a config, a table or an image, and has less."""
_PIECE = 2**20


def read_whole(path: str | os.PathLike[str], most: int = LARGEST) -> bytes:
    """The contents of a file, or of a pipe such as ``<(command)``.

    Parameters
    ----------
    path : str or path-like
    most : int
        Bytes.

    Raises
    ------
    OSError
        If it is no path, cannot be read, is a device, or has more; its `strerror` says so.
    """
    with _opened(path) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if S_ISCHR(mode) or S_ISBLK(mode):
            raise OSError(errno.EINVAL, "it is a device, and no file", os.fspath(path))
        data = bytearray()
        # In pieces: what a file says of its length, a pipe or a file of the system may not keep.
        while piece := stream.read(_PIECE):
            data += piece
            if len(data) > most:
                text = f"it has more than {most // 2**20:,} MiB"
                raise OSError(errno.EFBIG, text, os.fspath(path))
    return bytes(data)


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return Path(path).open("rb")
    except ValueError:  # a NUL, or half a character
        raise OSError(errno.EINVAL, "it is no path") from None


def read_text(path: str | os.PathLike[str]) -> str:
    """The contents of a file as text in UTF-8; editors of Windows put a mark before it.

    Raises
    ------
    OSError
        As `read_whole`.
    UnicodeDecodeError
        If it is in another encoding.
    """
    text = read_whole(path).decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")
