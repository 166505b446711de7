"""A whole analysis with figures and report: ten years of months, 289 chips, images and weather.

Run ``python tests/benchmarks/bench_analysis.py``. Makes 850 x 850 pixels per month (a tenth of the
months have none), runs the pipeline on them, and times `pyveg_gee_analysis` as a command, with its
defaults: 999 surrogates of the site, 199 for each chip. Exits with 1 beyond 90 s on 2 cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyveg import formats

CHIPS, MONTHS, LIMIT = 17, 120, 90.0
"""Chips along a side, months of the record, seconds."""
CONFIG = """
from pyveg.configs.collections import data_collections as _known

name = "bench"
output_location = {out!r}
coordinates = (27.039, 11.5406)
date_range = ["2016-01-01", "2026-01-01"]
data_collections = {{"Mine": {{"data_type": "vegetation", "source": "folder", "path": {path!r},
    "RGB_bands": ["B4", "B3", "B2"], "NIR_band": "B8"}},
    "SimulatedWeather": _known["SimulatedWeather"]}}
collections_to_use = ["Mine", "SimulatedWeather"]
modules_to_use = {{"Mine": ["VegetationDownloader", "VegetationImageProcessor",
    "NetworkCentralityCalculator", "NDVICalculator"],
    "SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"],
    "combine": ["VegAndWeatherJsonCombiner"]}}
"""


def make_images(folder: Path, months: int) -> None:
    """Patches of plants on soil; greenness has a season and, chip by chip, a memory."""
    rng = np.random.default_rng(0)
    size = 50 * CHIPS
    waves = np.fft.rfft2(rng.normal(size=(size, size)))
    wave = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    plants = np.fft.irfft2(waves * np.exp(-(((wave - 0.08) / 0.03) ** 2)), s=(size, size))
    plants = 1 / (1 + np.exp(-2 * plants / plants.std() + 1))
    anomaly = np.zeros((CHIPS, CHIPS))
    for month in range(months):
        anomaly = 0.5 * anomaly + 0.05 * (rng.normal() + rng.normal(size=anomaly.shape))
        green = 1 + 0.2 * np.sin(2 * np.pi * month / 12) + np.kron(anomaly, np.ones((50, 50)))
        if month % 10 != 7:
            date = f"{2016 + month // 12}-{month % 12 + 1:02}-10"
            _write_date(folder / date / "RAW", plants * green, rng)


def _write_date(folder: Path, plants: NDArray[np.float64], rng: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    bands = {"B2": (1200, 300), "B3": (1800, 700), "B4": (2600, 400), "B8": (3400, 4000)}
    for band, (soil, green) in bands.items():
        values = soil + (green - soil) * plants + rng.normal(0, 40, plants.shape)
        raster = formats.Raster(
            np.clip(values, 1, 9999).astype(np.uint16),
            "EPSG:32635",
            (10.0, 0.0, 500_000.0, 0.0, -10.0, 1_280_000.0),
        )
        (folder / f"download.{band}.tif").write_bytes(formats.encode_geotiff(raster))


def command(*arguments: str) -> float:
    """Seconds of one of our commands."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - begin


def main() -> int:
    """Print the times; 0 if the analysis is within its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=MONTHS)
    months = parser.parse_args().months
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder / "in", months)
        config = folder / "config.py"
        config.write_text(CONFIG.format(out=str(folder / "out"), path=str(folder / "in")))
        seconds = command("pyveg.scripts.run_pipeline", "--config_file", str(config))
        print(f"pipeline: {seconds:.1f} s")
        (run,) = folder.glob("out_*")
        analysis = "pyveg.scripts.gee_analysis"
        bare = command(
            analysis, "--input_dir", str(run), "--output_dir", str(folder / "bare"), "--no_spatial"
        )
        print(f"analysis without images: {bare:.1f} s")
        whole = command(analysis, "--input_dir", str(run))
        (report,) = run.glob("analysis/*/report.html")
        print(f"analysis: {whole:.1f} s, report of {report.stat().st_size / 1e6:.1f} MB")
    return int(whole > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
