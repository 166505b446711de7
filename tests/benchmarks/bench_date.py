"""One full date, 1100 x 1100 pixels (484 chips), through all vegetation modules.

Run ``python tests/benchmarks/bench_date.py [--dates N]``. Prints the wall-clock time of the whole
command, imports and picture included, and the largest memory of all its processes together (sum
of proportional set sizes, sampled), for one date and for several: memory must not grow with them.
Exits with 1 where a limit is exceeded: 3 s for the Tasks of one date, 500 MB.
"""

from __future__ import annotations

import argparse
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
    count = parser.parse_args().dates
    memory, inside = {}, {}
    for number in (1, 1, count):  # the first fills the caches of compiled code
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for date in range(number):
                make_date(
                    folder / "in" / f"2020-{date % 12 + 1:02}-{date // 12 + 1:02}" / "RAW", date
                )
            config = folder / "config.py"
            config.write_text(CONFIG.format(out=str(folder / "out"), path=str(folder / "in")))
            seconds, inside[number], memory[number] = measure(config)
        print(
            f"{number:3} date(s): command {seconds:.2f} s, run {inside[number]:.2f} s, "
            f"{seconds / number:.2f} s per date, {memory[number]:.0f} MB"
        )
    print(f"memory of {count} dates / of 1: {memory[count] / memory[1]:.2f}")
    sys.exit(int(inside[1] > 3 or memory[count] > 500))


if __name__ == "__main__":
    main()
