"""The state of a job, worked out from its run, from its process, and from what was asked.

Pure: it is given what was seen and says what follows, so that every case can be tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pyveg.core.report import EXIT_FAILED, EXIT_FINE, EXIT_LIMIT
from pyveg.core.secrets import redacted
from pyveg.core.status import Status
from pyveg.runs.watch import RunState, RunStatus, iso
from pyveg.service.notes import Outcome
from pyveg.service.records import Told
from pyveg.service.states import JobState

_SILENT = 90.0
"""Seconds; each holder of a lock gives a sign more often."""
_STOPPING = "it is being stopped"
_ELSEWHERE = "another process works on its run"


class Next(StrEnum):
    """What is to be done about a job."""

    WAIT = "wait"
    """Nothing now."""
    START = "start"
    """Start its process, or start it again after it was interrupted."""
    RESTART = "restart"
    """Start it again after it died."""
    CLEAR = "clear"
    """It is to be stopped, its process died, and it may have left work on other machines."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a job."""

    run: RunStatus | None
    """None where its run has not begun."""
    alive: bool
    """Whether its process lives."""
    begun: bool
    """Whether a process was ever started for it."""
    outcome: Outcome | None
    """How its process ended in its own words."""
    asked_by: str = ""
    """Who asked its run to stop, by its Store; empty where nobody did."""
    last_words: str = ""
    silence: float = 0.0
    """Seconds since the process of the run last gave a sign of life."""


@dataclass(frozen=True)
class Policy:
    """What goes for the jobs of a process."""

    max_restarts: int
    some_failed: str
    """How a job is of which some Tasks failed: "failed" or "successful"."""
    far: bool = False
    """Whether its Tasks may run on other machines."""


@dataclass(frozen=True)
class Verdict:
    """What follows for a job."""

    state: JobState
    message: str = ""
    next: Next = Next.WAIT
    told: Told | None = None


def told_of(status: RunStatus) -> Told:
    """What a run says of itself, as the table keeps it."""
    said = status.told or Status()
    return Told(
        tasks=said.tasks,
        done=said.done,
        running=said.running if status.may_go_on else 0,
        counts=dict(said.counts),
        modules=tuple(
            {"module": r.label, "done": r.done, "tasks": r.total, "failed": r.failed}
            for r in said.rows
        ),
        more_modules=said.more_rows,
        failures=tuple({"task": one.task, "reason": redacted(one.reason)} for one in said.failures),
        line=redacted(said.line),
        attempt=said.epoch,
        last_sign=iso(status.last_sign),
    )


def judge(seen: Seen, policy: Policy, *, wants_stop: bool, restarts: int) -> Verdict:
    """What follows for a job that is not over.

    Parameters
    ----------
    seen : Seen
    policy : Policy
    wants_stop : bool
        Whether its caller wants it stopped.
    restarts : int
        How often its process was started again after it died.
    """
    run = seen.run
    if run is None:
        return _before_run(seen, policy, wants_stop=wants_stop, restarts=restarts)
    told = told_of(run)
    if run.state is RunState.ENDED:
        return _ended(seen, run, told, policy)
    if seen.alive:
        begun = run.state not in (RunState.DIED, RunState.STOPPED, RunState.FAILED)
        said = told.line if begun else "it is being resumed"
        return Verdict(JobState.RUNNING, _STOPPING if wants_stop else said, told=told)
    if _lives_elsewhere(run, seen.silence):
        return Verdict(JobState.RUNNING, _ELSEWHERE, told=told)  # finished by hand, perhaps
    if run.state is RunState.FAILED:
        error = run.told.error if run.told else ""
        return Verdict(JobState.FAILED, redacted(error) or "the run failed", told=told)
    return _cut_off(seen, run, told, policy, wants_stop=wants_stop, restarts=restarts)


def _lives_elsewhere(run: RunStatus, silence: float) -> bool:
    """Whether another process has the lock of a run; one that cannot be seen must give signs."""
    if not run.may_go_on or run.holder is None:
        return False
    return bool(run.holder.alive) or (run.holder.alive is None and silence < _SILENT)


def _cut_off(
    seen: Seen, run: RunStatus, told: Told, policy: Policy, *, wants_stop: bool, restarts: int
) -> Verdict:
    """A run that has begun and not ended, and that nobody works on."""
    if seen.outcome is not None and seen.outcome.end in ("refused", "error"):
        return Verdict(_given_up(wants_stop), seen.outcome.message, told=told)
    if run.told is not None and run.told.exit_code == EXIT_LIMIT:  # it would reach it again
        return Verdict(JobState.FAILED, run.told.error, told=told)
    if run.state is RunState.STOPPED:
        return _stopped(seen, told, wants_stop=wants_stop)
    return _died(seen, policy, told, wants_stop=wants_stop, restarts=restarts)


def _before_run(seen: Seen, policy: Policy, *, wants_stop: bool, restarts: int) -> Verdict:
    outcome = seen.outcome
    if seen.alive:
        return Verdict(JobState.ACCEPTED, _STOPPING if wants_stop else "its run is being planned")
    if outcome is not None and outcome.end in ("refused", "error"):
        return Verdict(_given_up(wants_stop), outcome.message)
    if wants_stop:
        return Verdict(JobState.DISMISSED, "dismissed before it began")
    if not seen.begun or (outcome is not None and outcome.end in ("interrupted", "busy")):
        return Verdict(JobState.ACCEPTED, "", Next.START)
    return _again(seen, policy, JobState.ACCEPTED, None, restarts)


def _ended(seen: Seen, run: RunStatus, told: Told, policy: Policy) -> Verdict:
    """All Tasks have ended: that is the truth, whatever was asked meanwhile."""
    code = run.told.exit_code if run.told else None
    failed, blocked = told.counts.get("failed", 0), told.counts.get("blocked", 0)
    if code in (EXIT_FINE, None):
        return Verdict(JobState.SUCCESSFUL, f"{told.tasks} tasks", told=told)
    if not failed and not blocked:
        if seen.alive and seen.outcome is None:  # it is about to say why
            return Verdict(JobState.RUNNING, told.line, told=told)
        why = seen.outcome.message if seen.outcome else ""
        return Verdict(_of_code(code, policy), why or "the analysis failed", told=told)
    first = f": {told.failures[0]['task']}: {told.failures[0]['reason']}" if told.failures else ""
    message = f"{failed} of {told.tasks} tasks failed, {blocked} were blocked{first}"
    return Verdict(_of_code(code, policy), message, told=told)


def _of_code(code: int | None, policy: Policy) -> JobState:
    """How a job is that was done with failures."""
    fine = code == EXIT_FAILED and policy.some_failed == "successful"
    return JobState.SUCCESSFUL if fine else JobState.FAILED


def _stopped(seen: Seen, told: Told, *, wants_stop: bool) -> Verdict:
    if wants_stop:
        return Verdict(JobState.DISMISSED, f"dismissed after {told.done} tasks", told=told)
    if seen.asked_by:
        return Verdict(JobState.DISMISSED, f"{seen.asked_by} had its run stopped", told=told)
    # By a signal, as when the machine is shut down: nobody wants it stopped.
    return Verdict(JobState.RUNNING, "it was interrupted, and is resumed", Next.START, told)


def _died(seen: Seen, policy: Policy, told: Told, *, wants_stop: bool, restarts: int) -> Verdict:
    if not wants_stop:
        return _again(seen, policy, JobState.RUNNING, told, restarts)
    if policy.far and restarts <= policy.max_restarts:
        return Verdict(JobState.RUNNING, "what it left elsewhere is being ended", Next.CLEAR, told)
    return Verdict(JobState.DISMISSED, "dismissed; its process had died", told=told)


def _again(
    seen: Seen, policy: Policy, state: JobState, told: Told | None, restarts: int
) -> Verdict:
    words = f": {seen.last_words}" if seen.last_words else ""
    if restarts >= policy.max_restarts:
        return Verdict(
            JobState.FAILED,
            f"its process died {restarts + 1} times; its last words{words}",
            told=told,
        )
    return Verdict(state, f"its process died and is started again{words}", Next.RESTART, told)


def _given_up(wants_stop: bool) -> JobState:
    """How a job is whose process has ended with an error, perhaps since it was to stop."""
    return JobState.DISMISSED if wants_stop else JobState.FAILED
