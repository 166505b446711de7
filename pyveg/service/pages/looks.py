"""A job or a run as a page shows it: plain values, whatever they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyveg.core.report import EXIT_FINE
from pyveg.runs.watch import RunState, RunStatus
from pyveg.service.records import JobRecord
from pyveg.service.states import JobState

_MARKS = {
    JobState.ACCEPTED: ("◌", "going"),
    JobState.RUNNING: ("▶", "going"),
    JobState.SUCCESSFUL: ("✓", "good"),
    JobState.FAILED: ("✗", "bad"),
    JobState.DISMISSED: ("■", "still"),
    RunState.STARTING: ("◌", "going"),
    RunState.RUNNING: ("▶", "going"),
    RunState.ENDED: ("✓", "good"),
    RunState.STOPPED: ("■", "still"),
    RunState.FAILED: ("✗", "bad"),
    RunState.DIED: ("✗", "bad"),
    RunState.UNKNOWN: ("?", "still"),
}
"""State -> a mark that needs no colour, and the tone of its colours."""
_TASK_MARKS = {
    "running": ("▶", "going"),
    "waiting": ("◌", "going"),
    "succeeded": ("✓", "good"),
    "cached": ("✓", "good"),
    "skipped": ("»", "still"),
    "failed": ("✗", "bad"),
    "blocked": ("✗", "bad"),
    "cancelled": ("■", "still"),
}


@dataclass(frozen=True)
class Mark:
    """A state with the mark and the tone that it is shown by."""

    word: str
    sign: str
    tone: str


@dataclass(frozen=True)
class Look:
    """How a job or a run is at this moment."""

    id: str
    title: str
    mark: Mark
    over: bool
    """Whether nothing works on it any more."""
    message: str = ""
    """Why its state is this one, where that is not plain."""
    error: str = ""
    tasks: int = 0
    done: int = 0
    running: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    modules: tuple[Mapping[str, Any], ...] = ()
    more_modules: int = 0
    failures: tuple[Mapping[str, str], ...] = ()
    line: str = ""
    """What was last told."""
    begun: datetime | None = None
    ended: datetime | None = None
    last_sign: datetime | None = None
    stopping: bool = False
    purged: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else there is to say, by label."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What was asked for, by name."""

    @property
    def failed(self) -> int:
        """Tasks that failed."""
        return self.counts.get("failed", 0)

    @property
    def stoppable(self) -> bool:
        """Whether it makes sense to ask it to stop."""
        return not self.over and not self.stopping


def task_mark(state: str) -> Mark:
    """The mark of a Task's state.

    Examples
    --------
    >>> task_mark("failed")
    Mark(word='failed', sign='✗', tone='bad')
    """
    return Mark(state, *_TASK_MARKS.get(state, ("·", "still")))


def look_of_job(job: JobRecord) -> Look:
    """A job of the table, as a page shows it."""
    told = job.told
    facts = {
        "Process": job.process,
        "Submitted by": job.caller,
        "Run": job.url,
        "Attempts": str(told.attempt) if told.attempt > 1 else "",
        "Started again after its process died": f"{job.restarts} times" if job.restarts else "",
    }
    word = "stopping" if job.stopping else str(job.state)
    return Look(
        id=job.id,
        title=_title(job),
        mark=Mark(word, *_MARKS[job.state]),
        over=job.state.over,
        message=job.message,
        tasks=told.tasks,
        done=told.done,
        running=told.running,
        counts=told.counts,
        modules=told.modules,
        more_modules=told.more_modules,
        failures=told.failures,
        line=told.line,
        begun=_moment(job.created),
        ended=_moment(job.finished),
        last_sign=datetime.fromisoformat(told.last_sign) if told.last_sign else None,
        stopping=job.stopping,
        purged=job.purged,
        facts={label: value for label, value in facts.items() if value},
        inputs={name: _said(value) for name, value in job.inputs.items()},
    )


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _title(job: JobRecord) -> str:
    """The process and the place, where there is one."""
    longitude, latitude = job.inputs.get("longitude"), job.inputs.get("latitude")
    if isinstance(longitude, int | float) and isinstance(latitude, int | float):
        return f"{job.process} at {longitude:g}, {latitude:g}"
    return job.process


def look_of_run(run_id: str, status: RunStatus) -> Look:
    """A run that is watched, as a page shows it."""
    plain, holder = status.to_json(), status.holder
    word, (sign, tone) = str(status.state), _MARKS[status.state]
    if status.state is RunState.ENDED and plain["exit_code"] not in (EXIT_FINE, None):
        word, (sign, tone) = "ended with failures", _MARKS[RunState.FAILED]
    facts = {
        "Run": status.url,
        "Process": f"{holder.pid} on {holder.host}" if holder and status.may_go_on else "",
        "Attempts": str(plain["attempt"]) if plain["attempt"] > 1 else "",
        "Exit code": "" if plain["exit_code"] is None else str(plain["exit_code"]),
    }
    return Look(
        id=run_id,
        title=status.url.rstrip("/").rpartition("/")[2],
        mark=Mark(word, sign, tone),
        over=not status.may_go_on,
        message=status.note,
        error=plain["error"],
        tasks=plain["tasks"],
        done=plain["done"],
        running=plain["running"] if status.may_go_on else 0,
        counts=plain["counts"],
        modules=tuple(plain["modules"]),
        more_modules=plain["more_modules"],
        failures=tuple(plain["failures"]),
        line=plain["line"],
        begun=_moment(status.told.since if status.told else None),
        ended=status.last_sign if not status.may_go_on else None,
        last_sign=status.last_sign,
        facts={label: value for label, value in facts.items() if value},
    )


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
