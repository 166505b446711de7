"""An emulator that is killed leaves no process of its nodes behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from azure.batch import models as m

HOLD = """
import os, sys
from azure_batch_emulator import Emulator
with Emulator() as emulator:
    print(emulator.account, emulator.url, emulator.key, emulator.location, flush=True)
    if sys.stdin.readline() == "fork\\n" and not os.fork():
        print("forked", flush=True)
        sys.stdin.read()
        os._exit(0)
    sys.stdin.read()
"""
"""A program that has an emulator, until it is killed."""

LONG = "sh -c 'sleep 100 & sleep 100'"


class Held:
    """An emulator in another process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.account, self.url, self.key, location = self._line().split()
        self.location = Path(location)

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def fork(self) -> None:
        """Let it have a child that has all its open files."""
        self._say("fork")
        assert self._line() == "forked\n"

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def running(self) -> list[psutil.Process]:
        """Processes of its nodes."""
        return [process for process in psutil.process_iter() if self._has(process)]

    def _has(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            variables = process.environ()
            return variables.get("AZ_BATCH_ACCOUNT_URL") == f"{self.url}/"
        return False

    def kill(self) -> float:
        """Kill it, and wait until nothing of its nodes runs: seconds."""
        self.process.kill()
        self.process.wait()
        begin = time.monotonic()
        while self.running():
            assert time.monotonic() < begin + 10, self.running()
            time.sleep(0.02)
        return time.monotonic() - begin


@pytest.fixture
def hold() -> Iterator[Callable[[], Held]]:
    """Starts emulators in processes of their own."""
    with ExitStack() as stack:

        def start() -> Held:
            process = subprocess.Popen(
                [sys.executable, "-c", HOLD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return Held(process)

        yield start


def test_no_process_of_a_node_survives(hold: Any, connect: Any) -> None:
    """Tasks, start tasks and job preparations, each with a child."""
    held = hold()
    cloud = connect(held)
    cloud.pool(
        start_task=m.BatchStartTask(command_line=LONG, wait_for_success=False),
        task_slots_per_node=2,
    )
    preparation = m.BatchJobPreparationTask(command_line=LONG, wait_for_success=False)
    cloud.job(job_preparation_task=preparation)
    cloud.add("t", LONG)
    cloud.until(lambda: len(held.running()) == 9)  # a shell and two programs of it, three times
    held.kill()
    cloud.until(lambda: not held.location.exists())


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc, as Linux has it")
def test_a_process_that_left_its_group_dies_too(hold: Any, connect: Any) -> None:
    held = hold()
    cloud = connect(held)
    cloud.pool()
    cloud.job()
    cloud.add("t", "sh -c 'setsid sleep 100 & sleep 100'")
    cloud.until(lambda: len({os.getpgid(process.pid) for process in held.running()}) == 2)
    held.kill()


def test_a_forked_process_does_not_keep_tasks_alive(hold: Any, connect: Any) -> None:
    """It has the emulator's end of the pipe, so the end of the pipe never comes."""
    held = hold()
    cloud = connect(held)
    cloud.pool()
    cloud.job()
    cloud.add("t", LONG)
    cloud.until(held.running)
    held.fork()
    held.kill()


@pytest.mark.parametrize("count", [1, 12, 40])
def test_it_is_killed_while_it_launches(hold: Any, connect: Any, count: int) -> None:
    """At any moment of a launch, also before anybody was told of the new process."""
    held = hold()
    cloud = connect(held)
    cloud.pool(vm_size="standard_d16s_v5", task_slots_per_node=64)
    cloud.job()
    tasks = [m.BatchTaskCreateOptions(id=f"{n}", command_line="sleep 100") for n in range(60)]
    cloud.client.create_tasks("j", tasks)
    cloud.until(lambda: len(held.running()) >= count)
    held.kill()


def test_a_stopped_emulator_leaves_nothing(ready: Any) -> None:
    """Neither a task nor what would have ended it."""
    children = partial(psutil.Process().children, recursive=True)
    before = set(children())  # other tests may have started some
    ready.add("t", LONG)
    ready.until(lambda: len(set(children()) - before) == 4)  # with the watchdog
    ready.emulator.stop()
    assert not set(children()) - before


def _is_watchdog(process: psutil.Process) -> bool:
    try:
        return any("watchdog_process" in word for word in process.cmdline())
    except psutil.Error:  # another child of the tests, which has ended
        return False


def test_the_emulator_works_on_without_its_watchdog(ready: Any) -> None:
    ready.run("true", "first")
    (watchdog,) = (process for process in psutil.Process().children() if _is_watchdog(process))
    watchdog.kill()
    for number in range(3):
        assert ready.run("true", f"t{number}").execution_info.exit_code == 0
