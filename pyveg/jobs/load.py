"""Read a config file: run it, and collect what is a setting."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import date
from numbers import Number
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.core.pipeline import Pipeline
from pyveg.jobs.resolve import resolve

_PLAIN = (str, Number, bool, type(None), list, tuple, dict, date)


def load_pipeline(path: str | Path, **overrides: Any) -> Pipeline:
    """Make a Pipeline from a config file.

    Parameters
    ----------
    path : str or Path
        A Python file in the form that docs/config.md describes.
    **overrides
        Top-level settings that replace those of the file, such as ``n_workers=1``.

    Returns
    -------
    Pipeline
        Settled and checked, except for what only its plan can show.

    Raises
    ------
    ConfigError
        If the file is missing, raises an error, or describes no job that can work.
    """
    settings = {**read_config(path), **overrides}
    return resolve(settings, config_filename=Path(path).name)


def read_config(path: str | Path) -> dict[str, Any]:
    """Run a config file and return its settings by name.

    Modules, functions, classes, tables and names that begin with "_" are no settings.
    """
    path = Path(path)
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"there is no config file {path.absolute()}",
            "check its path, or write one with pyveg_generate_config",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the config file {path} cannot be read: {error}",
            "give yourself permission to read it, and save it as UTF-8",
        ) from error
    names: dict[str, Any] = {"__file__": str(path.absolute()), "__name__": "pyveg_config"}
    try:
        exec(compile(source, str(path), "exec"), names)  # a config is a program, by contract
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise ConfigError(
            f"{path}, line {error.lineno}: {error.msg}: {line}", "mend that line"
        ) from error
    except (Exception, SystemExit) as error:
        raise ConfigError(_where(error, path, source), "mend that line") from error
    return settings_in(names)


def settings_in(names: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the names of a config file."""
    settings = {}
    for name, value in names.items():
        plain = _without_numpy(value)
        if not name.startswith("_") and isinstance(plain, _PLAIN):
            settings[name] = plain
    return settings


def _without_numpy(value: Any) -> Any:
    """A number or array of NumPy is one, but would not go into JSON."""
    if type(value).__module__ != "numpy":
        return value
    if getattr(value, "ndim", 0):
        return [_without_numpy(part) for part in value]
    if getattr(value, "dtype", None) is not None and value.dtype.kind == "f":
        return float(str(value))  # 27.95 of few digits stays 27.95
    return value.item() if hasattr(value, "item") else value


def _where(error: BaseException, path: Path, source: str) -> str:
    """An error of the config's own, with the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == str(path)]
    number = own[-1].lineno if own and own[-1].lineno else 0
    lines = source.splitlines()
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return f"{path}, line {number}: {line} ({type(error).__name__}: {error})"
