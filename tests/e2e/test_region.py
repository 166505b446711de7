"""`region`: a polygon is a mask, whatever the Source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyveg
from pyveg import formats
from pyveg.core.errors import ConfigError
from pyveg.core.module import Module
from pyveg.earth.subject import Subject
from pyveg.jobs.resolve import resolve
from pyveg.modules.outline import inside
from pyveg.sources.collections import data_collections

VEGETATION = [
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
]
UTM = (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0)
"""Corner of the images in this test: longitude 15, latitude 45.15 in EPSG:32633."""


def _images(folder: Path, dates: list[str], crs: str | None = "EPSG:32633") -> np.ndarray:
    """100 x 100 pixels in four chips, each of its own NDVI."""
    nir = np.kron(np.array([[2000, 4000], [6000, 8000]]), np.ones((50, 50))).astype(np.uint16)
    for date in dates:
        raw = folder / date / "RAW"
        raw.mkdir(parents=True)
        for band in ("B2", "B3", "B4", "B8"):
            array = nir if band == "B8" else np.full_like(nir, 1000)
            raster = formats.Raster(array, crs, UTM if crs else None)
            (raw / f"download.{band}.tif").write_bytes(formats.encode_geotiff(raster))
    return (nir - 1000.0) / (nir + 1000.0)


def _polygon(path: Path, corners: list[tuple[float, float]]) -> str:
    """A GeoJSON of a polygon that is given in pixels of the images."""
    columns, rows = np.array(corners, float).T
    lonlat = formats.lonlat("EPSG:32633", UTM, columns, rows)
    ring = [[float(one[0]), float(one[1])] for one in lonlat]
    document = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    path.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": document}))
    return str(path)


def _job(folder: Path, **more: Any) -> dict[str, Any]:
    record = {
        "data_type": "vegetation",
        "source": "folder",
        "path": str(folder / "in"),
        "RGB_bands": ["B4", "B3", "B2"],
        "NIR_band": "B8",
    }
    return {
        "output_location": str(folder / "job"),
        "date_range": ["2020-01-01", "2021-01-01"],
        "data_collections": {"S2": record},
        "collections_to_use": ["S2"],
        "modules_to_use": {"S2": VEGETATION},
        "runner": "serial",
        **more,
    }


def _run(job: dict[str, Any]) -> tuple[Any, pyveg.Run]:
    report = pyveg.run_pipeline(resolve(job))
    return report, pyveg.open_run(report.url)


def test_chips_outside_of_the_polygon_are_not_measured(tmp_path: Path) -> None:
    ndvi = _images(tmp_path / "in", ["2020-01-16"])
    # The western half and a little more: chips 0 and 1.
    region = _polygon(tmp_path / "site.geojson", [(-1, -1), (60, -1), (60, 101), (-1, 101)])
    report, run = _run(_job(tmp_path, region=region))
    assert report.exit_code == 0
    chips = run.results().chips
    assert chips["chip"].tolist() == [0, 1]
    assert chips["ndvi_mean"].to_numpy() == pytest.approx([ndvi[0, 0], ndvi[99, 0]])
    (date,) = run.dates()
    kept = run.raster(date, "NDVI").array
    assert np.isfinite(kept[:, :59]).all()
    assert np.isnan(kept[:, 61:]).all()
    assert (run.raster(date, "B8").array[:, 61:] == 0).all()
    assert run.place is not None
    assert run.place.outline
    # The run keeps the polygon, and is finished where the file is not.
    Path(region).unlink()
    assert pyveg.open_run(report.url).pipeline.plan().graph


def test_parts_of_chips_are_valid_in_part(tmp_path: Path) -> None:
    _images(tmp_path / "in", ["2020-01-16"])
    region = _polygon(tmp_path / "site.geojson", [(-1, -1), (25, -1), (25, 101), (-1, 101)])
    special = {"VegetationImageProcessor": {"max_masked_fraction": 0.6}}
    _, run = _run(_job(tmp_path, region=region, special_config=special))
    chips = run.results().chips
    assert chips["chip"].tolist() == [0, 1]
    assert chips["valid_fraction"].to_numpy() == pytest.approx([0.5, 0.5], abs=0.02)


def test_a_polygon_outside_of_the_images_is_refused_with_both_places(tmp_path: Path) -> None:
    _images(tmp_path / "in", ["2020-01-16"])
    far = _polygon(tmp_path / "far.geojson", [(500, 0), (600, 0), (600, 100)])
    with pytest.raises(ConfigError, match="do not touch the place") as caught:
        _run(_job(tmp_path, region=far))
    assert "longitude 15.0064" in caught.value.wrong
    # In the square around the coordinates, and yet not where the images are.
    near = _polygon(tmp_path / "near.geojson", [(200, 0), (300, 0), (300, 100)])
    with pytest.raises(ConfigError, match=r"do not touch the region at 15\.03") as caught:
        _run(_job(tmp_path, region=near, coordinates=(15.0064, 45.149)))
    assert "longitude 15.0064" in caught.value.wrong


def test_a_polygon_without_a_pixel_of_the_images_fails_the_date(tmp_path: Path) -> None:
    """Its square reaches into the images, and it does not: only the pixels can tell."""
    _images(tmp_path / "in", ["2020-01-16"])
    beside = _polygon(tmp_path / "beside.geojson", [(80, -150), (250, -150), (250, 100)])
    report, _ = _run(_job(tmp_path, region=beside, coordinates=(15.0064, 45.149)))
    assert report.exit_code == 1
    failed = [result for result in report.results.values() if result.state == "failed"]
    assert "is outside of the image" in failed[0].reason
    assert "longitude 15.0000 to" in failed[0].reason


def test_images_without_a_position_cannot_be_cut(tmp_path: Path) -> None:
    _images(tmp_path / "in", ["2020-01-16"], crs=None)
    region = _polygon(tmp_path / "site.geojson", [(0, 0), (60, 0), (60, 100)])
    report, _ = _run(_job(tmp_path, region=region))
    assert "no georeferencing" in next(
        r.reason for r in report.results.values() if r.state == "failed"
    )


def test_it_holds_for_a_source_that_lays_pixels(tmp_path: Path) -> None:
    ring = [[27.94, 11.56], [27.96, 11.56], [27.95, 11.58], [27.94, 11.56]]
    path = tmp_path / "site.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    job = _job(
        tmp_path,
        data_collections=dict(data_collections),
        collections_to_use=["SimulatedSentinel2"],
        modules_to_use={"SimulatedSentinel2": ["VegetationDownloader"]},
        date_range=["2016-01-01", "2016-02-01"],
        region=str(path),
    )
    _, run = _run(job)
    place = Subject.of(run.steps[0].scope).place
    assert (place.longitude, place.latitude, place.region_size) == (27.95, 11.57, 0.022)
    (key,) = [key for key in run.store.list() if key.endswith("RAW/download.NDVI.tif")]
    raster = formats.decode_geotiff(run.store.read(key))
    mask = inside(raster, place.outline)
    assert 0.3 < mask.mean() < 0.5
    assert np.isnan(raster.array[~mask]).all()


@pytest.mark.parametrize(
    ("document", "more", "words"),
    [
        ('{"type": "Point", "coordinates": [15, 45]}', {}, "has no polygon"),
        ('{"type": "Polygon"', {}, "is no GeoJSON"),
        (
            '{"type": "Polygon", "coordinates": [[[15, 45], [15.1, 45], [15, 45.1], [15, 45]]]}',
            {"coordinates": (27.95, 11.57)},
            "lies around longitude 15.05, latitude 45.05, outside of the 0.08 degrees around",
        ),
    ],
)
def test_a_region_that_cannot_be_is_told_in_the_plan(
    tmp_path: Path, document: str, more: dict[str, Any], words: str
) -> None:
    _images(tmp_path / "in", ["2020-01-16"])
    path = tmp_path / "site.geojson"
    path.write_text(document)
    with pytest.raises(ConfigError, match=words) as caught:
        resolve(_job(tmp_path, region=str(path), **more))
    assert str(path) in caught.value.wrong
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve(_job(tmp_path, region=str(tmp_path / "missing.geojson")))


def test_an_outline_without_room_for_a_chip_is_told_in_the_plan(tmp_path: Path) -> None:
    ring = [[27.94, 11.56], [27.96, 11.56], [27.95, 11.562], [27.94, 11.56]]
    path = tmp_path / "site.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    job = _job(
        tmp_path,
        data_collections=dict(data_collections),
        collections_to_use=["SimulatedSentinel2"],
        modules_to_use={"SimulatedSentinel2": VEGETATION},
        region=str(path),
    )
    with pytest.raises(ConfigError, match="no chip of 50 x 50 pixels at 10 m lies in the region"):
        resolve(job)
    special = {"VegetationImageProcessor": {"max_masked_fraction": 0.9}}
    assert resolve({**job, "special_config": special})


def test_results_say_what_they_are_about(tmp_path: Path) -> None:
    _images(tmp_path / "in", ["2020-01-16"])
    region = _polygon(tmp_path / "site.geojson", [(-1, -1), (60, -1), (60, 101), (-1, 101)])
    _, run = _run(_job(tmp_path, region=region))
    outline = run.results().metadata["outline"]
    assert outline["type"] == "MultiPolygon"
    assert len(outline["coordinates"][0][0]) == 5


def test_jobs_without_one_are_the_same_as_before(tmp_path: Path) -> None:
    _images(tmp_path / "in", ["2020-01-16"])
    pipeline = resolve(_job(tmp_path, coordinates=(15, 45)))
    assert "outline" not in pipeline.sequences[0].scope.subject["place"]
    assert issubclass(pipeline.sequences[0].modules[0].cls, Module)
