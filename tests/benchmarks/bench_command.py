"""Planning a job of many files: its time and the memory of its process, in a process of its own.

Run ``python tests/benchmarks/bench_command.py``. Exits with 1 where 60,000 files take 10 seconds
of one core, or 500 MB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS, MEGABYTES = 10.0, 500.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--inside", help="measure here; for the script itself")
    arguments = parser.parse_args()
    if arguments.inside:
        _measure(arguments.inside)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app").mkdir()
        (folder / "app/app.py").write_text("")
        (folder / "data").mkdir()
        for number in range(arguments.count):
            (folder / f"data/a file of some length {number:06}.csv").touch()
        call = [sys.executable, __file__, "--inside", name]
        done = subprocess.run(call, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    print(
        f"{found['tasks']} tasks planned in {found['seconds']:.1f} s, {found['core']:.1f} s of a "
        f"core with the start of Python, {found['megabytes']:.0f} MB; {found['bundles']} tasks of "
        "a service"
    )
    sys.exit(int(found["core"] >= SECONDS or found["megabytes"] >= MEGABYTES))


def _measure(folder: str) -> None:
    from pyveg.jobs.resolve import resolve
    from pyveg.runners.azure_batch.bundles import make_bundles

    begin = time.perf_counter()
    pipeline = resolve(
        {
            "output_location": f"{folder}/out",
            "modules_to_use": {"job": ["CommandModule"]},
            "special_config": {
                "job": {
                    "application": f"{folder}/app",
                    "command": ["python", "app.py", "{input}", "{output_dir}"],
                    "inputs": [f"{folder}/data/*.csv"],
                }
            },
        }
    )
    graph = pipeline.plan().graph
    seconds, core = time.perf_counter() - begin, time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    tasks = list(graph)
    bundles = make_bundles(tasks, {}, (), {tasks[0].step.label: len(tasks)})
    found = {"tasks": len(tasks), "seconds": seconds, "core": core, "megabytes": peak}
    print(json.dumps({**found, "bundles": len(bundles)}))


if __name__ == "__main__":
    main()
