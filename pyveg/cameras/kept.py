"""What was measured of a camera's images, kept from one run to the next: nights repeat nothing."""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pyveg.cameras.measuring import NotMeasured

__all__ = ["Kept", "Tables"]


@dataclass(frozen=True)
class Kept:
    """What was measured of a period."""

    table: bytes
    """Of its images, as PhenoCam writes it."""
    failed: list[NotMeasured]


class Tables:
    """A folder with a file for each period.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, period: str, digest: str) -> Kept | None:
        """What was measured of a period; None where that is not known, or not as it is now.

        Parameters
        ----------
        period : str
            Its name, which is a name of a file.
        digest : str
            Of all that the figures depend on.
        """
        try:
            found = json.loads((self._folder / f"{period}.json").read_bytes())
            if found["digest"] != digest:
                return None
            failed = [NotMeasured(str(name), str(why)) for name, why in found["failed"]]
            return Kept(str(found["table"]).encode(), failed)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # it is measured again

    def keep(self, period: str, digest: str, kept: Kept) -> None:
        """Keep it; that it cannot be kept ends nothing."""
        text = json.dumps({"digest": digest, "table": kept.table.decode(), "failed": kept.failed})
        part = self._folder / f".{uuid.uuid4().hex}.part"
        with suppress(OSError):
            try:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                with os.fdopen(
                    os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
                ) as f:
                    f.write(text)
                part.replace(self._folder / f"{period}.json")
            finally:
                part.unlink(missing_ok=True)
