"""Counts of what a detector saw, by week, and beside the NDVI of the place in one run."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pyveg.analysis.figures.run_series import series_figure
from pyveg.cameras.detections import read_detections, taken_of_name
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.earth.source import Request
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import run_pipeline
from pyveg.modules.detection_counts import DetectionCounter, DetectionCounterSettings
from pyveg.runs.run import open_run
from pyveg.sources.camera_traps import CameraTrapSettings, CameraTrapSource

DATES = DateRange(date(2018, 1, 1), date(2018, 3, 5))
PLACE = Place(27.95, 11.57, 0.0138)
TRAP = Collection("Trap", "Trap", "vegetation", "camera_traps", time_per_point="1w")
BANDS = {"n": "images", "seen": "seen:animal", "with": "with:animal", "people": "seen:person"}
BOX = [0.1, 0.1, 0.2, 0.2]


def _seen(*found: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"category": category, "conf": conf, "bbox": BOX} for category, conf in found]


def _write(path: Path, images: list[dict[str, Any]], **more: Any) -> Path:
    about = {
        "info": {"detector": "d", "format_version": "1.6"},
        "detection_categories": {"1": "animal", "2": "person"},
    }
    path.write_text(json.dumps({"images": images, **about, **more}))
    return path


def _image(when: str, *found: tuple[str, float]) -> dict[str, Any]:
    return {"file": f"oak/IMG_{when}.JPG", "detections": _seen(*found)}


WEEKS = [
    _image("20180101_000000", ("1", 0.9), ("1", 0.2), ("1", 0.19)),
    _image("20180107_235959", ("1", 0.5), ("2", 0.6)),
    _image("20180108_000000"),
    {"file": "oak/IMG_20180109_120000.JPG", "failure": "it is damaged", "detections": None},
    # a gap in the third week; the fourth by what the file says, against the name
    {"datetime": "2018:01:22 10:00:00", **_image("20990101_000000", ("2", 0.9))},
    {"meta": {"taken": "2018-01-23T10:00:00+02:00"}, **_image("20990101_000001", ("1", 0.9))},
    {"meta": "no time", "file": "oak/IMG_0001.JPG", "detections": _seen(("1", 0.9))},
]


def _fetch(source: CameraTrapSource, week: int) -> dict[str, float]:
    item = source.items(TRAP, PLACE, DATES)[week]
    scene = source.fetch(Request(PLACE, TRAP, item, BANDS))
    return {name: float(raster.array[0, 0]) for name, raster in scene.rasters.items()}


def test_a_week_has_its_images_and_what_was_seen_on_them(tmp_path: Path) -> None:
    path = _write(tmp_path / "detections.json", WEEKS)
    source = CameraTrapSource(CameraTrapSettings(path=str(path)))
    assert _fetch(source, 0) == {"n": 2, "seen": 3, "with": 2, "people": 1}
    assert _fetch(source, 1) == {"n": 1, "seen": 0, "with": 0, "people": 0}, "zero is no gap"
    with pytest.raises(SkipItem, match="no image of it"):
        _fetch(source, 2)
    assert _fetch(source, 3) == {"n": 2, "seen": 1, "with": 1, "people": 1}
    found = read_detections(path, None, 0.2)
    assert (found.failed, found.timeless, len(found.images)) == (1, 1, 5)
    sure = CameraTrapSource(CameraTrapSettings(path=str(path), threshold=0.95))
    assert _fetch(sure, 0)["seen"] == 0


def test_images_that_are_added_change_their_week_alone(tmp_path: Path) -> None:
    path = _write(tmp_path / "detections.json", WEEKS)

    def prints() -> list[str]:
        source = CameraTrapSource(CameraTrapSettings(path=str(path)))
        items = source.items(TRAP, PLACE, DATES)
        return [source.fingerprint(Request(PLACE, TRAP, item, BANDS)) for item in items]

    before = prints()
    _write(path, [*WEEKS, _image("20180110_120000", ("1", 0.9))])
    changed = [number for number, (a, b) in enumerate(zip(before, prints(), strict=True)) if a != b]
    assert changed == [1]


def test_the_exif_of_an_image_says_when_it_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2018:01:02 10:00:00"
    Image.new("RGB", (4, 4)).save(tmp_path / "IMG_0001.JPG", exif=exif)
    (tmp_path / "IMG_0002.JPG").write_bytes(b"no image")
    names = ("IMG_0001.JPG", "IMG_0002.JPG", "gone.JPG", "../IMG_0001.JPG", "https://x/y.jpg")
    images = [{"file": name, "detections": []} for name in names]
    path = _write(tmp_path / "found.json", images)
    found = read_detections(path, tmp_path, 0.2)
    assert [one.taken for one in found.images] == [datetime(2018, 1, 2, 10)]
    assert found.timeless == 4
    with pytest.raises(DataError, match=r"does not say when .* 'IMG_0001\.JPG"):
        read_detections(path, None, 0.2)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a/oak_2018_01_02_030405.jpg", datetime(2018, 1, 2, 3, 4, 5)),
        ("20180102030405.jpg", datetime(2018, 1, 2, 3, 4, 5)),
        ("RCNX0007_2018-01-02 03-04-05.JPG", datetime(2018, 1, 2, 3, 4, 5)),
        ("2018-01-02T03:04.jpg", datetime(2018, 1, 2, 3, 4)),
        ("20180102_030405/IMG_1.JPG", None),
        ("120180102030405.jpg", None),
        ("2018-13-02 030405.jpg", None),
        ("20180102.jpg", None),
    ],
)
def test_times_in_names(name: str, taken: datetime | None) -> None:
    assert taken_of_name(name) == taken


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        CameraTrapSource(CameraTrapSettings(path=str(tmp_path / "gone.json")))
    path = tmp_path / "odd.json"
    unmapped = [_image("20180101_000000", ("7", 0.9))]
    for text in ("", "[]", '{"images": 3}', "[" * 100_000, json.dumps({"images": unmapped})):
        path.write_text(text)
        with pytest.raises(DataError, match="is no results file"):
            read_detections(path, None, 0.2)
    _write(path, unmapped)
    with pytest.raises(DataError, match="is no results file"):
        read_detections(path, None, 0.2)
    source = CameraTrapSource(CameraTrapSettings(path=str(_write(path, WEEKS))))
    item = source.items(TRAP, PLACE, DATES)[0]
    with pytest.raises(ConfigError, match='knows no "lion"'):
        source.fetch(Request(PLACE, TRAP, item, {"x": "seen:lion"}))
    for categories in ((), ("Red deer", "red-deer")):
        settings = DetectionCounterSettings(categories=categories)
        with pytest.raises(ConfigError, match="has none, or two of one name"):
            DetectionCounter.settled(settings, "here", lambda _: None)


def test_counts_stand_beside_the_ndvi_of_the_place(tmp_path: Path) -> None:
    days = [DATES.start + timedelta(days=n) for n in range((DATES.end - DATES.start).days)]
    images = [
        _image(f"{day:%Y%m%d}_120000", *[("1", 0.9)] * (number % 5))
        for number, day in enumerate(days)
    ]
    path = _write(tmp_path / "detections.json", images)
    config = resolve(
        {
            "name": "both",
            "output_location": str(tmp_path / "out"),
            "coordinates": (27.95, 11.57),
            "region_size": 0.0046,
            "date_range": [str(DATES.start), str(DATES.end)],
            "runner": "serial",
            "collections_to_use": ["Satellite", "Trap"],
            "data_collections": {
                "Trap": {
                    "collection_name": "Trap",
                    "data_type": "vegetation",
                    "source": "camera_traps",
                    "path": str(path),
                    "time_per_point": "1w",
                },
                "Satellite": {
                    "collection_name": "Satellite",
                    "data_type": "vegetation",
                    "source": "simulated",
                    "RGB_bands": ["B4", "B3", "B2"],
                    "NIR_band": "B8",
                    "time_per_point": "1m",
                    "spin_up": 50,
                },
            },
            "modules_to_use": {
                "Satellite": ["VegetationDownloader", "VegetationImageProcessor", "NDVICalculator"],
                "Trap": ["DetectionCounter"],
                "combine": ["VegAndWeatherJsonCombiner"],
            },
            "special_config": {"DetectionCounter": {"categories": ["animal"]}},
        }
    )
    report = run_pipeline(config)
    assert report.exit_code == 0
    run = open_run(report.url)
    table = run.series()
    assert table is not None
    trap = table[table["collection"] == "Trap"]
    assert len(trap) == 9
    weeks = [sum(n % 5 for n in range(7 * week, 7 * week + 7)) for week in range(9)]
    assert trap["animal_count"].tolist() == weeks
    assert trap["trap_images"].tolist() == [7] * 9
    assert table[table["collection"] == "Satellite"]["ndvi"].notna().all()
    assert "person_count" not in table
    figure = series_figure(table, metrics=run.metrics)
    assert figure is not None
    assert [axis.get_ylabel() for axis in figure.axes] == ["NDVI", "Animal count"]
    assert run.results().place["animal_count"].tolist() == weeks
