"""Kill runs of the simulated place at random moments, and finish each of them.

::

    python tests/drivers/kill_random.py --count 100 --seed 7

The whole process is killed, as a user's machine may do it: while it starts, while workers compute,
and while results are joined. Whatever its moment, no worker may outlive it, the run must be
finished with the results of one that nobody disturbed, and nothing that was done is done again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import psutil

COMMAND = [sys.executable, "-m", "pyveg.scripts.run_pipeline"]
VEGETATION = [
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
]


def write_config(folder: Path, months: int) -> str:
    """Write a config for some months of a small place."""
    settings = {
        "name": "killed",
        "output_location": str(folder / "out"),
        "coordinates": (27.95, 11.57),
        "region_size": 0.011,
        "date_range": ["2016-01-01", str(date(2016 + months // 12, months % 12 + 1, 1))],
        "collections_to_use": ["SimulatedSentinel2", "SimulatedWeather"],
        "modules_to_use": {
            "SimulatedSentinel2": VEGETATION,
            "SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"],
            "combine": ["VegAndWeatherJsonCombiner"],
        },
        "special_config": {"SimulatedSentinel2": {"spin_up": 200}},
    }
    lines = ["from pyveg.configs.collections import data_collections"]
    lines += [f"{name} = {value!r}" for name, value in settings.items()]
    path = folder / "config.py"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def start(*arguments: str) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def whole(*arguments: str) -> None:
    """Run the command to its end."""
    process = start(*arguments)
    text, _ = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(text)


def results(run: Path) -> dict[str, bytes]:
    """What a user gets, by path in the run."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and not path.relative_to(run).parts[0].startswith(("_", "."))
    }


def manifests(run: Path) -> dict[Path, int]:
    """When each Task was last done."""
    return {path: path.stat().st_mtime_ns for path in run.glob("_pyveg/manifests/**/*.json")}


def kill_after(seconds: float, config: str) -> list[psutil.Process]:
    """Start a run and kill it; those of its workers that outlive it."""
    process = start("--config_file", config)
    time.sleep(seconds)
    workers = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    process.communicate()
    return psutil.wait_procs(workers, timeout=10)[1]


def finish(run: Path, expected: dict[str, bytes]) -> str:
    """Finish a run that was killed; what is wrong with it, or nothing."""
    done = manifests(run)
    whole("--from_cache", str(run))
    if results(run) != expected:
        return "the results are not those of a run that nobody disturbed"
    after = manifests(run)
    again = [path.relative_to(run).as_posix() for path in done if after[path] != done[path]]
    again = [path for path in again if "_combine/" not in path and "/combine/" not in path]
    return f"done again: {', '.join(again)}" if again else ""


def kill_at_random(
    folder: Path, months: int, count: int, moments: random.Random
) -> tuple[int, list[str]]:
    """How many runs could be finished, and what was wrong."""
    config = write_config(folder, months)
    begin = time.monotonic()
    whole("--config_file", config)
    usual = time.monotonic() - begin
    (undisturbed,) = folder.glob("out_*")
    expected = results(undisturbed)
    resumed, wrong = 0, []
    for number in range(count):
        moment = moments.uniform(0.15, 0.95) * usual
        trouble = ["workers outlived their run"] if kill_after(moment, config) else []
        for run in set(folder.glob("out_*")) - {undisturbed}:
            if (run / "_pyveg" / "run.json").is_file():
                trouble += filter(None, [finish(run, expected)])
                resumed += 1
            shutil.rmtree(run)
        wrong += [f"kill {number}, after {moment:.2f} s: {one}" for one in trouble]
    return resumed, wrong


def main() -> None:
    """Read the command line, and tell what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10, help="how many runs are killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--months", type=int, default=12, help="length of a run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        moments = random.Random(given.seed)
        resumed, wrong = kill_at_random(Path(folder), given.months, given.count, moments)
    print(f"{given.count} kills, {resumed} finished, {len(wrong)} wrong", *wrong, sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
