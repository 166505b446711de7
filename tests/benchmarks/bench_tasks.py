"""What a Task costs by itself: 10,000 that do nothing, through plan and engine.

Run ``python tests/benchmarks/bench_tasks.py``. Exits with 1 where it is 1 ms or more. The time on
Dask includes that of starting two workers of this machine and ending them.

With ``--against PYTHON`` the same work is done by turns with this interpreter and with another one,
such as that of an environment with an older pyveg, each time in a new process. It prints the CPU
time (user and system, start of Python included) of both and the ratio, and exits with 1 where the
median of the ratios is above a half for a Store in memory, two thirds for a folder.

The system's part is mostly that of new files. On ext4 it grows tenfold for minutes after other
files were deleted, as their inodes are passed over one by one; ``--folder /dev/shm/bench`` measures
without a disk, and runs of one comparison are left until its end.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

# The other interpreter runs this file too: it may use only what an older pyveg also has.
from pyveg import Pipeline, run_pipeline
from pyveg.core.sequence import Sequence
from pyveg.core.types import Scope
from pyveg.testing.graphs import spec

ENGINES = {"memory": "serial,threads", "folder": "serial,threads,processes,dask"}
LIMITS = {"memory": 1 / 2, "folder": 2 / 3}


def measure(runner: str, count: int, store: str, folder: Path) -> float:
    """Print and give what a Task costs, milliseconds of wall-clock time; plan and run."""
    sequences = (Sequence(Scope("A"), (spec("Trivial", count=count),)),)
    kind = "local" if store == "folder" else store
    where = str(folder / runner)
    pipeline = Pipeline("bench", sequences, where, output_location_type=kind, runner=runner)
    begin = time.perf_counter()
    pipeline.plan()
    planned = 1000 * (time.perf_counter() - begin) / count
    report = run_pipeline(pipeline)
    each = 1000 * report.seconds / count
    text = f"{runner:10} plan {planned:.3f} ms, run {each:.3f} ms"
    if store == "folder":  # what is in memory is gone with the run
        again = run_pipeline(from_cache=report.url)
        text += f", resume {1000 * again.seconds / count:.3f} ms"
    print(f"{text} per task")
    return planned + each


class Cpu(NamedTuple):
    """CPU time of a process, seconds."""

    user: float
    system: float

    def __str__(self) -> str:
        return f"{sum(self):.2f} s ({self.system:.2f} s of the system)"


def cpu_of(python: str, arguments: argparse.Namespace, folder: Path) -> Cpu:
    """CPU time of a process that measures with an interpreter."""
    command = [python, __file__, "--count", str(arguments.count), "--store", arguments.store]
    command += ["--runners", arguments.runners, "--folder", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and done.stderr:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cpu(after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime)


def compare(arguments: argparse.Namespace, folder: Path) -> bool:
    """Print the CPU time of both interpreters; whether the ratio is within the limit."""
    ratios = []
    for number in range(arguments.rounds):
        here = cpu_of(sys.executable, arguments, folder / f"here{number}")
        there = cpu_of(arguments.against, arguments, folder / f"there{number}")
        ratios.append(sum(here) / sum(there))
        print(f"here {here}, there {there}, ratio {ratios[-1]:.2f}")
    median, limit = statistics.median(ratios), LIMITS[arguments.store]
    print(f"median {median:.2f} ({arguments.store}, {arguments.runners}; at most {limit:.2f})")
    return median <= limit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--store", choices=sorted(ENGINES), default="folder")
    parser.add_argument("--runners", help="engines, with commas between them")
    parser.add_argument("--folder", help="where runs are made; in a temporary one they are removed")
    parser.add_argument("--against", help="interpreter to compare with")
    parser.add_argument("--rounds", type=int, default=5, help="how often each interpreter runs")
    arguments = parser.parse_args()
    arguments.runners = arguments.runners or (
        "serial" if arguments.against else ENGINES[arguments.store]
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(arguments.folder or name)
        if arguments.against:
            sys.exit(int(not compare(arguments, folder)))
        costs = [
            measure(runner, arguments.count, arguments.store, folder)
            for runner in arguments.runners.split(",")
        ]
    sys.exit(int(max(costs) >= 1))


if __name__ == "__main__":
    main()
