"""Blob storage and Azure Batch on this machine, with the azure_config.py that goes with them.

::

    with LocalCloud(folder) as cloud:
        Path("azure_config.py").write_text(cloud.config(pool_dedicated_node_count=2))
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from azure_batch_emulator import Emulator, Faults, Settings
from pyveg.caches import cache_folder
from pyveg.testing.azurite import Azurite

MARK = "# Written for the emulators of pyveg"
"""Begins a config of ours, which may be written anew."""


class LocalCloud:
    """Azurite and the Batch emulator, as long as the context lasts.

    Parameters
    ----------
    folder : Path
        For nodes and, without `azurite`, for blobs.
    faults : Faults, optional
        What goes wrong.
    environments : Path, optional
        Where nodes share the environments that they make of a wheel, by its digest; in the user's
        cache where left out.
    azurite : Azurite, optional
        One that runs already.
    python : Path, optional
        What nodes make their environments with; that of this process where left out.
    emulator : mapping, optional
        More settings of the Batch emulator. With ``containers_as_processes`` what an image would
        hold is this Python environment.
    """

    def __init__(
        self,
        folder: Path,
        faults: Faults | None = None,
        *,
        environments: Path | None = None,
        azurite: Azurite | None = None,
        python: Path | None = None,
        emulator: Mapping[str, Any] | None = None,
    ) -> None:
        self._folder = folder
        self._environments = environments or cache_folder() / "environments"
        self._given = azurite
        self._python = python or Path(sys.executable)
        self._faults = faults or Faults()
        self._emulator = dict(emulator or {})
        self._stack = ExitStack()

    def __enter__(self) -> LocalCloud:
        self._environments.mkdir(parents=True, exist_ok=True)
        environment = {
            "PYVEG_ENVIRONMENTS": str(self._environments),
            "PYVEG_PYTHON": str(self._python),
            "PIP_COMPILE": "0",  # a Task imports few modules of the many, and compiles those
        }
        if self._emulator.get("containers_as_processes"):
            programs = Path(sys.executable).parent
            environment["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        settings = Settings(
            location=self._folder / "batch",
            environment=environment,
            faults=self._faults,
            **self._emulator,
        )
        with ExitStack() as stack:
            self.azurite = self._given or stack.enter_context(Azurite(self._folder / "blobs"))
            self.batch = stack.enter_context(Emulator(settings))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def node_folders(self) -> Path:
        """Where nodes keep their files."""
        return self._folder / "batch"

    def config(self, **settings: Any) -> str:
        """Text of an azure_config.py, with more settings."""
        batch = {
            "batch_account_name": self.batch.account,
            "batch_account_key": self.batch.key,
            "batch_account_url": self.batch.url,
            **settings,
        }
        lines = "".join(f"{name} = {value!r}\n" for name, value in batch.items())
        return f"{MARK}; of no use without them.\n{self.azurite.config()}{lines}"
