"""`pyveg plan` is the dry run of `pyveg run`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pyveg.scripts.plan import OF_RUNS_ALONE, main
from pyveg.scripts.run_pipeline import main as run


def test_it_says_what_a_dry_run_says_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["demo", "--n_workers", "1", "--runner", "serial"]
    planned = CliRunner().invoke(main, given)
    dry = CliRunner().invoke(run, [*given, "--dry_run"])
    assert planned.exit_code == 0
    assert planned.output == dry.output
    assert "721 tasks; nothing was run or written" in planned.output
    assert not list(tmp_path.iterdir())


def test_it_has_the_options_of_a_run() -> None:
    names = {one.name for one in run.params}
    assert {one.name for one in main.params} == names - OF_RUNS_ALONE
    assert names >= OF_RUNS_ALONE


def test_what_is_wrong_is_told_as_there() -> None:
    said = CliRunner().invoke(main, [])
    assert said.exit_code == 2
    assert "name a config, such as demo" in said.output
