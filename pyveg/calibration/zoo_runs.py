"""Runs of the zoo: what the verdict says of many records, kept as they are made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pyveg.analysis.data.columns import ZOO, ZOO_RATES
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.significance import share_interval
from pyveg.calibration.calibrate import worker_pool
from pyveg.calibration.zoo import LOSING, SITUATIONS, Record, judge, zoo_series

VERSION = 2
"""Of situations and tests: what was kept of another one is not mixed with this."""
SETTINGS = AnalysisSettings(surrogates=199)
MANY, FEW = 400, 60
STATES = ("memory_rises", "spread_grows", "abrupt_change", "clearer_view", "nothing", "untested")
_BATCH = 20
"""Records after which what was found is written."""


@dataclass(frozen=True)
class Cell:
    """Records of one situation and one kind."""

    situation: str
    record: Record
    series: int

    @property
    def name(self) -> str:
        """Of its file."""
        kind = f"{self.record.years}y-{100 * self.record.gaps:.0f}g-{self.record.chips}c"
        text = "".join(letter if letter.isalnum() else "-" for letter in self.situation)
        return f"v{VERSION}-{kind}-{text}.csv"


def zoo_cells(series: int = MANY, years: Iterable[int] = (5, 10, 25)) -> list[Cell]:
    """All situations, in the kinds of records that the docs tell of.

    Parameters
    ----------
    series : int
        Records of 10 and 25 years with 20 % gaps and one chip; of the other kinds at most 60.
    years : iterable of int
        Of these only.
    """
    wanted = set(years)
    few = min(series, FEW)
    kinds = [
        *((Record(length, 0.2), series) for length in (10, 25)),
        (Record(5, 0.2), few),
        *((Record(10, gaps), few) for gaps in (0.0, 0.4)),
        (Record(10, 0.2, 25), few),
    ]
    return [
        Cell(name, record, count)
        for record, count in kinds
        if record.years in wanted
        for name in SITUATIONS
    ]


def run_cells(
    folder: Path,
    cells: Sequence[Cell],
    *,
    n_workers: int = 1,
    tell: Callable[[str], None] = lambda _line: None,
) -> pd.DataFrame:
    """Judge the records of some cells; those that were judged before are read.

    Parameters
    ----------
    folder : Path
        Where a file per cell is kept: an interrupted run goes on where it was.
    cells : sequence of Cell
    n_workers : int
        Processes. Results do not depend on it.
    tell : callable
        Given a line about each cell.

    Returns
    -------
    DataFrame
        `ZOO`, a row per record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(_run_cell, folder)
    parts = []
    with ExitStack() as stack:
        found: Iterable[_Done] = map(work, cells)
        if n_workers > 1:
            found = stack.enter_context(worker_pool(n_workers)).map(work, cells)
        for number, (cell, done) in enumerate(zip(cells, found, strict=True), start=1):
            each = done.seconds / max(done.made, 1)
            made = f"{done.made} new records, {each:.3f} core-s each"
            tell(f"{number}/{len(cells)} {cell.name}: {made}")
            parts.append(done.table)
    return ZOO.joined(parts)


class _Done(NamedTuple):
    """A cell whose records were judged."""

    table: pd.DataFrame
    made: int
    """Records that are new."""
    seconds: float
    """Of one core, for these."""


def write_zoo(
    folder: Path,
    *,
    series: int = MANY,
    n_workers: int = 1,
    tell: Callable[[str], None] = lambda _line: None,
) -> tuple[pd.DataFrame, tuple[Path, ...]]:
    """Judge the whole zoo, and write `zoo.csv` (a row per record) and `zoo_rates.csv`.

    Returns
    -------
    DataFrame
        `ZOO_RATES`.
    tuple of Path
        What was written.
    """
    records = run_cells(folder / "zoo", zoo_cells(series), n_workers=n_workers, tell=tell)
    found = rates(records)
    files = (folder / "zoo.csv", folder / "zoo_rates.csv")
    for path, table in zip(files, (records, found), strict=True):
        path.write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
    return found, files


def _run_cell(folder: Path, cell: Cell) -> _Done:
    path, start = folder / cell.name, time.process_time()
    known = ZOO.read_csv(path.read_bytes()) if path.exists() else ZOO.frame()
    have = len(known)
    for first in range(have, cell.series, _BATCH):
        rows = [_judged(cell, seed) for seed in range(first, min(first + _BATCH, cell.series))]
        known = ZOO.joined([known, ZOO.frame(rows)])
        beside = path.with_suffix(".part")
        beside.write_text(known.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
        beside.replace(path)  # whole, or as it was
    made = max(0, cell.series - have)
    return _Done(known.iloc[: cell.series], made, time.process_time() - start)


def _judged(cell: Cell, seed: int) -> dict[str, object]:
    seen = judge(zoo_series(cell.situation, cell.record, seed), SETTINGS, seed)
    return {
        "situation": cell.situation,
        "years": cell.record.years,
        "gaps": cell.record.gaps,
        "chips": cell.record.chips,
        "seed": seed,
        "state": seen.state,
        "t": seen.memory["t"],
        "p": seen.memory["p"],
        "variance_tau": seen.memory["variance_tau"],
        "noise_p": seen.memory["noise_p"],
        "break_p": seen.broken.p,
        "break_step": seen.broken.step,
    }


def rates(records: pd.DataFrame) -> pd.DataFrame:
    """How often each verdict was given, by situation and kind of record.

    Parameters
    ----------
    records : DataFrame
        `ZOO`.

    Returns
    -------
    DataFrame
        `ZOO_RATES`: numbers of records with each state, and the exact 95 % confidence interval of
        the share in which memory is said to rise.
    """
    rows = []
    keys = ["years", "gaps", "chips", "situation"]
    for values, part in records.groupby(keys, sort=False):
        states = part["state"].value_counts()
        risen = int(states.get("memory_rises", 0))
        low, high = share_interval(risen, len(part)) if len(part) else (math.nan, math.nan)
        rows.append(
            {
                **dict(zip(keys, values, strict=True)),
                "losing": values[-1] in LOSING,
                "series": len(part),
                **{name: int(states.get(name, 0)) for name in STATES},
                "rises_low": low,
                "rises_high": high,
            }
        )
    return ZOO_RATES.frame(rows)
