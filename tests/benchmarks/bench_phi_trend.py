"""Time the trend of phi and the break scan of a chip's surrogates; exit 1 where they are slow.

Run ``python tests/benchmarks/bench_phi_trend.py``. Beside them stand the same fits made one series
at a time with NumPy's least squares and SciPy's minimiser.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from pyveg.kernels.breaks import break_templates, scan_breaks
from pyveg.kernels.decomposition import Steps, prepare
from pyveg.kernels.phi_trend import phi_trends
from pyveg.kernels.surrogates import ar_process

Values = NDArray[np.float64]


def one_by_one(series: Values) -> list[float]:
    """Changes of AR(1), each fitted with NumPy and SciPy."""
    n = series.shape[1]
    u = (np.arange(n - 1) + 0.5) / n - 0.5
    found = []
    for row in series:
        design, d = np.stack([row[:-1], u * row[:-1]], axis=1), 0.0
        for _ in range(3):
            root = np.exp(-d * u / 2)
            beta = np.linalg.lstsq(design * root[:, None], row[1:] * root, rcond=None)[0]
            squares = (row[1:] - design @ beta) ** 2

            def cost(given: Values, squares: Values = squares) -> float:
                mean = given[0] + given[1] * u
                return float(np.sum(mean + squares * np.exp(-mean)))

            d = float(minimize(cost, [np.log(squares.mean()), 0.0], method="BFGS").x[1])
        found.append(float(beta[1]))
    return found


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
    parser.add_argument("--surrogates", type=int, default=199)
    parser.add_argument("--least-ratio", type=float, default=20.0)
    parser.add_argument("--most-scan", type=float, default=0.15, help="seconds for 300 steps")
    args = parser.parse_args()
    ratios, scans = [], []
    for n in (120, 240, 300):
        noise = np.random.default_rng(n).normal(size=(args.surrogates, n + 200))
        series = np.ascontiguousarray(ar_process(noise, np.array([0.5]))[:, -n:])
        phi_trends(series)
        fit = seconds(lambda series=series: phi_trends(series), 5)
        slow = seconds(lambda series=series: one_by_one(series[:20]), 1) / 20 * args.surrogates
        done = prepare(series[0], Steps(outlier_limit=0.0))
        templates = break_templates(done.operator, 6.0)
        rest = done.residuals(series)
        scan_breaks(rest, templates, 0.5)
        scan = seconds(lambda rest=rest, made=templates: scan_breaks(rest, made, 0.5), 5)
        ratios.append(slow / fit)
        scans.append(scan)
        print(
            f"{n} steps x {args.surrogates}: trend of phi {1000 * fit:6.1f} ms, by SciPy "
            f"{1000 * slow:7.0f} ms, ratio {slow / fit:.0f}; scan {1000 * scan:.0f} ms"
        )
    return int(min(ratios) < args.least_ratio or scans[-1] > args.most_scan)


if __name__ == "__main__":
    sys.exit(main())
