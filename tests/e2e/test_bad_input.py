"""Bad input: one clear error, exit code 2 before any task runs, no traceback."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pyveg.scripts.run_pipeline import main


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=True)


def _refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert sum(line.startswith("Error: ") for line in result.output.splitlines()) == 1
    for word in words:
        assert word in result.output


MODULES = ["VegetationDownloader", "VegetationImageProcessor", "NDVICalculator"]
ONE = {"collections_to_use": ["SimulatedSentinel2"]}


def _modules(*names: str) -> dict[str, Any]:
    return {**ONE, "modules_to_use": {"SimulatedSentinel2": list(names or MODULES)}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            _modules("VegetationDownloader", "NDVICalculater"),
            ['unknown module "NDVICalculater"', 'did you mean "NDVICalculator"'],
        ),
        (_modules("no.such.package:Thing"), ['"no.such.package:Thing" cannot be imported']),
        (
            {"collections_to_use": ["SimulatedSentinel"]},
            ['unknown collection "SimulatedSentinel"', 'did you mean "SimulatedSentinel2"'],
        ),
        (
            {"special_config": {"NDVICalculator": {"n_sub_image": 3}}},
            ['special_config["NDVICalculator"]', '"n_sub_image"', 'did you mean "n_sub_images"'],
        ),
        (
            {"special_config": {"SimulatedSentinel2": {"sed": 3}}},
            ['special_config["SimulatedSentinel2"]', 'did you mean "seed"'],
        ),
        (
            {"special_config": {"NDVICalculators": {}}},
            ['"NDVICalculators"', 'did you mean "NDVICalculator"'],
        ),
        (
            {"special_config": {"NDVICalculator": {"input_location": "x"}}},
            ['"input_location" is no setting', '"source": "folder"'],
        ),
        ({"coordinate": (1, 2)}, ['unknown setting "coordinate"', 'did you mean "coordinates"']),
        ({"n_worker": 2}, ['did you mean "n_workers"']),
        ({"n_workers": "two"}, ["n_workers = 'two'", "a whole number"]),
        ({"special_config": {"NDVICalculator": {"n_sub_images": "3"}}}, ["n_sub_images = '3'"]),
        (
            {"special_config": {"NDVICalculator": 3}},
            ["= 3 is no dictionary; write {setting: value}"],
        ),
        ({"coordinates": (27.95, 111.57)}, ["coordinates = (27.95, 111.57)", "(111.57, 27.95)"]),
        ({"coordinates": (200, 10)}, ["are not on earth; give longitude -180 to 180 first"]),
        ({"coordinates": [27.95]}, ["a list of 2"]),
        ({"date_range": ["2016-05-01", "2016-01-01"]}, ["ends before it starts"]),
        ({"date_range": ["2016-05-01", "2016-05-01"]}, ["is empty"]),
        ({"date_range": ["2016-05-01", "2016-05-20"]}, ["shorter than one period of 1m"]),
        ({"date_range": ["2016-05-32", "2016-06-20"]}, ["YYYY-MM-DD"]),
        ({"time_per_point": "1 month"}, ['time_per_point "1 month"', '"1m"']),
        ({"time_per_point": "0m"}, ['time_per_point "0m"']),
        ({"collections_to_use": []}, ["collections_to_use is empty"]),
        ({"analysis": {"windw": 0.4}}, ['unknown setting "windw"', 'did you mean "window"']),
        ({"analysis": {"surrogates": 5}}, ["analysis: surrogates = 5", "at least 19"]),
        ({"analysis": {"window": 2.0}}, ["window = 2.0 must be above 0 and at most 1"]),
        ({"analysis": {"indicators": []}}, ["indicators = [] must name some"]),
        ({"analysis": {"seed": 2**80}}, ["seed = 1208925819614629174706176 must be at least 0"]),
        ({"analysis": "yes"}, ["analysis = 'yes'", "True or False or a dictionary"]),
        ({"modules_to_use": {}}, ['no entry for the collection "SimulatedSentinel2"']),
        (_modules("VegetationImageProcessor"), ["a downloader"]),
        (_modules("VegetationDownloader", "NDVICalculator"), ["needs images"]),
        (_modules("WeatherDownloader"), ["is for weather collections"]),
        (_modules("VegetationDownloader", "VegetationDownloader"), ["put it first"]),
        ({"runner": "process"}, ['runner "process"', 'did you mean "processes"']),
        ({"runner": "threads", "special_config": {"NDVICalculator": {"timeout": 5}}}, ["timeout"]),
        ({"output_location_type": "memory"}, ['runner = "threads"']),
        ({"output_location_type": "loca"}, ["loca"]),
        (
            {"special_config": {"SimulatedSentinel2": {"seed": 5}}},
            ['"SimulatedSentinel2" and "SimulatedWeather" differ in "seed" (5 and 0)'],
        ),
        (
            {"special_config": {"VegetationDownloader": {"cloudy_pix_flag": "CLOUD"}}},
            ['"cloudy_pix_flag" has no effect with the source "simulated"'],
        ),
        ({"region_size": -1}, ["region_size = -1", "at least"]),
        (
            {"special_config": {"SimulatedSentinel2": {"source": "simulate"}}},
            ['unknown source "simulate"', 'did you mean "simulated"'],
        ),
        (
            {"special_config": {"NDVICalculator": {"run_mode": "lokal"}}},
            ['run_mode: unknown runner "lokal"'],
        ),
    ],
)
def test_a_wrong_setting(write_config: Any, changes: dict[str, Any], words: list[str]) -> None:
    _refused(_run("--config_file", str(write_config(**changes))), *words)
    assert not write_config.runs()


def test_coordinates_that_are_no_numbers(write_config: Any) -> None:
    path = write_config()
    path.write_text(path.read_text() + "coordinates = (1, float('nan'))\n")
    _refused(_run("--config_file", str(path)), "coordinates = (1, nan) are not on earth")


@pytest.mark.parametrize("name", ["coordinates", "date_range", "output_location"])
def test_a_missing_setting(write_config: Any, name: str) -> None:
    path = write_config(drop=(name,))
    _refused(_run("--config_file", str(path)), f'"{name}" must be given')


def _without_package(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As if some packages were not installed."""
    find, load = importlib.util.find_spec, builtins.__import__

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name.partition(".")[0] in names else find(name, package)

    def import_(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in names:
            raise ImportError(f"No module named '{name}'", name=name)
        return load(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(builtins, "__import__", import_)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"special_config": {"NDVICalculator": {"run_mode": "batch"}}},
            "pip install '.[azure]'",
        ),
        ({"special_config": {"NDVICalculator": {"run_mode": "dask"}}}, "pip install '.[dask]'"),
        ({"output_location_type": "azure"}, "pip install '.[azure]'"),
        ({"output_location_type": "s3"}, "pip install 's3fs'"),
        (
            {
                "collections_to_use": ["Sentinel2"],
                "modules_to_use": {"Sentinel2": ["VegetationDownloader"]},
                "special_config": {},
            },
            "pip install '.[earthengine]'",
        ),
    ],
)
def test_a_missing_package(
    write_config: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    path = write_config(**changes)
    _without_package(monkeypatch, "azure", "distributed", "s3fs", "ee")
    _refused(_run("--config_file", str(path)), words)
    assert not write_config.runs()


@pytest.mark.parametrize(
    ("missing", "word"), [("RGB_bands", "RGB_bands"), ("NIR_band", "NIR_band")]
)
def test_no_band(write_config: Any, missing: str, word: str) -> None:
    from pyveg.configs.collections import data_collections

    record = dict(data_collections["SimulatedSentinel2"])
    del record[missing]
    path = write_config(
        **_modules(), drop=("data_collections",), data_collections={"SimulatedSentinel2": record}
    )
    path.write_text(path.read_text() + f"data_collections = {{'SimulatedSentinel2': {record!r}}}\n")
    _refused(_run("--config_file", str(path)), f'"{word}" must be given')


def test_two_rgb_bands(write_config: Any) -> None:
    special = {"SimulatedSentinel2": {"RGB_bands": ["B4", "B3"]}}
    path = write_config(special_config=special)
    _refused(_run("--config_file", str(path)), "are not three bands; name red, green and blue")


def test_a_missing_config(tmp_path: Path) -> None:
    path = tmp_path / "no.py"
    _refused(_run("--config_file", str(path)), "there is no config file", str(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = 1\nb = a / 0\n", ["line 2: b = a / 0", "ZeroDivisionError: division by zero"]),
        ("a = 1\n\nb = (\n", ["line 3", "was never closed"]),
        ("import no_such_package\n", ["line 1", "No module named 'no_such_package'"]),
        ("raise SystemExit(3)\n", ["line 1", "SystemExit: 3"]),
        ("def f():\n    return [][0]\n\nf()\n", ["line 2: return [][0]", "IndexError"]),
    ],
)
def test_a_config_that_raises(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "config.py"
    path.write_text(text)
    _refused(_run("--config_file", str(path)), str(path), *words)


def test_a_folder_that_cannot_be_written(write_config: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = write_config(output_location=str(tmp_path / "file" / "out"))
    _refused(_run("--config_file", str(path)), str(tmp_path / "file" / "out"))


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    _refused(_run("--from_cache", str(tmp_path)), "holds no run of pyveg")
    _refused(_run("--from_cache", str(tmp_path / "nothing")), "holds no run of pyveg")


def test_no_arguments_at_all() -> None:
    _refused(_run(), "--config_file", "--from_cache")


def test_a_folder_without_dates(write_config: Any, make_place: Callable[..., Path]) -> None:
    place = make_place(dates=["2019-01-01"])
    special = {"SimulatedSentinel2": {"source": "folder", "path": str(place)}}
    path = write_config(**_modules(), special_config=special)
    _refused(_run("--config_file", str(path)), str(place), "2019-01-01")
    special["SimulatedSentinel2"]["path"] = str(place / "not here")
    path = write_config(**_modules(), special_config=special)
    _refused(_run("--config_file", str(path)), "not here")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = _run("--config_file", str(tmp_path / "no.py"), "--debug")
    assert result.exit_code != 0
    assert type(result.exception).__name__ == "ConfigError"


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("run_pipeline", "--config_file"),
        ("run_pipeline", "--from_cache"),
        ("run_module", "--config_file"),
        ("calc_EC", "--input_txt"),
        ("gee_analysis", "--input_file"),
        ("gee_analysis", "--input_dir"),
        ("gen_pattern", "--config_file"),
    ],
)
@pytest.mark.parametrize("given", ["/dev/zero", "x" * 5_000, "a\0b", "\ud800"])
def test_what_can_be_no_file_is_refused_by_every_command(
    command: str, option: str, given: str
) -> None:
    module = importlib.import_module(f"pyveg.scripts.{command}")
    result = CliRunner().invoke(module.main, [option, given])
    _refused(result)
    assert result.output.replace("\n", "").isprintable()
