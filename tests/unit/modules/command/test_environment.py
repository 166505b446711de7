"""Environments of applications, made by the real venv and pip, without an index."""

from __future__ import annotations

import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from pyveg.core.errors import CommandError, ConfigError, ServiceAwayError
from pyveg.modules.command import environment
from pyveg.modules.command.environment import environment_for, what_to_install

WHEEL = "tiny_lib-1.0-py3-none-any.whl"
BACKEND = '''
"""A build backend that needs nothing."""
import zipfile


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "own_app-2.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.write("own_app.py")
        info = "own_app-2.0.dist-info"
        about = ["Metadata-Version: 2.1", "Name: own-app", "Version: 2.0", ""]
        wheel.writestr(f"{info}/METADATA", "\\n".join(about))
        tags = ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any", ""]
        wheel.writestr(f"{info}/WHEEL", "\\n".join(tags))
        wheel.writestr(f"{info}/RECORD", "")
    return name
'''
PROJECT = """
[project]
name = "own-app"
version = "2.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def _write_wheel(folder: Path) -> None:
    info = "tiny_lib-1.0.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("tiny_lib.py", "VALUE = 42\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-lib\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


def _says(found: environment.Environment, code: str) -> str:
    command = [found.python, "-c", code]
    folder = found.programs  # this checkout would be found from where the tests run
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return done.stdout.strip()


class Counted:
    """Counts what is run; where asked to, without the seconds that an environment takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, target: Path | None = None) -> None:
        self.calls: list[str] = []
        self._run = environment._run
        self._target = target
        monkeypatch.setattr(environment, "_run", self)

    def __call__(self, command: list[str], application: Path, what: str) -> None:
        self.calls.append(what)
        if self._target is None:
            self._run(command, application, what)
        elif what == "venv":
            Path(command[-1]).mkdir()
        else:
            more = ["--target", str(self._target)]
            self._run([sys.executable, *command[1:], *more], application, what)


def test_requirements_are_installed_once(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By many at once: one makes it, the others wait for it."""
    _write_wheel(app)
    (app / "requirements.txt").write_text(f"./{WHEEL}\n")
    run = Counted(monkeypatch)
    found: list[environment.Environment] = []
    threads = [
        threading.Thread(target=lambda: found.append(environment_for(app, "d", "requirements.txt")))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert run.calls == ["venv", "pip, for requirements.txt"]
    assert _says(found[0], "import tiny_lib; print(tiny_lib.VALUE)") == "42"
    assert Path(_says(found[0], "import sys; print(sys.prefix)")) == found[0].programs.parent
    assert _says(found[0], "import importlib.util as u; print(u.find_spec('pyveg'))") == "None"


def test_a_project_is_installed(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (app / "pyproject.toml").write_text(PROJECT)
    (app / "backend.py").write_text(BACKEND)
    (app / "own_app.py").write_text("NAME = 'own'\n")
    assert what_to_install(app, None) == "pyproject.toml"
    Counted(monkeypatch, tmp_path / "site")
    environment_for(app, "digest", "pyproject.toml")
    assert (tmp_path / "site/own_app.py").read_text() == "NAME = 'own'\n"


def test_what_pip_says_reaches_the_user(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is not asked again by every item."""
    (app / "requirements.txt").write_text("./not-there-1.0-py3-none-any.whl\n")
    run = Counted(monkeypatch, tmp_path / "site")
    for _ in range(3):
        with pytest.raises(CommandError, match=r"cannot be made \(pip, for requirements") as caught:
            environment_for(app, "d", "requirements.txt")
        assert "not-there-1.0" in str(caught.value)
    assert run.calls == ["venv", "pip, for requirements.txt"]
    monkeypatch.setattr(environment, "_PATIENCE", 0.0)
    with pytest.raises(CommandError):
        environment_for(app, "d", "requirements.txt")
    assert len(run.calls) == 4


def test_pip_sees_no_secrets(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages may run code of theirs as they are installed."""
    monkeypatch.setenv("PYVEG_AZURE_SAS", "secret")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example.org")
    code = "import os, sys; sys.exit(' '.join(os.environ))"
    with pytest.raises(CommandError) as caught:
        environment._run([sys.executable, "-c", code], app, "x")
    assert "PYVEG_AZURE_SAS" not in str(caught.value)
    assert "PIP_INDEX_URL" in str(caught.value)


def test_without_requirements_it_is_this_python(app: Path) -> None:
    assert environment_for(None, "", "").python == Path(sys.executable)
    assert environment_for(app, "d", "").python == Path(sys.executable)


@pytest.mark.parametrize(
    ("files", "asked", "found"),
    [
        ({}, None, ""),
        ({"requirements.txt": "", "pyproject.toml": PROJECT}, None, "requirements.txt"),
        ({"pyproject.toml": PROJECT}, None, "pyproject.toml"),
        ({"pyproject.toml": "[tool.ruff]\n"}, None, ""),
        ({"requirements.txt": ""}, "", ""),
        ({"needs/gpu.txt": ""}, "needs/gpu.txt", "needs/gpu.txt"),
    ],
)
def test_what_an_application_needs(
    app: Path, files: dict[str, str], asked: str | None, found: str
) -> None:
    for name, text in files.items():
        (app / name).parent.mkdir(exist_ok=True)
        (app / name).write_text(text)
    assert what_to_install(app, asked) == found


def test_needs_that_cannot_be_read(app: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*needs\.txt"):
        what_to_install(app, "needs.txt")
    (app / "pyproject.toml").write_text("[project\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml cannot be read"):
        what_to_install(app, None)


def test_which_applications_share_an_environment(app: Path) -> None:
    """Those of equal requirements; where these name other files, those of equal contents."""
    (app / "r.txt").write_text("numpy\n")
    assert environment._key(app, "one", "r.txt") == environment._key(app, "two", "r.txt")
    before = environment._key(app, "one", "r.txt")
    (app / "r.txt").write_text("numpy>2\n")
    assert environment._key(app, "one", "r.txt") != before
    for line in ("-r other.txt", "./lib", "lib @ file:lib", "/lib"):
        (app / "r.txt").write_text(f"numpy\n  {line}\n")
        assert environment._key(app, "one", "r.txt") != environment._key(app, "two", "r.txt")


def test_a_cache_that_cannot_be_written(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (app / "file").touch()
    monkeypatch.setenv("PYVEG_CACHE", str(app / "file"))
    with pytest.raises(CommandError, match="set PYVEG_CACHE to a folder"):
        environment_for(app, "d", "requirements.txt")


def test_no_package_index_is_no_fault_of_an_item(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as what it is, and in the same words to those that come after."""
    Counted(monkeypatch, app / "site")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    (app / "requirements.txt").write_text("some-package-of-ours\n")
    told = set()
    for _ in range(2):
        with pytest.raises(ServiceAwayError) as caught:
            environment_for(app, "digest", "requirements.txt")
        told.add(caught.value.wrong)
    (only,) = told
    assert only.endswith("pip cannot reach the package index: it refuses connections")
