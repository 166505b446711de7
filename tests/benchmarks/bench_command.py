"""Planning a job of many files: its time and the memory of its process, in a process of its own.

Run ``python tests/benchmarks/bench_command.py``. Exits with 1 where 60,000 files take 10 seconds
or 500 MB.
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
        begin = time.perf_counter()
        done = subprocess.run(call, stdout=subprocess.PIPE, check=True)
        whole = time.perf_counter() - begin
    found = json.loads(done.stdout)
    print(
        f"{found['tasks']} tasks planned in {found['seconds']:.1f} s ({whole:.1f} s with the "
        f"start of Python), {found['megabytes']:.0f} MB; {found['bundles']} tasks of a service"
    )
    sys.exit(int(whole >= SECONDS or found["megabytes"] >= MEGABYTES))


def _measure(folder: str) -> None:
    from pyveg.configs.resolve import resolve
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
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    tasks = list(graph)
    bundles = make_bundles(tasks, {}, (), {tasks[0].step.label: len(tasks)})
    found = {"tasks": len(tasks), "seconds": seconds, "megabytes": peak, "bundles": len(bundles)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
