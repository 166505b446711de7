"""Make the table of the verdict's power that the package ships, or check it by simulation.

Run ``python tests/benchmarks/bench_power.py --folder power --table FILE`` for
`pyveg/analysis/temporal/verdict_power.csv`: it goes on where it was interrupted. ``--check``
simulates records that are not in the table, and compares how often the verdict finds a rise with
what is claimed; exit code 1 where that lies outside of the 95 % interval in more than one of 12.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import pandas as pd

from pyveg.analysis.data.columns import VERDICT_POWER
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.power_surface import RecordKind
from pyveg.analysis.temporal.significance import share_interval
from pyveg.analysis.temporal.verdict_power import RISES, STEEP, USUAL, surface
from pyveg.calibration.zoo.cells import Cell
from pyveg.calibration.zoo.rates import KIND
from pyveg.calibration.zoo.rates import RISES as RISEN
from pyveg.calibration.zoo.record import Record
from pyveg.calibration.zoo.runs import kept_records, run_zoo

TESTS = (1, 2, 4)
"""Numbers of metrics tested, in one of which memory rises: its p is held against alpha / tests."""
ALONE = tuple(Record(years, gaps) for years in (5, 10, 15, 25, 40) for gaps in (0.0, 0.2, 0.4))
TOGETHER = (
    *(Record(years, 0.2, *chips) for years in (5, 10, 25)
      for chips in ((4, 0.5), (9, 0.0), (9, 0.5), (25, 0.5), (25, 0.8))),
    Record(10, 0.0, 9, 0.5), Record(10, 0.4, 9, 0.5), Record(25, 0.4, 9, 0.5),
)  # fmt: skip
BETWEEN = (
    Record(7, 0.3), Record(12, 0.0), Record(12, 0.3), Record(20, 0.2), Record(30, 0.3),
    Record(35, 0.0), Record(6, 0.1, 9, 0.2), Record(8, 0.2, 4, 0.3), Record(8, 0.3, 16, 0.2),
    Record(8, 0.0, 25, 0.6), Record(12, 0.2, 2, 0.5), Record(12, 0.1, 9, 0.3),
    Record(12, 0.4, 25, 0.3), Record(16, 0.2, 4, 0.6), Record(16, 0.3, 9, 0.2),
    Record(16, 0.1, 25, 0.8), Record(20, 0.2, 2, 0.3), Record(20, 0.0, 6, 0.5),
    Record(20, 0.4, 16, 0.4), Record(30, 0.2, 4, 0.5), Record(30, 0.3, 2, 0.7),
)  # fmt: skip
ONCE_CHECKED = (
    (Record(7, 0.1), USUAL), (Record(12, 0.1), STEEP), (Record(18, 0.3), USUAL),
    (Record(20, 0.0), USUAL), (Record(30, 0.1), USUAL), (Record(22, 0.3), STEEP),
    (Record(8, 0.1, 6, 0.3), USUAL), (Record(12, 0.3, 16, 0.6), USUAL),
    (Record(12, 0.1, 4, 0.2), STEEP), (Record(18, 0.2, 3, 0.7), USUAL),
    (Record(15, 0.1, 9, 0.8), STEEP), (Record(20, 0.3, 12, 0.4), USUAL),
)  # fmt: skip
"""Records and rises that an earlier table was checked with; they are part of this one."""
CHECKED = (
    (Record(6, 0.0), STEEP), (Record(9, 0.3), USUAL), (Record(13, 0.15), USUAL),
    (Record(17, 0.1), STEEP), (Record(22, 0.2), USUAL), (Record(35, 0.2), USUAL),
    (Record(7, 0.2, 12, 0.4), USUAL), (Record(9, 0.1, 20, 0.2), STEEP),
    (Record(11, 0.3, 5, 0.5), USUAL), (Record(14, 0.2, 25, 0.7), STEEP),
    (Record(18, 0.1, 2, 0.1), STEEP), (Record(24, 0.3, 8, 0.6), USUAL),
)  # fmt: skip
"""Records that are not in the table, and rises."""
EXPECTED = 11


def power_table(records: pd.DataFrame) -> pd.DataFrame:
    """Rises found in each kind of record, as the package ships them."""
    alpha = AnalysisSettings().alpha
    rows = []
    for key, part in records.groupby([*KIND, "situation"], sort=False):
        risen = part["state"] == RISEN
        rows += [
            {**dict(zip([*KIND, "rise"], key, strict=True)), "tests": tests, "series": len(part),
             "found": int((risen & (part["p"] <= alpha / tests)).sum()),
             "broken": int((part["state"] == "abrupt_change").sum())}
            for tests in TESTS
        ]  # fmt: skip
    return VERDICT_POWER.frame(rows)


def table_groups(series: int) -> list[list[Cell]]:
    """One chip first."""
    kinds = [
        [Cell(rise, record, series) for record in records for rise in RISES]
        for records in (ALONE, TOGETHER, BETWEEN)
    ]
    return [*kinds, [Cell(rise, record, series) for record, rise in ONCE_CHECKED]]


def check(folder: Path, series: int) -> int:
    """Print what is claimed and what was simulated; the number of records in which they agree."""
    cells = [Cell(rise, record, series) for record, rise in CHECKED]
    records = run_zoo(folder, [cells], progress=tell)
    inside = 0
    for cell in cells:
        record = cell.record
        shared = record.shared if record.chips > 1 else 0.0
        some = records[(records["situation"] == cell.situation)
                       & (records[KIND] == [record.years, record.gaps, record.chips,
                                            shared]).all(axis=1)]  # fmt: skip
        found = int((some["state"] == RISEN).sum())
        low, high = share_interval(found, len(some))
        kind = RecordKind(record.years, record.gaps, record.chips, shared)
        claimed = surface(cell.situation, 1).at(kind)
        holds = low <= claimed <= high
        inside += holds
        print(
            f"{cell.name}: claimed {100 * claimed:.0f} %, simulated {found} of {len(some)} "
            f"({100 * low:.0f} to {100 * high:.0f} %){'' if holds else ' MISSED'}"
        )
    print(f"{inside} of {len(cells)} inside")
    return inside


def tell(done: int, total: int, name: str) -> None:
    """A line after each batch."""
    print(f"{done}/{total} {name}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table, or check it; 0 if what is claimed is what is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("power"))
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--kept", action="store_true", help="tell of what is there, whole or not")
    args = parser.parse_args(arguments)
    if args.check:
        return int(check(args.folder, args.series) < EXPECTED)
    groups = table_groups(args.series)
    if args.kept:
        groups = kept_records(args.folder, groups)
    table = power_table(run_zoo(args.folder, groups, progress=tell))
    if args.table:
        args.table.write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
