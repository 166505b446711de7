"""The key of a service, with which it signs links and forms; it stays in its folder."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

from pyveg.core.errors import StoreError
from pyveg.core.secrets import know_file
from pyveg.core.texts import said

TOKEN_BEGINS = "pyveg_"
"""What all tokens of callers begin with, so that they are known by their form."""
_FILE = "service.key"
_BYTES = 32


def make(data: Path) -> None:
    """Make the key where there is none; called before other processes read it.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    path = data / _FILE
    know_file(path)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(_BYTES))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {said(error)}") from error


def signature(data: Path, purpose: str, text: str) -> str:
    """What only a service with this key says of a text, for one purpose.

    Parameters
    ----------
    data : Path
        The folder of the service.
    purpose : str
        So that what is signed for one is nothing for another.
    text : str
    """
    message = f"{purpose}\0{text}".encode("utf-8", "surrogateescape")
    return hmac.new(_key(data), message, hashlib.sha256).hexdigest()


def is_signed(data: Path, purpose: str, text: str, given: str) -> bool:
    """Whether a signature is the one of a text."""
    expected = signature(data, purpose, text)
    return hmac.compare_digest(expected, given.encode("ascii", "replace").decode())


@lru_cache(maxsize=8)
def _key(data: Path) -> bytes:
    path = data / _FILE
    know_file(path)
    try:
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"the key of the service, {path}, cannot be read: {said(error)}", "start the service"
        ) from error
    if len(key) != _BYTES:
        raise StoreError(
            f"the key of the service, {path}, is damaged", "remove it, and start the service again"
        )
    return key
