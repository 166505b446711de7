"""The template of azure_config.py, and a copy of it for the user."""

from __future__ import annotations

import os
from pathlib import Path

from pyveg.core.errors import ConfigError

NAME = "azure_config_template.py"


def text() -> str:
    """The template: in the package where that was installed, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package, package.parent):
        if (folder / NAME).is_file():
            return (folder / NAME).read_text(encoding="utf-8")
    raise ConfigError(f"{package / NAME} is missing", "install pyveg again")


def write(path: str | Path, *, force: bool = False) -> Path:
    """Write the template for the user to fill in, readable by the user alone.

    Parameters
    ----------
    path : str or Path
        The new file; a folder gets an azure_config.py in it.
    force : bool
        Replace a file that is there, with whatever keys it has.

    Raises
    ------
    ConfigError
        If there is one already, or it cannot be written.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        path /= "azure_config.py"
    content = text().encode()
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        # Made with these rights and not changed to them: nobody else can open it in between.
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "wb") as file:
            path.chmod(0o600)  # also one that was there with other rights
            file.write(content)
    except FileExistsError:
        raise ConfigError(f"{path} is there already", "replace it with --force") from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", "name a folder that you may write to"
        ) from error
    return path.absolute()
