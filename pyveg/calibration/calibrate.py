"""Calibration: simulated places of known fate through the pipeline and the tests.

What was measured is kept, and so are the results of tests: a calibration that was interrupted goes
on where it was, and other tests need no new simulation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from pyveg.calibration.simulated_places import FALLS, VERSION, SimulatedPlace, World, measured
from pyveg.calibration.workers import Progress, work_off
from pyveg.core import registry
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.ports import Store
from pyveg.core.values import read_json

if TYPE_CHECKING:
    import pandas as pd

    from pyveg.analysis.data.series import Series

ABOUT, LOCK = "calibration.json", "calibration.lock"


@dataclass(frozen=True, kw_only=True)
class Checks:
    """How places are tested."""

    gaps: tuple[float, ...] = (0.0, 0.2, 0.4)
    """Shares of dates that are taken away, each from the same places."""
    indicators: tuple[str, ...] = ()
    """Of `pyveg.calibration.operating_characteristics.TESTS`; all where empty."""
    surrogates: int = 199

    def __post_init__(self) -> None:
        from pyveg.analysis.settings import AnalysisSettings
        from pyveg.calibration.operating_characteristics import TESTS

        if not self.gaps or not all(0 <= share < 1 for share in self.gaps):
            raise ConfigError(f"gaps = {list(self.gaps)} must be shares from 0 to below 1")
        for name in self.indicators:
            if name not in TESTS:
                raise UnknownNameError("indicator", name, TESTS, "indicators")
        AnalysisSettings(surrogates=self.surrogates)  # says what is wrong with it

    def digest(self) -> str:
        """Of all that changes their results."""
        from pyveg.calibration import operating_characteristics

        text = json.dumps(
            [VERSION, operating_characteristics.VERSION, asdict(self)], sort_keys=True
        )
        return blake2b(text.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Job:
    """One place, and how it is tested."""

    place: SimulatedPlace
    checks: Checks

    @property
    def key(self) -> str:
        """Where the results of its tests are kept."""
        return f"tests/{self.checks.digest()}/{self.place.name}.csv"


@dataclass(frozen=True)
class Calibration:
    """What came of it."""

    rows: pd.DataFrame
    """A row per place, gaps and test."""
    summary: pd.DataFrame
    """See `pyveg.calibration.operating_characteristics.summarise`."""
    files: tuple[Path, ...]


def calibrate(
    output_dir: str | Path,
    *,
    n_places: int = 400,
    n_falling: int | None = None,
    world: World | None = None,
    checks: Checks | None = None,
    n_workers: int = 1,
    progress: Progress = lambda _done, _total, _name: None,
) -> Calibration:
    """Send simulated places through the pipeline and the tests, and count what these say.

    Parameters
    ----------
    output_dir : str or Path
        Gets `calibration.csv`, `calibration_summary.csv`, `calibration.png` and `.svg`, and beside
        them what is needed to go on. Places that are done are not done again.
    n_places : int
        Stable places.
    n_falling : int, optional
        Declining places, and as many collapsing ones; half of `n_places` where not given.
    world : World, optional
    checks : Checks, optional
    n_workers : int
        Processes.
    progress : callable, optional

    Returns
    -------
    Calibration
        Of these places only, whatever else the folder holds. It does not depend on `n_workers`.

    Raises
    ------
    ConfigError
        If a number makes no sense, or the folder holds a calibration of another world.
    RunLockedError
        If another process is writing to the folder.
    RunError
        If a place cannot be simulated, or a worker process dies.
    """
    falling = -(-n_places // 2) if n_falling is None else n_falling
    if n_places < 1 or falling < 0 or n_workers < 1:
        raise ConfigError("n_places and n_workers must be at least 1, and n_falling at least 0")
    found_world, found_checks = world or World(), checks or Checks()
    counts = {name: falling if fall else n_places for name, fall in FALLS.items()}
    jobs = [
        Job(SimulatedPlace(name, number, found_world), found_checks)
        for name, count in counts.items()
        for number in range(count)
    ]
    folder = Path(output_dir).expanduser().absolute()
    store: Store = registry.load("store", "local")(folder)
    # All scenarios side by side: what is done of an interrupted calibration is a smaller one.
    mixed = sorted(jobs, key=lambda job: (job.place.number + 0.5) / counts[job.place.scenario])
    with store.lock(LOCK):
        store.discard_partial()
        _settle(store, found_world)
        _work_off(store, folder, mixed, n_workers, progress)
        return _close(store, folder, jobs)


def _settle(store: Store, world: World) -> None:
    """Keep the world's settings, or see that they are those that were kept."""
    now = {"version": VERSION, **asdict(world)}
    if store.size(ABOUT) is None:
        store.write(ABOUT, (json.dumps(now, indent=1) + "\n").encode())
        return
    try:
        earlier = dict(read_json(store.read(ABOUT)))
    except ValueError as error:
        raise ConfigError(f"{store.url}/{ABOUT} is damaged: {error}") from error
    other = [name for name in now if earlier.get(name) != now[name]]
    if other:
        name = other[0]
        raise ConfigError(
            f"{store.url} holds a calibration with {name} = {earlier.get(name)}, not {now[name]}",
            "take another folder, or the settings it has",
        )


def _work_off(
    store: Store, folder: Path, jobs: Sequence[Job], n_workers: int, progress: Progress
) -> None:
    """Do what is not done yet."""
    have = set(store.list("tests/"))
    left = [job for job in jobs if job.key not in have]
    done = len(jobs) - len(left)
    progress(done, len(jobs), "")
    work = partial(do_place, str(folder))
    for job in work_off(work, left, n_workers, "pyveg.calibration.calibrate"):
        done += 1
        progress(done, len(jobs), job.place.name)


def do_place(folder: str, job: Job) -> None:
    """Simulate a place unless that was done, test it, and keep what came of it."""
    store: Store = registry.load("store", "local")(Path(folder))
    rows = tests_of_place(measured(store, job.place), job)
    store.write(job.key, rows.to_csv(index=False, lineterminator="\n").encode())


def tests_of_place(series: Series, job: Job) -> pd.DataFrame:
    """Results of all tests of a place, with each share of gaps."""
    import pandas as pd

    from pyveg.analysis.settings import AnalysisSettings
    from pyveg.calibration.operating_characteristics import TESTS, site_tests, with_gaps

    settings = AnalysisSettings(surrogates=job.checks.surrogates, seed=job.place.seed)
    parts = []
    for share in job.checks.gaps:
        table = site_tests(
            with_gaps(series, share, job.place.seed), settings, job.checks.indicators or TESTS
        )
        table.insert(0, "scenario", job.place.scenario)
        table.insert(1, "place", job.place.number)
        table.insert(2, "gaps", share)
        parts.append(table)
    return pd.concat(parts, ignore_index=True).assign(seed=job.place.seed)


def _close(store: Store, folder: Path, jobs: Sequence[Job]) -> Calibration:
    """Put the rows of all places together, and write table, summary and figure."""
    from pyveg.analysis.data.columns import CALIBRATION, CALIBRATION_TESTS
    from pyveg.analysis.folder import columns_file
    from pyveg.calibration.figure import skill_images
    from pyveg.calibration.operating_characteristics import summarise

    rows = CALIBRATION_TESTS.joined(CALIBRATION_TESTS.read_csv(store.read(job.key)) for job in jobs)
    summary = summarise(rows)
    written = {
        "calibration.csv": rows.to_csv(index=False, lineterminator="\n").encode(),
        "calibration_summary.csv": summary.to_csv(index=False, lineterminator="\n").encode(),
        "calibration_columns.csv": columns_file(CALIBRATION),
        **{f"calibration.{kind}": data for kind, data in skill_images(rows, summary).items()},
    }
    for name, data in written.items():
        store.write(name, data)
    return Calibration(rows, summary, tuple(folder / name for name in written))
