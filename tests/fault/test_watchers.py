"""A run does not hang on who watches it: terminals that close, pipes that end, connections lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--runner", "serial"]
SLOW = """
name = "watched"
output_location = {out!r}
modules_to_use = {{"job": ["pyveg.testing.fakes:Start"]}}
special_config = {{"job": {{"count": {count}, "seconds": {seconds}}}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Any:
    def write(count: int, seconds: float) -> Path:
        path = tmp_path / "config.py"
        text = SLOW.format(out=str(tmp_path / "out"), count=count, seconds=seconds)
        path.write_text(text)
        return path

    return write


def _run(tmp_path: Path) -> Path:
    (run,) = tmp_path.glob("out_*")
    return run


def _wait_for(tmp_path: Path, pattern: str) -> None:
    end = time.monotonic() + 60
    while not list(tmp_path.glob(pattern)):
        assert time.monotonic() < end, pattern
        time.sleep(0.02)


def test_a_reader_that_leaves_changes_nothing(config: Any, tmp_path: Path) -> None:
    """As ``| head -1`` does."""
    process = subprocess.Popen(
        [*COMMAND, "--config_file", str(config(20, 0.02))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
    assert len(list(_run(tmp_path).glob("job/Start/*"))) == 20


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_a_terminal_that_closes_ends_it_in_order(config: Any, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--config_file", str(config(1000, 0.05))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    _wait_for(tmp_path, "out_*/job/Start/*")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 130
    log = (_run(tmp_path) / "_pyveg" / "run.log").read_text()
    assert "interrupted" in log
    assert not list((_run(tmp_path) / ".partial").glob("*"))


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signal")
def test_nohup_is_respected(config: Any, tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["nohup", *COMMAND, "--config_file", str(config(20, 0.05))],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path, env=os.environ,
    )  # fmt: skip
    _wait_for(tmp_path, "out_*/job/Start/*")
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 0
    assert len(list(_run(tmp_path).glob("job/Start/*"))) == 20
