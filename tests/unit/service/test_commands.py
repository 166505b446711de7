"""`pyveg_serve` on the command line, where nothing is served."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pyveg.scripts.serve import main
from pyveg.service.callers import digest
from pyveg.service.config import read
from pyveg.service.serve import opened


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_a_config_is_written_once(tmp_path: Path) -> None:
    assert run("config").output == "wrote service_config.py\n"
    again = run("config")
    assert (again.exit_code, "is there already" in again.output) == (2, True)
    assert run("config", "--force").exit_code == 0
    assert run("config", "other.py").exit_code == 0
    assert read(tmp_path / "other.py") == read()


@pytest.mark.parametrize("name", ["add_caller", "add-caller"])
def test_a_caller_gets_a_token_that_is_kept_nowhere(name: str, tmp_path: Path) -> None:
    token = run(name, "kim", "--process", "resilience", "--max-active", "3").output.strip()
    assert len(token) == len("pyveg_") + 43
    caller = opened(read()).callers.of_token(token)
    assert (caller.name, caller.processes, caller.max_active) == ("kim", ("resilience",), 3)
    kept = [path.read_bytes() for path in (tmp_path / "service").iterdir()]
    assert not [data for data in kept if token.encode() in data]
    assert [data for data in kept if digest(token).encode() in data]
    assert (tmp_path / "service").stat().st_mode & 0o077 == 0
    twice = run("add_caller", "kim")
    assert (twice.exit_code, "there is a caller kim already" in twice.output) == (2, True)
    assert run("remove_caller", "kim").output == "removed kim\n"
    gone = run("remove_caller", "kim")
    assert (gone.exit_code, 'unknown caller "kim"' in gone.output) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add_caller", "kim lee"], "cannot be the name of a caller"),
        (["--config", "none.py"], "there is no file"),
        (["rnu"], "No such command 'rnu'"),
        (["--prot", "3"], "No such option '--prot'"),
    ],
)
def test_a_wrong_line_is_told(words: list[str], said: str) -> None:
    found = run(*words)
    assert found.exit_code == 2
    assert said in found.output
    assert "Traceback" not in found.output


def test_help_tells_how_to_begin() -> None:
    assert "pyveg_serve add_caller kim" in run("--help").output
    assert run("tidy", "--dry-run").output == "0 jobs\n"
