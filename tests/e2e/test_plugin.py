"""Modules of other people's packages run like ours, and what they measure goes all the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

BRIGHTNESS = '''
"""A Module that knows only the public parts of pyveg: one number for each chip."""

from dataclasses import dataclass

from pyveg.plugin import EarthModule, Metric, Settings, cut_chips, setting


@dataclass(frozen=True, kw_only=True)
class BrightnessSettings(Settings):
    factor: float = setting(1.0, doc="what to multiply with", low=0)


class Brightness(EarthModule[BrightnessSettings]):
    """Measures how bright each chip is."""

    Settings = BrightnessSettings
    data_type = "vegetation"
    consumes = ("images",)
    metrics = (Metric("brightness", "1", "mean of the RGB picture", "Brightness of chips", low=0),)

    def run(self, job):
        chips = cut_chips(job.read_picture("RGB").mean(axis=2)) / 255
        values = job.settings.factor * chips.mean(axis=(1, 2))
        usable = job.chip_grid().chosen(-1)
        job.write_chip_records({chip: {"brightness": values[chip]} for chip in usable})
'''

EVENNESS = '''
"""Another, whose number belongs to the place."""

from pyveg.plugin import EarthModule, Metric, Settings


class Evenness(EarthModule[Settings]):
    """Measures how even the whole image is."""

    data_type = "vegetation"
    consumes = ("images",)
    metrics = (
        Metric("evenness", "levels", "SD of the RGB picture", "Evenness of the place", "place"),
    )

    def run(self, job):
        job.write_place_record({"evenness": job.read_picture("RGB").std()})


class Silent(EarthModule[Settings]):
    """Says that it measures, and not what."""

    consumes = ("images",)
    provides = ("records",)

    def run(self, job):
        pass


class Wrong(Evenness):
    """Writes what it does not declare."""

    def run(self, job):
        job.write_place_record({"eveness": 1.0})
'''

SPOOL = '''
"""An engine that knows only the public parts of pyveg: Tasks one after the other, with a log."""

import threading
from collections import deque
from dataclasses import dataclass

from pyveg.plugin import ConfigError, EngineStatus, Runner, run_task, setting


@dataclass(frozen=True, kw_only=True)
class SpoolSettings:
    log: str = setting("", doc="file that tells what was run")
    most: int = setting(1000, doc="most Tasks of a run", low=1, high=100000)


class SpoolRunner(Runner):
    """Runs Tasks in a thread, and keeps a log of them."""

    Settings = SpoolSettings
    old_names = {"spool_log": "log"}

    @classmethod
    def check(cls, settings, work):
        mine = [task for task in work.graph if task.step.run_mode in work.run_modes]
        if len(mine) > settings.most:
            raise ConfigError(
                f"spool: {len(mine)} Tasks, and most = {settings.most}", "raise most"
            )
        return [] if settings.log else ["spool: nobody will know what was run; set log"]

    def __init__(self, settings, work):
        self._log = settings.log
        self._steps = len(work.steps)
        self._tasks = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work)

    def start(self, store, listener):
        self._store, self._listener = store, listener
        listener.tell(EngineStatus(f"spool: {self._steps} Modules"))
        self._thread.start()

    def submit(self, tasks):
        with self._changed:
            self._tasks.extend(tasks)
            self._changed.notify()

    def cancel(self):
        with self._changed:
            self._ended = True
            self._changed.notify()

    def close(self):
        self.cancel()
        self._thread.join()

    def _work(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tasks or self._ended)
                if self._ended:
                    return
                task = self._tasks.popleft()
            self._listener.started(task.id)
            if self._log:
                with open(self._log, "a") as file:
                    print(task.id, file=file)
            self._listener.report(run_task(task, self._store))


class NeedyRunner(SpoolRunner):
    """Needs a package that is not there."""
'''

SPOOL_FILES = {
    "spool/__init__.py": "",
    "spool/engine.py": SPOOL,
    "spool-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: spool\nVersion: 1.0\nProvides-Extra: far\n"
        "Requires-Dist: there-is-no-such-package; extra == 'far'\n"
    ),
    "spool-1.0.dist-info/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    "spool-1.0.dist-info/entry_points.txt": (
        "[pyveg.runners]\nspool = spool.engine:SpoolRunner\n"
        "needy = spool.engine:NeedyRunner [far]\n"
    ),
}

METADATA = "Metadata-Version: 2.1\nName: brightness\nVersion: 1.0\n"
ENTRY_POINTS = """[pyveg.modules]
Brightness = brightness.chips:Brightness
Evenness = brightness.place:Evenness
"""
USUAL = ["VegetationDownloader", "VegetationImageProcessor"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed package, as pip would leave it."""
    folder = tmp_path_factory.mktemp("site")
    package, info = folder / "brightness", folder / "brightness-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "chips.py").write_text(BRIGHTNESS)
    (package / "place.py").write_text(EVENNESS)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def command(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of pyveg, in an environment that has the package."""
    return python(site, f"from pyveg.scripts.{words[0]} import main; main()", *words[1:])


def python(site: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What Python does in an environment that has the package."""
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True, text=True, timeout=240, check=False,
        env={
            "PYTHONPATH": str(site), "PATH": "", "HOME": str(site),
            "NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"],
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(site: Path, tmp_path_factory: pytest.TempPathFactory, config_writer: Any) -> Path:
    """Two and a half years with both Modules beside the usual ones."""
    write = config_writer(tmp_path_factory.mktemp("plugin"))
    modules = [*USUAL, "NetworkCentralityCalculator", "NDVICalculator", "Brightness", "Evenness"]
    config = write(
        date_range=["2016-01-01", "2018-07-01"],
        collections_to_use=["SimulatedSentinel2"],
        modules_to_use={"SimulatedSentinel2": modules},
        special_config={"Brightness": {"factor": 0.5}, "SimulatedSentinel2": {"spin_up": 20}},
        analysis={"surrogates": 39, "chip_surrogates": 19, "indicators": ["ar1"]},
    )
    done = command(site, "run_pipeline", "--config_file", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SimulatedSentinel2/Brightness" in done.stdout
    (folder,) = write.runs()
    return Path(folder)


def test_its_numbers_are_in_the_summary(run: Path) -> None:
    (path,) = run.glob("*_combine/results_summary.json")
    summary = json.loads(path.read_text())
    part = summary["SimulatedSentinel2"]
    records = [record for found in part["time-series-data"].values() for record in found or ()]
    assert records
    assert all(0 < record["brightness"] < 0.5 for record in records)
    assert all("offset50" in record for record in records)
    dates = [date for date, found in part["time-series-data"].items() if found]
    assert set(dates) <= set(part["place"])  # clouds may leave an image, and no chip of it
    assert all(record.keys() == {"evenness"} for record in part["place"].values())
    told = {one["name"]: one for one in part["metrics"]}
    assert told["brightness"]["label"] == "Brightness of chips"
    assert told["evenness"]["support"] == "place"


def test_its_numbers_are_in_the_series(run: Path) -> None:
    (path,) = run.glob("*_combine/series.csv")
    table = pd.read_csv(path)
    known = table[table["chips"].notna()]
    assert len(known) > 20
    assert (known["brightness_q25"] <= known["brightness"]).all()
    assert table["evenness"].notna().all()
    assert "evenness_q25" not in table


def test_its_numbers_are_tested(run: Path) -> None:
    folder = run / "analysis" / "SimulatedSentinel2"
    trends = pd.read_csv(folder / "tables" / "trends.csv")
    site = trends[trends["chip"] == -1].set_index(["metric", "indicator"])
    for metric in ("brightness", "evenness"):
        row = site.loc[(metric, "ar1")]
        assert row["surrogates"] == 39
        assert 0 < row["p"] <= 1
    assert set(trends[trends["metric"] == "brightness"]["chip"]) > {-1}
    assert set(trends[trends["metric"] == "evenness"]["chip"]) == {-1}
    agreement = pd.read_csv(folder / "tables" / "agreement.csv")
    assert {"brightness", "evenness"} <= set(agreement["metric"])
    assert (folder / "figures" / "indicators_brightness.svg").exists()
    report = (folder / "report.html").read_text()
    assert "Brightness of chips" in report
    assert "Evenness of the place" in report


@pytest.mark.parametrize(
    ("module", "code", "said"),
    [
        ("brightness.place:Silent", 2, "declares no metrics"),
        ("brightness.place:Wrong", 1, '"eveness" is not declared'),
    ],
)
def test_what_is_not_declared_is_refused(
    site: Path, write_config: Any, module: str, code: int, said: str
) -> None:
    config = write_config(
        collections_to_use=["SimulatedSentinel2"],
        modules_to_use={"SimulatedSentinel2": [*USUAL, module]},
        special_config={"SimulatedSentinel2": {"spin_up": 20}},
        runner="serial",
    )
    done = command(site, "run_pipeline", "--config_file", str(config))
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


# An engine


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has installed the package of an engine to."""
    folder = tmp_path_factory.mktemp("spool")
    wheel = folder / "spool-1.0-py3-none-any.whl"
    record = "spool-1.0.dist-info/RECORD"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in SPOOL_FILES.items():
            archive.writestr(name, text)
        archive.writestr(record, "".join(f"{name},,\n" for name in [*SPOOL_FILES, record]))
    target = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--target"]
    subprocess.run([*pip, str(target), str(wheel)], check=True, capture_output=True, timeout=120)
    return target


def _imagery(write_config: Any, **more: Any) -> Path:
    path: Path = write_config(
        date_range=["2016-01-01", "2016-04-01"],
        collections_to_use=["SimulatedSentinel2"],
        modules_to_use={"SimulatedSentinel2": USUAL},
        special_config={"SimulatedSentinel2": {"spin_up": 20}},
        **more,
    )
    return path


def test_an_engine_with_settings_of_its_own(spool: Path, write_config: Any, tmp_path: Path) -> None:
    """Two settings in a config, and one of them by its older name, by an option, and in a run."""
    log = tmp_path / "spool.log"
    config = _imagery(write_config, runner="spool", engines={"spool": {"log": str(log), "most": 6}})
    done = command(spool, "run_pipeline", "--config_file", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    assert log.read_text().count("SimulatedSentinel2/VegetationDownloader/") == 3
    assert len(log.read_text().splitlines()) == 6
    (run,) = write_config.runs()
    assert "spool: 2 Modules" in (Path(run) / "_pyveg/run.log").read_text()
    record = json.loads((Path(run) / "_pyveg/run.json").read_text())["pipeline"]
    assert record["engines"] == {"spool": {"log": str(log), "most": 6}}

    (Path(run) / "_pyveg/manifests").rename(tmp_path / "manifests")  # as if nothing were done
    other = tmp_path / "other.log"
    again = command(spool, "run_pipeline", "--from_cache", str(run), "--spool_log", str(other))
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(other.read_text().splitlines()) == 6

    config.write_text(config.read_text().replace("engines = ", "_engines = "))
    config.write_text(config.read_text() + f"spool_log = {str(tmp_path / 'third.log')!r}\n")
    third = command(spool, "run_pipeline", "--config_file", str(config), "--engine", "spool.most=7")
    assert third.returncode == 0, third.stdout + third.stderr
    assert len((tmp_path / "third.log").read_text().splitlines()) == 6


DRY_RUNS = """
import json, sys
from click.testing import CliRunner
from pyveg.scripts.run_pipeline import main

for path in sys.argv[1:]:
    done = CliRunner().invoke(main, ["--config_file", path, "--dry_run"])
    print(json.dumps([done.exit_code, done.output]))
"""

SAID: list[tuple[str, dict[str, Any], int, str]] = [
    ("spool", {"spool": {"most": 5}}, 2, "spool: 6 Tasks, and most = 5; raise most"),
    ("spool", {"spool": {"most": 0}}, 2, "most = 0 is out of range; it must be at least 1 and at"),
    ("spool", {"spool": {"logg": "x"}}, 2, 'unknown setting "logg"; did you mean "log"?'),
    ("spool", {"spol": {}}, 2, 'unknown engine "spol"; did you mean "spool"?'),
    ("spool", {"needy": {"most": 7}}, 0, 'engines["needy"] (most) has no effect'),
    ("spool", {}, 0, "warning: spool: nobody will know what was run; set log"),
    # The pip line is that of its own package.
    ("needy", {}, 2, "needs a package that is not installed; pip install 'spool[far]'"),
]
"""Engine, settings, exit code of a dry run, and what it says."""


@pytest.fixture(scope="module")
def dry_runs(
    spool: Path, tmp_path_factory: pytest.TempPathFactory, config_writer: Any
) -> list[tuple[int, str, list[Path]]]:
    """Exit code and words of each, all by one process, and the runs that are there afterwards."""
    writers = [config_writer(tmp_path_factory.mktemp("dry")) for _ in SAID]
    configs = [
        str(_imagery(write, runner=runner, engines=engines))
        for write, (runner, engines, _, _) in zip(writers, SAID, strict=True)
    ]
    done = python(spool, DRY_RUNS, *configs)
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return [(*one, write.runs()) for one, write in zip(said, writers, strict=True)]


@pytest.mark.parametrize("number", range(len(SAID)), ids=[said for *_, said in SAID])
def test_what_an_engine_says_of_its_settings(
    dry_runs: list[tuple[int, str, list[Path]]], number: int
) -> None:
    *_, code, said = SAID[number]
    exit_code, output, runs = dry_runs[number]
    assert said in output
    assert exit_code == code, output
    assert not runs
