"""A run from elsewhere is not finished, nor is a file of it executed, before somebody trusts it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pyveg.core.errors import RunError
from pyveg.jobs import trust
from pyveg.jobs.load import load_pipeline
from pyveg.jobs.run import prepare
from pyveg.jobs.run import run_pipeline as run_it
from pyveg.scripts.run_command import main as run_command
from pyveg.scripts.run_pipeline import main as run_pipeline

DEMO = Path(__file__).parents[2] / "pyveg/configs/demo.py"
CALL = ["--", "sh", "-c", 'cp "$1" "$2"', "sh", "{input}", "{output_dir}"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    (tmp_path / "a.csv").write_text("1")
    arguments = ["--input", "a.csv", "--output_location", "results", "--runner", "serial"]
    result = CliRunner().invoke(run_command, [*arguments, *CALL])
    assert result.exit_code == 0, result.output
    (found,) = tmp_path.glob("results_*")
    return found


def _changed(run: Path, change: Any) -> None:
    path = run / "_pyveg/run.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def _finish(main: Any, *arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def _command(record: dict[str, Any], *words: str) -> None:
    record["pipeline"]["sequences"][0]["modules"][0][1]["command"] = list(words)


EVIL = ("sh", "-c", "echo pwned > pwned; echo \x1b[2J", "{input}")


@pytest.mark.parametrize("main", [run_command, run_pipeline])
def test_ones_own_run_is_finished_without_a_question(run: Path, main: Any) -> None:
    assert _finish(main, "--from_cache", str(run)).exit_code == 0


@pytest.mark.parametrize("main", [run_command, run_pipeline])
def test_a_record_that_was_changed_is_shown_and_not_done(
    run: Path, main: Any, tmp_path: Path
) -> None:
    _changed(run, lambda record: _command(record, *EVIL))
    result = _finish(main, "--from_cache", str(run), "--runner", "serial")
    assert result.exit_code == 2
    assert "echo pwned > pwned" in result.output
    assert "--trust" in result.output
    assert "\x1b" not in result.output
    assert not (tmp_path / "pwned").exists()
    with pytest.raises(RunError):
        prepare(from_cache=run)
    assert prepare(from_cache=run, trust_record=True).plan.graph


def test_a_run_of_another_machine_or_user_is_done_where_it_is_trusted(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    result = _finish(run_command, "--from_cache", str(run))
    assert result.exit_code == 2
    assert "cp " in result.output
    assert _finish(run_command, "--from_cache", str(run), "--trust").exit_code == 0


def test_a_copy_of_a_run_is_ones_own(run: Path) -> None:
    moved = run.with_name("moved")
    run.rename(moved)
    assert _finish(run_command, "--from_cache", str(moved)).exit_code == 0


@pytest.mark.parametrize("signed", [None, "", "x", 3, [], "é"])
def test_a_signature_that_is_none(run: Path, signed: Any) -> None:
    _changed(run, lambda record: record.update({trust.SIGNED: signed}))
    assert _finish(run_command, "--from_cache", str(run)).exit_code == 2


@pytest.mark.parametrize("name", ["os:system", "evil_module:Evil"])
def test_modules_outside_of_packages_are_shown_before_they_are_imported(
    run: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'pwned')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))

    def change(record: dict[str, Any]) -> None:
        record["pipeline"]["sequences"][0]["modules"] = [[name, {}]]

    _changed(run, change)
    result = _finish(run_pipeline, "--from_cache", str(run))
    assert result.exit_code == 2
    assert f"code of {name}" in result.output
    assert not (tmp_path / "pwned").exists()


def test_a_run_that_executes_nothing_of_its_own_needs_no_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {
        "date_range": ["2016-01-01", "2016-03-01"],
        "collections_to_use": ["SimulatedWeather"],
        "modules_to_use": {"SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"]},
        "special_config": {},
        "runner": "serial",
        "analysis": False,
    }
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    assert run_it(load_pipeline(DEMO, **few), at=tmp_path / "run").exit_code == 0
    _changed(tmp_path / "run", lambda record: record.pop(trust.SIGNED))
    assert prepare(from_cache=tmp_path / "run").plan.graph
