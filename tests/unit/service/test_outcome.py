"""The state of a job from what is seen of it: every case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pyveg.core.ports import Holder
from pyveg.core.status import Failure, Phase, Row, Status
from pyveg.runs.watch import RunState, RunStatus
from pyveg.service.notes import End, Outcome
from pyveg.service.outcome import Next, Policy, Seen, judge
from pyveg.service.states import JobState

A, R = JobState.ACCEPTED, JobState.RUNNING
GOOD, BAD, GONE = JobState.SUCCESSFUL, JobState.FAILED, JobState.DISMISSED
POLICY = Policy(max_restarts=2, some_failed="failed")


def run(
    state: RunState, *, alive: bool | None = None, held: bool = False, **said: Any
) -> RunStatus:
    holder = Holder("pc", 7, datetime.now(UTC), 1, alive) if held else None
    told = Status(url="/r", epoch=1, tasks=4, at=1.0, since=1.0, **said)
    return RunStatus("/r", state, told, holder)


def seen(
    found: RunStatus | None, *, alive: bool = False, end: End | None = None, **more: Any
) -> Seen:
    outcome = Outcome(end, "its words") if end else None
    return Seen(found, alive, more.pop("begun", True), outcome, **more)


@pytest.mark.parametrize(
    ("case", "wants_stop", "restarts", "state", "then"),
    [
        # before its run
        (seen(None, begun=False), False, 0, A, Next.START),
        (seen(None, begun=False), True, 0, GONE, Next.WAIT),
        (seen(None, alive=True), False, 0, A, Next.WAIT),
        (seen(None, alive=True), True, 0, A, Next.WAIT),
        (seen(None, end="refused"), False, 0, BAD, Next.WAIT),
        (seen(None, end="error"), True, 0, GONE, Next.WAIT),
        (seen(None, end="interrupted"), False, 0, A, Next.START),
        (seen(None, end="busy"), False, 0, A, Next.START),
        (seen(None), False, 0, A, Next.RESTART),
        (seen(None), False, 2, BAD, Next.WAIT),
        (seen(None), True, 0, GONE, Next.WAIT),
        # while its process works
        (seen(run(RunState.STARTING), alive=True), False, 0, R, Next.WAIT),
        (seen(run(RunState.RUNNING), alive=True), True, 0, R, Next.WAIT),
        (seen(run(RunState.DIED), alive=True), False, 1, R, Next.WAIT),
        # its run has ended: whatever was asked, that is the truth
        (seen(run(RunState.ENDED, exit_code=0)), False, 0, GOOD, Next.WAIT),
        (seen(run(RunState.ENDED, exit_code=0), alive=True), True, 0, GOOD, Next.WAIT),
        (seen(run(RunState.ENDED, exit_code=1, counts={"failed": 1})), True, 0, BAD, Next.WAIT),
        (seen(run(RunState.ENDED, exit_code=1), alive=True), False, 0, R, Next.WAIT),
        (seen(run(RunState.ENDED, exit_code=1), end="ended"), False, 0, BAD, Next.WAIT),
        # it was stopped
        (seen(run(RunState.STOPPED)), True, 0, GONE, Next.WAIT),
        (seen(run(RunState.STOPPED), asked_by="lee"), False, 0, GONE, Next.WAIT),
        (seen(run(RunState.STOPPED), alive=True), True, 0, R, Next.WAIT),
        (seen(run(RunState.STOPPED)), False, 2, R, Next.START),
        # a limit of its run ended it, and would end it again
        (seen(run(RunState.STOPPED, exit_code=3, error="max_hours")), False, 0, BAD, Next.WAIT),
        # it failed by itself
        (seen(run(RunState.FAILED, error="no quota")), False, 0, BAD, Next.WAIT),
        # its process died
        (seen(run(RunState.DIED)), False, 1, R, Next.RESTART),
        (seen(run(RunState.DIED)), False, 2, BAD, Next.WAIT),
        (seen(run(RunState.DIED)), True, 0, GONE, Next.WAIT),
        (seen(run(RunState.UNKNOWN)), False, 0, R, Next.RESTART),
        (seen(run(RunState.DIED), end="refused"), False, 0, BAD, Next.WAIT),
        # somebody else finishes it
        (seen(run(RunState.RUNNING, held=True, alive=True)), False, 2, R, Next.WAIT),
        (seen(run(RunState.UNKNOWN, held=True), silence=20.0), False, 2, R, Next.WAIT),
        (seen(run(RunState.UNKNOWN, held=True), silence=200.0), False, 0, R, Next.RESTART),
    ],
)
def test_what_follows(
    case: Seen, wants_stop: bool, restarts: int, state: JobState, then: Next
) -> None:
    verdict = judge(case, POLICY, wants_stop=wants_stop, restarts=restarts)
    assert (verdict.state, verdict.next) == (state, then)


def test_the_words_of_a_job_that_failed() -> None:
    died = judge(seen(None, last_words="killed"), POLICY, wants_stop=False, restarts=2)
    assert died.message == "its process died 3 times; its last words: killed"
    refused = judge(seen(None, end="refused"), POLICY, wants_stop=False, restarts=0)
    assert refused.message == "its words"
    counts = {"failed": 1, "blocked": 2}
    said = run(RunState.ENDED, exit_code=1, counts=counts, failures=(Failure("a/B/c", "is bad"),))
    some = judge(seen(said), POLICY, wants_stop=False, restarts=0)
    assert some.message == "1 of 4 tasks failed, 2 were blocked: a/B/c: is bad"


def test_some_failed_may_be_a_success() -> None:
    said = run(RunState.ENDED, exit_code=1, counts={"failed": 1}, rows=(Row("a/B", 4, 4, 1),))
    policy = Policy(2, "successful")
    verdict = judge(seen(said), policy, wants_stop=False, restarts=0)
    assert verdict.state is GOOD
    assert verdict.told is not None
    assert verdict.told.modules == ({"module": "a/B", "done": 4, "tasks": 4, "failed": 1},)


def test_what_died_elsewhere_is_cleared_before_it_is_dismissed() -> None:
    policy = Policy(2, "failed", far=True)
    died = seen(run(RunState.DIED, phase=Phase.RUNNING))
    assert judge(died, policy, wants_stop=True, restarts=0).next is Next.CLEAR
    assert judge(died, policy, wants_stop=True, restarts=3).state is GONE
