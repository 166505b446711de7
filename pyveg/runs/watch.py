"""How a run is, seen from outside: what it says of itself, and whether its process lives.

Only the holder of a run's lock tells whether it goes on; its last message does not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pyveg.core import stop
from pyveg.core.errors import KeyMissingError, RunError
from pyveg.core.layout import LOCK, LOG_FILE, STATUS_FILE
from pyveg.core.ports import Holder, Store
from pyveg.core.report import EXIT_FINE
from pyveg.core.status import Phase, Status
from pyveg.core.types import StopHow

_SILENT = timedelta(seconds=20)
"""A living process whose last sign is older than this may be suspended."""
_TRIES = 5


class RunState(StrEnum):
    """How a run is."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    """All its Tasks have ended, in whatever state."""
    STOPPED = "stopped"
    """It was interrupted, or asked to stop."""
    FAILED = "failed"
    """It ended with an error of its own, and left Tasks untried."""
    DIED = "died"
    """Its process is gone and did not say why, as when it is killed or the power fails."""
    UNKNOWN = "unknown"
    """Whether its process lives cannot be seen from here."""


_GOES_ON = frozenset({RunState.STARTING, RunState.RUNNING, RunState.UNKNOWN})
_OF_PHASE = {
    Phase.STARTING: RunState.STARTING,
    Phase.RUNNING: RunState.RUNNING,
    Phase.ENDED: RunState.ENDED,
    Phase.INTERRUPTED: RunState.STOPPED,
    Phase.FAILED: RunState.FAILED,
}


@dataclass(frozen=True)
class RunStatus:
    """How a run is at this moment."""

    url: str
    state: RunState
    told: Status | None
    """What its last attempt said of itself; None for a run of an older version of pyveg, and for
    an attempt that has just begun."""
    holder: Holder | None
    """Who writes to it, or died while it did."""
    note: str = ""
    """Why the state is this one, where that is not plain."""

    @property
    def may_go_on(self) -> bool:
        """Whether a process works on it, or may do so."""
        return self.state in _GOES_ON

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to be done."""
        if self.told is None:
            return self.state is RunState.ENDED
        return self.state is RunState.ENDED and self.told.exit_code in (EXIT_FINE, None)

    @property
    def last_sign(self) -> datetime | None:
        """When its process last showed that it lives; aware."""
        told = [datetime.fromtimestamp(self.told.at, UTC)] if self.told else []
        seen = [self.holder.seen] if self.holder and self.holder.seen else []
        return max([*told, *seen], default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain data, for machines; its names are those of ``pyveg_status --json``."""
        told = self.told or Status()
        holder = self.holder
        return {
            "url": self.url,
            "state": str(self.state),
            "note": self.note,
            "attempt": holder.epoch if holder and holder.epoch else told.epoch,
            "tasks": told.tasks,
            "done": told.done,
            "running": told.running,
            "counts": dict(told.counts),
            "modules": [
                {"module": r.label, "done": r.done, "tasks": r.total, "failed": r.failed}
                for r in told.rows
            ],
            "more_modules": told.more_rows,
            "failures": [{"task": one.task, "reason": one.reason} for one in told.failures],
            "line": told.line,
            "error": told.error,
            "exit_code": told.exit_code,
            "started": iso(datetime.fromtimestamp(told.since, UTC)) if self.told else None,
            "last_sign_of_life": iso(self.last_sign),
            "holder": None
            if holder is None
            else {
                "host": holder.host,
                "pid": holder.pid,
                "since": iso(holder.since),
                "alive": holder.alive,
            },
            "finished": self.is_finished,
        }


def iso(moment: datetime | None) -> str | None:
    """A moment as JSON has it."""
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def status_of(store: Store) -> RunStatus:
    """How the run in a Store is. Nothing is changed by looking."""
    holder = store.holder(LOCK)
    for _ in range(_TRIES):
        told = told_status(store)
        before, holder = holder, store.holder(LOCK)
        if _same(before, holder):  # so that both are of one moment
            break
    state, note = _judged(store, told, holder)
    if (
        state is RunState.STARTING
        and told is not None
        and holder is not None
        and told.epoch != holder.epoch
    ):
        told = None  # that was an earlier attempt
    return RunStatus(store.url, state, told, holder, note)


def told_status(store: Store) -> Status | None:
    """What the last attempt said of itself; None where it said nothing that can be read."""
    try:
        return Status.from_json(json.loads(store.read(STATUS_FILE)))
    except (KeyMissingError, ValueError, RecursionError):
        return None


def _same(one: Holder | None, other: Holder | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.epoch, one.pid, one.host, one.alive) == (
        other.epoch,
        other.pid,
        other.host,
        other.alive,
    )


def _judged(store: Store, told: Status | None, holder: Holder | None) -> tuple[RunState, str]:
    if holder is None:
        return _free(store, told)
    if told is not None and told.epoch == holder.epoch and told.over:
        return _OF_PHASE[told.phase], ""
    if holder.alive is False:
        return RunState.DIED, f"{holder} is gone, and did not say how it ended"
    if holder.alive is None:
        return RunState.UNKNOWN, f"whether {holder} lives cannot be seen from here"
    return _alive(told, holder)


def _alive(told: Status | None, holder: Holder) -> tuple[RunState, str]:
    if not holder.epoch:
        return RunState.RUNNING, "an older version of pyveg is writing, which does not say how far"
    said = told.phase if told is not None and told.epoch == holder.epoch else Phase.STARTING
    return _OF_PHASE[said], _silence(holder)


def _silence(holder: Holder) -> str:
    if holder.seen is None or datetime.now(UTC) - holder.seen < _SILENT:
        return ""
    seconds = (datetime.now(UTC) - holder.seen).total_seconds()
    return f"{holder} has shown no sign of life for {seconds:.0f} s: it may be suspended"


def _free(store: Store, told: Status | None) -> tuple[RunState, str]:
    """How a run is that nobody writes to."""
    if told is None:
        return _from_log(store)
    if told.over:
        return _OF_PHASE[told.phase], ""
    return RunState.DIED, f"process {told.pid} on host {told.host} did not say how it ended"


_ENDINGS = (
    (re.compile(r" the run ended with an error: "), RunState.FAILED),
    (re.compile(r" interrupted$"), RunState.STOPPED),
    (re.compile(r" all tasks have ended$"), RunState.ENDED),
)
_BEGINNING = re.compile(r" run \S.*: \d+ tasks$")


def _from_log(store: Store) -> tuple[RunState, str]:
    """How a run of an older version ended, by the lines of its last attempt."""
    try:
        text = store.read(LOG_FILE).decode("utf-8", "replace")
    except KeyMissingError:
        return RunState.UNKNOWN, "it has told nothing, and nobody writes to it"
    for line in reversed(text.splitlines()):
        for pattern, state in _ENDINGS:
            if pattern.search(line):
                return state, "an older version of pyveg made it; this is what its log says"
        if _BEGINNING.search(line):
            break
    return RunState.DIED, "an older version of pyveg made it; its log breaks off"


def ask_to_stop(store: Store, how: StopHow = "cancel") -> int:
    """Ask the process that works on a run to stop.

    Parameters
    ----------
    store : Store
    how : {"cancel", "detach"}
        Whether what runs elsewhere is ended, or left to go on.

    Returns
    -------
    int
        The attempt that was asked.

    Raises
    ------
    RunError
        If nobody works on it, or only an older version of pyveg, which would not listen.
    """
    status = status_of(store)
    holder = status.holder
    if holder is None or not status.may_go_on:
        raise RunError(f"{store.url}: there is nothing to stop: the run has {_ended(status)}")
    if not holder.epoch:
        raise RunError(
            f"{store.url}: {holder} runs an older version of pyveg, which cannot be asked",
            "stop it there, by Ctrl-C",
        )
    stop.ask(store, holder.epoch, how)
    return holder.epoch


def _ended(status: RunStatus) -> str:
    said = {RunState.STOPPED: "been stopped", RunState.FAILED: "failed", RunState.DIED: "died"}
    return said.get(status.state, "ended")
