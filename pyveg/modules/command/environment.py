"""The Python that an application runs with: an environment of its own, made once per machine."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pyveg.core import answers
from pyveg.core.errors import CommandError, ConfigError, PyvegError, ServiceAwayError
from pyveg.modules.command import child
from pyveg.modules.command.places import machine_folder, only_one, readable_by_all

REQUIREMENTS = "requirements.txt"
PROJECT = "pyproject.toml"
_PATIENCE = 60.0
"""Seconds in which a failure is not tried again, so that 60,000 items do not ask pip each."""
_LAST_LINES = 6
_CURE = "mend the requirements or the connection, and finish the run with --from_cache"
_NO_INDEX = "pip cannot reach the package index"
_PIP_RETRIES = "after connection broken by"
"""In what pip prints of each try that was lost."""
_BUILDS = ("PIP_", "CC", "CXX", "CFLAGS", "LDFLAGS")
"""Begin the names of variables that pip and compilers heed, besides those that all programs get."""


@dataclass(frozen=True)
class Environment:
    """A Python, and the folder with its programs."""

    python: Path

    @property
    def programs(self) -> Path:
        """What comes first in ``PATH``."""
        return self.python.parent


def what_to_install(application: Path, requirements: str | None) -> str:
    """The file that says what an application needs; empty where none does.

    Parameters
    ----------
    application : Path
        Its folder.
    requirements : str or None
        As the user says: a file in the folder, empty for none, or None for the usual:
        requirements.txt, or else a pyproject.toml that describes a package.

    Raises
    ------
    ConfigError
        If the file is not there, or the pyproject.toml cannot be read.
    """
    if requirements is not None:
        if requirements and not (application / requirements).is_file():
            raise ConfigError(
                f"requirements: there is no {application / requirements}",
                'name a file of the application, or "" for none',
            )
        return requirements
    if (application / REQUIREMENTS).is_file():
        return REQUIREMENTS
    if not (application / PROJECT).is_file():
        return ""
    try:
        described = tomllib.loads((application / PROJECT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{application / PROJECT} cannot be read: {error}",
            "mend it, or name another file as requirements",
        ) from error
    return PROJECT if "project" in described or "build-system" in described else ""


def environment_for(application: Path | None, digest: str, needs: str) -> Environment:
    """The environment of an application; made if this machine has none like it.

    Without requirements it is the Python that runs pyveg, with what is installed there.

    Parameters
    ----------
    application : Path or None
        Its folder on this machine.
    digest : str
        Of its contents.
    needs : str
        What `what_to_install` said.

    Raises
    ------
    CommandError
        If it cannot be made; with the last lines of pip.
    ServiceAwayError
        If that is because the package index cannot be reached.
    """
    if application is None or not needs:
        return Environment(Path(sys.executable))
    folder = machine_folder("application_environments") / _key(application, digest, needs)
    with only_one(folder):
        if not (folder / "complete").exists():
            _make(folder, application, needs)
    return Environment(folder / "bin" / "python")


def _key(application: Path, digest: str, needs: str) -> str:
    """Digest of what the environment depends on; environments of many applications are shared."""
    python = [sys.version, sys.base_prefix, platform.machine()]
    text = (application / needs).read_bytes()
    # Then it depends on more files than that one, and all of the application counts.
    if needs == PROJECT or _looks_around(text):
        text = digest.encode()
    return hashlib.sha256("\0".join(python).encode() + b"\0" + text).hexdigest()[:32]


def _looks_around(requirements: bytes) -> bool:
    """Whether requirements name other files, so that more than their text matters."""
    # "-r other.txt", "./package", "/wheels/a.whl", "name @ file:///..."
    lines = [line.strip() for line in requirements.splitlines()]
    return any(line[:1] in (b"-", b".", b"/") or b"file:" in line for line in lines)


def _make(folder: Path, application: Path, needs: str) -> None:
    failed = folder.with_name(f"{folder.name}.failed")
    if failed.exists() and 0 <= time.time() - failed.stat().st_mtime < _PATIENCE:
        raise _failure(failed.read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _run([sys.executable, "-m", "venv", str(folder)], application, "venv")
        what = ["."] if needs == PROJECT else ["-r", needs]
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        # In a copy: what builds leave there is no part of the application.
        with tempfile.TemporaryDirectory(prefix="pyveg-", ignore_cleanup_errors=True) as name:
            copy = Path(name, application.name)
            shutil.copytree(application, copy)
            _run([*pip, "install", "-q", "--no-input", *what], copy, f"pip, for {needs}")
    except PyvegError as error:
        shutil.rmtree(folder, ignore_errors=True)
        failed.write_text(error.wrong, encoding="utf-8")
        raise
    readable_by_all(folder)
    (folder / "complete").touch()  # last: what was broken off before is made anew


def _run(command: list[str], application: Path, what: str) -> None:
    """Run it in the application's folder; packages may run code of theirs as they are installed."""
    done = subprocess.run(
        command,
        cwd=application,
        env=child.passed_on(os.environ, [name for name in os.environ if name.startswith(_BUILDS)]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        retried = [line for line in said.splitlines() if _PIP_RETRIES in line]
        lines = " | ".join(line.strip() for line in said.splitlines()[-_LAST_LINES:])
        ended = f"({what}, exit code {done.returncode})"
        wrong = f"the environment of the application cannot be made {ended}: "
        # What builds of packages print is not taken for pip's own words.
        lost = f"{_NO_INDEX}: {answers.lost(retried[-1])}" if retried else ""
        raise _failure(wrong + (lost or lines))


def _failure(wrong: str) -> PyvegError:
    """The error for that; where there is no way to packages, no Item is to blame."""
    return (ServiceAwayError if _NO_INDEX in wrong else CommandError)(wrong, _CURE)
