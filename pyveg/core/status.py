"""How a run is, in a small file that is replaced as it goes on: for machines, and for a glance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pyveg.core.clock import is_time
from pyveg.core.records import plain_bytes

FORMAT = 1
LARGEST = 2_000
"""Bytes of the file at most."""
FIRST_FAILURES = 3
"""Failures that are told with their reasons."""

_TIGHTER = (
    (8, 160, FIRST_FAILURES),
    (8, 80, FIRST_FAILURES),
    (5, 60, 2),
    (3, 40, 1),
    (1, 30, 1),
    (0, 20, 0),
)
"""Rows, characters of each text, failures: the first that fits is taken."""
_LONGEST_URL = 400


class Phase(StrEnum):
    """What an attempt at a run says of itself."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    """It ended with an error of its own: no report, and Tasks that were never tried."""


@dataclass(frozen=True)
class Row:
    """How far one Module is."""

    label: str
    """``<sequence>/<module>``."""
    done: int
    """Tasks that have ended, other than those that were given up."""
    total: int
    failed: int = 0
    """Of those that have ended."""


@dataclass(frozen=True)
class Failure:
    """A Task that failed, and why."""

    task: str
    reason: str


@dataclass(frozen=True)
class Status:
    """What an attempt at a run says of itself. Whether its process lives it cannot say.

    Examples
    --------
    >>> status = Status(url="runs/a", epoch=2, tasks=9, counts={"succeeded": 4})
    >>> status.done, Status.from_json(status.to_json()) == status
    (4, True)
    """

    url: str = ""
    epoch: int = 0
    """Which attempt: how often the lock of the run had been taken."""
    host: str = ""
    pid: int = 0
    phase: Phase = Phase.STARTING
    since: float = 0.0
    """When the attempt began, seconds since 1970 (UTC)."""
    at: float = 0.0
    """When this was written, the same way."""
    tasks: int = 0
    """Of the whole run."""
    running: int = 0
    """Tasks that have begun and not ended, where the engine tells of it."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """State -> Tasks that ended in it; exact."""
    rows: tuple[Row, ...] = ()
    """Modules; where there are many, those that have failures or are not done go first."""
    more_rows: int = 0
    """Modules that are not told of."""
    line: str = ""
    """What was last told: nodes that come up, a step at the end."""
    failures: tuple[Failure, ...] = ()
    """The first of each of the first reasons; `counts` has how many there are."""
    exit_code: int | None = None
    """None while it goes on, and where the process is not over."""
    error: str = ""
    """Why the run could not be carried out."""

    @property
    def done(self) -> int:
        """Tasks that have ended, other than those that were given up."""
        return sum(count for state, count in self.counts.items() if state != "cancelled")

    @property
    def over(self) -> bool:
        """Whether the attempt has ended in order."""
        return self.phase not in (Phase.STARTING, Phase.RUNNING)

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        return {
            "format": FORMAT,
            "url": self.url,
            "attempt": self.epoch,
            "host": self.host,
            "pid": self.pid,
            "state": str(self.phase),
            "since": self.since,
            "at": self.at,
            "tasks": self.tasks,
            "running": self.running,
            "counts": dict(self.counts),
            "modules": [[row.label, row.done, row.total, row.failed] for row in self.rows],
            "more_modules": self.more_rows,
            "line": self.line,
            "failures": [[one.task, one.reason] for one in self.failures],
            "exit_code": self.exit_code,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, data: Any) -> Status:
        """Read what `to_json` wrote; names that this version does not know are passed over.

        Raises
        ------
        ValueError
            If it is no status.
        """
        try:
            code = data["exit_code"]
            status = cls(
                url=str(data["url"]),
                epoch=int(data["attempt"]),
                host=str(data["host"]),
                pid=int(data["pid"]),
                phase=Phase(data["state"]),
                since=float(data["since"]),
                at=float(data["at"]),
                tasks=int(data["tasks"]),
                running=int(data["running"]),
                counts={str(state): int(count) for state, count in data["counts"].items()},
                rows=tuple(Row(str(row[0]), *map(int, row[1:4])) for row in data["modules"]),
                more_rows=int(data["more_modules"]),
                line=str(data["line"]),
                failures=tuple(Failure(str(one[0]), str(one[1])) for one in data["failures"]),
                exit_code=None if code is None else int(code),
                error=str(data["error"]),
            )
        except (KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"no status of a run: {error!r}") from error
        if not (is_time(status.since) and is_time(status.at)):
            raise ValueError(f"no status of a run: it is of {status.since} and {status.at}")
        return status

    def to_bytes(self) -> bytes:
        """The file: texts are cut and Modules left out until it is small enough."""
        for rows, characters, failures in _TIGHTER:
            data = plain_bytes(self._tightened(rows, characters, failures).to_json())
            if len(data) <= LARGEST:
                return data
        return data

    def _tightened(self, rows: int, characters: int, failures: int) -> Status:
        def short(text: str, most: int = characters) -> str:
            shown = "".join(c if c.isprintable() else "?" for c in text[: most + 1])
            return f"{shown[: most - 1]}…" if len(text) > most else shown

        kept = _first_rows(self.rows, rows)
        return replace(
            self,
            url=short(self.url, min(_LONGEST_URL, 4 * characters)),
            host=short(self.host, 64),
            rows=tuple(replace(row, label=short(row.label)) for row in kept),
            more_rows=self.more_rows + len(self.rows) - len(kept),
            line=short(self.line),
            failures=tuple(
                Failure(short(one.task), short(one.reason)) for one in self.failures[:failures]
            ),
            error=short(self.error, 2 * characters),
        )


def _first_rows(rows: tuple[Row, ...], most: int) -> tuple[Row, ...]:
    """Those that say most, in the order of the plan."""
    if len(rows) <= most:
        return rows
    by_interest = sorted(rows, key=lambda row: (not row.failed, row.done == row.total))
    kept = {id(row) for row in by_interest[:most]}
    return tuple(row for row in rows if id(row) in kept)
