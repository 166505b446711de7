"""Lists of inputs that say more of each than where it is: a JSON object on each line.

``@list.jsonl`` has lines such as ::

    {"input": "https://example.org/a.jpg", "file": "a.jpg", "meta": {"camera": 7}}

``file`` is what results call it, and ``meta`` anything that is copied to its result; both may be
left out. A line that is a text is the input alone. The list is read line by line, as it may have
millions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError

ENDING = ".jsonl"
_KEYS = frozenset({"input", "file", "meta", "refused"})
_LONGEST = 64 * 2**20
"""Bytes of a line."""


def entries(path: str) -> Iterator[dict[str, Any]]:
    """What the lines of a list say.

    Parameters
    ----------
    path : str

    Yields
    ------
    dict
        ``input`` (str), and where they were given ``file`` (str), ``meta`` (any) and ``refused``
        (str: why this one is not to be opened).

    Raises
    ------
    ConfigError
        If the list cannot be read, or a line is none.
    """
    try:
        with Path(path).open("rb") as stream:
            number = 0
            while line := stream.readline(_LONGEST + 1):
                number += 1
                if line.strip():
                    yield _entry(line, path, number)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"inputs: the list {path} cannot be read: {getattr(error, 'strerror', '') or error}",
            "give @ and the path of a file with a JSON object on each line",
        ) from error


def _entry(line: bytes, path: str, number: int) -> dict[str, Any]:
    where = f"inputs: line {number} of {path}"
    if len(line) > _LONGEST:
        raise ConfigError(f"{where} has more than {_LONGEST // 2**20} MB", "divide the list")
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        raise ConfigError(f"{where} is no JSON", "write one object on each line") from None
    entry = {"input": given} if isinstance(given, str) else given
    texts = ("input", "file", "refused")
    if (
        not isinstance(entry, dict)
        or not entry.get("input")
        or not set(entry) <= _KEYS
        or not all(isinstance(entry.get(name, ""), str) for name in texts)
    ):
        raise ConfigError(f"{where} is no input", 'write {"input": ADDRESS, "file": NAME}')
    return entry
