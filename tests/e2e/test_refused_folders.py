"""What a folder and its config contradict each other in is one sentence, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from pyveg.scripts.run_pipeline import main

DAYS = ("2020-01-16", "2020-02-15", "2020-03-16")
WEST, NORTH = 500_000, 1_280_000  # 3 degrees east, 11.58 north
REFLECTANCE = {"B2": (0.12, 0.03), "B3": (0.16, 0.07), "B4": (0.24, 0.04), "B8": (0.32, 0.42)}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write(path: Path, array: NDArray[Any], crs: str = "EPSG:32631", unit: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=array.shape[0],
        width=array.shape[1],
        count=1,
        dtype=array.dtype,
        crs=crs,
        transform=rasterio.Affine(10, 0, WEST, 0, -10, NORTH),
    ) as dataset:
        dataset.write(array, 1)
        dataset.units = [unit]


def _images(name: str = "{day}/RAW/download.{band}.tif", **how: str) -> None:
    for number, day in enumerate(DAYS):
        share = np.random.default_rng(number).random((100, 100))
        for band, (bare, green) in REFLECTANCE.items():
            values = np.rint(1e4 * (bare + (green - bare) * share)).astype(np.uint16)
            _write(Path("in") / name.format(day=day, band=band), values, **how)


def _run(top: str = "", **record: Any) -> Result:
    whole = {
        "data_type": "vegetation",
        "source": "folder",
        "path": "in",
        "RGB_bands": ["B4", "B3", "B2"],
        "NIR_band": "B8",
        **record,
    }
    modules = ["VegetationDownloader", "VegetationImageProcessor", "NDVICalculator"]
    Path("config.py").write_text(
        "name = 'job'\noutput_location = 'out'\ndate_range = ['2015-01-01', '2030-01-01']\n"
        f"data_collections = {{'M': {whole!r}}}\ncollections_to_use = ['M']\n"
        f"modules_to_use = {{'M': {modules!r}}}\nrunner = 'serial'\n{top}\n"
    )
    return CliRunner().invoke(main, ["--config_file", "config.py"])


def _polygon(west: float) -> str:
    ring = [[west, 11.576], [west + 0.01, 11.576], [west + 0.01, 11.58], [west, 11.576]]
    Path("site.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    return "region = 'site.geojson'\n"


def percent_and_reflectance() -> Result:
    _images(unit="percent")
    return _run(units="reflectance")


def two_reference_systems() -> Result:
    _images()
    values = np.full((100, 100), 500, np.uint16)
    _write(Path("in") / DAYS[1] / "RAW/download.B8.tif", values, crs="EPSG:32632")
    for day in (DAYS[0], DAYS[2]):
        for file in (Path("in") / day).rglob("*"):
            if file.is_file():
                file.unlink()
    return _run()


def no_date_in_a_name() -> Result:
    _images("{band}.tif")
    return _run()


def day_before_month() -> Result:
    _images("{band}_01-02-2020.tif")
    return _run()


def two_days_in_a_name() -> Result:
    _images("{day}_20200401_{band}.tif")
    return _run()


def no_folder() -> Result:
    return _run()


def mask_band_that_is_not_there() -> Result:
    _images()
    return _run(mask_band="SCL")


def polygon_beside_the_images() -> Result:
    _images()
    return _run(_polygon(3.02) + "coordinates = (3.01, 11.575)")


def polygon_far_away() -> Result:
    _images()
    return _run(_polygon(13.02))


def index_without_its_band() -> Result:
    _images()
    return _run("special_config = {'M': {'index': 'NDMI', 'index_bands': {'S1': 'B11'}}}")


REFUSED: dict[Callable[[], Result], tuple[str, ...]] = {
    percent_and_reflectance: (
        "download.B4.tif: the file says that",
        "in percent and the config in reflectance",
    ),
    two_reference_systems: ("download.B8.tif", "EPSG:32632", "EPSG:32631", "regrid = True"),
    no_date_in_a_name: ("in has no date in names; there are B", "a date is written as YYYY-MM-DD"),
    day_before_month: ("_01-02-2020.tif", "{date:%d.%m.%Y}"),
    two_days_in_a_name: (
        "2020-01-16_20200401_B2.tif: its name can be read as 2020-01-16 or as 2020-04-01",
        "{date}_*_{band}.tif",
    ),
    no_folder: ("the path in does not exist",),
    mask_band_that_is_not_there: ('download.SCL.tif for the band "SCL"',),
    polygon_beside_the_images: ("/in: the images lie around longitude 3.00", "region at 3.025"),
    polygon_far_away: ("/in: the images lie around longitude 3.00", "the place at 13.025"),
    index_without_its_band: ('download.B11.tif for the band "B11"',),
}


@pytest.mark.parametrize("form", REFUSED, ids=lambda form: form.__name__)
def test_one_sentence_before_anything_is_written(form: Callable[[], Result]) -> None:
    result = form()
    assert result.exit_code == 2, result.output
    assert not list(Path().glob("out*"))
    assert sum(line.startswith("Error: ") for line in result.output.splitlines()) == 1
    for words in REFUSED[form]:
        assert words in result.output


def test_a_pattern_says_which_of_two_days_is_meant() -> None:
    _images("{day}_20200401_{band}.tif")
    result = _run(pattern="{date}_*_{band}.tif")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path().glob("out*/gee_*_M/*")) == list(DAYS)


def test_the_day_of_processing_in_names_of_esa_is_not_meant() -> None:
    _images("S2A_MSIL2A_20200116T100031_N0213_R122_T31PEN_20200401T120000_{band}.tif")
    result = _run()
    assert result.exit_code == 0, result.output
    assert [path.name for path in Path().glob("out*/gee_*_M/*")] == ["2020-01-16"]
