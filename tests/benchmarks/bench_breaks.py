"""How often are abrupt changes found, and how often where there are none?

Run ``python tests/benchmarks/bench_breaks.py --folder breaks``: a file per situation, so that it
goes on where it was interrupted. Exit code 1 where a situation without a change of the level has
breaks in more than 7 % of its records by more than chance.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.breaks import find_break
from pyveg.analysis.temporal.significance import null_interval, share_interval
from pyveg.analysis.temporal.surrogate_tests import prepare_chips
from pyveg.calibration.zoo.record import PERIOD, Record, season, stable
from pyveg.calibration.zoo.steady import SD, long_memory, observed

Values = NDArray[np.float64]
Generator = np.random.Generator

MOST = 0.07
SETTINGS = AnalysisSettings(surrogates=199)
STEADY: Mapping[str, Callable[[Record, Generator], Values]] = {
    "AR(1) .3": partial(stable, phi=0.3),
    "AR(1) .5": stable,
    "red, AR(1) .8": partial(stable, phi=0.8),
    "AR(1) .5, observation noise": partial(observed, first=0.6, last=0.6),
    "long memory, d .3": partial(long_memory, d=0.3),
    "long memory, d .45": partial(long_memory, d=0.45),
}
SIZES, PLACES, RATIOS = (2.0, 3.0, 5.0), (0.3, 0.5, 0.7), (1.5, 2.0)


def level_of(size: float, place: float, record: Record, rng: Generator) -> Values:
    """A drop of so many SD."""
    return np.asarray(stable(record, rng) - SD * size * (record.time >= place), dtype=np.float64)


def spread_of(ratio: float, place: float, record: Record, rng: Generator) -> Values:
    """The spread changes by a factor."""
    grown = np.where(record.time >= place, ratio, 1.0)
    return np.asarray(stable(record, rng) * grown, dtype=np.float64)


def situations() -> dict[str, tuple[Callable[[Record, Generator], Values], float, float, float]]:
    """Name -> generator, size and place of a drop, and ratio of a change of the spread."""
    known = {name: (make, 0.0, 0.5, 1.0) for name, make in STEADY.items()}
    for place in PLACES:
        for size in SIZES:
            name = f"drop of {size:g} SD at {100 * place:.0f} %"
            known[name] = (partial(level_of, size, place), size, place, 1.0)
    for ratio in RATIOS:
        known[f"spread x {ratio:g} at 50 %"] = (partial(spread_of, ratio, 0.5), 0.0, 0.5, ratio)
    return known


def judged(name: str, record: Record, seed: int) -> dict[str, float]:
    """What the tests say of one record."""
    make, size, place, ratio = situations()[name]
    rng = np.random.default_rng([seed, *map(ord, name)])
    values = make(record, rng) + season(record)
    values[rng.random(values.shape) < record.gaps] = np.nan
    ready = [chip.ready for chip in prepare_chips(values, PERIOD, SETTINGS) if chip.ready]
    found = find_break(ready, PERIOD, SETTINGS, [seed])
    true = int(np.argmax((record.time >= place) & np.isfinite(values[0])))
    scale = found.scale
    return {
        "seed": seed,
        "found": found.found,
        "near": abs(found.step - true) <= PERIOD / 4,
        "size_held": abs(found.size + SD * size) <= 1.96 * found.error,
        "date_held": found.dates[0] <= true <= found.dates[1],
        "scale_found": scale.found,
        "scale_held": abs(np.log(scale.ratio / ratio)) <= 1.96 * scale.error,
    }


def records_of(folder: Path, name: str, record: Record, series: int) -> pd.DataFrame:
    """Those that are kept, and what is missing of them."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in name)
    path = folder / f"{record.name}-{plain}.csv"
    known = pd.read_csv(path) if path.exists() else pd.DataFrame()
    for first in range(len(known), series, 20):
        rows = [judged(name, record, seed) for seed in range(first, min(first + 20, series))]
        known = pd.concat([known, pd.DataFrame(rows)], ignore_index=True)
        known.to_csv(path, index=False)
    return known.iloc[:series]


def told(part: pd.DataFrame) -> str:
    """Shares in percent, the intervals of what was found only."""
    hits, count = int(part["found"].sum()), len(part)
    low, high = share_interval(hits, count)
    mine, scales = part[part["found"]], part[part["scale_found"]]
    share = {
        "month": mine["near"], "size": mine["size_held"], "date": mine["date_held"],
        "ratio": scales["scale_held"],
    }  # fmt: skip
    held = ", ".join(f"{name} {100 * one.mean():.0f}" for name, one in share.items() if len(one))
    return (
        f"break {100 * hits / count:.0f} % ({100 * low:.0f} to {100 * high:.0f}), spread "
        f"{100 * part['scale_found'].mean():.0f} %; of those found, % held: {held or '-'} ({count})"
    )


def main() -> int:
    """Print a line per situation; 0 if false breaks are as rare as they should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("breaks"))
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--years", type=int, nargs="*", default=[10, 25])
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    wrong = False
    for years in args.years:
        for name in situations():
            part = records_of(args.folder, name, Record(years, 0.2), args.series)
            print(f"{years} years, {name}: {told(part)}", flush=True)
            most = null_interval(MOST, len(part), 0.99)[1]
            wrong |= name in STEADY and int(part["found"].sum()) > most
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
