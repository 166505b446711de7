"""Greenness of periods from the folder of a camera, and joined with a satellite in one run."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.earth.source import Request
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, run_pipeline, start
from pyveg.scripts.greenness import main
from pyveg.sources.phenocam import BANDS, PhenoCamSettings, PhenoCamSource
from pyveg.testing.camera import ROI, green_of, write_camera

DATES = DateRange(date(2018, 1, 1), date(2018, 5, 1))
PLACE = Place(27.95, 11.57, 0.0138)
CAMERA_RECORD = {
    "collection_name": "Camera",
    "data_type": "vegetation",
    "source": "phenocam",
    "time_per_point": "1m",
}
CAMERA = Collection("Camera", "Camera", "vegetation", "phenocam", time_per_point="1m")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "oak"
    folder.mkdir()
    write_camera(folder, DATES)
    return folder


def _fetch(source: PhenoCamSource, number: int = 0) -> dict[str, float]:
    item = source.items(CAMERA, PLACE, DATES)[number]
    scene = source.fetch(Request(PLACE, CAMERA, item, {band: band for band in BANDS}))
    return {name: float(raster.array[0, 0]) for name, raster in scene.rasters.items()}


def test_greenness_of_a_month_is_that_of_its_images(home: Path) -> None:
    found = _fetch(PhenoCamSource(PhenoCamSettings(path=str(home), utc_offset=2)), 1)
    # February is days 31 to 58; there is an image every five days
    shares = [green_of(day) / (180 + green_of(day)) for day in range(35, 59, 5)]
    assert found["camera_images"] == len(shares)
    assert found["gcc_mean"] == pytest.approx(np.mean(shares), abs=1e-5)
    assert found["gcc_90"] == pytest.approx(np.percentile(shares, 90), abs=1e-5)


def test_a_table_is_taken_in_place_of_images(home: Path) -> None:
    source = PhenoCamSource(PhenoCamSettings(path=str(home)))
    before, first = _fetch(source), source.items(CAMERA, PLACE, DATES)[0]
    request = Request(PLACE, CAMERA, first, {"gcc_90": "gcc_90"})
    prints = [source.fingerprint(request)]
    done = CliRunner().invoke(
        main,
        [
            "--images",
            str(home),
            "--mask",
            str(home / f"ROI/oak_{ROI}_roi.csv"),
            "--output_dir",
            str(home / "ROI"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert _fetch(source) == before
    prints.append(source.fingerprint(request))
    for path in home.rglob("*.png"):
        path.unlink()
    assert _fetch(source) == before
    prints.append(source.fingerprint(request))
    assert prints[0] != prints[1] == prints[2]


def test_what_an_earlier_try_has_left_counts_no_more(home: Path) -> None:
    """An image that was mended is no failure any more, and a month that lost its images a gap."""
    config = {
        "name": "oak",
        "output_location": str(home.parent / "out"),
        "coordinates": (PLACE.longitude, PLACE.latitude),
        "date_range": ["2018-01-01", "2018-03-01"],
        "runner": "serial",
        "data_collections": {"Camera": {**CAMERA_RECORD, "path": str(home), "roi": ROI}},
        "collections_to_use": ["Camera"],
        "modules_to_use": {
            "Camera": ["GreennessCalculator"],
            "combine": ["VegAndWeatherJsonCombiner", "GreennessTables"],
        },
    }
    broken = home / "2018/01/oak_2018_01_01_120000.png"
    whole = broken.read_bytes()
    broken.write_bytes(b"half an image")
    first = start(prepare(resolve(config)), picture=False)
    [folder] = Path(first.url).glob("*_combine")
    assert (folder / f"oak_{ROI}_failures.csv").is_file()
    assert "2018-02-15,Camera" in (folder / "series.csv").read_text()
    broken.write_bytes(whole)
    for path in (home / "2018/02").iterdir():
        path.unlink()
    assert start(prepare(resolve(config), from_cache=first.url), picture=False).exit_code == 0
    assert not (folder / f"oak_{ROI}_failures.csv").exists()
    table = (folder / f"oak_{ROI}_roistats.csv").read_text()
    assert (table.count("\n2018-01"), table.count("\n2018-02")) == (7, 0)
    _, *rows = (folder / "series.csv").read_text().splitlines()
    assert [row[:10] for row in rows] == ["2018-01-16"]


@pytest.mark.parametrize("day", ["30/06/2018", "", '"2018-01-02\n'])
def test_a_row_of_a_table_that_is_of_no_day_is_told(home: Path, day: str) -> None:
    table = home / f"ROI/oak_{ROI}_roistats.csv"
    table.write_text(f"date,gcc\n2018-01-01,0.4\n{day},0.4\n")
    with pytest.raises(DataError, match=r"roistats\.csv has a row whose date is"):
        _fetch(PhenoCamSource(PhenoCamSettings(path=str(home), roi=ROI)))


def test_folders_that_are_none(home: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        PhenoCamSource(PhenoCamSettings(path=str(home / "gone")))
    (home / "ROI/oak_DB_0001_roi.csv").write_text("x")
    with pytest.raises(ConfigError, match="DB_0001, GR_1000"):
        _fetch(PhenoCamSource(PhenoCamSettings(path=str(home))))
    gone = PhenoCamSource(PhenoCamSettings(path=str(home), roi="EN_0001"))
    with pytest.raises(ConfigError, match="DB_0001, GR_1000, and not EN_0001"):
        _fetch(gone)
    bare = home.parent / "bare"
    bare.mkdir()
    with pytest.raises(ConfigError, match=r"has no bare_\.\.\._roi\.csv, and not EN_0001"):
        _fetch(PhenoCamSource(PhenoCamSettings(path=str(bare), roi="EN_0001")))
    named = PhenoCamSource(PhenoCamSettings(path=str(home), roi=ROI))
    assert _fetch(named)["camera_images"] == 7
    # Each date with an image that is none has the others
    january = home / "2018" / "01"
    (january / "oak_2018_01_02_120000.png").write_bytes(b"half an image")
    assert _fetch(named)["camera_images"] == 7
    for path in january.iterdir():
        path.write_bytes(b"half an image")
    with pytest.raises(DataError, match="none of 8 images"):
        _fetch(named)
    for path in january.iterdir():
        path.unlink()
    with pytest.raises(SkipItem):
        _fetch(named)


def test_a_camera_and_a_satellite_are_joined(home: Path, tmp_path: Path) -> None:
    """One summary and one table have both."""
    config = resolve(
        {
            "name": "both",
            "output_location": str(tmp_path / "out"),
            "coordinates": (27.95, 11.57),
            "region_size": 0.0046,
            "date_range": ["2018-01-01", "2018-05-01"],
            "runner": "serial",
            "collections_to_use": ["SimulatedSentinel2", "Camera"],
            "data_collections": {
                "Camera": {
                    "collection_name": "Camera",
                    "data_type": "vegetation",
                    "source": "phenocam",
                    "path": str(home),
                    "time_per_point": "1m",
                },
                "SimulatedSentinel2": {
                    "collection_name": "Sat",
                    "data_type": "vegetation",
                    "source": "simulated",
                    "RGB_bands": ["B4", "B3", "B2"],
                    "NIR_band": "B8",
                    "time_per_point": "1m",
                    "spin_up": 100,
                },
            },
            "modules_to_use": {
                "SimulatedSentinel2": [
                    "VegetationDownloader",
                    "VegetationImageProcessor",
                    "NDVICalculator",
                ],
                "Camera": ["GreennessCalculator"],
                "combine": ["VegAndWeatherJsonCombiner"],
            },
        }
    )
    report = run_pipeline(config)
    [summary] = Path(report.url).glob("*_combine/results_summary.json")
    text = json.loads(summary.read_text())
    assert {"Camera", "Sat"} <= set(text)
    rows = (summary.parent / "series.csv").read_text().splitlines()
    names = rows[0].split(",")
    camera = [dict(zip(names, row.split(","), strict=True)) for row in rows if ",Camera," in row]
    assert [float(row["gcc_90"]) > 0.33 for row in camera] == [True] * 4
    sat = [dict(zip(names, row.split(","), strict=True)) for row in rows if ",Sat," in row]
    assert sat
    assert all(row["ndvi_mean"] for row in sat)
