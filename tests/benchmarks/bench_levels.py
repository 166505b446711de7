"""How often is the level of a stable series said to change, and how often is a fall found?

Run ``python tests/benchmarks/bench_levels.py --series 300``. Exit code 1 where some kind of stable
noise is said to change in more than 7 % of its records by more than chance.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
from numpy.typing import NDArray

from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.level_trends import level_trend
from pyveg.analysis.temporal.significance import null_interval
from pyveg.analysis.temporal.surrogate_tests import site_median
from pyveg.calibration.zoo.record import PERIOD, Record, season, stable
from pyveg.calibration.zoo.steady import long_memory, observed

Values = NDArray[np.float64]
Noise = Callable[[Record, np.random.Generator], Values]

MOST = 0.07
NOISES: Mapping[str, Noise] = {
    "AR(1) 0": partial(stable, phi=0.0),
    "AR(1) .5": stable,
    "AR(1) .8": partial(stable, phi=0.8),
    "AR(1) .9": partial(stable, phi=0.9),
    "observation noise": partial(observed, first=0.6, last=0.6),
    "long memory, d .3": partial(long_memory, d=0.3),
    "long memory, d .45": partial(long_memory, d=0.45),
}
FALLS: Mapping[str, Callable[[Values], Values]] = {
    "straight 2 SD": lambda time: 2 * time,
    "straight 3 SD": lambda time: 3 * time,
    "4 SD in the last 15 %": lambda time: 4 * np.clip((time - 0.85) / 0.15, 0, 1),
    "collapse of 8 SD from 80 % on": lambda time: 8 * np.clip((time - 0.8) / 0.2, 0, 1) ** 2,
}
"""What the level loses, in SD of the noise."""
FALLING = ("AR(1) .5", "observation noise", "long memory, d .3")
SETTINGS = AnalysisSettings()


def changed(noise: str, record: Record, fall: str, series: int) -> int:
    """In how many records the level is said to change."""
    count = 0
    for seed in range(series):
        rng = np.random.default_rng([seed, *map(ord, noise)])
        values = NOISES[noise](record, rng)
        if fall:
            values = values - values.std() * FALLS[fall](record.time)
        values = values + season(record)
        values[rng.random(values.shape) < record.gaps] = np.nan
        count += level_trend(site_median(values), PERIOD, SETTINGS).p <= SETTINGS.alpha
    return count


def main() -> int:
    """Print a line per kind of record and noise; 0 if none changes too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=300)
    parser.add_argument("--years", type=int, nargs="*", default=[5, 10, 25])
    parser.add_argument("--gaps", type=float, nargs="*", default=[0.0, 0.2, 0.4])
    parser.add_argument("--chips", type=int, default=1)
    args = parser.parse_args()
    most, worst = null_interval(MOST, args.series, 0.99)[1], 0
    for years in args.years:
        for gaps in args.gaps:
            for noise in NOISES:
                record = Record(years, gaps, args.chips)
                found = {
                    fall or "false": changed(noise, record, fall, args.series)
                    for fall in ("", *(FALLS if noise in FALLING else ()))
                }
                worst = max(worst, found["false"])
                shares = ", ".join(
                    f"{n} {100 * hits / args.series:.1f}" for n, hits in found.items()
                )
                print(f"{record.name}, {noise}: {shares}", flush=True)
    return int(worst > most)


if __name__ == "__main__":
    sys.exit(main())
