"""What a Task costs by itself: 10,000 that do nothing, through plan and engine.

Run ``python tests/benchmarks/bench_tasks.py``. Exits with 1 where it is 1 ms or more. The time on
Dask includes that of starting two workers of this machine and ending them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from pyveg.core.pipeline import Pipeline
from pyveg.core.sequence import Sequence
from pyveg.core.types import Scope
from pyveg.jobs.run import run_pipeline
from pyveg.testing.graphs import spec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--runners", default="serial,threads,processes,dask")
    arguments = parser.parse_args()
    count = arguments.count
    sequences = (Sequence(Scope("A"), (spec("Trivial", count=count),)),)
    worst = 0.0
    for runner in arguments.runners.split(","):
        with tempfile.TemporaryDirectory() as name:
            pipeline = Pipeline("bench", sequences, str(Path(name) / "run"), runner=runner)
            begin = time.perf_counter()
            pipeline.plan()
            planned = time.perf_counter() - begin
            report = run_pipeline(pipeline)
            again = run_pipeline(from_cache=report.url)
            each = 1000 * report.seconds / count
            print(
                f"{runner:10} plan {1000 * planned / count:.3f} ms, run {each:.3f} ms, "
                f"resume {1000 * again.seconds / count:.3f} ms per task"
            )
            worst = max(worst, each + 1000 * planned / count)
    sys.exit(int(worst >= 1))


if __name__ == "__main__":
    main()
