"""Events in a Store: numbered segments, each written once.

A segment is lines of JSON: first who wrote it, then one record on each line.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyveg.core import bulk
from pyveg.core.clock import is_time
from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import EVENTS
from pyveg.core.ports import Store
from pyveg.core.records import Record, plain_bytes

FORMAT = 1
_DAY = 24 * 60
"""Minutes; the clocks of a time zone differ by less."""
_AT_ONCE = 64
"""Segments that are in memory at once while many are read."""


def _offset() -> int:
    """Minutes by which the clock on this machine's wall is before UTC."""
    offset = datetime.now(UTC).astimezone().utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


@dataclass(frozen=True)
class Writer:
    """The process that writes the events of one attempt; this one where nothing else is said."""

    epoch: int
    """Which attempt: how often the lock of the run had been taken, this time included."""
    start: float
    """When it began, seconds since 1970 (UTC)."""
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    offset: int = field(default_factory=_offset)
    """Minutes by which its local time is before UTC: that is what its log is written in."""
    token: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def name(self) -> str:
        """The folder of its segments; sorted by name, attempts stand in order."""
        return f"{self.epoch:05}-{self.token}"

    def key(self, number: int) -> str:
        """Key of a segment, from 1."""
        return f"{EVENTS}/{self.name}/{number:06}.jsonl"

    def header(self) -> dict[str, Any]:
        """The first line of each of its segments."""
        return {
            "v": FORMAT,
            "host": self.host,
            "pid": self.pid,
            "epoch": self.epoch,
            "start": self.start,
            **({"z": self.offset} if self.offset else {}),
        }

    @classmethod
    def of(cls, key: str, header: Any) -> Writer:
        """Who wrote a segment; what a damaged first line does not say is taken from the key."""
        folder = key.split("/")[-2]
        said = header if isinstance(header, dict) else {}
        return cls(
            epoch=_epoch(folder),
            start=_number(said.get("start")),
            host=str(said.get("host", "?")),
            pid=int(_number(said.get("pid"))),
            offset=int(math.fmod(_number(said.get("z")), _DAY)),
            token=folder.partition("-")[2],
        )


@dataclass(frozen=True)
class Segment:
    """Some events, as they were written together."""

    key: str
    writer: Writer
    records: tuple[Record, ...]

    @property
    def next_key(self) -> str:
        """Where the one after it is, once it is written."""
        folder, _, name = self.key.rpartition("/")
        return f"{folder}/{int(name.partition('.')[0]) + 1:06}.jsonl"


def encoded(writer: Writer, lines: Iterable[bytes]) -> bytes:
    """A segment; each line is a record as `Record.to_line` gives it."""
    return b"\n".join([plain_bytes(writer.header()), *lines, b""])


def decoded(key: str, data: bytes) -> Segment:
    """Read a segment; lines that are damaged, or of a later version, are passed over."""
    header, *lines = [_parsed(line) for line in data.decode("utf-8", "replace").split("\n")]
    records = []
    for line in lines:
        try:
            records.append(Record.from_json(line))
        except (ValueError, TypeError, AttributeError):
            continue
    return Segment(key, Writer.of(key, header), tuple(records))


def segment_keys(store: Store, epoch: int | None = None) -> list[str]:
    """Keys of all segments, or of those of one attempt, in order."""
    prefix = f"{EVENTS}/" if epoch is None else f"{EVENTS}/{epoch:05}-"
    return [key for key in store.list(prefix) if is_segment(key)]


def is_segment(key: str) -> bool:
    """Whether a key is that of a segment, there or not."""
    parts = key.removeprefix(f"{EVENTS}/").split("/")
    return (
        key.startswith(f"{EVENTS}/")
        and len(parts) == 2
        and parts[0].partition("-")[0].isdecimal()
        and parts[1].endswith(".jsonl")
        and parts[1].removesuffix(".jsonl").isdecimal()
    )


def read_segments(store: Store, keys: Iterable[str]) -> Iterator[Segment]:
    """Read segments, many at once where that is faster; those that are gone are passed over."""
    names = list(keys)
    for begin in range(0, len(names), _AT_ONCE):
        for segment in bulk.each(
            store, lambda key: read_segment(store, key), names[begin : begin + _AT_ONCE]
        ):
            if segment is not None:
                yield segment


def read_segment(store: Store, key: str) -> Segment | None:
    """One segment; None where it is not there, or not yet."""
    try:
        return decoded(key, store.read(key))
    except KeyMissingError:
        return None


def epoch_of(key: str) -> int:
    """The attempt that a segment is of."""
    return _epoch(key.split("/")[-2])


def _epoch(folder: str) -> int:
    return int(folder.partition("-")[0])


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _number(value: Any) -> float:
    """What a damaged line may have instead of a number, or beyond all sense, is 0."""
    number = isinstance(value, int | float) and is_time(abs(value))
    return float(value) if number else 0.0
