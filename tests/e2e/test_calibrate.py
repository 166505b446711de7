"""`pyveg_calibrate`: real runs of small places, resumed, in processes, and what is refused."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from click.testing import CliRunner, Result

from pyveg.calibration import simulated_places
from pyveg.calibration.calibrate import Calibration, Checks, calibrate
from pyveg.calibration.operating_characteristics import summarise
from pyveg.calibration.simulated_places import SimulatedPlace, World, kept_series, pipeline_of
from pyveg.core.errors import ConfigError, DataError, RunError, RunLockedError
from pyveg.core.registry import store_at
from pyveg.earth.subject import collection_of
from pyveg.scripts.calibrate import main
from pyveg.sources.simulated import SimulatedSource

WORLD = World(years=3, chips=1, seed=4)
CHECKS = Checks(gaps=(0.0, 0.2), surrogates=19)
TABLES = ("calibration.csv", "calibration_summary.csv")


def _calibrate(folder: Path, **changes: Any) -> Calibration:
    settings = {"n_places": 2, "n_falling": 1, "world": WORLD, "checks": CHECKS}
    return calibrate(folder, **{**settings, **changes})


def _tables(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in TABLES]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small calibration; do not write to it."""
    folder = tmp_path_factory.mktemp("finished") / "calibration"
    _calibrate(folder)
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The same, to write to."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the places that are simulated in this process."""
    names: list[str] = []
    whole = simulated_places.simulate

    def watched(store: Any, place: SimulatedPlace) -> Any:
        names.append(place.name)
        return whole(store, place)

    monkeypatch.setattr(simulated_places, "simulate", watched)
    return names


def test_tables_and_figure(finished: Path) -> None:
    rows = pd.read_csv(finished / "calibration.csv")
    counts = rows.groupby("scenario", sort=False)["place"].nunique().to_dict()
    assert counts == {"stable": 2, "declining": 1, "collapsing": 1}
    assert set(rows["gaps"]) == {0.0, 0.2}
    tests = set(zip(rows["metric"], rows["indicator"], strict=True))
    assert {("ndvi_mean", "ar1"), ("offset50", "variance"), ("morans_i", "trend")} <= tests
    assert len(rows) == 4 * 2 * len(tests)
    assert (rows.loc[rows["gaps"] == 0, "n_valid"] == 36).all()
    assert (rows.loc[rows["gaps"] == 0.2, "n_valid"] == 29).all()
    trend = rows["indicator"] == "trend"
    assert rows.loc[~trend, "p"].dropna().between(0.05, 1).all()  # one of 19 surrogates and itself
    assert rows.loc[trend, "p"].dropna().between(0, 1).all()
    assert rows["p"].notna().mean() > 0.7
    summary = pd.read_csv(finished / "calibration_summary.csv")
    pd.testing.assert_frame_equal(summary, summarise(rows), check_dtype=False)
    assert (finished / "calibration.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (finished / "calibration.svg").read_bytes()


def test_places_meet_their_fate(finished: Path) -> None:
    """Through the whole pipeline: greenness stays, falls, or goes."""
    change = {}
    for path in finished.glob("places/*.csv.gz"):
        greens = pd.read_csv(path).groupby("date")["ndvi_mean"].mean()
        assert len(greens) == 36
        change[path.name.partition(".")[0]] = greens.iloc[-12:].mean() - greens.iloc[:12].mean()
    assert abs(change["stable_0000"]) < 0.02
    assert abs(change["stable_0001"]) < 0.02
    assert -0.08 < change["declining_0000"] < -0.02
    assert change["collapsing_0000"] < -0.09


def test_settings_of_the_places() -> None:
    """The record begins after years of the same weather, and the fall with the record."""
    found = []
    for name in ("stable", "collapsing"):
        graph = pipeline_of(SimulatedPlace(name, 0, World(years=8))).plan().graph
        assert len(graph) == 96 * 4 + 1
        collection = collection_of(graph.steps[0].scope)
        assert collection is not None
        found.append(collection.source_settings)
    stable, falling = found
    assert stable["decline"] == 0.0
    assert falling["decline"] == pytest.approx(1.2 * 2 / 3 / 8)
    assert str(falling["epoch"]) == "2006-01-01"
    assert stable["seed"] != falling["seed"]


def test_processes_give_the_same(finished: Path, tmp_path: Path) -> None:
    _calibrate(tmp_path / "two", n_falling=0, n_workers=2)
    found = pd.read_csv(tmp_path / "two" / "calibration.csv")
    whole = pd.read_csv(finished / "calibration.csv")
    alone = whole[whole["scenario"] == "stable"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, alone)


def test_what_is_done_is_not_done_again(copy: Path, finished: Path, simulated: list[str]) -> None:
    told: list[tuple[int, int, str]] = []
    _calibrate(copy, progress=lambda *one: told.append(one))
    assert told == [(4, 4, "")]
    assert simulated == []
    assert _tables(copy) == _tables(finished)


def test_an_interrupted_calibration_goes_on(
    tmp_path: Path, finished: Path, simulated: list[str]
) -> None:
    def interrupt(done: int, _total: int, _name: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _calibrate(tmp_path, n_falling=0, progress=interrupt)
    assert simulated == ["stable_0000"]
    (tmp_path / "places" / "stable_0000.csv.gz.part").write_bytes(b"half")
    told: list[int] = []
    _calibrate(tmp_path, n_falling=0, progress=lambda done, _total, _name: told.append(done))
    assert told == [1, 2]
    assert simulated == ["stable_0000", "stable_0001"]
    for name in simulated:
        (mine,), (other,) = (found.glob(f"tests/*/{name}.csv") for found in (tmp_path, finished))
        assert mine.read_bytes() == other.read_bytes()


def test_lost_and_damaged_files_are_made_anew(
    copy: Path, finished: Path, simulated: list[str]
) -> None:
    (rows,) = copy.glob("tests/*/stable_0001.csv")
    rows.unlink()
    _calibrate(copy)
    assert simulated == []
    rows.unlink()
    place = copy / "places" / "stable_0001.csv.gz"
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    _calibrate(copy)
    assert simulated == ["stable_0001"]
    assert place.read_bytes() == whole
    assert _tables(copy) == _tables(finished)


@pytest.mark.parametrize(
    "damage",
    [b"", b"no archive", gzip.compress(b"", mtime=0), gzip.compress(b"a,b", mtime=0)],
    ids=["nothing", "no archive", "empty archive", "no table"],
)
def test_damaged_series_count_as_none(finished: Path, tmp_path: Path, damage: bytes) -> None:
    place = SimulatedPlace("stable", 0, WORLD)
    store = store_at(str(tmp_path))
    store.write(place.key, (finished / place.key).read_bytes())
    assert kept_series(store, place) is not None
    store.write(place.key, damage)
    assert kept_series(store, place) is None


def test_other_checks_need_no_simulation(copy: Path, simulated: list[str]) -> None:
    checks = Checks(gaps=(0.0,), indicators=("ar1",), surrogates=39)
    found = _calibrate(copy, checks=checks)
    assert simulated == []
    assert set(found.rows["indicator"]) == {"ar1"}
    assert found.rows["p"].min() < 0.05 or (found.rows["p"] * 40 % 1 < 1e-9).all()


def test_fewer_places_are_those_alone(copy: Path, simulated: list[str]) -> None:
    found = _calibrate(copy, n_places=1, n_falling=0)
    assert simulated == []
    assert set(found.rows["scenario"]) == {"stable"}
    assert set(found.rows["place"]) == {0}


def test_a_folder_has_one_world(copy: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds a calibration with years = 3, not 4; take"):
        _calibrate(copy, world=World(years=4, chips=1, seed=4))
    (copy / "calibration.json").write_text("{")
    with pytest.raises(ConfigError, match=r"calibration\.json is damaged"):
        _calibrate(copy)


def test_one_process_writes(copy: Path) -> None:
    with store_at(str(copy)).lock("calibration.lock"), pytest.raises(RunLockedError):
        _calibrate(copy)


def test_a_place_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise DataError("the sky is missing")

    monkeypatch.setattr(SimulatedSource, "fetch", broken)
    with pytest.raises(RunError, match=r"stable_0000 cannot be simulated: .*the sky is missing"):
        _calibrate(tmp_path)
    assert not list(tmp_path.glob("tests/*/*"))


def _grandchildren() -> set[psutil.Process]:
    """Processes that children of this one have started."""
    return {worker for server in psutil.Process().children() for worker in server.children()}


def test_a_worker_that_dies(tmp_path: Path) -> None:
    others = _grandchildren()  # servers of other tests, which are to live on

    def kill(done: int, _total: int, _name: str) -> None:
        if done == 1:
            for worker in _grandchildren() - others:
                worker.kill()

    with pytest.raises(RunError, match=r"a worker process died .* the same command goes on"):
        _calibrate(tmp_path, n_places=4, n_falling=0, n_workers=2, progress=kill)
    assert len(list(tmp_path.glob("tests/*/*.csv"))) >= 1


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: World(years=1), "years = 1 must be at least 2"),
        (lambda: World(chips=0), "chips = 0 must be at least 1"),
        (lambda: Checks(gaps=(1.0,)), "shares from 0 to below 1"),
        (lambda: Checks(gaps=()), "shares from 0 to below 1"),
        (lambda: Checks(indicators=("ar2",)), 'unknown indicator "ar2"; did you mean "ar1"'),
        (lambda: Checks(surrogates=3), "surrogates = 3 must be at least 19"),
        (lambda: calibrate("nowhere", n_places=0), "n_places and n_workers must be at least 1"),
    ],
)
def test_impossible_settings(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make()
    assert not Path("nowhere").exists()


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command(copy: Path) -> None:
    options = [
        "--output_dir", copy, "--n_places", 2, "--n_falling", 1, "--years", 3, "--chips", 1,
        "--seed", 4, "--surrogates", 19,
    ]  # fmt: skip
    done = _run(*options, "--gaps", "0, 0.2")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "4/4 places"
    (line,) = (row for row in lines if row.startswith("ndvi_mean: ar1") and " stable   0 %" in row)
    summary = pd.read_csv(copy / "calibration_summary.csv")
    one = summary.query("metric == 'ndvi_mean' and indicator == 'ar1' and scenario == 'stable'")
    assert f"{100 * one['rate'].iloc[0]:.1f}" in line
    written = [
        Path(line.removeprefix("written: ")) for line in lines if line.startswith("written: ")
    ]
    assert len(written) == 5
    assert written == [Path(line.removeprefix("written: ")) for line in lines[-5:]]
    assert "calibration_columns.csv" in {path.name for path in written}
    assert all(path.is_file() for path in written)
    other = _run(*options, "--indicators", "trend", "--gaps", 0, "--n_workers", 1)
    assert other.exit_code == 0, other.output
    assert "0/4 places" in other.output
    assert "ar1" not in other.output


def test_command_lines_that_are_wrong(copy: Path) -> None:
    for options, told in (
        (("--gaps", "some"), '--gaps "some" are no shares; write numbers with commas'),
        (("--gaps", "2"), "must be shares from 0 to below 1"),
        (("--indicators", "tau"), 'unknown indicator "tau"'),
        ((), "holds a calibration with years = 3, not 10"),
    ):
        done = _run("--output_dir", copy, *options)
        assert done.exit_code == 2
        assert told in done.output
