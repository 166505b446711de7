"""Runs of the zoo: what the verdict says of many records, kept as they are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from pyveg.analysis.data.columns import ZOO
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.states import decides_beside
from pyveg.calibration.workers import Progress, work_off
from pyveg.calibration.zoo.cells import Batch, Cell, batches
from pyveg.calibration.zoo.judge import judge
from pyveg.calibration.zoo.record import Record
from pyveg.calibration.zoo.situations import SITUATIONS, zoo_place
from pyveg.core import registry
from pyveg.core.errors import ConfigError
from pyveg.core.ports import Store
from pyveg.core.values import read_json

SETTINGS = AnalysisSettings(surrogates=199, chip_surrogates=199)
ABOUT, LOCK = "zoo.json", "zoo.lock"
PROBES = ("noise x 2", "step of 5 SD at 70 %", "memory of the rain rises", ".3 to .7")
"""Situations of the records by which other tests are known."""


def run_zoo(
    folder: str | Path,
    groups: Iterable[Sequence[Cell]],
    *,
    n_workers: int = 1,
    progress: Progress = lambda _done, _total, _name: None,
) -> pd.DataFrame:
    """Judge the records of some cells; those that were judged before are read.

    Parameters
    ----------
    folder : str or Path
        Where records are kept, twenty to a file: an interrupted run goes on where it was.
    groups : iterable of sequence of Cell
        Done one after the other; the cells of a group side by side.
    n_workers : int
        Processes. Results do not depend on it.
    progress : callable
        Told how many records are judged, of how many.

    Returns
    -------
    DataFrame
        `ZOO`, a row per record.

    Raises
    ------
    ConfigError
        If the folder holds what other situations or tests gave.
    RunLockedError
        If another process is writing to the folder.
    """
    where = Path(folder).expanduser().absolute()
    store: Store = registry.load("store", "local")(where)
    wanted = list(batches(groups))
    with store.lock(LOCK):
        store.discard_partial()
        _settle(store)
        _work_off(store, where, wanted, n_workers, progress)
        return _read(store, wanted)


def kept_records(folder: str | Path, groups: Iterable[Sequence[Cell]]) -> list[list[Cell]]:
    """The same cells with as many records as an interrupted run has kept of each, without a gap."""
    store: Store = registry.load("store", "local")(Path(folder).expanduser().absolute())
    counted = [[(cell, _kept(store, cell)) for cell in group] for group in groups]
    return [[replace(cell, series=kept) for cell, kept in group if kept] for group in counted]


def _kept(store: Store, cell: Cell) -> int:
    """Records of a cell from the first on."""
    count = 0
    for batch in batches([[cell]]):
        lines = 0 if store.size(batch.key) is None else len(_lines(store, batch))
        count += min(lines, len(batch.seeds))
        if lines < len(batch.seeds):
            break
    return count


def _work_off(
    store: Store, where: Path, wanted: Sequence[Batch], n_workers: int, progress: Progress
) -> None:
    total = sum(len(batch.seeds) for batch in wanted)
    left = [batch for batch in wanted if not _is_done(store, batch)]
    done = total - sum(len(batch.seeds) for batch in left)
    progress(done, total, "")
    work = partial(judge_batch, str(where))
    for batch in work_off(work, left, n_workers, "pyveg.calibration.zoo.runs"):
        done += len(batch.seeds)
        progress(done, total, batch.cell.name)


def judge_batch(folder: str, batch: Batch) -> None:
    """Judge some records, and keep what came of it."""
    store: Store = registry.load("store", "local")(Path(folder))
    table = ZOO.frame(_judged(batch.cell, seed) for seed in batch.seeds)
    store.write(batch.key, table.to_csv(index=False, lineterminator="\n").encode())


def _is_done(store: Store, batch: Batch) -> bool:
    if store.size(batch.key) is None:
        return False
    return len(_lines(store, batch)) >= len(batch.seeds)


def _lines(store: Store, batch: Batch) -> list[bytes]:
    """What is kept of a batch, without the heading."""
    return store.read(batch.key).splitlines(keepends=True)[1:]


def _read(store: Store, wanted: Sequence[Batch]) -> pd.DataFrame:
    """All records at once: one table is read much faster than a thousand."""
    if not wanted:
        return ZOO.frame()
    heading = store.read(wanted[0].key).splitlines(keepends=True)[0]
    rows = chain.from_iterable(_lines(store, one)[: len(one.seeds)] for one in wanted)
    return ZOO.read_csv(heading + b"".join(rows))


def _judged(cell: Cell, seed: int) -> dict[str, Any]:
    place = zoo_place(cell.situation, cell.record, seed)
    seen = judge(place.chips, SETTINGS, seed, rain=place.rain)
    beside = decides_beside(seen.memory)
    return {
        "situation": cell.situation,
        "years": cell.record.years,
        "gaps": cell.record.gaps,
        "chips": cell.record.chips,
        "shared": cell.record.shared if cell.record.chips > 1 else 0.0,
        "seed": seed,
        "state": seen.state,
        "t": seen.memory["t"],
        "p": seen.memory["p"],
        "variance_tau": seen.memory["variance_tau"],
        "decides_p": seen.memory["p_beside" if beside else "p"],
        "decides_tau": seen.memory["beside_variance_tau" if beside else "variance_tau"],
        "noise_p": seen.memory["noise_p"],
        "break_p": seen.broken.get("p"),
        "break_step": seen.broken.get("step", -1),
        "rolling_p": seen.rolling_p,
    }


def _settle(store: Store) -> None:
    """Keep what the tests say of some records, or see that they still say it."""
    now = {"surrogates": SETTINGS.surrogates, "tests": tests_digest()}
    if store.size(ABOUT) is None:
        store.write(ABOUT, (json.dumps(now, indent=1) + "\n").encode())
        return
    try:
        earlier = dict(read_json(store.read(ABOUT)))
    except ValueError as error:
        raise ConfigError(f"{store.url}/{ABOUT} is damaged: {error}") from error
    if earlier != now:
        raise ConfigError(
            f"{store.url} holds records that were judged by other tests than those of this version",
            "take another folder; records of the two must not be counted together",
        )


@cache
def tests_digest() -> str:
    """Of all generators, and of what the tests say of some records: it changes when they do."""
    record = Record(3, 0.1, 2)
    made = [zoo_place(name, record, 0).chips.round(6).tobytes() for name in SITUATIONS]
    probes = ZOO.frame(_judged(Cell(name, record, 1), 0) for name in PROBES)
    said = probes.round(6).to_csv(index=False).encode()
    return hashlib.blake2b(b"".join((*made, said)), digest_size=6).hexdigest()
