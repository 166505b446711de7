"""Configs that come with pyveg, by their names: ``demo`` and others, whatever folder one is in."""

from __future__ import annotations

import difflib
from pathlib import Path

from pyveg import configs
from pyveg.core.errors import ConfigError
from pyveg.core.layout import RUN_FILE
from pyveg.core.texts import brief

_NO_CONFIGS = ("__init__", "collections")


def built_in() -> dict[str, Path]:
    """Name of each config that comes with pyveg -> its file.

    Examples
    --------
    >>> "demo" in built_in()
    True
    """
    folder = Path(configs.__file__).parent
    files = sorted(folder.glob("*.py"))
    return {path.stem: path for path in files if path.stem not in _NO_CONFIGS}


def config_path(given: str | Path) -> Path:
    """The file of a config that is named by its path, or by the name of one that is built in.

    A file in the working folder goes before one of pyveg.

    Raises
    ------
    ConfigError
        If it is a word that names neither, or a folder.
    """
    path = Path(given)
    try:
        if path.is_file():
            return path
        _refuse_folder(path)
    except (OSError, ValueError):  # a NUL, or too long; who reads the file says so
        return path
    known = built_in()
    if path.suffix or path.name != str(given):
        if path.stem in known:
            raise ConfigError(
                f"there is no config file {brief(str(path.absolute()))}",
                f'the one of pyveg is called "{path.stem}", in every folder',
            )
        return path  # who reads it says that it is not there
    if str(given) in known:
        return known[str(given)]
    raise ConfigError(
        f"there is no config file {brief(str(path.absolute()))}, and none of pyveg is called "
        f"{brief(str(given))}",
        _hint(path, known),
    )


def _refuse_folder(path: Path) -> None:
    if not path.is_dir() or str(path) in built_in():
        return
    if (path / RUN_FILE).is_file():
        raise ConfigError(f"{path} is a run, not a config", "finish a run with --from_cache")
    raise ConfigError(
        f"{path} is a folder, not a config", "name a file, or write one with pyveg_generate_config"
    )


def _hint(path: Path, known: dict[str, Path]) -> str:
    if path.with_suffix(".py").is_file():
        return f'did you mean "{path}.py"?'
    near = difflib.get_close_matches(path.name, known, n=1, cutoff=0.5)
    return f'did you mean "{near[0]}"?' if near else f"there are {', '.join(known)}"
