"""Jobs and callers as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyveg.runs.watch import iso
from pyveg.service.states import JobState

ANY = "*"
"""In a caller's processes: all of them."""


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    name: str
    processes: tuple[str, ...] = (ANY,)
    """Ids of the processes that it may use."""
    max_active: int | None = None
    """Jobs that may be active at once; what the config says where None."""
    admin: bool = False
    """Whether it sees and stops the jobs of all callers."""

    def may_use(self, process: str) -> bool:
        """Whether it may submit jobs of a process.

        Examples
        --------
        >>> Caller("kim", ("resilience",)).may_use("run-command")
        False
        """
        return ANY in self.processes or process in self.processes


@dataclass(frozen=True)
class Told:
    """What a job's run has said of itself, as the table keeps it."""

    tasks: int = 0
    """Of the whole run."""
    done: int = 0
    running: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """State -> Tasks that ended in it."""
    modules: tuple[Mapping[str, Any], ...] = ()
    """``module``, ``done``, ``tasks``, ``failed`` of each."""
    more_modules: int = 0
    failures: tuple[Mapping[str, str], ...] = ()
    """``task`` and ``reason`` of the first."""
    line: str = ""
    """What was last told."""
    attempt: int = 0
    last_sign: str | None = None
    """ISO 8601."""

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back."""
        data = dict(vars(self))
        return {name: list(v) if isinstance(v, tuple) else v for name, v in data.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Told:
        """Read what `to_json` wrote.

        Examples
        --------
        >>> told = Told(tasks=4, done=1, counts={"succeeded": 1})
        >>> Told.from_json(told.to_json()) == told
        True
        """
        known: dict[str, Any] = {name: data[name] for name in vars(cls()) if name in data}
        for name, value in known.items():
            known[name] = tuple(value) if isinstance(value, list) else value
        return cls(**known)


@dataclass(frozen=True)
class JobRecord:
    """A job, as the table has it."""

    id: str
    process: str
    caller: str
    state: JobState
    url: str
    """Address of its run, which may not have begun."""
    created: float
    """Seconds since 1970 (UTC), like all times of the table."""
    updated: float
    seq: int
    """Grows with every change of any job; the last change of this one."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None
    wants_stop: float | None = None
    """When it was asked to stop."""
    restarts: int = 0
    """How often its process was started again after it died."""
    message: str = ""
    told: Told = field(default_factory=Told)
    purged: bool = False
    """Whether what it has made is removed, or about to be."""

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self.wants_stop is not None and not self.state.over

    @property
    def progress(self) -> int:
        """Tasks that have ended, percent of all."""
        if self.state is JobState.SUCCESSFUL:
            return 100
        return int(100 * self.told.done / self.told.tasks) if self.told.tasks else 0

    def to_json(self, *, brief: bool = False) -> dict[str, Any]:
        """The status of a job by OGC API - Processes, and what pyveg knows besides.

        Parameters
        ----------
        brief : bool
            Without its modules, failures and inputs, as lists have it.
        """
        told = self.told
        at_length = {} if brief else self._at_length()
        return {
            **at_length,
            "jobID": self.id,
            "processID": self.process,
            "type": "process",
            "status": str(self.state),
            "message": self.message,
            "progress": self.progress,
            "created": moment(self.created),
            "started": moment(self.started),
            "finished": moment(self.finished),
            "updated": moment(self.updated),
            "stopping": self.stopping,
            "restarts": self.restarts,
            "caller": self.caller,
            "tasks": told.tasks,
            "done": told.done,
            "running": told.running,
            "counts": dict(told.counts),
            "line": told.line,
            "attempt": told.attempt,
            "last_sign_of_life": told.last_sign,
            "purged": self.purged,
            "version": self.seq,
        }

    def _at_length(self) -> dict[str, Any]:
        return {
            "run": self.url,
            "inputs": dict(self.inputs),
            "modules": [dict(one) for one in self.told.modules],
            "more_modules": self.told.more_modules,
            "failures": [dict(one) for one in self.told.failures],
        }


def moment(at: float | None) -> str | None:
    """Seconds since 1970 as JSON has times."""
    return None if at is None else iso(datetime.fromtimestamp(at, UTC))
