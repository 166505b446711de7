"""Kill -9 at any moment: a resume gives what an uninterrupted run gives, and repeats nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

COMMAND = [sys.executable, "-m", "pyveg.scripts.run_pipeline"]


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _finish(*arguments: str) -> str:
    process = _start(*arguments)
    text, _ = process.communicate(timeout=240)
    assert process.returncode == 0, text
    return text


def _results(folder: Path) -> dict[str, bytes]:
    """Everything that a user gets, by path in the run."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "_pyveg" not in path.parts
    }


def _workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def _manifests(folder: Path) -> dict[str, int]:
    """When each Task was last done."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in (folder / "_pyveg" / "manifests").rglob("*.json")
    }


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX systems")
@pytest.mark.timeout(420)
def test_killed_at_ten_random_moments(write_config: Any) -> None:
    config = str(write_config(date_range=["2016-01-01", "2017-01-01"]))
    begin = time.monotonic()
    _finish("--config_file", config)
    usual = time.monotonic() - begin
    (whole,) = write_config.runs()
    expected = _results(whole)
    assert json.loads(next(v for k, v in expected.items() if k.endswith("results_summary.json")))
    rng = random.Random(20261121)
    resumed = 0
    for _ in range(10):
        _kill_and_resume(write_config, config, whole, rng.uniform(0.15, 0.95) * usual)
        for folder in _others(write_config, whole):
            assert _results(folder) == expected
            shutil.rmtree(folder)
            resumed += 1
    assert resumed >= 5, "most kills came before there was anything to resume"


def _others(write_config: Any, whole: Path) -> list[Path]:
    return [folder for folder in write_config.runs() if folder != whole]


def _kill_and_resume(write_config: Any, config: str, whole: Path, seconds: float) -> None:
    process = _start("--config_file", config)
    time.sleep(seconds)
    workers = _workers(process) if process.poll() is None else []
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "workers outlived the coordinator"
    killed = _others(write_config, whole)
    if not killed or not (killed[0] / "_pyveg" / "run.json").is_file():
        for folder in killed:  # killed before there was anything to resume
            shutil.rmtree(folder)
        return
    (folder,) = killed
    done = _manifests(folder)
    _finish("--from_cache", str(folder))
    after = _manifests(folder)
    again = [path for path, moment in done.items() if after[path] != moment]
    assert not [path for path in again if "/combine/" not in path]


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX systems")
def test_a_second_resume_is_refused_while_the_first_works(write_config: Any) -> None:
    config = str(write_config(date_range=["2016-01-01", "2018-01-01"]))
    process = _start("--config_file", config)
    try:
        end = time.monotonic() + 60
        while not (write_config.runs() and (write_config.runs()[0] / "_pyveg/run.json").is_file()):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.02)
        folder = write_config.runs()[0]
        second = _start("--from_cache", str(folder))
        text, _ = second.communicate(timeout=60)
        assert second.returncode == 2
        assert "is being written" in text
        assert str(process.pid) in text
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    _finish("--from_cache", str(folder))


@pytest.mark.skipif(os.name == "nt", reason="signals are of POSIX systems")
def test_an_interrupt_leaves_a_run_that_can_be_finished(write_config: Any) -> None:
    config = str(write_config(date_range=["2016-01-01", "2019-01-01"]))
    process = _start("--config_file", config)
    end = time.monotonic() + 60
    while not any(_manifests(folder) for folder in write_config.runs()):
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    assert "--from_cache" in text
    (folder,) = write_config.runs()
    _finish("--from_cache", str(folder))
