"""What is said of an image, as a line of JSON: written once by a shard, and copied as it is.

Lines are not parsed to be joined, as there may be millions. Where something is looked for in one,
it begins with ``,"``: within a text of JSON a quotation mark has a backslash before it, so what is
found is no part of a name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

_BLOCK = 4096
_FAILURE, _DETECTIONS, _CONFIDENCE = b',"failure":', b',"detections":', b',"conf":'


def encoded(value: Mapping[str, Any]) -> bytes:
    """A line."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def failure(file: str, reason: str) -> bytes:
    """The line of an image that could not be looked at."""
    return encoded({"file": file, "failure": reason, "detections": None})


def detections(file: str, found: Sequence[Mapping[str, Any]]) -> bytes:
    """The line of an image with what is on it, the surest first."""
    return encoded({"file": file, "detections": found})


def blocks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Some thousand lines at a time."""
    each = iter(lines)
    while block := list(islice(each, _BLOCK)):
        yield block


def failures(block: Sequence[bytes]) -> list[tuple[str, str]]:
    """Names and reasons of images that could not be looked at.

    Examples
    --------
    >>> failures([failure("a.jpg", "it is gone"), detections("b.jpg", [])])
    [('a.jpg', 'it is gone')]
    """
    if not any(_FAILURE in line for line in block):
        return []
    found = [json.loads(line) for line in block if _FAILURE in line]
    return [(one["file"], one["failure"]) for one in found]


def joined(block: Sequence[bytes], version: str) -> bytes:
    """Lines as entries of a list, in a version of the results format.

    Examples
    --------
    >>> joined([detections("b.jpg", [])], "1.1")
    b'{"file":"b.jpg","max_detection_conf":0.0,"detections":[]}'
    """
    lines = map(_with_surest, block) if version == "1.1" else block
    return b"".join(lines).rstrip(b"\n").replace(b"\n", b",\n")


def _with_surest(line: bytes) -> bytes:
    """A line with the confidence of its first detection by itself, as version 1.1 has it."""
    if _FAILURE in line:
        return line
    name, _, found = line.partition(_DETECTIONS)
    _, _, rest = found.partition(_CONFIDENCE)
    surest = rest.partition(b",")[0] or b"0.0"
    return name + b',"max_detection_conf":' + surest + _DETECTIONS + found
