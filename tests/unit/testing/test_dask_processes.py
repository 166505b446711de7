"""A scheduler and its workers end with the process that has started them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

HOLD = """
import sys
from pathlib import Path
from pyveg.testing.dask_processes import DaskProcesses
with DaskProcesses(Path(sys.argv[1])) as processes:
    processes.add_workers(1)
    print("started", flush=True)
    sys.stdin.read()
"""
"""A program that has a scheduler and a worker until it is killed."""


def _family(mark: Path) -> list[psutil.Process]:
    """Processes whose environment has the mark of a test."""

    def has(process: psutil.Process) -> bool:
        try:
            return process.environ().get("DASK_TEST") == str(mark)
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if has(process)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")
def test_nothing_survives_the_process_that_has_started_it(tmp_path: Path) -> None:
    """The scheduler, the nanny and the worker."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "DASK_TEST": str(tmp_path)},
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        assert len(_family(tmp_path)) >= 6  # this one, two supervisors, scheduler, nanny, worker
        starter.kill()
        starter.wait()
        end = time.monotonic() + 10  # a second or so, where the machine has nothing else to do
        while left := _family(tmp_path):
            assert time.monotonic() < end, left
            time.sleep(0.05)
