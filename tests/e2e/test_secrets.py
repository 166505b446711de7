"""After a run on each engine: no secret that it knew is in anything that it wrote or said."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyveg.core import secrets
from pyveg.scripts.run_command import main as run_command
from pyveg.scripts.run_pipeline import main as run_pipeline

ACCOUNT_KEY = "c2VjcmV0LWtleS1vZi1hbi1hY2NvdW50"
TOKEN = "s3cr3t-t0ken-of-the-environment"
SAS = "Zm9yLXRoZS1kYXRh"
PEM_BODY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
SECRETS = (ACCOUNT_KEY, TOKEN, SAS, PEM_BODY)

MODULE = f'''
from dataclasses import dataclass
from pyveg.core.module import Module
from pyveg.core.types import Item

class Leaks(Module):
    """Fails with words of a library that repeats what it was given."""

    role = "start"
    listed = True

    def items(self, planning, settings):
        planning.tell("asked https://x.org/list?sig={SAS}")
        return [Item("a"), Item("b"), Item("c")]

    def run(self, job):
        job.notes["outputs"] = ["https://x.org/?sig={SAS}"]
        if job.item.name == "a":
            job.skip("https://user:{TOKEN}@host has nothing")
        if job.item.name == "b":
            return
        raise OSError("GET https://x.org/b?sv=1&sig={SAS} with key {ACCOUNT_KEY}: {TOKEN}")
'''
CONFIG = """
name = "leaks"
output_location = "results"
modules_to_use = {"job": ["leaky:Leaks"]}
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    app = tmp_path / "app"
    app.mkdir()
    (tmp_path / "leaky.py").write_text(MODULE)
    (tmp_path / "config.py").write_text(CONFIG)
    (app / "app.py").write_text("import sys; open(sys.argv[1] + '/x', 'w').write('y')\n")
    (app / "my_azure.py").write_text(
        f"storage_account_name = 'mine'\nstorage_account_key = '{ACCOUNT_KEY}'\n"
    )
    (app / ".env").write_text(f"TOKEN={TOKEN}")
    (app / "notes.txt").write_text(f"my token is {TOKEN}")
    (app / "deploy").write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{PEM_BODY}\n")
    (tmp_path / "data.csv").write_text("1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYVEG_AZURE_CONFIG", str(app / "my_azure.py"))
    monkeypatch.setenv("SOME_SERVICE_TOKEN", TOKEN)
    monkeypatch.setattr(secrets, "_seen", (float("-inf"), frozenset()))
    return tmp_path


def _written(folder: Path) -> dict[str, bytes]:
    """Everything below a run, and what is in its packed applications."""
    found = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name, data in list(found.items()):
        if name.endswith(".zip"):
            with zipfile.ZipFile(BytesIO(data)) as archive:
                found |= {f"{name}/{part}": archive.read(part) for part in archive.namelist()}
    return found


def _search(desk: Path, output: str) -> None:
    (run,) = desk.glob("results_*")
    files = _written(run)
    assert len(files) > 5
    texts = {**files, "the terminal": output.encode()}
    found = [(secret, where) for secret in SECRETS for where in texts
             if secret.encode() in texts[where]]  # fmt: skip
    assert not found


@pytest.mark.parametrize("runner", ["serial", "threads", "processes", "dask"])
def test_a_module_that_repeats_secrets(desk: Path, runner: str) -> None:
    if runner == "dask":  # whose workers are not told keys of accounts, and cannot repeat them
        (desk / "leaky.py").write_text(MODULE.replace(f" with key {ACCOUNT_KEY}", ""))
    arguments = ["--config_file", "config.py", "--runner", runner, "--n_workers", "2", "--debug"]
    result = CliRunner().invoke(run_pipeline, arguments)
    assert result.exit_code == 1, result.output
    assert "OSError: GET https://x.org/b?sv=1&sig=***" in result.output
    _search(desk, result.output)


@pytest.mark.parametrize("runner", ["serial", "processes"])
def test_an_application_among_secrets(desk: Path, runner: str) -> None:
    arguments = ["--application", "app", "--input", "data.csv", "--output_location", "results"]
    arguments += ["--runner", runner, "--", "python", "app.py", "{output_dir}", "{input}"]
    result = CliRunner().invoke(run_command, arguments)
    assert result.exit_code == 0, result.output
    assert ".env, deploy, my_azure.py, notes.txt" in result.output
    _search(desk, result.output)


@pytest.mark.parametrize(
    "line",
    [
        f"_key = '{ACCOUNT_KEY}'",
        f"# {TOKEN}",
        f"_url = 'https://x.org/c?sv=1&sig={SAS}'",
        "_url = 'https://user:pw123@host/'",
    ],
)
def test_a_config_with_a_secret_in_it_is_kept_nowhere(desk: Path, line: str) -> None:
    (desk / "config.py").write_text(f"{CONFIG}{line}\n")
    result = CliRunner().invoke(run_pipeline, ["--config_file", "config.py"])
    assert result.exit_code == 2
    assert "config.py, line 5" in result.output
    assert not any(secret in result.output for secret in SECRETS)
    assert not list(desk.glob("results*"))
