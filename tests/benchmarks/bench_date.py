"""One full date, 1100 x 1100 pixels (484 chips), through all vegetation modules.

Run ``python tests/benchmarks/bench_date.py [--dates N]``. Prints the wall-clock time of the whole
command, imports and picture included, and the largest memory of all its processes together (sum
of proportional set sizes, sampled), for one date and for several: memory must not grow with them.
Exits with 1 where a limit is exceeded: 3 s for the Tasks of one date, 500 MB.

With ``--against PYTHON`` the marginal cost of a date is measured instead, serially: core seconds of
a run of ``--dates`` dates less those of a run of one, over the dates between, by turns with this
interpreter and with another one, such as that of an older checkout. Prints the ratio.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from pyveg import formats

SIZE = 1100
CONFIG = """
name = "bench"
output_location = {out!r}
coordinates = (27.95, 11.57)
date_range = ["2020-01-01", "2030-01-01"]
data_collections = {{"Mine": {{"data_type": "vegetation", "source": "folder", "path": {path!r},
    "RGB_bands": ["B4", "B3", "B2"], "NIR_band": "B8"}}}}
collections_to_use = ["Mine"]
modules_to_use = {{"Mine": ["VegetationDownloader", "VegetationImageProcessor",
    "NetworkCentralityCalculator", "NDVICalculator"]}}
special_config = {{"NetworkCentralityCalculator": {{"n_threads": 2}}}}
"""


def make_date(folder: Path, seed: int) -> None:
    """Patches of plants on soil, as real dryland looks to the modules."""
    rng = np.random.default_rng(seed)
    waves = np.fft.rfft2(rng.normal(size=(SIZE, SIZE)))
    wave = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :])
    plants = np.fft.irfft2(waves * np.exp(-(((wave - 0.08) / 0.03) ** 2)), s=(SIZE, SIZE))
    plants = 1 / (1 + np.exp(-2 * plants / plants.std() + 1))
    folder.mkdir(parents=True)
    for band, soil, green in (
        ("B2", 1200, 300),
        ("B3", 1800, 700),
        ("B4", 2600, 400),
        ("B8", 3400, 4000),
    ):
        values = soil + (green - soil) * plants + rng.normal(0, 40, plants.shape)
        raster = formats.Raster(
            np.clip(values, 1, 9999).astype(np.uint16),
            "EPSG:32635",
            (10.0, 0.0, 500_000.0, 0.0, -10.0, 1_280_000.0),
        )
        (folder / f"download.{band}.tif").write_bytes(formats.encode_geotiff(raster))


def core_seconds(python: str, dates: int) -> float:
    """User and system time of a serial run of some dates, all its processes together."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_job(folder, dates)
        command = [python, "-m", "pyveg.scripts.run_pipeline", "--config_file", str(config)]
        before = os.times()
        done = subprocess.run(  # elsewhere, lest -m finds the pyveg of this folder
            [*command, "--runner", "serial"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        after = os.times()
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
    there = after.children_user + after.children_system
    return there - before.children_user - before.children_system


def compare(other: str, dates: int, rounds: int) -> None:
    """Print the marginal cost of a date here and there, by turns."""
    pythons = {"here": sys.executable, "there": other}
    costs: dict[str, list[float]] = {name: [] for name in pythons}
    for python in pythons.values():
        core_seconds(python, 1)  # fills the caches of compiled code
    for _ in range(rounds):
        for name, python in pythons.items():
            many, one = core_seconds(python, dates), core_seconds(python, 1)
            costs[name].append((many - one) / (dates - 1))
    here, there = (statistics.median(costs[name]) for name in pythons)
    for name, values in costs.items():
        print(f"{name:5} {', '.join(f'{value:.3f}' for value in values)} core seconds per date")
    print(f"there / here: {there / here:.2f}")


def write_job(folder: Path, dates: int) -> Path:
    """Images of some dates, and a config for them."""
    for date in range(dates):
        name = f"2020-{date % 12 + 1:02}-{date // 12 + 1:02}"
        make_date(folder / "in" / name / "RAW", date)
    config = folder / "config.py"
    config.write_text(CONFIG.format(out=str(folder / "out"), path=str(folder / "in")))
    return config


def measure(config: Path) -> tuple[float, float, float]:
    """Seconds of the command, seconds of the run that it prints, and the largest PSS in MB."""
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--config_file", str(config)]
    begin, largest = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        largest = max(largest, pss(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - begin
    text = process.communicate()[0]
    if process.returncode:
        raise SystemExit(text)
    inside = float(text.rsplit("(", 1)[1].split(" s)")[0])
    return seconds, inside, largest / 2**20


def pss(pid: int) -> int:
    """Memory of a process and all below it, each shared page counted once."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:  # one of them has just ended
        return 0
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", type=int, default=8, help="dates of the second run")
    parser.add_argument("--against", help="interpreter to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="turns with --against")
    arguments = parser.parse_args()
    count = arguments.dates
    if arguments.against:
        compare(arguments.against, count, arguments.rounds)
        return
    memory, inside = {}, {}
    for number in (1, 1, count):  # the first fills the caches of compiled code
        with tempfile.TemporaryDirectory() as name:
            config = write_job(Path(name), number)
            seconds, inside[number], memory[number] = measure(config)
        print(
            f"{number:3} date(s): command {seconds:.2f} s, run {inside[number]:.2f} s, "
            f"{seconds / number:.2f} s per date, {memory[number]:.0f} MB"
        )
    print(f"memory of {count} dates / of 1: {memory[count] / memory[1]:.2f}")
    sys.exit(int(inside[1] > 3 or memory[count] > 500))


if __name__ == "__main__":
    main()
