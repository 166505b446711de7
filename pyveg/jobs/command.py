"""A config for one program over some files, from what a command line says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.core.layout import COMBINE

MODULE = "CommandModule"
ABOUT = "A program over some files; docs/run_command.md."
_ODD = re.compile("[^A-Za-z0-9_-]+")


def make_settings(
    top: Mapping[str, Any], command: Mapping[str, Any], name: str | None = None
) -> dict[str, Any]:
    """The settings of a config.

    Parameters
    ----------
    top : mapping
        Names at the top, such as ``output_location``; None where nothing was said.
    command : mapping
        Settings of `CommandModule`; None or empty where nothing was said.
    name : str, optional
        Of the job, and of the folder that items are in; that of the application where left out.
    """
    given = {key: value for key, value in command.items() if value is not None and value != ()}
    plain = {key: list(v) if isinstance(v, tuple) else v for key, v in given.items() if v != {}}
    chosen = name or _name_of(plain)
    said = {key: value for key, value in top.items() if value is not None}
    return {
        "name": chosen,
        **said,
        "modules_to_use": {chosen: [MODULE]},
        "special_config": {chosen: plain},
    }


def _name_of(given: Mapping[str, Any]) -> str:
    source = given.get("application") or given.get("repository")
    if not source:
        return "command"
    stem = Path(str(source)).absolute().name.removesuffix(".git")
    name = _ODD.sub("_", stem).strip("_")
    return name if name and name != COMBINE else f"{name}_command".strip("_")


def to_text(settings: Mapping[str, Any], about: str = ABOUT) -> str:
    """The text of a config file, as `pyveg_run_pipeline` reads it, with a line on what it is."""
    lines = [f'"""{about}"""', ""]
    for name, value in settings.items():
        lines.append(f"{name} = {_shown(value)}")
    return "\n".join(lines) + "\n"


def _shown(value: Any, indent: int = 0) -> str:
    """A value as Python code, a line for each entry of a table."""
    if not isinstance(value, dict) or not value:
        # ASCII, so that the config reads the same in whichever encoding an editor saves it.
        return ascii(value)
    space = " " * (indent + 4)
    entries = (f"{space}{key!a}: {_shown(v, indent + 4)},\n" for key, v in value.items())
    return "{\n" + "".join(entries) + " " * indent + "}"


def keep(settings: Mapping[str, Any], path: str | Path, about: str = ABOUT) -> None:
    """Write a config file.

    Raises
    ------
    ConfigError
        If there is another file of that name, or it cannot be written.
    """
    path, text = Path(path), to_text(settings, about)
    try:
        # The same text is no conflict: people repeat a command line.
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ConfigError(
                f"--write_config: there is another {path}", "remove it or choose a name"
            )
        path.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--write_config: {path} cannot be written: {error}",
            "name a file that you may write to",
        ) from error
