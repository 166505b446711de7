"""Modules of other people's packages run like ours, and what they measure goes all the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); "
        f"from pyveg.scripts.{words[0]} import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *words[1:]],
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
