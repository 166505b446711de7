"""The process ``run-command``: a program that the operator lists, over files of the caller."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Sequence
from glob import has_magic
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.core.texts import brief
from pyveg.jobs.command import make_settings
from pyveg.service.config import ServiceConfig
from pyveg.service.processes import Process, Settings

ID = "run-command"


def process(config: ServiceConfig) -> Process | None:
    """The process; None where the operator lists no application: a caller names no program."""
    if not config.applications:
        return None
    run_mode = config.of(ID).run_mode

    def make(given: Any) -> Settings:
        command = {**config.applications[given.application], "inputs": list(given.files)}
        if run_mode is not None:
            command["run_mode"] = run_mode
        return make_settings({}, command, given.application)

    return Process(
        id=ID,
        title="A program over files",
        description=(
            "Runs a program that the operator lists over files, each by itself, and keeps what it "
            "makes of each, with a table of what failed."
        ),
        inputs=_inputs(tuple(config.applications)),
        make=make,
        check=lambda given: check_files(given.files, config.input_locations),
        filename=f"{ID}.py",
    )


def _inputs(applications: tuple[str, ...]) -> type:
    names = Literal[applications]  # type: ignore[valid-type]
    made = [
        ("application", names, setting(doc="which program")),
        (
            "files",
            tuple[str, ...],
            setting(doc="paths, patterns and URLs, in places that the operator allows"),
        ),
    ]
    return dataclasses.make_dataclass("CommandInputs", made, frozen=True, kw_only=True)


def check_files(files: Sequence[str], locations: Sequence[str]) -> None:
    """Refuse files outside of the places that the operator allows.

    Parameters
    ----------
    files : sequence of str
        Absolute paths, patterns of such, or URLs.
    locations : sequence of str
        Folders, and beginnings of URLs.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> check_files(["s3://photos/2024/*.jpg"], ["s3://photos"])
    """
    if not files:
        raise ConfigError("inputs: files is empty", "name at least one")
    for file in files:
        if not any(_is_in(file, place) for place in locations):
            places = ", ".join(locations) or "none"
            raise ConfigError(
                f"inputs: {brief(file)} is in no place that callers may name",
                f"the operator allows: {places}",
            )


def _is_in(file: str, place: str) -> bool:
    if "://" in place:
        path = unquote(file).replace("\\", "/")
        inside = path.startswith(f"{place.rstrip('/')}/")
        return inside and ".." not in path.split("/") and "\0" not in path
    if "://" in file or not Path(file).is_absolute() or "\0" in file:
        return False
    if ".." in Path(file).parts:
        return False
    return _fixed_part(file).resolve().is_relative_to(Path(place).resolve())


def _fixed_part(pattern: str) -> Path:
    """The part of a path before its first wildcard."""
    kept: list[str] = []
    for part in Path(pattern).parts:
        if has_magic(part):
            break
        kept.append(part)
    return Path(posixpath.join(*kept))
