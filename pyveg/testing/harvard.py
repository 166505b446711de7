"""A real field camera, PhenoCam's of Harvard Forest, from the source package of vegindex."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from filelock import FileLock

VERSION = "0.10.2"
SITE, ROI = "harvard", "DB_0001"
IMAGE = "2009/06/harvard_2009_06_30_120138.jpg"
MASK = "ROI/harvard_DB_0001_01.tif"
LATITUDE, LONGITUDE, ELEVATION, UTC_OFFSET = 42.5378, -72.1715, 340, -5
KNOWN = {"red": 48.82328, "green": 69.22894, "blue": 42.84936, "gcc": 0.43026, "rcc": 0.30344}
"""What vegindex measures in the image."""
PIXELS = 395_586
"""Of the mask."""
_FOLDER = f"vegindex-{VERSION}/tests/sample_data/harvard/"
_SECONDS = 240


def harvard(cache: Path) -> Path:
    """The folder of the camera, which is fetched from the package index where it is not there yet.

    Parameters
    ----------
    cache : Path
        A folder that stays; nobody changes what is below it.

    Raises
    ------
    RuntimeError
        If the index does not give it; with what pip said.
    """
    home = cache / f"vegindex-{VERSION}"
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".lock"):
        if not (home / "complete").is_file():
            with tempfile.TemporaryDirectory() as name:
                _unpack(_fetched(Path(name)), home)
            (home / "complete").touch()
    return home / SITE


def _fetched(folder: Path) -> Path:
    asked = f"vegindex=={VERSION}"
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "vegindex"]
    done = subprocess.run(
        [*pip, "-d", str(folder), asked],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    found = next(folder.glob("*.tar.gz"), None)
    if found is None:
        raise RuntimeError(f"pip could not fetch {asked}; it said: {done.stderr[-600:]}")
    return found


def _unpack(path: Path, home: Path) -> None:
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            if member.isfile() and member.name.startswith(_FOLDER):
                target = home / SITE / member.name.removeprefix(_FOLDER)
                target.parent.mkdir(parents=True, exist_ok=True)
                stream = archive.extractfile(member)
                assert stream is not None
                target.write_bytes(stream.read())
