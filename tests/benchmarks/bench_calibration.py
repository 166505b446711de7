"""Count false alarms on stable series, whole chain; exit 1 where the nominal rate is not held.

Run ``python tests/benchmarks/bench_calibration.py``; an hour, or minutes with ``--places 400``. A
rate should lie in the 95 % binomial interval of its number of places; a twentieth of the rates
lies outside by chance. It is a miss where more do than chance gives, or one is above 10 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import pandas as pd

from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.significance import null_interval
from pyveg.calibration.false_alarms import false_alarms

CHECKED = ("ar1", "variance")
WORST = 0.1
MEMORY, GAPS = (0.3, 0.6, 0.8), (0.0, 0.2, 0.4)


class Run(NamedTuple):
    """Stable places of one kind."""

    title: str
    places: int
    null: str = "ar"
    n: int = 120
    chips: int = 1
    shared: float = 0.0
    memory: Sequence[float] = MEMORY
    gaps: Sequence[float] = GAPS


def main() -> int:
    """Print the rates; 0 if those that are checked are held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--places", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    few = max(args.places // 4, min(args.places, 400))
    runs = [
        Run("one chip, AR sieve", args.places),
        Run("one chip, phases", args.places, null="phase"),
        Run("one chip, blocks", args.places, null="block"),
        Run("25 years, AR sieve", few, n=300),
        Run("9 chips, half of the noise shared", few, chips=9, shared=0.5),
        Run("40 chips that miss half of the steps", few // 2, chips=40, shared=0.8,
            memory=(0.6,), gaps=(0.5,)),
    ]  # fmt: skip
    rates = pd.concat([told(run, args.seed) for run in runs if run.places])
    checked = rates[rates["indicator"].isin(CHECKED) & (rates["null"] == "ar")]
    missed = int((~checked["alarms"].between(checked["low"], checked["high"])).sum())
    allowed = null_interval(0.05, len(checked))[1]
    worst = checked["rate"].max()
    print(f"\nAR sieve: {missed} of {len(checked)} rates of {', '.join(CHECKED)} outside their")
    print(f"interval, {allowed} may be by chance; the largest is {100 * worst:.1f} %")
    return int(missed > allowed or worst > WORST)


def told(run: Run, seed: int) -> pd.DataFrame:
    """Print the rates of one kind of place, and give them back."""
    start = time.perf_counter()
    settings = AnalysisSettings(null=run.null, surrogates=199, seed=seed)
    table = false_alarms(
        settings,
        places=run.places,
        n=run.n,
        memory=run.memory,
        gaps=run.gaps,
        chips=run.chips,
        shared=run.shared,
    )
    low, high = (hits / run.places for hits in null_interval(settings.alpha, run.places))
    print(f"\n{run.title}, n = {run.n}, {run.places} places, {time.perf_counter() - start:.0f} s")
    print(f"nominal 5 %, 95 % binomial interval: {100 * low:.2f} to {100 * high:.2f} %")
    wide = table.pivot_table(index=["memory", "gaps"], columns="indicator", values="rate")
    with pd.option_context("display.width", 120, "display.precision", 3):
        print(wide[list(settings.indicators)].mul(100).round(1).to_string(), flush=True)
    return table


if __name__ == "__main__":
    sys.exit(main())
