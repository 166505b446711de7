"""Where this machine stores what can be fetched or made again."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

VARIABLE = "PYVEG_CACHE"
"""Names another folder, for instance one that the workers of a cluster share."""


def cache_folder() -> Path:
    r"""Folder of everything that may be deleted at any time.

    ``PYVEG_CACHE`` where that is set, else where the system has such things: ``~/.cache/pyveg`` (or
    ``$XDG_CACHE_HOME/pyveg``), ``~/Library/Caches/pyveg``, ``%LOCALAPPDATA%\pyveg\Cache``.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    return user_cache_path("pyveg", appauthor=False)
