"""Notes about a job in its folder: which process does it, and how that ended before its run began.

They outlive both the server and the process, so that a server that is started again knows.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pyveg.core.secrets import redacted
from pyveg.storage.process_marks import is_alive, mark_of

ORDER = "order.json"
"""What the process of a job is to do."""
CHILD = "child.json"
"""Which process does it, or did."""
OUTCOME = "outcome.json"
"""How that process ended."""
PIPELINE = "pipeline.json"
"""The job as it was understood the first time."""
LOG = "child.log"
"""What the process has printed."""
LOCK = "child.lock"
"""Held by the process while it lives."""
_LAST_BYTES = 4_000
_LAST_LINES = 8

End = Literal["refused", "ended", "interrupted", "error", "busy"]
N = TypeVar("N", bound="ChildNote | Outcome")


@dataclass(frozen=True)
class ChildNote:
    """A process, so that it is known again."""

    pid: int
    host: str
    mark: str
    """Tells it from a later one of the same number."""

    @classmethod
    def of(cls, pid: int) -> ChildNote:
        """That of a process of this machine."""
        return cls(pid, socket.gethostname(), mark_of(pid))

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return bool(is_alive(self.host, self.pid, self.mark))


@dataclass(frozen=True)
class Outcome:
    """How the process of a job ended, in its own words."""

    end: End
    message: str = ""
    exit_code: int = 0


def read(folder: Path, name: str, kind: type[N]) -> N | None:
    """A note; None where there is none, or it cannot be read."""
    try:
        return kind(**json.loads((folder / name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(folder: Path, name: str, note: Any) -> None:
    """Put a note there, whole."""
    data: Any = note if isinstance(note, Mapping) else asdict(note)
    new = folder / f".{name}.{os.getpid()}"
    with new.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(data))
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(folder / name)


def last_words(folder: Path) -> str:
    """The last lines that the process of a job has printed, without secrets."""
    try:
        with (folder / LOG).open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - _LAST_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return redacted(" | ".join(lines[-_LAST_LINES:]))
