"""Places as people type them: GeoJSON, tables and numbers of any kind; a place or a sentence."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pyveg.core.errors import ConfigError
from pyveg.earth.subject import Subject
from pyveg.jobs.load import load_pipeline, read_config
from pyveg.jobs.places import from_table
from pyveg.jobs.resolve import resolve
from pyveg.scripts.generate_config import main as generate
from pyveg.scripts.run_pipeline import main as run
from pyveg.sources.collections import data_collections

RING = [[27.9, 11.5], [28.0, 11.5], [28.0, 11.6], [27.9, 11.6], [27.9, 11.5]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}
VEGETATION = [
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
]


def _generate(folder: Path, *options: str) -> Result:
    common = ["--collection_name", "SimulatedSentinel2", "--start_date", "2016-01-01"]
    common += ["--end_date", "2017-01-01", "--time_per_point", "1m", "--run_mode", "local"]
    result = CliRunner().invoke(generate, [*common, "--configs_dir", str(folder), *options])
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _feature(geometry: object) -> dict[str, object]:
    return {"type": "Feature", "properties": {}, "geometry": geometry}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_geojson_with_features_that_are_nowhere(tmp_path: Path, encoding: str) -> None:
    document = {"type": "FeatureCollection", "features": [_feature(None), _feature(POLYGON)]}
    path = tmp_path / "site.geojson"
    path.write_text(json.dumps(document), encoding=encoding)
    result = _generate(tmp_path, "--geojson", str(path))
    assert result.exit_code == 0, result.output
    (config,) = tmp_path.glob("config_*.py")
    assert read_config(config)["coordinates"] == (27.95, 11.55)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            json.dumps(
                {
                    "type": "FeatureCollection",
                    "crs": {"type": "name", "properties": {"name": "EPSG:3857"}},
                    "features": [_feature(POLYGON)],
                }
            ),
            "reference system EPSG:3857",
        ),
        ('{"type": "Point", "coordinates": ["27.95", "11.57"]}', "are no numbers"),
    ],
)
def test_a_geojson_that_is_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "site.geojson"
    path.write_text(text)
    result = _generate(tmp_path, "--geojson", str(path))
    assert result.exit_code == 2
    assert words in result.output
    assert str(path) in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not list(tmp_path.glob("config_*"))


@pytest.mark.parametrize(
    "text",
    [
        "id,latitude,longitude\nA,11.57,27.95,,\nB,1,2,,\n",
        "id;latitude;longitude\nA;11,57;27,95\n",
        "id\tLatitude\tLongitude\nA\t11.57\t27.95\n",
        '\ufeffsep=|\nid|lat|lon|region_size\nA|"11.57"|27.95|\n',
        "id,latitude,longitude,note\nA,11.57,27.95,ok\nB,x,y,bad\n",
        "id,Latitude (°N),Longitude [deg]\nA,11.57,27.95\n",
        'id,latitude,longitude\nA,"11,57","27,95"\n',
    ],
)
def test_a_row_of_a_table_however_it_is_separated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sites.csv"
    path.write_text(text, encoding="utf-8")
    result = _generate(tmp_path, "--coordinates_file", str(path), "--place", "A")
    assert result.exit_code == 0, result.output
    (config,) = tmp_path.glob("config_*.py")
    assert read_config(config)["coordinates"] == (27.95, 11.57)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "id,latitude,longitude,region_size\nA,11.57,27.95,0.08 deg\n",
            "line 2, column \"region_size\": '0.08 deg' is no number",
        ),
        ("id,latitude,longitude\nA,11,57,27,95\n", "separate cells by semicolons"),
        ("id,latitude,longitude\nA,11.57,27.95\nA,1,2\n", '2 rows are called "A"'),
        ("id,latitude,longitude\nA,111.57,27.95\n", "are not on earth"),
        ("id,latitude,longitude\nA,11.57,\n", 'row "A" has no longitude'),
        ("id,latitude,longitude,region_size\nA,11.57,27.95,-1\n", "is no size"),
        ("id;latitude;longitude\nA;11,570;27,950\n", "can be read in two ways"),
        ("id,longitude\nA,27.95\n", 'row "A" has no latitude'),
        ("id,lat,lon,region_size (km)\nA,11.57,27.95,8\n", '"region_size (km)" is in km'),
        ("id,x (m),y (m)\nA,500000,5000000\n", '"x (m)" is in m'),
        ("id,latitude,longitude\nA,11.57N,27.95E\n", "'27.95E' is no number"),
        ("id,latitude,longitude\nA,11°34',27°57'\n", "is no number"),
        ("latitude,longitude\n", "has a heading and no rows"),
    ],
)
def test_a_table_that_leaves_a_doubt(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "sites.csv"
    path.write_text(text)
    result = _generate(tmp_path, "--coordinates_file", str(path), "--place", "A")
    assert result.exit_code == 2
    assert words in result.output
    assert str(path) in result.output
    assert not list(tmp_path.glob("config_*"))
    with pytest.raises(ConfigError):
        from_table(path, "A")


def _job(**more: Any) -> dict[str, Any]:
    return {
        "output_location": "job",
        "coordinates": (27.95, 11.57),
        "date_range": ["2016-01-01", "2016-04-01"],
        "data_collections": dict(data_collections),
        "collections_to_use": ["SimulatedSentinel2"],
        "modules_to_use": {"SimulatedSentinel2": VEGETATION},
        **more,
    }


def _place(**more: Any) -> Any:
    return Subject.of(resolve(_job(**more)).sequences[0].scope).place


@pytest.mark.parametrize(
    "coordinates",
    [
        (np.float32(27.95), np.float64(11.57)),
        np.array([27.95, 11.57]),
        (Decimal("27.95"), Decimal("11.57")),
        (Fraction(2795, 100), Fraction(1157, 100)),
    ],
)
def test_numbers_of_any_kind_are_coordinates(coordinates: Any) -> None:
    assert _place(coordinates=coordinates).label == "27.95_11.57"


def test_numbers_are_kept_as_they_were_written() -> None:
    assert _place(coordinates=(27, 11.0)).label == "27_11.0"
    assert _place(coordinates=(np.int64(27), np.float32(11))).label == "27_11.0"


@pytest.mark.parametrize("value", ["Decimal('0.05')", "Fraction(1, 20)", "np.float32(0.05)"])
def test_a_size_of_any_kind_in_a_config_is_not_passed_over(tmp_path: Path, value: str) -> None:
    path = tmp_path / "job.py"
    path.write_text(
        "from decimal import Decimal\nfrom fractions import Fraction\nimport numpy as np\n"
        "from pyveg.configs.collections import data_collections\n"
        f"output_location = 'job'\ncoordinates = np.array([27.95, 11.57])\nregion_size = {value}\n"
        "date_range = ['2016-01-01', '2016-04-01']\n"
        "collections_to_use = ['SimulatedSentinel2']\n"
        f"modules_to_use = {{'SimulatedSentinel2': {VEGETATION}}}\n"
    )
    place = Subject.of(load_pipeline(path).sequences[0].scope).place
    assert (place.label, place.region_size) == ("27.95_11.57", 0.05)


@pytest.mark.parametrize(
    "coordinates",
    [("27.95", "11.57"), (1j, 2), (True, 11), (float("nan"), 11), (Decimal("sNaN"), 1)],
)
def test_what_is_no_coordinate(coordinates: Any) -> None:
    with pytest.raises(ConfigError, match="coordinates"):
        _place(coordinates=coordinates)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"region_size": 0.004}, "44 x 45 pixels, smaller than a chip, 50 x 50"),
        ({"coordinates": (27.95, -85)}, "are not on the map"),
        ({"coordinates": (27.95, 83.9), "region_size": 0.01}, "smaller than a chip"),
    ],
)
def test_a_region_that_has_no_chip_is_told_before_anything_is_fetched(
    tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    job = _job(output_location=str(tmp_path / "job"), **more)
    with pytest.raises(ConfigError, match=words):
        resolve(job)
    path = tmp_path / "job.py"
    del job["data_collections"]
    lines = [f"{name} = {value!r}\n" for name, value in job.items()]
    path.write_text("from pyveg.configs.collections import data_collections\n" + "".join(lines))
    for options in (["--dry_run"], []):
        result = CliRunner().invoke(run, ["--config_file", str(path), *options])
        assert result.exit_code == 2
        assert words in result.output
    assert list(tmp_path.iterdir()) == [path]


def test_a_size_that_the_message_names_is_enough() -> None:
    with pytest.raises(ConfigError, match="smaller than a chip") as caught:
        _place(region_size=0.004)
    size = float(caught.value.cure.split("region_size of ")[1].split()[0])
    assert _place(region_size=size).region_size == size


def test_the_writer_of_configs_tells_of_it_too(tmp_path: Path) -> None:
    near = ["--latitude", "-85", "--longitude", "10"]
    assert "are not on the map" in _generate(tmp_path, *near).output
    small = ["--latitude", "11.57", "--longitude", "27.95", "--region_size", "0.004"]
    assert "smaller than a chip" in _generate(tmp_path, *small).output
    assert not list(tmp_path.iterdir())
