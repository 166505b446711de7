"""One config for STAC, through the whole pipeline; only the services are stand-ins."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import pyveg
from pyveg import formats
from pyveg.earth.types import Place
from pyveg.scripts.run_pipeline import main
from pyveg.testing.stac_world import StacServer, StacWorld

PLACE = Place(27.95, 11.57, 0.011)
S2, ERA5 = "Sentinel2_EarthSearch_C1", "ERA5_OpenMeteo"
STATED = (1e-4, -0.1)


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StacServer]:
    """Five months: two before the change of baseline, one with both, one without an image."""
    world = StacWorld(
        tmp_path_factory.mktemp("world"), PLACE, collection="sentinel-2-c1-l2a", green=1.0
    )
    for day in ("2021-11-05", "2021-11-15", "2021-12-05", "2022-01-10"):
        world.add(day, baseline="03.01", cloud=0.1 if day == "2021-11-05" else 0.0)
    for tile in ("west", "east"):
        world.add("2022-01-30", baseline="04.00", tile=tile, stated=STATED)
        world.add("2022-03-05", baseline="05.10", tile=tile, stated=STATED)
    world.add("2022-02-05", baseline="04.00", cloud=0.8, stated=STATED)
    with world.serve() as found:
        yield found


@pytest.fixture(scope="module")
def config(
    server: StacServer,
    tmp_path_factory: pytest.TempPathFactory,
    config_writer: Callable[[Path], Any],
) -> tuple[Any, Path]:
    """A config as a user writes it, with the addresses of the stand-ins."""
    folder = tmp_path_factory.mktemp("run")
    writer = config_writer(folder)
    cache = str(folder / "cache")
    path: Path = writer(
        region_size=PLACE.region_size,
        date_range=["2021-11-01", "2022-04-01"],
        collections_to_use=[S2, ERA5],
        modules_to_use={
            S2: [
                "VegetationDownloader",
                "VegetationImageProcessor",
                "NetworkCentralityCalculator",
                "NDVICalculator",
            ],
            ERA5: ["WeatherDownloader", "WeatherImageToJSON"],
        },
        special_config={
            S2: {"catalogue": server.url, "cache": cache, "retry_wait": 0.01},
            ERA5: {"url": f"{server.url}/v1/archive", "cache": cache},
        },
        n_workers=2,
    )
    return writer, path


@pytest.fixture(scope="module")
def run(config: tuple[Any, Path]) -> Path:
    """The run's folder, made once, by worker processes."""
    writer, path = config
    result = _run("--config_file", str(path))
    assert result.exit_code == 0, result.output
    assert "2 too cloudy" not in result.output
    assert "1 too cloudy (cloudy_pix_frac = 50)" in " ".join(result.output.split())
    (folder,) = writer.runs()
    assert isinstance(folder, Path)
    return folder


def test_the_summary_has_both_series(run: Path) -> None:
    (path,) = run.glob("gee_*_combine/results_summary.json")
    summary = json.loads(path.read_text())
    vegetation = summary["EARTH_SEARCH/sentinel-2-c1-l2a"]["time-series-data"]
    dates = ["2021-11-16", "2021-12-16", "2022-01-16", "2022-02-15", "2022-03-16"]
    assert [day for day in dates if vegetation.get(day)] == [*dates[:3], dates[4]]
    weather = summary["OPEN_METEO/era5"]["time-series-data"]
    assert sorted(weather) == dates
    days = [(date(2022, 1, 1) + timedelta(days=n)).toordinal() for n in range(31)]
    rain = sum(day % 7 / 2 for day in days) / 1000
    assert weather["2022-01-16"]["total_precipitation"] == pytest.approx(rain, rel=1e-6)
    assert 290 < weather["2022-01-16"]["mean_2m_air_temperature"] < 300
    chips = pyveg.load_results(run)
    assert chips["date"].nunique() == 4
    assert chips[["offset50", "ndvi_mean", "cover"]].notna().all().all()


def test_ndvi_is_the_true_one_before_and_after_the_new_baseline(
    run: Path, server: StacServer
) -> None:
    true = server.world.truth()
    expected = (true["nir"] - true["red"]) / (true["nir"] + true["red"])
    assert expected.max() - expected.min() > 0.5
    for day in ("2021-11-16", "2021-12-16", "2022-01-16", "2022-03-16"):
        path = run / f"gee_27.95_11.57_{S2}" / day / "RAW" / "download.NDVI.tif"
        found = formats.decode_geotiff(path.read_bytes()).array
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_every_date_tells_where_it_came_from(run: Path) -> None:
    path = run / f"gee_27.95_11.57_{S2}" / "2022-01-16" / "RAW" / "download.json"
    record = json.loads(path.read_text())
    assert record["n_scenes"] == 3
    assert record["baselines"] == ["03.01", "04.00"]
    assert record["harmonised"] is True
    assert [scene["offset"] for scene in record["scenes"]] == [-0.1, -0.1, 0.0]
    assert {scene["rule"] for scene in record["scenes"]} == {"stated", "baseline"}
    assert record["valid_fraction"] == 1
    assert record["scenes"][0]["id"] == "S2A_east_2022-01-30"


def test_a_second_run_makes_no_request(
    run: Path, config: tuple[Any, Path], server: StacServer
) -> None:
    before = len(server.requests)
    result = _run("--config_file", str(config[1]), "--output_location", str(run.parent / "again"))
    assert result.exit_code == 0, result.output
    assert len(server.requests) == before
    (again,) = run.parent.glob("again_*")
    for name in ("results_summary.json", "series.csv"):
        (first,), (second,) = run.glob(f"gee_*/{name}"), again.glob(f"gee_*/{name}")
        if name == "series.csv":
            assert first.read_bytes() == second.read_bytes()
        else:
            old, new = json.loads(first.read_text()), json.loads(second.read_text())
            for key in ("EARTH_SEARCH/sentinel-2-c1-l2a", "OPEN_METEO/era5"):
                assert json.dumps(old[key]) == json.dumps(new[key])


def test_settings_are_checked_before_anything_runs(write_config: Any, server: StacServer) -> None:
    path = write_config(
        collections_to_use=["Landsat89_PlanetaryComputer"],
        modules_to_use={"Landsat89_PlanetaryComputer": ["VegetationDownloader"]},
        special_config={"Landsat89_PlanetaryComputer": {"platforms": ["landsat-7", "landsat-8"]}},
    )
    before = len(server.requests)
    result = _run("--config_file", str(path), "--dry_run")
    assert result.exit_code == 2
    assert "mix the sensors ['ETM+', 'OLI']" in " ".join(result.output.split())
    assert len(server.requests) == before


def test_the_example_of_the_docs_makes_a_plan(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "stac.md"
    example, mine = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    path = tmp_path / "my_place.py"
    path.write_text(example)
    result = _run("--config_file", str(path), "--dry_run")
    assert result.exit_code == 0, result.output
    assert "36" in result.output
    catalogue = StacWorld(tmp_path, PLACE, collection="my-scenes")
    catalogue.add("2019-01-05")
    catalogue.add("2019-03-05")
    static = str(catalogue.write_static())
    mine = mine.replace("my_catalogue/catalog.json", static)
    choice = 'collections_to_use = ["Mine"]\nmodules_to_use = {"Mine": ["VegetationDownloader"]}\n'
    dates = 'date_range = ["2019-01-01", "2019-04-01"]\ncoordinates = (27.95, 11.57)\n'
    out = f'region_size = 0.011\noutput_location = "{tmp_path / "out"}"\nrunner = "serial"\n'
    path.write_text(mine + choice + dates + out)
    result = _run("--config_file", str(path))
    assert result.exit_code == 0, result.output
    assert len(list(tmp_path.glob("out_*/gee_*/*/RAW/download.NDVI.tif"))) == 2


def test_a_static_catalogue_that_is_not_there(write_config: Any, tmp_path: Path) -> None:
    path = write_config(
        collections_to_use=[S2],
        modules_to_use={S2: ["VegetationDownloader"]},
        special_config={S2: {"path": str(tmp_path / "none" / "catalog.json")}},
    )
    result = _run("--config_file", str(path), "--dry_run")
    assert result.exit_code == 2
    words = " ".join(result.output.split())
    assert "there is no catalogue" in words
    assert "give path as its catalog.json" in words


@pytest.mark.parametrize(
    "key",
    [
        "Sentinel2_EarthSearch",
        "Sentinel2_EarthSearch_C1",
        "Sentinel2_PlanetaryComputer",
        "Landsat89_PlanetaryComputer",
        "Landsat7_PlanetaryComputer",
        "Landsat45_PlanetaryComputer",
        "HLS_PlanetaryComputer",
    ],
)
def test_every_record_makes_a_plan(write_config: Any, key: str) -> None:
    path = write_config(
        region_size=0.05,
        date_range=["2010-01-01", "2021-04-01"],
        collections_to_use=[key, ERA5],
        modules_to_use={
            key: ["VegetationDownloader", "VegetationImageProcessor"],
            ERA5: ["WeatherDownloader", "WeatherImageToJSON"],
        },
        special_config={},
    )
    result = _run("--config_file", str(path), "--dry_run")
    assert result.exit_code == 0, result.output
