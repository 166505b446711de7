"""How often do intervals of 95 % hold the truth?

Run ``python tests/benchmarks/bench_coverage.py --series 400``. Exit code 1 where an interval holds
it in less than 90 or more than 98 % of the records of a situation, by more than chance. Those of
breaks are in bench_breaks.py. ``--process`` looks at the memory of the process alone, for memories,
shares of observation noise and lengths of records side by side.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.breaks import Break
from pyveg.analysis.temporal.level_trends import level_trend, season_waves
from pyveg.analysis.temporal.memory import memory_rows, memory_trends
from pyveg.analysis.temporal.significance import null_interval
from pyveg.analysis.temporal.surrogate_tests import SITE, prepare_chips
from pyveg.calibration.zoo.losing import rise
from pyveg.calibration.zoo.record import PERIOD, Record, season, stable
from pyveg.calibration.zoo.steady import SD, growing_noise, long_memory, observed
from pyveg.kernels.state_space import ProcessMemory, process_memory

Values = NDArray[np.float64]
SETTINGS = AnalysisSettings(surrogates=99)
FALL = 2.0
"""SD by which the level falls over each record."""
LEAST, MOST = 0.90, 0.98
MEMORIES, SHARES, YEARS = (0.3, 0.5, 0.8, 0.9), (0.0, 0.2, 0.4), (10, 25)
"""Of the process, of the noise of its observation, and of records."""


class Situation:
    """A generator, and what is true of it; NaN where nothing is."""

    def __init__(
        self,
        make: Callable[[Record, np.random.Generator], Values],
        *,
        change: float = 0.0,
        noise: float = 1.0,
        memory: float = np.nan,
        gaps: float = 0.2,
    ) -> None:
        self.make, self.change, self.noise = make, change, noise
        self.memory, self.gaps = memory, gaps


SITUATIONS: Mapping[str, Situation] = {
    "AR(1) .5": Situation(stable, memory=0.5),
    "AR(1) .8, 40 % gaps": Situation(partial(stable, phi=0.8), memory=0.8, gaps=0.4),
    "observation noise": Situation(partial(observed, first=0.6, last=0.6), memory=0.5),
    "long memory, d .3": Situation(partial(long_memory, d=0.3)),
    "AR(1) .3 to .7": Situation(partial(rise, first=0.3, last=0.7), change=0.4),
    "noise x 2": Situation(partial(growing_noise, factor=2.0), noise=2.0, memory=0.5),
}


def held(situation: Situation, record: Record, seed: int) -> dict[str, float]:
    """Whether each interval holds the truth; NaN where there is none."""
    rng = np.random.default_rng(seed)
    fall = -SD * FALL * record.time
    values = situation.make(record, rng) + season(record) + fall
    values[rng.random(values.shape) < record.gaps] = np.nan
    level = level_trend(values[0], PERIOD, SETTINGS)
    slope = (fall[1] - fall[0]) * PERIOD
    chips = prepare_chips(values, PERIOD, SETTINGS)
    ready = [chip.ready for chip in chips if chip.ready]
    trends = memory_trends(ready, Break(memory=0.5), PERIOD, SETTINGS, [seed])
    row = next(iter(memory_rows(trends, chips, [SITE], SETTINGS, {})))
    process = of_process(values[0])
    known = not np.isnan(situation.memory)
    return {
        "slope": level.interval_low <= slope <= level.interval_high,
        "first to last year": level.change_low
        <= fall[-PERIOD:].mean() - fall[:PERIOD].mean()
        <= level.change_high,
        "change of AR(1)": row["change_low"] <= situation.change <= row["change_high"],
        "growth of the noise": row["noise_low"] <= situation.noise <= row["noise_high"],
        "AR(1) of the process": process.low <= situation.memory <= process.high
        if known
        else np.nan,
    }


def of_process(values: Values) -> ProcessMemory:
    """Memory of the process beside a trend and a season."""
    u = np.linspace(-1, 1, values.size)
    waves = season_waves(values.size, SETTINGS.steps(PERIOD))
    return process_memory(values, np.concatenate([[u**0, u, u**2, u**3], waves]))


def process_coverage(series: int) -> pd.DataFrame:
    """Percent of records whose memory of the process lies in its interval, by what is true."""
    rows = []
    for years, memory, share in product(YEARS, MEMORIES, SHARES):
        record, hits = Record(years, 0.2), 0
        for seed in range(series):
            rng = np.random.default_rng(seed)
            values = stable(record, rng, phi=memory) + season(record) - SD * FALL * record.time
            white = SD * np.sqrt(share / (1 - share))
            values = values + white * rng.standard_normal(values.shape)
            values[rng.random(values.shape) < record.gaps] = np.nan
            found = of_process(values[0])
            hits += found.low <= memory <= found.high
        rows.append({"years": years, "memory": memory, "share": share, "held": 100 * hits / series})
    table = pd.DataFrame(rows)
    return table.pivot_table("held", ["years", "memory"], "share")


def main() -> int:
    """Print the coverage of each interval; 0 if all are within the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=400)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--table", type=Path, help="CSV that the shares are written to")
    parser.add_argument("--process", action="store_true")
    args = parser.parse_args()
    if args.process:
        shares = process_coverage(args.series)
        print(shares.round(1).to_string(), f"all: {shares.to_numpy().mean():.1f}", sep="\n")
        return int(not LEAST <= shares.to_numpy().mean() / 100 <= MOST)
    rows = {}
    for name, situation in SITUATIONS.items():
        record = Record(args.years, situation.gaps)
        found = pd.DataFrame([held(situation, record, seed) for seed in range(args.series)])
        rows[name] = 100 * found.astype(float).mean()
        shares = ", ".join(f"{key} {value:.1f}" for key, value in rows[name].items())
        print(f"{args.years} years, {name}: {shares}", flush=True)
    table = pd.DataFrame(rows).T
    if args.table:
        table.round(1).to_csv(args.table)
    least = 100 * null_interval(LEAST, args.series, 0.99)[0] / args.series
    most = 100 * null_interval(MOST, args.series, 0.99)[1] / args.series
    return int(((table < least) | (table > most)).to_numpy().any())


if __name__ == "__main__":
    sys.exit(main())
