"""Time surrogates x indicators x windows on one series against ewstools; exit 1 if too slow.

Run ``python tests/benchmarks/bench_indicators.py``. Both routes use one core: 1,000 surrogates of a
series of 300 steps, detrended by LOESS, three indicators in rolling windows of 20 lengths, Kendall
tau of each. ewstools does a few surrogates only, and its time is scaled up.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy is imported

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.kernels.decomposition import Steps, prepare
from pyveg.kernels.noise import fit_noise
from pyveg.kernels.rolling import kendall_taus, rolling_indicators
from pyveg.kernels.surrogates import ar_process, draw, surrogates

N = 300
INDICATORS = ("ar1", "variance", "skewness")
WINDOWS = np.linspace(0.25 * N, 0.75 * N, 20).astype(int).tolist()
SPAN = 0.5
STEPS = Steps(season="none", trend="loess", bandwidth=SPAN, outlier_limit=0.0)

Values = NDArray[np.float64]


def ours(series: Values, count: int) -> Values:
    """Taus of the series' surrogates, shape (windows, count, indicators)."""
    prepared = prepare(series, STEPS)
    noise = fit_noise(prepared.residual, prepared.operator)
    made = surrogates(prepared.residual, noise, draw(series.size, count, 1))
    residuals = prepared.residuals(made)
    return np.stack(
        [kendall_taus(rolling_indicators(residuals, window, INDICATORS)) for window in WINDOWS]
    )


def theirs(made: Values) -> Values:
    """The same by ewstools, for surrogates that are there already."""
    import ewstools

    out = np.empty((len(WINDOWS), len(made), len(INDICATORS)))
    for row, values in enumerate(made):
        found = ewstools.TimeSeries(pd.Series(values))
        found.detrend(method="Lowess", span=SPAN)
        for place, window in enumerate(WINDOWS):
            found.compute_auto(rolling_window=window, lag=1)
            found.compute_var(rolling_window=window)
            found.compute_skew(rolling_window=window)
            found.compute_ktau()
            taus = found.ktau
            out[place, row] = [taus["ac1"], taus["variance"], taus["skew"]]
    return out


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The least time of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    """Print the times; 0 if both limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--surrogates", type=int, default=1000)
    parser.add_argument("--ewstools-surrogates", type=int, default=3)
    parser.add_argument("--most-seconds", type=float, default=5.0)
    parser.add_argument("--least-ratio", type=float, default=50.0)
    args = parser.parse_args()

    noise = np.random.default_rng(1).normal(size=(1, N + 200))
    series = ar_process(noise, np.array([0.5]))[0, -N:]
    first = seconds(lambda: ours(series, 2), 1)
    fast = seconds(lambda: ours(series, args.surrogates), 3)
    made = ar_process(np.random.default_rng(2).normal(size=(args.ewstools_surrogates, N)), [0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slow = seconds(lambda: theirs(made), 1) / args.ewstools_surrogates * args.surrogates
    print(f"{args.surrogates} surrogates x {len(INDICATORS)} indicators x {len(WINDOWS)} windows")
    print(f"first call (compiles or loads the cache)   {first:8.2f} s")
    print(f"pyveg                                      {fast:8.2f} s")
    print(f"ewstools (scaled from {args.ewstools_surrogates} surrogates)          {slow:8.1f} s")
    print(f"ratio {slow / fast:.0f}")
    return 0 if fast <= args.most_seconds and slow / fast >= args.least_ratio else 1


if __name__ == "__main__":
    sys.exit(main())
