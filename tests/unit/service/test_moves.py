"""Whoever moves jobs, and however many at once: no move that the table of moves has not."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyveg.service import table
from pyveg.service.admission import Limits, Order
from pyveg.service.jobs_table import Jobs
from pyveg.service.states import ACTIVE, MOVES, JobState, may_follow

PROCESSES = 4
Act = tuple[int, str]
"""A job, and the state it is to be in, or ``stop``."""
Move = tuple[str, str]
ACTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([*map(str, JobState), "stop", "tell"])),
    min_size=1,
    max_size=12,
)


def test_what_is_over_stays_so() -> None:
    over = [state for state in JobState if state.over]
    assert over == [JobState.SUCCESSFUL, JobState.FAILED, JobState.DISMISSED]
    assert {JobState.ACCEPTED, JobState.RUNNING} == set(ACTIVE)
    assert not may_follow(JobState.ACCEPTED)
    assert all(not MOVES[state] for state in over)


PROGRAM = """
import json, sys
from pathlib import Path
from pyveg.service import table
from pyveg.service.jobs_table import Jobs
from pyveg.service.records import Told
from pyveg.service.states import JobState

for line in sys.stdin:
    path, names, acts = json.loads(line)
    jobs, made = Jobs(table.Table(Path(path))), []
    for number, what in acts:
        name = names[number]
        if what == "stop":
            jobs.ask_to_stop(name)
        elif what == "tell":
            jobs.tell([(name, "told", Told(tasks=3))])
        elif jobs.move(name, JobState(what), what):
            made.append((name, what))
    jobs.table.close()
    print(json.dumps(made), flush=True)
"""
"""One of the processes: for each line, does what it is told, and says which moves were made."""


@pytest.fixture(scope="module")
def workers() -> Iterator[list[subprocess.Popen[str]]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(PROCESSES)
        ]


def at_once(workers: list[subprocess.Popen[str]], orders: list[object]) -> Counter[Move]:
    """Have each do its part, all at the same time."""
    for worker, part in zip(workers, orders, strict=True):
        assert worker.stdin
        worker.stdin.write(json.dumps(part) + "\n")
        worker.stdin.flush()
    made: Counter[Move] = Counter()
    for worker in workers:
        assert worker.stdout
        made.update((name, state) for name, state in json.loads(worker.stdout.readline()))
    return made


_runs = itertools.count()


def check(folder: Path, workers: list[subprocess.Popen[str]], plans: list[list[Act]]) -> None:
    jobs = Jobs(table.make(folder / f"{next(_runs)}" / "jobs.sqlite"))
    names = [f"job{number}" for number in range(3)]
    for name in names:
        order = Order(name, "steps", "kim", f"/runs/{name}", {}, "digest")
        jobs.admit(order, Limits(10, 10))
    made = at_once(workers, [[str(jobs.table.path), names, plan] for plan in plans])
    for name in names:
        found = jobs.get(name)
        assert found is not None
        ends = [state for state in JobState if state.over and made[name, state]]
        assert len(ends) <= 1
        assert all(made[name, state] <= 1 for state in JobState)
        assert not made[name, JobState.ACCEPTED]
        expected = ends or [JobState.RUNNING] * made[name, JobState.RUNNING] or [JobState.ACCEPTED]
        assert [found.state] == expected
        assert found.state not in (JobState.SUCCESSFUL,) or made[name, JobState.RUNNING]
        if found.state.over:
            assert found.message == str(found.state), "what is told later changes nothing"


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=st.lists(ACTS, min_size=PROCESSES, max_size=PROCESSES))
def test_four_processes_at_once(
    tmp_path: Path, workers: list[subprocess.Popen[str]], plans: list[list[Act]]
) -> None:
    check(tmp_path, workers, plans)


@pytest.mark.slow
def test_four_processes_often(tmp_path: Path, workers: list[subprocess.Popen[str]]) -> None:
    dice = random.Random(11)
    words = [*map(str, JobState), "stop", "tell"]
    for _ in range(200):
        plans = [
            [(dice.randrange(3), dice.choice(words)) for _ in range(40)] for _ in range(PROCESSES)
        ]
        check(tmp_path, workers, plans)
