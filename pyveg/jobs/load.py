"""Read a config file: run it, and collect what is a setting."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Set
from datetime import date
from numbers import Number
from pathlib import Path
from typing import Any

from pyveg import azure_config
from pyveg.core.errors import ConfigError
from pyveg.core.pipeline import Pipeline
from pyveg.core.reading import read_text
from pyveg.core.secrets import has_secret
from pyveg.core.texts import brief, cut, said
from pyveg.jobs.built_in import config_path
from pyveg.jobs.resolve import is_known, resolve

_DATA = (str, bytes, Number, bool, type(None), list, tuple, range, Set, Mapping, date, os.PathLike)
"""What is meant as a setting by whatever name; other objects are a config's own tools."""
_SHOWN_LINE = 120


def load_pipeline(config: str | Path | Mapping[str, Any], **overrides: Any) -> Pipeline:
    """Make a Pipeline from a config file, or from the same names as a dict.

    Parameters
    ----------
    config : str, Path or mapping
        A Python file in the form that docs/config.md describes, the name of one that comes with
        pyveg, such as ``"demo"``, or the settings of such a file by name.
    **overrides
        Top-level settings that replace those of the config, such as ``n_workers=1``.

    Returns
    -------
    Pipeline
        Settled and checked, except for what only its plan can show.

    Raises
    ------
    ConfigError
        If the file is missing, raises an error, or describes no job that can work.

    Examples
    --------
    >>> import pyveg
    >>> pipeline = pyveg.load_pipeline("demo", date_range=["2016-01-01", "2016-03-01"])
    >>> pipeline.plan().states()["combine/VegAndWeatherJsonCombiner"]
    Counter({'to do': 1})

    A job as a dict; all that a config file may have is known:

    >>> modules = {"programs": ["CommandModule"]}
    >>> job = {"name": "words", "output_location": "words", "modules_to_use": modules}
    >>> job["special_config"] = {
    ...     "CommandModule": {"command": ["wc", "{input}"], "inputs": ["setup.py"]}
    ... }
    >>> pyveg.load_pipeline(job).name
    'words'
    """
    if isinstance(config, Mapping):
        return resolve({**_named(config), **overrides})
    path = config_path(config)
    settings = {**read_config(path), **overrides}
    return resolve(settings, config_filename=Path(path).name)


def _named(config: Mapping[Any, Any]) -> Mapping[str, Any]:
    """A config that is a dict, when its names are names and nothing secret is in it.

    Raises
    ------
    ConfigError
    """
    odd = next((name for name in config if not isinstance(name, str)), None)
    if odd is not None:
        raise ConfigError(f"config: {brief(odd)} is no name of a setting", "give names as text")
    return config


def read_config(path: str | Path) -> dict[str, Any]:
    """Run a config file and return its settings by name.

    Modules, functions, classes, tables and names that begin with "_" are no settings.
    """
    return settings_in(names_in(path))


def names_in(path: str | Path, within: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a config file and return all its names, whatever they stand for.

    Parameters
    ----------
    path : str or Path
    within : dict, optional
        The names of a module that the file is to be; those of none where left out.

    Raises
    ------
    ConfigError
        If it is missing, or raises an error.
    """
    path = Path(path)
    source = config_text(path)
    names = {"__name__": "pyveg_config"} if within is None else within
    names["__file__"] = str(path.absolute())
    try:
        exec(compile(source, str(path), "exec"), names)  # a config is a program, by contract
    except SyntaxError as error:
        line = cut((error.text or "").strip(), _SHOWN_LINE)
        raise ConfigError(
            f"{path}, line {error.lineno}: {error.msg}: {line}", "mend that line"
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ConfigError(_where(error, path, source), "mend that line") from error
    return names


def config_text(path: str | Path) -> str:
    """What stands in a config file; editors of Windows put a mark before it.

    Raises
    ------
    ConfigError
        If it is missing or cannot be read.
    """
    path = Path(path)
    try:
        return read_text(path)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no config file {path.absolute()}",
            "check its path, or write one with pyveg_generate_config",
        ) from None
    except (OSError, ValueError) as error:  # a name with a NUL, or another encoding
        raise ConfigError(
            f"the config file {path} cannot be read: {error}",
            "give yourself permission to read it, and save it as UTF-8",
        ) from error


def kept_text(path: str | Path) -> str:
    """What stands in a config file, as it is kept with a run.

    Raises
    ------
    ConfigError
        If there is a secret in it.
    """
    text = config_text(path)
    azure_config.learn()
    number = next((n for n, line in enumerate(text.split("\n"), 1) if has_secret(line)), None)
    if number is not None:
        raise ConfigError(
            f"{path}, line {number}, has a password, key or token in it, and a config is kept with "
            "its results",
            "leave it out, and read it from an environment variable where it is needed",
        )
    return text


def settings_in(names: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the names of a config file.

    A name that a config has is one whatever its value, so that a wrong one is refused and never
    left out in silence.
    """
    return {
        name: value
        for name, value in names.items()
        if not name.startswith("_") and (is_known(name) or _is_data(value))
    }


def _is_data(value: Any) -> bool:
    """Whether it can be meant as a setting; arrays are, and tables, functions and files are not."""
    array = type(value).__module__ == "numpy" and hasattr(value, "dtype")
    return not isinstance(value, type) and (array or isinstance(value, _DATA))


def _where(error: BaseException, path: Path, source: str) -> str:
    """An error of the config's own, with the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == str(path)]
    number = own[-1].lineno if own and own[-1].lineno else 0
    lines = source.splitlines()
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return f"{path}, line {number}: {cut(line, _SHOWN_LINE)} ({said(error)})"
