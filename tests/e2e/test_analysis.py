"""From a run to a statement, through the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from pyveg.analysis.folder import read_analysis
from pyveg.core.errors import PyvegError
from pyveg.core.registry import store_at
from pyveg.jobs.load import load_pipeline
from pyveg.jobs.run import run_pipeline
from pyveg.scripts import analysis_summary_data, create_analysis_report, gee_analysis
from pyveg.scripts import run_pipeline as run_command


def _call(command: Any, *arguments: object) -> Result:
    return CliRunner().invoke(command.main, [str(one) for one in arguments])


CHOSEN = {"surrogates": 199, "seed": 7}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three years of the simulated place, in which it loses its plants, analysed at the end."""
    folder = tmp_path_factory.mktemp("demo")
    demo_config = Path(__file__).parents[2] / "pyveg" / "configs" / "demo.py"
    text = demo_config.read_text(encoding="utf-8")
    config = folder / "demo.py"
    torn = {"decline": 0.15, "decline_from": "2016-01-01"}
    more = [
        'date_range = ["2016-01-01", "2019-01-01"]',
        "region_size = 0.012",
        f'special_config = {{"SimulatedSentinel2": {torn}, "SimulatedWeather": {torn}}}',
        f"analysis = {CHOSEN}",
    ]
    config.write_text("\n".join([text, *more]))
    found = _call(run_command, "--config_file", config, "--output_location", folder / "demo")
    assert found.exit_code == 0, found.output
    assert "analysis of SimulatedSentinel2: indicators (1/8)" in found.output
    assert "report.html" in found.output
    (run,) = folder.glob("demo_*")
    return run


def test_a_run_is_analysed_at_its_end(demo: Path) -> None:
    folder = demo / "analysis" / "SimulatedSentinel2"
    assert (folder / "report.html").stat().st_size > 20_000
    record = json.loads((folder / "analysis.json").read_text())
    # Three years are too few to tell of memory; the pattern is torn apart in one of them.
    assert record["verdict"]["level"] == "abrupt_change"
    assert "Rain fell from" in " ".join(one["text"] for one in record["statement"])
    assert record["settings"] | CHOSEN == record["settings"]
    assert "VegetationDownloader" in record["config"]
    agreement = pd.read_csv(folder / "tables" / "agreement.csv")
    assert {"temporal", "network", "spatial", "state"} <= set(agreement["family"])
    series = pd.read_parquet(folder / "tables" / "series.parquet")
    assert len(series) == 36 * series["chip"].nunique()
    assert series["ndvi_mean"].isna().any()  # clouded months stay gaps
    assert len(list((folder / "figures").glob("*.png"))) >= 8
    log = (demo / "_pyveg" / "run.log").read_text()
    assert "analysis of SimulatedSentinel2" in log


def test_the_command_gives_the_same_numbers_elsewhere(demo: Path, tmp_path: Path) -> None:
    found = _call(
        gee_analysis,
        *("--input_dir", demo, "--output_dir", tmp_path / "out", "--no_report"),
        *("--surrogates", CHOSEN["surrogates"], "--seed", CHOSEN["seed"]),
    )
    assert found.exit_code == 0, found.output
    assert "SimulatedSentinel2: " in found.output
    for name in ("trends", "agreement", "spatial_tests"):
        mine = (tmp_path / "out" / "SimulatedSentinel2" / "tables" / f"{name}.csv").read_bytes()
        first = demo / "analysis" / "SimulatedSentinel2" / "tables" / f"{name}.csv"
        assert mine == first.read_bytes(), name
    assert not (tmp_path / "out" / "SimulatedSentinel2" / "report.html").exists()
    again = _call(create_analysis_report, "--input_dir", tmp_path / "out")
    assert again.exit_code == 0, again.output
    report = Path("SimulatedSentinel2", "report.html")
    assert (tmp_path / "out" / report).read_bytes() == (demo / "analysis" / report).read_bytes()


def test_many_places_in_one_table(demo: Path, tmp_path: Path) -> None:
    found = _call(
        analysis_summary_data, "--input_location", demo.parent, "--output_dir", tmp_path / "sum"
    )
    assert found.exit_code == 0, found.output
    sites = pd.read_csv(tmp_path / "sum" / "sites.csv")
    assert sites["verdict"].tolist() == ["abrupt_change"]
    assert sites["rain_mm_per_year"].between(50, 2000).all()
    assert (tmp_path / "sum" / "trends_along_rainfall.svg").exists()


def test_a_real_year_of_the_older_pyveg(shared_data: Path, tmp_path: Path) -> None:
    summary = shared_data / "results" / "labyrinths_niger_2017_results_summary.json"
    found = _call(
        gee_analysis, "--input_dir", summary, "--swap_coordinates", "--output_dir", tmp_path
    )
    assert found.exit_code == 0, found.output
    assert "cannot tell whether resilience is lost" in found.output
    analysis = read_analysis(store_at(str(tmp_path)), "COPERNICUS-S2")
    assert analysis.series.matrix("offset50").shape == (10, 12)
    assert "cannot tell" in (tmp_path / "COPERNICUS-S2" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give one of"),
        (["--input_dir", "nowhere"], "no results_summary.json"),
        (["--input_dir", "nothing.json"], "no file"),
        (["--input_dir", "{demo}/.."], "name one of the runs in it: demo_"),
        (["--input_dir", "{demo}", "--collection", "MODIS"], 'no collection "MODIS"'),
        (["--input_dir", "{demo}", "--metric", "green"], 'no "green"'),
        (["--input_dir", "{demo}", "--window", "2"], "window = 2.0"),
    ],
)
def test_what_is_wrong_is_said(demo: Path, arguments: list[str], words: str) -> None:
    found = _call(gee_analysis, *(one.replace("{demo}", str(demo)) for one in arguments))
    assert found.exit_code == 2
    assert words in found.output


def test_no_analysis_to_report_or_compare(tmp_path: Path) -> None:
    for found in (
        _call(create_analysis_report, "--input_dir", tmp_path),
        _call(analysis_summary_data, "--input_location", tmp_path, "--output_dir", tmp_path / "x"),
    ):
        assert found.exit_code == 2
        assert "pyveg_gee_analysis" in found.output
    assert not (tmp_path / "x").exists()


def test_settings_of_the_analysis_in_the_config(
    write_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They hold for a run that is finished later as well; empty ones are the usual ones."""
    given: list[Any] = []
    monkeypatch.setattr(
        "pyveg.jobs.analyses.run_analysis",
        lambda _, *, settings, **__: given.append(settings) or [],
    )
    chosen = {"surrogates": 39, "indicators": ["ar1", "variance"], "seed": 7}
    report = run_pipeline(write_config(analysis=chosen))
    run_pipeline(from_cache=report.url)
    assert [(one.surrogates, one.seed) for one in given] == [(39, 7)] * 2
    assert [one.indicators for one in given] == [("ar1", "variance")] * 2
    assert load_pipeline(write_config(analysis={})).analysis is True


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PyvegError("no space left for tables"), "no space left for tables"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_an_analysis_that_fails_is_no_silent_one(
    write_config: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pyveg.jobs.analyses.run_analysis", fails)
    report = run_pipeline(write_config(analysis=True))
    assert report.exit_code == 1
    assert report.analysis_failed == words
    assert report.summary is not None  # the results are there
