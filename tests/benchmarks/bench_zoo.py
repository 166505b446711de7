"""Count what the verdict says of a zoo of records, most of which lose no resilience.

Run ``python tests/benchmarks/bench_zoo.py --folder zoo``: it goes on where it was interrupted.
``--series 400`` is the whole of it. ``--power TABLE`` makes the table of the verdict's power that
the package ships (`pyveg/analysis/temporal/verdict_power.csv`) instead.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import pandas as pd

from pyveg.analysis.data.columns import VERDICT_POWER
from pyveg.analysis.temporal.verdict_power import RISES
from pyveg.calibration.zoo import Record
from pyveg.calibration.zoo_runs import Cell, rates, run_cells, zoo_cells

POWER_CELLS = (
    *(Record(years, gaps, 1) for years in (5, 10, 15, 25) for gaps in (0.0, 0.2, 0.4)),
    *(Record(years, 0.2, 9) for years in (5, 10, 15, 25)),
    *(Record(years, 0.2, 25) for years in (10, 25)),
)
"""Kinds of records whose power is told."""


def power_table(folder: Path, series: int) -> pd.DataFrame:
    """Rises found in each kind of record."""
    cells = [Cell(rise, record, series) for record in POWER_CELLS for rise in RISES]
    found = rates(run_cells(folder, cells, tell=lambda line: print(line, flush=True)))
    wide = found.rename(columns={"situation": "rise", "memory_rises": "found"})
    return VERDICT_POWER.frame(wide)


def main() -> int:
    """Print the rates, or write the table of power."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("zoo"))
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--years", type=int, nargs="*", default=[5, 10, 25])
    parser.add_argument("--power", type=Path)
    args = parser.parse_args()
    if args.power:
        table = power_table(args.folder, args.series)
        args.power.write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
        return 0
    cells = zoo_cells(args.series, args.years)
    found = rates(run_cells(args.folder, cells, tell=lambda line: print(line, flush=True)))
    print(found.to_string(index=False))
    steady = found[~found["losing"]]
    print(f"memory rises in {steady['memory_rises'].sum()} of {steady['series'].sum()} records "
          "whose memory is constant")  # fmt: skip
    return int(bool((steady["rises_low"] > 0.05).any()))


if __name__ == "__main__":
    sys.exit(main())
