"""`pyveg_generate_config`: what it writes runs as it is."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from pyveg.coordinates import PLACES
from pyveg.core import registry
from pyveg.core.errors import ConfigError
from pyveg.earth.subject import Subject
from pyveg.jobs.choices import FIRST_CHOICE, collections
from pyveg.jobs.load import load_pipeline
from pyveg.jobs.places import from_geojson, from_study, from_table
from pyveg.scripts import answers, asking
from pyveg.scripts.generate_config import main as generate
from pyveg.scripts.run_pipeline import main as run
from pyveg.testing.own_images import bands, write_date

DATES = ["--start_date", "2018-01-01", "--end_date", "2018-07-01"]


def _generate(folder: Path, *options: str) -> Result:
    result = CliRunner().invoke(generate, ["--configs_dir", str(folder), *options])
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _written(folder: Path, *options: str) -> Path:
    result = _generate(folder, *options)
    assert result.exit_code == 0, result.output
    (path,) = folder.glob("config_*.py")
    return path


@pytest.mark.parametrize("collection", sorted(collections("vegetation")))
def test_every_collection_has_a_plan(tmp_path: Path, collection: str) -> None:
    record = collections("vegetation")[collection]
    year = int(str(record.get("min_date", "2017"))[:4]) + 1
    dates = ["--start_date", f"{year}-01-01", "--end_date", f"{year}-07-01"]
    path = _written(tmp_path, "--collection_name", collection, "--place", "03", *dates)
    assert path.name == (
        f"config_{collection}_13.12N_2.59E_Niger_{year}-01-01_{year}-07-01_1m_local.py"
    )
    pipeline = load_pipeline(path)
    assert Subject.of(pipeline.sequences[0].scope).place.label == "2.59_13.12"
    result = CliRunner().invoke(run, ["--config_file", str(path), "--dry_run"])
    assert result.exit_code == 0, result.output
    assert "nothing was run or written" in result.output


def test_what_it_writes_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--latitude", "11.57", "--longitude", "27.95", "--region_size", "0.011"]
    dates = ["--start_date", "2016-01-01", "--end_date", "2016-03-01"]
    path = _written(
        *(tmp_path, "--collection_name", "SimulatedSentinel2", *options, *dates),
        *("--time_per_point", "2w", "--test_mode", "--output_dir", "mine"),
    )
    assert (
        path.name
        == "config_SimulatedSentinel2_11.57N_27.95E_2016-01-01_2016-03-01_2w_local_TEST.py"
    )
    result = CliRunner().invoke(run, ["--config_file", str(path), "--runner", "threads"])
    assert result.exit_code == 0, result.output
    (folder,) = tmp_path.glob("mine_*")
    assert list(folder.glob("gee_27.95_11.57_combine/results_summary.json"))


def test_batch_configs_write_to_azure(tmp_path: Path) -> None:
    path = _written(
        *(tmp_path, "--collection_name", "SimulatedSentinel2", "--place", "0", *DATES),
        *("--run_mode", "batch", "--n_threads", "2", "--weather", "none"),
    )
    pipeline = load_pipeline(path)
    modes = {step.label: step.run_mode for step in pipeline.plan().graph.steps}
    assert modes == {
        "SimulatedSentinel2/VegetationDownloader": "local",
        "SimulatedSentinel2/VegetationImageProcessor": "batch",
        "SimulatedSentinel2/NetworkCentralityCalculator": "batch",
        "SimulatedSentinel2/NDVICalculator": "batch",
        "combine/VegAndWeatherJsonCombiner": "local",
    }
    assert pipeline.output_location_type == "azure"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--place", "1", "--collection_name", "Sentinel3"],
            'unknown collection "Sentinel3"; did you mean',
        ),
        (["--latitude", "99", "--longitude", "1"], "--latitude 99.0 is not between -90 and 90"),
        (["--latitude", "1", "--longitude", "999"], "--longitude 999.0 is not between"),
        (["--latitude", "1"], "--longitude is missing; give it"),
        (["--place", "99"], "the study has places 00 to 66; see --list_places"),
        (
            ["--place", "1", "--latitude", "2", "--longitude", "3"],
            "the place is given in more than one way; use --latitude",
        ),
        (
            ["--coordinates_file", "x.csv"],
            "--coordinates_file is given alone; name a row of it with --place",
        ),
        (["--place", "1", "--run_mode", "cloud"], 'unknown run mode "cloud"'),
        (["--place", "1", "--weather", "ERA6"], 'unknown collection "ERA6"; did you mean "ERA5"'),
        (["--place", "1", "--time_per_point", "1h"], '"1h" is not a step in time'),
        (["--place", "1", "--end_date", "2017-01-01"], "2018-01-01 is not before --end_date"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, options: list[str], message: str) -> None:
    result = _generate(tmp_path, *DATES, *options)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_a_config_is_not_replaced_unless_told_to(tmp_path: Path) -> None:
    options = ["--collection_name", "SimulatedSentinel2", "--place", "5", *DATES]
    path = _written(tmp_path, *options)
    path.write_text("mine\n")
    refused = _generate(tmp_path, *options)
    assert refused.exit_code == 2
    assert "is there already; replace it with --force" in refused.output
    assert path.read_text() == "mine\n"
    assert _generate(tmp_path, *options, "--force").exit_code == 0
    assert path.read_text() != "mine\n"


def test_collections_and_places_are_listed() -> None:
    listed = CliRunner().invoke(generate, ["--list_collections"])
    assert {"Sentinel2", "Landsat8", "ERA5"} <= {
        line.split()[0] for line in listed.output.split("\n") if line
    }
    places = CliRunner().invoke(generate, ["--list_places"])
    assert len(places.output.splitlines()) == 1 + len(PLACES) == 68


# Questions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Somebody sits at the terminal and gives these answers."""
    monkeypatch.setattr(asking, "somebody_answers", lambda: True)

    def answer(*answers: str, options: Sequence[str] = ()) -> Result:
        return CliRunner().invoke(
            generate,
            ["--configs_dir", str(tmp_path / "configs"), *options],
            input="".join(f"{one}\n" for one in answers),
        )

    return answer


def test_without_an_account_by_pressing_return(
    asked: Callable[..., Result], tmp_path: Path
) -> None:
    result = asked("", "13.12", "2.59", "2020-01-01", "2021-01-01", "", "")
    assert result.exit_code == 0, result.output
    assert f"   1  {FIRST_CHOICE} " in result.output
    assert re.search("Sentinel2 .* a Google Cloud project for Earth Engine", result.output)
    (path,) = (tmp_path / "configs").iterdir()
    assert path.name == f"config_{FIRST_CHOICE}_13.12N_2.59E_2020-01-01_2021-01-01_1m_local.py"
    assert f"run it:           pyveg_run_pipeline {path}" in result.output


def test_it_asks_again_until_an_answer_can_be_used(
    asked: Callable[..., Result], tmp_path: Path
) -> None:
    lines = {
        "99": "99 is not between 1 and 19",
        "sentinel3": "'sentinel3' is none of them; did you mean \"Sentinel2\"?",
        "simulatedsentinel2": "",
        "13,12,5": "'13,12,5' is no number; one number is asked for here; write degrees as 13.12",
        "13.12 2.59": "'13.12 2.59' is no number; one number",
        "nan": "'nan' is no number",
        "north": "'north' is no number; write degrees as 13.12",
        "-95": "-95 is not between -90 and 90",
        "11,57 S": "",
        "190": "190 is not between -180 and 180",
        "2 N": "'2 N' has N behind it; write E or W",
        "27,95": "",
        "2016": "'2016' is no day; write it as 2020-01-31",
        "2016-02-30": "'2016-02-30' is not in the calendar",
        "2016-1-1": "",
        "2015-01-01": "2015-01-01 is not after the first day, 2016-01-01",
        "2016-07-01": "",
        "1h": '"1h" is not a step in time',
        "2w": "",
        "cloud": "'cloud' is none of them",
        "local": "",
    }
    result = asked(*lines)
    assert result.exit_code == 0, result.output
    for said in lines.values():
        assert said in result.output
    (path,) = (tmp_path / "configs").iterdir()
    assert path.name.startswith("config_SimulatedSentinel2_-11.57N_27.95E_2016-01-01_2016-07-01_2w")


def test_images_of_ones_own_are_looked_at(asked: Callable[..., Result], tmp_path: Path) -> None:
    for month in ("05", "06"):
        write_date(tmp_path / "images", f"2020-{month}-15", bands())
    empty = tmp_path / "empty"
    empty.mkdir()
    result = asked("folder", str(tmp_path / "nowhere"), str(empty), f"'{tmp_path}/empty/../images'")
    assert result.exit_code == 0, result.output
    assert result.output.count("Folder of the images") == 3
    (path,) = (tmp_path / "configs").iterdir()
    assert path.name == "config_images.py"
    assert f'"path": "{tmp_path / "images"}"' in path.read_text()
    assert load_pipeline(path).plan()


@pytest.mark.parametrize("count", range(6))
def test_what_ends_too_soon_writes_nothing(
    asked: Callable[..., Result], tmp_path: Path, count: int
) -> None:
    answers = ["SimulatedSentinel2", "1", "2", "2016-01-01", "2017-01-01", "1m"]
    result = asked(*answers[:count])
    assert result.exit_code == 2
    assert "Error: the input ended before all was answered\n" in result.output
    assert not (tmp_path / "configs").exists()


def test_a_config_is_replaced_by_those_who_say_so(
    asked: Callable[..., Result], tmp_path: Path
) -> None:
    options = ["--collection_name", "SimulatedSentinel2", "--place", "5", *DATES]
    options += ["--time_per_point", "1m", "--run_mode", "local"]
    assert asked(options=options).exit_code == 0
    (path,) = (tmp_path / "configs").iterdir()
    path.write_text("mine\n")
    refused = asked("", options=options)
    assert "is there already. Replace it? [y/N]" in refused.output
    assert refused.exit_code == 2
    assert path.read_text() == "mine\n"
    assert asked("y", options=options).exit_code == 0
    assert path.read_text() != "mine\n"
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_decimal_commas_are_taken_as_options_too(tmp_path: Path) -> None:
    degrees = ["--latitude", "13,12", "--longitude", "-2,59", "--region-size", "0,05"]
    path = _written(tmp_path, "--collection-name", "Sentinel2_EarthSearch", *degrees, *DATES)
    assert path.name.startswith("config_Sentinel2_EarthSearch_13.12N_-2.59E")
    assert "region_size = 0.05\n" in path.read_text()
    for option, typed, said in (
        ("--latitude", "13,1,2", "Invalid value for '--latitude': '13,1,2' is no number"),
        ("--region_size", "0", "Invalid value for '--region_size': 0 is not above 0"),
        ("--start_date", "1.2.2020", "'1.2.2020' is no day; write it as 2020-01-31"),
    ):
        result = _generate(tmp_path, option, typed)
        assert result.exit_code == 2
        assert said in result.output


@given(st.text(max_size=12))
def test_no_answer_ends_in_a_traceback(text: str) -> None:
    for read in (answers.number, answers.size, answers.day, answers.LATITUDE, answers.LONGITUDE):
        with contextlib.suppress(answers.Refused):
            read(text)


def test_what_has_to_be_installed_first_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "is_installed", lambda _: False)
    result = _generate(tmp_path, "--collection_name", "Sentinel2", "--place", "5", *DATES)
    assert "install first:    pip install '.[earthengine]' in the folder of pyveg" in result.output
    assert "it needs a Google Cloud project for Earth Engine" in result.output
    far = ["--collection_name", "SimulatedSentinel2", "--place", "5", *DATES]
    result = _generate(tmp_path, *far, "--run_mode", "dask", "--weather", "none")
    assert "install first:    pip install '.[dask]' in the folder of pyveg" in result.output


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo terminals")
@pytest.mark.parametrize(
    ("key", "code", "said"), [(b"\x03", 130, b"interrupted"), (b"\x04", 2, b"the input ended")]
)
def test_keys_that_end_it_in_a_terminal(tmp_path: Path, key: bytes, code: int, said: bytes) -> None:
    import pty

    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "pyveg.scripts.generate_config"])
    output = b""
    while b"Its number or name" not in output:
        output += os.read(terminal, 4096)
    with contextlib.suppress(OSError):  # the other end was closed
        os.write(terminal, key)
        while more := _read_or_press(terminal, key):
            output += more
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
    assert said in output
    assert b"Traceback" not in output
    assert not list(tmp_path.iterdir())


def _read_or_press(terminal: int, key: bytes) -> bytes:
    """What comes next; a key that came while Python was not listening is pressed once more."""
    for _ in range(12):
        if select.select([terminal], [], [], 5.0)[0]:
            break
        os.write(terminal, key)
    return os.read(terminal, 4096)


# Places


def test_places_of_the_study(shared_data: Path) -> None:
    import csv

    with (shared_data / "coordinates.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["id"], float(r["latitude"]), float(r["longitude"])) for r in rows] == [
        (place.id, place.latitude, place.longitude) for place in PLACES
    ]
    assert from_study("3") == from_study("03")


def test_a_row_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "sites.csv"
    path.write_text("site,Lat,Lon,region_size,country\nAlpha,1.5,-2.5,0.05,Mali\nBeta,x,3,,\n")
    found = from_table(path, "Alpha")
    assert (found.latitude, found.longitude, found.region_size) == (1.5, -2.5, 0.05)
    assert (found.name, found.country) == ("Alpha", "Mali")
    assert from_table(path, "1").latitude == 1.5
    with pytest.raises(ConfigError, match='no row is called "Alpa"; there are Alpha'):
        from_table(path, "Alpa")
    with pytest.raises(ConfigError, match="line 3, column \"Lat\": 'x' is no number"):
        from_table(path, "Beta")
    with pytest.raises(ConfigError, match=r"missing\.csv cannot be read"):
        from_table(tmp_path / "missing.csv", "1")


def _geojson(kind: str, coordinates: object) -> dict[str, object]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": geometry}]}


@given(
    st.floats(-170, 170, allow_subnormal=False),
    st.floats(-80, 80, allow_subnormal=False),
    st.floats(0.001, 5),
)
def test_the_square_around_a_polygon(west: float, south: float, size: float) -> None:
    import tempfile

    ring = [[west, south], [west + size, south], [west + size, south + size / 2], [west, south]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.geojson"
        path.write_text(json.dumps(_geojson("Polygon", [ring])))
        found = from_geojson(path)
    assert found.region_size == pytest.approx(size, abs=2e-6)
    assert found.longitude == pytest.approx(west + size / 2, abs=2e-6)
    assert found.latitude == pytest.approx(south + size / 4, abs=2e-6)


def test_a_point_has_no_size(tmp_path: Path) -> None:
    path = tmp_path / "oasis.geojson"
    path.write_text(json.dumps(_geojson("Point", [27.95, 11.57])))
    found = from_geojson(path)
    assert (found.longitude, found.latitude, found.region_size) == (27.95, 11.57, None)
    assert found.name == "oasis"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no GeoJSON"),
        ('{"a": 1}', "is no GeoJSON"),
        ('{"type": "FeatureCollection", "features": []}', "it has no coordinates"),
        ('{"type": "Point", "coordinates": [500000, 1280000]}', "are not degrees"),
    ],
)
def test_what_is_no_geojson(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        from_geojson(path)
