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

from pyveg.core.types import Item

_BLOCK = 4096
_FAILURE, _DETECTIONS, _CONFIDENCE = b',"failure":', b',"detections":', b',"conf":'


def encoded(value: Mapping[str, Any]) -> bytes:
    """A line."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def failure(image: Item, reason: str) -> bytes:
    """The line of an image that could not be looked at."""
    return _of(image, {"failure": reason, "detections": None})


def detections(image: Item, found: Sequence[Mapping[str, Any]]) -> bytes:
    """The line of an image with what is on it, the surest first."""
    return _of(image, {"detections": found})


def _of(image: Item, said: Mapping[str, Any]) -> bytes:
    """What is said, and behind that what the list of images says of this one."""
    meta = {"meta": image.details["meta"]} if "meta" in image.details else {}
    return encoded({"file": image.name, **said, **meta})


def blocks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Some thousand lines at a time."""
    each = iter(lines)
    while block := list(islice(each, _BLOCK)):
        yield block


def failures(block: Sequence[bytes]) -> list[tuple[str, str]]:
    """Names and reasons of images that could not be looked at.

    Examples
    --------
    >>> failures([failure(Item("a.jpg"), "it is gone"), detections(Item("b.jpg"), [])])
    [('a.jpg', 'it is gone')]
    """
    if not any(_FAILURE in line for line in block):
        return []
    found = [json.loads(line) for line in block if _FAILURE in line]
    # Metadata, which are anyone's, may have that key too.
    return [(one["file"], one["failure"]) for one in found if "failure" in one]


def joined(block: Sequence[bytes], version: str) -> bytes:
    """Lines as entries of a list, in a version of the results format.

    Examples
    --------
    >>> joined([detections(Item("b.jpg"), [])], "1.1")
    b'{"file":"b.jpg","max_detection_conf":0.0,"detections":[]}'
    """
    lines = map(_with_surest, block) if version == "1.1" else block
    return b"".join(lines).rstrip(b"\n").replace(b"\n", b",\n")


def _with_surest(line: bytes) -> bytes:
    """A line with the confidence of its first detection by itself, as version 1.1 has it."""
    name, _, found = line.partition(_DETECTIONS)
    if found.startswith(b"null"):
        return line
    # In what was found only: metadata come behind it, and may have that key too.
    _, _, rest = (b"", b"", b"") if found.startswith(b"[]") else found.partition(_CONFIDENCE)
    surest = rest.partition(b",")[0] or b"0.0"
    return name + b',"max_detection_conf":' + surest + _DETECTIONS + found
