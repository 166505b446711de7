"""The folders of nodes, and how they are removed."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path

from azure_batch_emulator.host.timers import Timers


class Folders:
    """Where nodes keep their files.

    Parameters
    ----------
    location : Path or None
        A folder that stays; None makes a temporary one that `close` removes.
    """

    def __init__(self, location: Path | None) -> None:
        self.root = location or Path()
        self.is_temporary = location is None
        self._sweeper = Timers()  # removing many files takes long, and time limits must not wait

    @property
    def _trash(self) -> Path:
        return self.root / ".trash"

    def open(self) -> None:
        """Be there."""
        if self.is_temporary:
            self.root = Path(tempfile.mkdtemp(prefix="azure-batch-"))
        self._trash.mkdir(parents=True, exist_ok=True)
        self._sweeper.start()

    def discard(self, folder: Path) -> None:
        """Remove a folder: its name is free at once, its files go behind the scenes."""
        target = self._trash / uuid.uuid4().hex
        try:
            folder.rename(target)
        except FileNotFoundError:
            return
        self._sweeper.after(0, lambda: shutil.rmtree(target, ignore_errors=True))

    def stop(self) -> None:
        """Remove nothing more in the background."""
        self._sweeper.stop()

    def remove(self) -> None:
        """Remove the files, if nobody else wants them."""
        shutil.rmtree(self.root if self.is_temporary else self._trash, ignore_errors=True)
