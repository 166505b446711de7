"""What `pyveg_calibrate --zoo` leaves: tables of records, rates and scores, and a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pyveg.analysis.data.columns import ZOO_TABLES
from pyveg.analysis.folder import columns_file
from pyveg.calibration.workers import Progress
from pyveg.calibration.zoo.cells import Cell, zoo_cells
from pyveg.calibration.zoo.figure import zoo_images
from pyveg.calibration.zoo.rates import rates, scores
from pyveg.calibration.zoo.runs import run_zoo
from pyveg.core import registry
from pyveg.core.ports import Store


@dataclass(frozen=True)
class Zoo:
    """What came of it."""

    records: pd.DataFrame
    """`ZOO`."""
    rates: pd.DataFrame
    """`ZOO_RATES`."""
    scores: pd.DataFrame
    """`ZOO_SCORES`."""
    files: tuple[Path, ...]


def write_zoo(
    folder: str | Path,
    groups: Iterable[Sequence[Cell]] | None = None,
    *,
    n_workers: int = 1,
    progress: Progress = lambda _done, _total, _name: None,
) -> Zoo:
    """Judge a zoo, the whole of it where no cells are given, and write what came of it.

    Parameters
    ----------
    folder : str or Path
        Gets `zoo.csv` (a row per record), `zoo_rates.csv`, `zoo_scores.csv`, `zoo_columns.csv`,
        `zoo.png` and `.svg`, and beside them the records by twenties, so that it can go on.
    groups : iterable of sequence of Cell, optional
    n_workers : int
    progress : callable, optional

    Raises
    ------
    ConfigError
        If the folder holds what other situations or tests gave.
    """
    cells = zoo_cells() if groups is None else groups
    records = run_zoo(folder, cells, n_workers=n_workers, progress=progress)
    found, known = rates(records), scores(records)
    store: Store = registry.load("store", "local")(Path(folder).expanduser().absolute())
    tables = {"zoo": records, "zoo_rates": found, "zoo_scores": known}
    written = {
        **{
            f"{name}.csv": table.to_csv(index=False, lineterminator="\n").encode()
            for name, table in tables.items()
        },
        "zoo_columns.csv": columns_file(ZOO_TABLES),
        **{f"zoo.{kind}": data for kind, data in zoo_images(found).items()},
    }
    for name, data in written.items():
        store.write(name, data)
    return Zoo(records, found, known, tuple(Path(folder) / name for name in written))
