"""`pyveg_export`: opened again as others open such files, and looked at: place and values."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
import shapely
from click.testing import CliRunner, Result
from rasterio.features import geometry_mask
from rasterio.warp import transform as reproject
from rasterio.warp import transform_geom

import pyveg
from pyveg import formats
from pyveg.core.errors import DataError, MissingPackageError
from pyveg.jobs.resolve import resolve
from pyveg.scripts.export import main as command
from pyveg.sources.collections import data_collections

VEGETATION = [
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
]
PLACES = {
    "south": (-67.5, -54.8, "EPSG:32719"),
    "north": (18.3, 70.0, "EPSG:32634"),
    "border of zones": (17.9995, 45.0, "EPSG:32633"),
    "across 180 degrees": (179.9995, -16.8, "EPSG:32760"),
}


@pytest.fixture(scope="module", params=PLACES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> pyveg.Run:
    """A run over a place that is not easy to get right."""
    longitude, latitude, _ = PLACES[request.param]
    job: dict[str, Any] = {
        "output_location": str(tmp_path_factory.mktemp("export") / "job"),
        "coordinates": (longitude, latitude),
        "region_size": 0.015,
        "date_range": ["2016-01-01", "2016-03-01"],
        "data_collections": dict(data_collections),
        "collections_to_use": ["SimulatedSentinel2"],
        "modules_to_use": {"SimulatedSentinel2": VEGETATION},
        "runner": "serial",
    }
    report = pyveg.run_pipeline(resolve(job))
    assert report.exit_code == 0
    return pyveg.open_run(report.url)


def _export(run: pyveg.Run, kind: str, folder: Path, *more: str) -> Result:
    path = str(run.url).removeprefix("file://")
    result = CliRunner().invoke(
        command, [path, "--format", kind, "--output_dir", str(folder), *more]
    )
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _wanted_place(run: pyveg.Run) -> tuple[float, float, str]:
    place = run.place
    assert place is not None
    return next(known for known in PLACES.values() if known[0] == place.longitude)


def _chips(run: pyveg.Run) -> pd.DataFrame:
    return pyveg.load_results(run.url).sort_values(["date", "chip"], ignore_index=True)


def test_images_are_where_they_belong(run: pyveg.Run, tmp_path: Path) -> None:
    result = _export(run, "geotiff", tmp_path)
    assert result.exit_code == 0, result.output
    longitude, latitude, crs = _wanted_place(run)
    name = run.collections[0]
    for date in run.dates():
        day = f"{date:%Y-%m-%d}"
        with rasterio.open(tmp_path / name / f"{day}_NDVI.tif") as index:
            assert index.crs.to_string() == crs
            assert index.dtypes == ("float32",)
            values = index.read(1)
            # Its middle is the place, by GDAL.
            x, y = index.xy(index.height / 2 - 0.5, index.width / 2 - 0.5)
            (found_x,), (found_y,) = reproject(index.crs, "EPSG:4326", [x], [y])
            assert (found_x - longitude + 180) % 360 - 180 == pytest.approx(0, abs=3e-4)
            assert found_y == pytest.approx(latitude, abs=1e-4)
            np.testing.assert_array_equal(values, run.raster(date, "NDVI").array)
        for kind, count in (("RGB", 3), ("BWNDVI", 1)):
            with rasterio.open(tmp_path / name / f"{day}_{kind}.tif") as picture:
                assert (picture.crs, picture.transform) == (index.crs, index.transform)
                assert picture.count == count + 1
                whole = picture.read(list(range(1, count + 1)))
                shown = np.moveaxis(whole, 0, -1) if count == 3 else whole[0]
                np.testing.assert_array_equal(shown, run.picture(date, kind))
                np.testing.assert_array_equal(picture.read(count + 1) == 255, np.isfinite(values))


@pytest.mark.parametrize("kind", ["geojson", "geoparquet", "csv"])
def test_chips_are_where_they_belong(run: pyveg.Run, tmp_path: Path, kind: str) -> None:
    result = _export(run, kind, tmp_path)
    assert result.exit_code == 0, result.output
    name = run.collections[0]
    frame = _opened(tmp_path / name, kind)
    chips = _chips(run)
    assert len(frame) == len(chips) > 0
    assert frame["ndvi_mean"].to_numpy() == pytest.approx(chips["ndvi_mean"].to_numpy())
    assert frame["chip"].tolist() == chips["chip"].tolist()
    assert frame.is_valid.all()
    assert all(shape.area > 0 for shape in frame.geometry)
    bounds = frame.total_bounds
    assert bounds[0] >= -180
    assert bounds[2] <= 180
    for row, shape in zip(chips.to_dict("records"), frame.geometry, strict=True):
        _check_chip(run, row, shape)
    units = pd.read_csv(tmp_path / name / "chips_columns.csv").set_index("column")["unit"]
    assert units["offset50"] == "pixels"
    assert units["latitude"] == "degrees north"


def _opened(folder: Path, kind: str) -> geopandas.GeoDataFrame:
    """As others open it."""
    if kind == "geoparquet":
        frame = geopandas.read_parquet(folder / "chips.parquet")
    elif kind == "geojson":
        frame = geopandas.read_file(folder / "chips.geojson", engine="pyogrio")
        assert pyogrio.read_info(folder / "chips.geojson")["crs"] == "EPSG:4326"
    else:
        table = pd.read_csv(folder / "chips.csv")
        frame = geopandas.GeoDataFrame(
            table, geometry=geopandas.GeoSeries.from_wkt(table["wkt"]), crs="EPSG:4326"
        )
    assert frame.crs == "EPSG:4326"
    frame["date"] = pd.to_datetime(frame["date"])
    return frame.sort_values(["date", "chip"], ignore_index=True)


def _check_chip(run: pyveg.Run, row: dict[str, Any], shape: Any) -> None:
    """The pixels inside a polygon, by GDAL, are those that the numbers are about."""
    raster = run.raster(row["date"], "NDVI")
    assert raster.transform is not None
    geometry = transform_geom("EPSG:4326", raster.crs, shapely.geometry.mapping(shape))
    affine = rasterio.Affine(*raster.transform)
    inside = geometry_mask([geometry], raster.array.shape, affine, invert=True)
    # A centimetre at the edge may be another pixel, and no more.
    assert inside.sum() == pytest.approx(2500, abs=60)
    assert np.nanmean(raster.array[inside]) == pytest.approx(row["ndvi_mean"], abs=2e-3)


def test_a_run_as_a_cube_and_as_a_frame(run: pyveg.Run) -> None:
    cube = run.rasters(["B8", "NDVI"])
    assert dict(cube.sizes)["time"] == len(run.dates())
    date = run.dates()[0]
    np.testing.assert_array_equal(cube["NDVI"].sel(time=date), run.raster(date, "NDVI").array)
    _, _, crs = _wanted_place(run)
    reference = cube["spatial_ref"].attrs
    assert f"EPSG:{rasterio.CRS.from_wkt(reference['crs_wkt']).to_epsg()}" == crs
    gdal = tuple(map(float, reference["GeoTransform"].split()))
    assert rasterio.Affine.from_gdal(*gdal) == rasterio.Affine(*run.raster(date, "NDVI").transform)
    # Centres of pixels.
    assert float(cube["x"][0]) == gdal[0] + gdal[1] / 2
    assert float(cube["y"][-1]) == gdal[3] + gdal[5] * (cube.sizes["y"] - 0.5)
    odc = pytest.importorskip("odc.geo.xr", reason="odc-geo reads it as others do")
    assert odc is not None
    assert f"EPSG:{cube['NDVI'].odc.crs.to_epsg()}" == crs
    frame = run.chip_frame()
    assert isinstance(frame, geopandas.GeoDataFrame)
    assert len(frame) == len(_chips(run))


def test_chips_across_180_degrees_are_cut_there(run: pyveg.Run) -> None:
    longitude, _, _ = _wanted_place(run)
    kinds = {shape.geometry["type"] for shape in run.chip_shapes()}
    assert kinds == ({"Polygon", "MultiPolygon"} if longitude > 179 else {"Polygon"})
    for shape in run.chip_shapes():
        for ring in shape.rings:
            assert shapely.LinearRing(ring).is_ccw  # RFC 7946
            assert max(x for x, _ in ring) - min(x for x, _ in ring) < 0.1
        assert shapely.from_wkt(shape.wkt).equals(shapely.geometry.shape(shape.geometry))


@pytest.fixture
def flat(tmp_path: Path) -> pyveg.Run:
    """A run over images without georeferencing."""
    dice = np.random.default_rng(0)
    raw = tmp_path / "in" / "2020-01-16" / "RAW"
    raw.mkdir(parents=True)
    for band in ("B2", "B3", "B4", "B8"):
        array = dice.integers(500, 3000, (100, 100)).astype(np.uint16)
        (raw / f"download.{band}.tif").write_bytes(formats.encode_geotiff(formats.Raster(array)))
    record = {"data_type": "vegetation", "source": "folder", "path": str(tmp_path / "in"),
              "RGB_bands": ["B4", "B3", "B2"], "NIR_band": "B8"}  # fmt: skip
    job: dict[str, Any] = {
        "output_location": str(tmp_path / "job"), "coordinates": (15.0, 45.0),
        "region_size": 0.02, "date_range": ["2020-01-01", "2021-01-01"],
        "data_collections": {"S2": record}, "collections_to_use": ["S2"],
        "modules_to_use": {"S2": VEGETATION}, "runner": "serial",
    }  # fmt: skip
    return pyveg.open_run(pyveg.run_pipeline(resolve(job)).url)


def test_images_without_a_place(flat: pyveg.Run, tmp_path: Path) -> None:
    result = _export(flat, "geotiff", tmp_path / "out")
    assert result.exit_code == 2
    assert "no georeferencing" in result.output
    assert not list((tmp_path / "out").rglob("*.tif"))
    with pytest.raises(DataError, match="no georeferencing"):
        flat.rasters()
    # Chips divide the region, as results have them.
    result = _export(flat, "geojson", tmp_path / "out")
    assert result.exit_code == 0, result.output
    document = json.loads((tmp_path / "out" / "S2" / "chips.geojson").read_text())
    bounds = geopandas.GeoDataFrame.from_features(document).total_bounds
    assert bounds == pytest.approx([14.99, 44.99, 15.01, 45.01])


def test_what_is_wrong_is_one_sentence(
    flat: pyveg.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    for options, words in (
        (["shapefile"], 'unknown format "shapefile"'),
        (["csv", "--collection", "S3"], 'unknown collection "S3"; did you mean "S2"'),
    ):
        result = _export(flat, options[0], out, *options[1:])
        assert result.exit_code == 2
        assert words in result.output
    assert not out.exists()
    result = CliRunner().invoke(command, [str(tmp_path), "--format", "csv"])
    assert result.exit_code == 2
    assert "holds no run of pyveg" in result.output
    assert _export(flat, "csv", out).exit_code == 0
    again = _export(flat, "csv", out)
    assert again.exit_code == 2
    assert "is there already; replace it with --force" in again.output
    assert _export(flat, "csv", out, "--force").exit_code == 0
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.partition(".")[0] in ("geopandas", "xarray"):
            raise ImportError(name)
        return real(name, *more)

    for name in [one for one in sys.modules if one.partition(".")[0] in ("geopandas", "xarray")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    result = _export(flat, "geoparquet", out)
    assert result.exit_code == 2
    assert "pip install '.[geo]'" in result.output
    assert _export(flat, "geojson", out).exit_code == 0
    with pytest.raises(MissingPackageError, match="rasters as xarray"):
        flat.rasters()
