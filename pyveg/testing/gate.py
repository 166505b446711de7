"""A place where Tasks wait until a test lets them go, so that the test chooses the moment.

::

    gate = Gate(tmp_path / "gate")
    process = start_run(special_config={"Follow": {"gate": str(gate.folder), "held": ["00001"]}})
    gate.wait_for("00001")
    process.kill()
    gate.open()
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import quote

from pyveg.core.errors import DataError

_OPEN = "open"
_PAUSE = 0.02
_PATIENCE = 120.0
"""Seconds after which nobody will come any more."""


class Gate:
    """A folder by which a test and Tasks in other processes of this machine meet.

    Parameters
    ----------
    folder : str or path-like
        Made when it is first used.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def wait_inside(self, name: str) -> None:
        """For a Task: say that it has come, and wait until the gate is opened.

        Raises
        ------
        DataError
            If nobody opens it for two minutes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # Quoted, because names of Items may have slashes.
        (self.folder / f"in-{quote(name, safe='')}").touch()
        end = time.monotonic() + _PATIENCE
        while not (self.folder / _OPEN).exists():
            if time.monotonic() > end:
                raise DataError(f"{name} waited in vain for {self.folder} to be opened")
            time.sleep(_PAUSE)

    def wait_for(self, *names: str) -> None:
        """For a test: wait until Tasks of these Items have come.

        Raises
        ------
        TimeoutError
            If they have not for two minutes.
        """
        wanted = {f"in-{quote(name, safe='')}" for name in names}
        end = time.monotonic() + _PATIENCE
        while missing := {name for name in wanted if not (self.folder / name).exists()}:
            if time.monotonic() > end:
                raise TimeoutError(f"no Task came to {self.folder}: {sorted(missing)}")
            time.sleep(_PAUSE)

    def open(self) -> None:
        """Let all go that wait, and all that come later."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _OPEN).touch()
