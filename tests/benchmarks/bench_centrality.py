"""Time `feature_vector` against a dense eigendecomposition; exit 1 if the gain is too small.

Run ``python tests/benchmarks/bench_centrality.py [chip_BWNDVI.png]``. Both routes use one core.

With ``--against PYTHON``, the interpreter of another environment with pyveg (another commit, say),
both environments are measured by turns, each time in a new process without compiled code; exit 1
if their vectors differ.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"  # read when NumPy is imported

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import pyveg
from pyveg.kernels.centrality import feature_vector, feature_vectors, subgraph_centrality

Mask = NDArray[np.bool_]

SIDE = 50
COVER = 0.76  # of the real chips
CHIPS = 484  # of an image of 1100 x 1100 pixels
QUANTILES = 20


def synthetic_chip(seed: int) -> Mask:
    """Noise smoothed over a few pixels and cut at the cover of a real chip."""
    field = np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    for _ in range(3):
        for axis in (0, 1):
            field = field + np.roll(field, 1, axis) + np.roll(field, -1, axis)
    return field <= np.quantile(field, COVER)


def read_chip(path: Path) -> Mask:
    """Signal of a BWNDVI picture."""
    with Image.open(path) as image:
        grey = np.asarray(image)
    return (grey if grey.ndim == 2 else grey[..., 0]) >= 255


def dense_feature_vector(mask: Mask) -> NDArray[np.float64]:
    """Feature vector by numpy.linalg.eigh of the adjacency matrix, same ties and counting."""
    rows, columns = np.nonzero(mask)
    n = rows.size
    steps = np.abs(rows[:, None] - rows) + np.abs(columns[:, None] - columns)
    values, vectors = np.linalg.eigh((steps == 1).astype(np.float64))
    centrality = vectors**2 @ np.exp(values)
    order = np.argsort(-centrality, kind="stable")
    ranked = centrality[order]
    group = np.concatenate([[0], np.cumsum(ranked[:-1] - ranked[1:] > 1e-12 * ranked[:-1])])
    order = order[np.lexsort((order, group))]
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    one, other = np.nonzero(np.triu(steps == 1))
    edges = np.cumsum(np.bincount(np.maximum(rank[one], rank[other]), minlength=n))
    taken = [round(k * n / QUANTILES) for k in range(QUANTILES)]
    return np.array([p - edges[p - 1] if p else 0 for p in taken], dtype=np.float64)


def milliseconds(function: Callable[[], Any], repeats: int) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def cpu_milliseconds(function: Callable[[Mask], Any], chips: NDArray[np.bool_]) -> float:
    """Median processor time of a call, over all chips."""
    times = []
    for chip in chips:
        start = time.process_time()
        function(chip)
        times.append(time.process_time() - start)
    return 1e3 * statistics.median(times)


def measure(neighbours: int) -> dict[str, Any]:
    """Processor times, ms, in this process; the first call compiles or loads the cache."""
    diagonal = neighbours == 8
    chips = np.stack([synthetic_chip(seed) for seed in range(24 if diagonal else CHIPS)])
    centrality = functools.partial(subgraph_centrality, diagonal=diagonal)
    vector = functools.partial(feature_vector, diagonal=diagonal)
    times = {
        "first call": cpu_milliseconds(vector, chips[:1]),
        "subgraph_centrality": cpu_milliseconds(centrality, chips),
        "feature_vector": cpu_milliseconds(vector, chips),
    }
    vectors = feature_vectors(chips, diagonal=diagonal).tobytes()
    return {
        "pyveg": str(Path(pyveg.__file__).parent),
        "vectors": hashlib.sha256(vectors).hexdigest(),
        "times": times,
    }


def measured_by(python: str, neighbours: int) -> dict[str, Any]:
    """What `measure` finds in a new process of an interpreter, with nothing compiled before."""
    with tempfile.TemporaryDirectory() as cache:
        answer = subprocess.run(
            [python, __file__, "--measure", str(neighbours)],
            env=os.environ | {"NUMBA_CACHE_DIR": cache},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def compare(other: str, rounds: int, neighbours: int) -> bool:
    """Print both environments' median times and their ratios; True if all vectors are equal."""
    runs: dict[str, list[dict[str, Any]]] = {sys.executable: [], other: []}
    for _ in range(rounds):
        for python, found in runs.items():
            found.append(measured_by(python, neighbours))
    ours, theirs = runs.values()
    print(f"{neighbours} neighbours\nhere   {ours[0]['pyveg']}\nother  {theirs[0]['pyveg']}")
    print(f"{'processor time, ms':20}  {'here':>9}  {'other':>9}  other / here")
    for name in ours[0]["times"]:
        mine, its = (statistics.median(r["times"][name] for r in found) for found in (ours, theirs))
        print(f"{name:20}  {mine:9.3f}  {its:9.3f}  {its / mine:6.2f}")
    equal = len({run["vectors"] for run in ours + theirs}) == 1
    print(f"vectors equal: {equal}\n")
    return equal


def main() -> int:
    """Print the times; 0 if results agree and the gain is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", nargs="?", type=Path, help="a BWNDVI chip; default: made up")
    parser.add_argument("--repeats", type=int, default=300, help="of feature_vector")
    parser.add_argument("--dense-repeats", type=int, default=5, help="of the dense route")
    parser.add_argument("--least", type=float, default=300, help="ratio below which it fails")
    parser.add_argument("--against", metavar="PYTHON", help="interpreter of another environment")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each environment")
    parser.add_argument("--measure", type=int, choices=(4, 8), help="times as JSON; neighbours")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return 0
    if args.against:
        differing = [n for n in (4, 8) if not compare(args.against, args.rounds, n)]
        return 1 if differing else 0
    return against_dense(args)


def against_dense(args: argparse.Namespace) -> int:
    """Print the times of one chip and of many; 0 if vectors are equal and the gain is reached."""
    mask = read_chip(args.picture) if args.picture else synthetic_chip(seed=1)
    first = milliseconds(lambda: feature_vector(mask), 1)
    print(f"chip {mask.shape[0]} x {mask.shape[1]}, {mask.sum()} pixels")
    print(f"first call (compiles or loads the cache)  {first:9.1f} ms")

    fast = milliseconds(lambda: feature_vector(mask), args.repeats)
    dense = milliseconds(lambda: dense_feature_vector(mask), args.dense_repeats)
    equal = np.array_equal(feature_vector(mask), dense_feature_vector(mask))
    print(f"feature_vector                            {fast:9.3f} ms")
    print(f"dense eigh, 1 thread                      {dense:9.1f} ms")
    print(f"ratio {dense / fast:.0f}, vectors equal: {equal}")

    centrality = milliseconds(lambda: subgraph_centrality(mask), args.repeats)
    print(f"subgraph_centrality alone                 {centrality:9.3f} ms")
    feature_vector(mask, diagonal=True)
    diagonal = milliseconds(lambda: feature_vector(mask, diagonal=True), 15)
    print(f"feature_vector, 8 neighbours              {diagonal:9.1f} ms")

    chips = np.stack([synthetic_chip(seed) for seed in range(CHIPS)])
    for threads in (1, 2):
        took = milliseconds(lambda n=threads: feature_vectors(chips, n_threads=n), 5)
        print(f"feature_vectors, {CHIPS} chips, {threads} thread(s)    {took:9.1f} ms")
    return 0 if equal and dense / fast >= args.least else 1


if __name__ == "__main__":
    sys.exit(main())
