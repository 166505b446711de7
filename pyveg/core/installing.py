"""How something that is missing is installed; said here alone, for all messages."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_SELF = "pyveg"


def how_to_install(requirement: str, *, with_folder: bool = True) -> str:
    """The command that installs a requirement, with the folder that it is for where it needs one.

    No release of pyveg can be had from an index yet: an extra of it is installed from its folder.

    Parameters
    ----------
    requirement : str
        As pip reads it: a package, or extras of one.
    with_folder : bool
        Whether to say which folder that is on this machine.

    Examples
    --------
    >>> how_to_install("s3fs")
    "pip install 's3fs'"
    >>> how_to_install("pyveg[stac]").startswith("pip install '.[stac]' in the folder of pyveg")
    True
    """
    name, bracket, extras = requirement.partition("[")
    if name != _SELF or _is_released():
        return f"pip install '{requirement}'"
    folder = _origin() if with_folder else None
    where = f", {folder}" if folder is not None else ""
    return f"pip install '.{bracket}{extras}' in the folder of pyveg{where}"


def _is_released() -> bool:
    try:
        return ".dev" not in distribution(_SELF).version
    except PackageNotFoundError:  # run from a copy that was never installed
        return False


def _origin() -> Path | None:
    """The folder that pip installed pyveg from, where it is still there."""
    try:
        text = distribution(_SELF).read_text("direct_url.json")
        address = urlsplit(json.loads(text or "{}").get("url", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        return None
    if address.scheme != "file":
        return None
    folder = Path(url2pathname(address.path))
    return folder if (folder / "setup.py").is_file() else None
