"""Count false alarms on stable series, whole chain; exit 1 where the nominal rate is not held.

Run ``python tests/benchmarks/bench_calibration.py``; minutes. The rate of `--places` series should
lie in the 95 % binomial interval of 400; with so many rates some lie outside by chance, and more
than chance gives is a miss.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import pandas as pd

from pyveg.analysis.calibration import false_alarms
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.significance import null_interval

CHECKED = ("ar1", "variance")


def main() -> int:
    """Print the rates; 0 if all that are checked are held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--places", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    low, high = (hits / 400 for hits in null_interval(0.05, 400))
    print(f"nominal 5 %, 95 % binomial interval of 400: {100 * low:.2f} to {100 * high:.2f} %")
    checked = missed = 0
    runs = [
        ("one chip, AR sieve", "ar", 120, 1, 0.0, args.places),
        ("one chip, phases", "phase", 120, 1, 0.0, args.places),
        ("one chip, blocks", "block", 120, 1, 0.0, args.places),
        ("25 years, AR sieve", "ar", 300, 1, 0.0, max(args.places // 4, 400)),
        ("9 chips, half of the noise shared", "ar", 120, 9, 0.5, max(args.places // 4, 400)),
    ]
    for title, null, n, chips, shared, places in runs:
        start = time.perf_counter()
        settings = AnalysisSettings(null=null, surrogates=199, seed=args.seed)
        table = false_alarms(settings, places=places, n=n, chips=chips, shared=shared)
        wide = table.pivot_table(index=["memory", "gaps"], columns="indicator", values="rate")
        print(f"\n{title}, n = {n}, {places} places, {time.perf_counter() - start:.0f} s")
        with pd.option_context("display.width", 120, "display.precision", 3):
            print(wide[list(settings.indicators)].mul(100).round(1).to_string())
        rates = table.loc[table["indicator"].isin(CHECKED) & (null == "ar"), "rate"]
        checked += len(rates)
        missed += int((~rates.between(low, high)).sum())
    allowed = null_interval(0.05, checked)[1]
    print(f"\nAR sieve: {missed} of {checked} rates of {', '.join(CHECKED)} outside the interval; ")
    print(f"chance gives up to {allowed}")
    return 1 if missed > allowed else 0


if __name__ == "__main__":
    sys.exit(main())
