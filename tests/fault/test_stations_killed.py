"""Kill -9 of the server of stations and of a camera's sender: each image is there, once.

A small version of tests/drivers/kill_stations.py; the sender alone is killed at chosen moments in
tests/unit/cameras/test_station_send.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).parents[1] / "drivers/kill_stations.py"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals and kill -9 are of POSIX systems")
def test_killed_at_random_moments() -> None:
    nodes = ["--nodes", "8", "--images", "3", "--kills", "2", "--web_workers", "2"]
    done = subprocess.run(
        [sys.executable, str(DRIVER), *nodes, "--spool", "20", "--sender_kills", "4"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all is there, each once" in done.stdout
