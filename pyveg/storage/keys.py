"""What a key may look like; the same for every Store, so that a run can move between them."""

from __future__ import annotations

import re

from pyveg.core.errors import StoreError

PARTIAL = ".partial"
"""Folder at the root of a Store for values that are still being written."""
LOCKS = ".locks"
"""Folder at the root of a Store for its locks."""
RESERVED = frozenset({PARTIAL, LOCKS})
"""First parts that no key has; `list` does not show them."""

_DRIVE = re.compile("[A-Za-z]:")
_CURE = 'write it as "folder/name", with "/" between its parts'


def check_key(key: str) -> str:
    """Give a key back, or refuse it.

    A key is relative, has "/" between its parts, and names the same thing on every system.

    Raises
    ------
    StoreError
        If it cannot be a key; names it and says why.
    """
    fault = _fault(key)
    if fault:
        raise StoreError(f"{key!r} cannot be a key: {fault}", _CURE)
    return key


def check_prefix(prefix: str) -> str:
    """Give the beginning of some keys back, or refuse what no key can begin with.

    Raises
    ------
    StoreError
        If no key can begin so.
    """
    fault = _fault(f"{prefix}x")  # any key that begins with it
    if fault:
        raise StoreError(f"no key can begin with {prefix!r}: {fault}", _CURE)
    return prefix


def _fault(key: str) -> str:
    """What is wrong with a key; empty where nothing is."""
    parts = key.split("/")
    if "" in parts:
        return "it is empty, absolute, or has an empty part"
    if "." in parts or ".." in parts:
        return 'it has a part "." or ".."'
    if parts[0] in RESERVED:
        return f'"{parts[0]}" is kept for the Store itself'
    if "\\" in key or "\0" in key:
        return "it has a backslash or a NUL"
    if _DRIVE.match(key):
        return "it begins with the letter of a drive"
    return "" if _is_text(key) else "it is not valid Unicode"


def _is_text(key: str) -> bool:
    """Whether it can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
