"""What the run of a job tells: its log, its Tasks and its nodes, read from its Store."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from threading import Lock
from typing import Any, Literal

from pyveg.core.errors import ConfigError, NotARunError, PyvegError
from pyveg.core.ports import EngineView, Store
from pyveg.core.records import Kind
from pyveg.core.secrets import redacted
from pyveg.jobs.locations import open_location
from pyveg.jobs.watching import engine_views
from pyveg.runs.run import Run, is_run, open_run
from pyveg.runs.task_view import look_at_task
from pyveg.runs.telling import Told, events_of
from pyveg.service.refusals import Refusal

Level = Literal["info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("info", "warning", "error")
_STAMP = len("2026-01-31 12:00:00 ")
_TABLES = 8
"""Runs whose Tasks are remembered."""
_MOST_KEPT = 20_000
"""Tasks of one run that are remembered; a larger run is read anew each time."""
_END_OF_LOG = 20_000
"""Bytes of what a Task's program said that are shown."""


@dataclass(frozen=True)
class LogEntry:
    """Something that a run has told."""

    id: str
    """What comes after it is had by giving this as the offset."""
    level: Level
    time: str
    """ISO 8601."""
    message: str
    task: str = ""


@dataclass(frozen=True)
class LogPage:
    """Part of a log."""

    entries: list[LogEntry]
    next: str
    """Where the next part begins, also of what is not told yet."""
    more: bool
    """Whether there is more at this moment."""


@dataclass(frozen=True)
class TaskLine:
    """How one Task is, or ended the last time."""

    id: str
    module: str
    """``<sequence>/<module>``."""
    state: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class TaskPage:
    """Part of the Tasks of a run."""

    tasks: list[TaskLine]
    next: str
    """Cursor of the next part; empty at the end."""


@dataclass
class _Tasks:
    """The Tasks of a run as far as it was read."""

    place: str = ""
    lines: dict[str, TaskLine] = field(default_factory=dict)
    guard: Lock = field(default_factory=Lock)


class Tellers:
    """Reads runs, and remembers how far it has read the Tasks of each."""

    def __init__(self) -> None:
        self._tables: OrderedDict[str, _Tasks] = OrderedDict()
        self._guard = Lock()

    def tasks(self, url: str, state: str, limit: int, cursor: str) -> TaskPage:
        """Tasks that have begun, in that order.

        Parameters
        ----------
        url : str
            Address of the run.
        state : str
            Only those in this state; all where empty.
        limit : int
        cursor : str
            `TaskPage.next` of the part before.
        """
        begin = number(cursor)
        store = store_at(url)
        if not is_run(store):
            return TaskPage([], "")
        known = self._of(url)
        with known.guard:
            for told in events_of(store, known.place):
                _take(known.lines, told)
                known.place = told.place
            lines = list(known.lines.values())
        if len(lines) > _MOST_KEPT:
            self.forget(url)
        wanted = [line for line in lines if state in ("", line.state)]
        end = begin + limit
        return TaskPage(wanted[begin:end], str(end) if end < len(wanted) else "")

    def _of(self, url: str) -> _Tasks:
        with self._guard:
            found = self._tables.setdefault(url, _Tasks())
            self._tables.move_to_end(url)
            while len(self._tables) > _TABLES:
                self._tables.popitem(last=False)
        return found

    def forget(self, url: str) -> None:
        """Forget a run that is removed."""
        with self._guard:
            self._tables.pop(url, None)


@lru_cache(maxsize=64)
def store_at(url: str) -> Store:
    """The Store of a run by its address, there or not."""
    return open_location(url)


def run_at(url: str) -> Run | None:
    """The run at an address; None where it has not begun."""
    store = store_at(url)
    return open_run(store) if is_run(store) else None


def log(url: str, after: str = "", level: str = "", limit: int = 200) -> LogPage:
    """Part of the log of a run.

    Parameters
    ----------
    url : str
    after : str
        `LogEntry.id` of the last that is known; from the beginning where empty.
    level : str
        The least level; all where empty.
    limit : int
        Entries at most.

    Raises
    ------
    Refusal
        400 where `after` is no such place.
    """
    store = store_at(url)
    least = LEVELS.index(level) if level in LEVELS else 0
    entries: list[LogEntry] = []
    place = after
    try:
        for told in events_of(store, after):
            if len(entries) == limit:
                return LogPage(entries, place, more=True)
            place = told.place
            entry = entry_of(told)
            if entry is not None and LEVELS.index(entry.level) >= least:
                entries.append(entry)
    except ConfigError as error:
        raise Refusal(400, error.wrong, error.cure) from None
    return LogPage(entries, place, more=False)


def entry_of(told: Told) -> LogEntry | None:
    """An event as an entry of the log; None for the beginning of a Task."""
    lines = told.lines
    if not lines:
        return None
    message = "\n".join([lines[0][_STAMP:], *lines[1:]])
    at = str(told.to_json()["at"])
    return LogEntry(told.place, _level(told), at, redacted(message), told.record.task)


def task(url: str, task_id: str) -> dict[str, Any]:
    """Everything that a run holds of one Task.

    Raises
    ------
    Refusal
        404 where the run knows none of that name, or has not begun.
    """
    run = run_at(url)
    try:
        if run is None:
            raise NotARunError("the run of the job has not begun", "try again later")
        view = look_at_task(run, task_id)
    except PyvegError as error:
        raise Refusal(404, error.wrong, error.cure) from None
    texts = {key.rpartition("/")[2]: _end_of(run.store, key) for key in view.logs}
    return {**view.to_json(), "texts": texts}


def nodes(url: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The machines that work for a run, and why others cannot be seen."""
    run = run_at(url)
    if run is None or not run.status().may_go_on:
        return [], []
    views, reasons = engine_views(run)
    found: list[dict[str, Any]] = []
    for view in views:
        try:
            found += _nodes(view)
        except PyvegError as error:
            reasons.append(str(error))
    return found, reasons


def _nodes(view: EngineView) -> list[dict[str, Any]]:
    work: dict[str, list[str]] = {}
    for one in view.running():
        work.setdefault(one.node, []).extend(one.task_ids)
    return [
        {
            "id": node.id,
            "state": node.state,
            "since": node.since.isoformat(timespec="seconds") if node.since else None,
            "reason": redacted(node.reason),
            "tasks": work.get(node.id, []),
        }
        for node in view.nodes()
    ]


def _take(lines: dict[str, TaskLine], told: Told) -> None:
    record = told.record
    if record.kind is Kind.STARTED:
        lines[record.task] = TaskLine(record.task, _module(record.task), "running", 0.0)
    elif record.kind is Kind.ENDED:
        line = lines.get(record.task) or TaskLine(record.task, _module(record.task), "", 0.0)
        lines[record.task] = replace(
            line, state=record.state, seconds=record.seconds, reason=redacted(record.text)
        )


def _module(task_id: str) -> str:
    return "/".join(task_id.split("/")[:2])


def _level(told: Told) -> Level:
    record = told.record
    if record.kind in (Kind.ENDED, Kind.MANY):
        return {"failed": "error", "blocked": "warning"}.get(record.state, "info")  # type: ignore[return-value]
    if record.kind is Kind.CLOSED and record.state == "failed":
        return "error"
    warns = record.kind is Kind.LOST or (record.kind is Kind.ENGINE and record.flag)
    return "warning" if warns else "info"


def _end_of(store: Store, key: str) -> str:
    size = store.size(key) or 0
    with store.open_read(key) as stream:
        rest = size - _END_OF_LOG
        while rest > 0:
            rest -= len(stream.read(min(rest, 1 << 20)) or b" " * rest)
        return redacted(stream.read(_END_OF_LOG).decode("utf-8", "replace"))


def number(cursor: str) -> int:
    """The number that a cursor is; 0 where it is empty.

    Raises
    ------
    Refusal
        400 where it is none.
    """
    if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
        raise Refusal(400, f"{cursor[:40]!r} is no cursor", "give the one of the last page")
    return int(cursor or 0)
