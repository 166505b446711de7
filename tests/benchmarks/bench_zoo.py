"""Count what the verdict says of a zoo of records, most of which lose no resilience.

Run ``python tests/benchmarks/bench_zoo.py --folder zoo``: it goes on where it was interrupted.
``--series 400`` is the whole of it. Exit code 1 where memory is said to rise too often: in more
than 5 % of all records without a loss, or in some situation by more than chance, all situations
considered.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

from pyveg.calibration.zoo.cells import zoo_cells
from pyveg.calibration.zoo.rates import NOMINAL, together
from pyveg.calibration.zoo.write import write_zoo
from pyveg.scripts.zoo_tables import zoo_lines


def main() -> int:
    """Print the rates; 0 if those that are checked are held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("zoo"))
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--years", type=int, nargs="*", default=[])
    args = parser.parse_args()
    zoo = write_zoo(
        args.folder,
        zoo_cells(args.series, args.years),
        progress=lambda done, total, name: print(f"{done}/{total} {name}", flush=True),
    )
    print("\n".join(zoo_lines(zoo.rates, zoo.scores)))
    risen, series, _, _ = together(zoo.rates)
    odd = zoo.rates[zoo.rates["corrected_low"] > NOMINAL]
    for name in odd["situation"]:
        print(f"too often: {name}")
    return int(risen > NOMINAL * series or len(odd) > 0)


if __name__ == "__main__":
    sys.exit(main())
