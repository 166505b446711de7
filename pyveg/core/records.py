"""Events as plain data: what leaves the process, and is read by whoever watches from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pyveg.core import secrets
from pyveg.core.clock import is_time
from pyveg.core.events import (
    ClosingStep,
    EngineStatus,
    Event,
    RunEnded,
    RunStarted,
    TaskEnded,
    TaskStarted,
)
from pyveg.core.tasks import State
from pyveg.core.usage import Usage

LONGEST_TEXT = 4_000
"""Characters of a reason or a line that are kept."""
LONGEST_DETAILS = 16_000
"""Characters of a traceback that are kept."""


class Kind(StrEnum):
    """What a Record tells."""

    RUN = "run"
    """The plan is made: `text` is the URL, `counts` the Tasks of each Module."""
    STARTED = "start"
    """A Task has begun."""
    ENDED = "end"
    """A Task has ended: `state`, `seconds`, the reason as `text`, the traceback as `details`.
    `flag`: others will meet the same; `usage`: what it took."""
    MANY = "many"
    """Tasks that ended at once for one reason, told together: `state`, and how many of each Module
    as `counts`. Those that were done before, or given up by an interrupt."""
    ENGINE = "engine"
    """How an engine is; `flag`: somebody should do something about it."""
    STEP = "step"
    """Something that is done when no Task is left."""
    OVER = "over"
    """No Task is left; `flag`: since the run was interrupted."""
    NOTE = "note"
    """A line of the log."""
    LOST = "lost"
    """`counts`: how many records could not be kept, since nothing could be written."""
    CLOSED = "close"
    """The attempt ends: how as `state`, why as `text`."""


@dataclass(frozen=True)
class Record:
    """One event as plain data.

    Examples
    --------
    >>> record = Record(Kind.ENDED, 1769860800.25, task="job/Start/00001", state="succeeded")
    >>> record.to_json()
    {'e': 'end', 't': 1769860800.25, 'id': 'job/Start/00001', 's': 'succeeded'}
    >>> Record.from_json(record.to_json()) == record
    True
    """

    kind: Kind
    at: float
    """When, seconds since 1970 (UTC), to the millisecond."""
    task: str = ""
    """The id of a Task."""
    state: str = ""
    seconds: float = 0.0
    text: str = ""
    details: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    flag: bool = False
    usage: Usage | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data with short names that `from_json` reads back; what is empty is left out."""
        data: dict[str, Any] = {"e": self.kind.value, "t": self.at}
        for short, name in _NAMES.items():
            value = getattr(self, name)
            if value:
                data[short] = value
        if self.usage is not None:
            data["u"] = self.usage.to_json()
        return data

    def to_line(self) -> bytes:
        """The same as UTF-8 on one line; of each event of a run, so by hand: it is half the work.

        Names of files may hold bytes that are no text, which Python shows as lone surrogates: they
        are written as escapes of JSON, and read back as they were.
        """
        line = f'{{"e":"{self.kind.value}","t":{self.at!r}'
        if self.task:
            line += f',"id":{_quoted(self.task)}'
        if self.state:
            line += f',"s":{_quoted(self.state)}'
        if self.seconds:
            line += f',"d":{self.seconds!r}'
        if self.text:
            line += f',"m":{_quoted(self.text)}'
        if self.details:
            line += f',"x":{_quoted(self.details)}'
        if self.counts:
            line += f',"n":{_encode(self.counts)}'
        if self.flag:
            line += ',"f":true'
        if self.usage is not None:
            line += f',"u":{_encode(self.usage.to_json())}'
        return f"{line}}}".encode("utf-8", "backslashreplace")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Read what `to_json` wrote; names that this version does not know are passed over.

        Raises
        ------
        ValueError
            If it is no event, or of a kind that this version does not know.
        """
        given = {name: data[short] for short, name in _NAMES.items() if short in data}
        try:
            usage = Usage.from_json(data.get("u"))
            record = cls(Kind(data["e"]), float(data["t"]), **given, usage=usage)
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"no event: {error}") from error
        if any(not isinstance(getattr(record, name), kind) for name, kind in _TYPES.items()):
            raise ValueError("no event: a value is of another type")
        if not all(isinstance(count, int) for count in record.counts.values()):
            raise ValueError("no event: a count is no whole number")
        if not (is_time(record.at) and is_time(record.seconds)):
            raise ValueError("no event: a time is none")
        return record


_NAMES = {
    "id": "task",
    "s": "state",
    "d": "seconds",
    "m": "text",
    "x": "details",
    "n": "counts",
    "f": "flag",
}
"""Short names as they are written -> fields."""
_TYPES: dict[str, Any] = {
    "task": str,
    "state": str,
    "seconds": int | float,
    "text": str,
    "details": str,
    "counts": Mapping,
    "flag": bool,
}


def record_of(event: Event, at: float) -> Record:
    """An event as plain data.

    Parameters
    ----------
    event : Event
    at : float
        When it happened, seconds since 1970 (UTC).
    """
    at = round(at, 3)
    match event:
        case TaskEnded(result=result):
            return Record(
                Kind.ENDED,
                at,
                task=result.task_id,
                state=str(result.state),
                seconds=round(result.seconds, 3),
                text=kept(result.reason),
                details=kept(result.details, LONGEST_DETAILS),
                flag=result.shared,
                usage=None if result.state is State.CACHED else result.usage,
            )
        case TaskStarted(task=task):
            return Record(Kind.STARTED, at, task=task.id)
        case RunStarted(graph=graph, url=url):
            counts: dict[str, int] = {}
            for task in graph:
                counts[task.step.label] = counts.get(task.step.label, 0) + 1
            return Record(Kind.RUN, at, text=secrets.redacted(url), counts=counts)
        case EngineStatus(text=text, urgent=urgent):
            return Record(Kind.ENGINE, at, text=kept(text), flag=urgent)
        case ClosingStep(text=text):
            return Record(Kind.STEP, at, text=kept(text))
        case RunEnded(interrupted=interrupted):
            return Record(Kind.OVER, at, flag=interrupted)


def kept(text: str, most: int = LONGEST_TEXT) -> str:
    """A text as it is kept: without secrets, and cut where it is too long."""
    return secrets.redacted_ends(text, most)


def plain_bytes(data: Any) -> bytes:
    """JSON as UTF-8 on one line; text as `Record.to_line` has it."""
    return _encode(data).encode("utf-8", "backslashreplace")


_quoted = json.encoder.encode_basestring
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
