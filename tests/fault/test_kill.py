"""Kill -9 at any moment: a resume gives what an uninterrupted run gives, and repeats nothing.

Moments are chosen: at each write, and while Tasks wait at a gate. For random ones in large numbers
see tests/drivers/kill_random.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from pyveg.scripts.run_pipeline import main as run_command
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import fake_config

COMMAND = [sys.executable, "-m", "pyveg.scripts.run_pipeline"]
DRIVERS = Path(__file__).parents[1] / "drivers"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and kill -9 are of POSIX systems")


def _driver(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(DRIVERS / name), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_killed_at_every_write() -> None:
    said = _driver("kill_writes.py", "--dates", "3")
    moments = int(said.split()[0])
    assert moments >= 2 * (2 * 7 + 2), "seven Tasks write a value and a manifest, one a manifest"


def test_killed_at_a_random_moment() -> None:
    """With real images in worker processes."""
    assert "0 wrong" in _driver("kill_random.py", "--count", "1", "--months", "3", "--seed", "3")


@dataclass
class Held:
    """A run in worker processes: one Task waits at the gate, all that may be done before is."""

    process: subprocess.Popen[str]
    folder: Path
    gate: Gate

    def manifests(self) -> dict[str, int]:
        """When each Task was last done."""
        found = (self.folder / "_pyveg/manifests").rglob("*.json")
        return {path.relative_to(self.folder).as_posix(): path.stat().st_mtime_ns for path in found}

    def finish(self) -> None:
        """Finish the run; it gives what it would have given, and repeats nothing."""
        done = self.manifests()
        self.gate.open()
        result = _invoke("--from_cache", str(self.folder))
        assert result.exit_code == 0, result.output
        lines = [f"{number:05}+" for number in range(5)] + ["00000", "00001"]
        assert (self.folder / "combine/Gather/all").read_text().splitlines() == lines
        after = self.manifests()
        assert len(after) == 13
        assert done.items() <= after.items()


@pytest.fixture
def held(tmp_path: Path, gate: Gate) -> Iterator[Held]:
    config = tmp_path / "config.py"
    special: dict[str, Any] = {
        "A": {"count": 5},
        "Follow": {"gate": str(gate.folder), "held": ["00001"]},
        "B": {"count": 2},
    }
    config.write_text(fake_config(str(tmp_path / "out"), special_config=special, n_workers=2))
    with subprocess.Popen(
        [*COMMAND, "--config_file", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            gate.wait_for("00001")
            (folder,) = tmp_path.glob("out_*")
            run = Held(process, folder, gate)
            _until(lambda: len(run.manifests()) == 5 + 4 + 2)
            yield run
        finally:
            process.kill()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.02)


def _invoke(*arguments: str) -> Result:
    return CliRunner().invoke(run_command, list(arguments))


def test_killed_while_workers_compute(held: Held) -> None:
    workers = psutil.Process(held.process.pid).children(recursive=True)
    assert len(workers) >= 3, "two workers and their server"
    held.process.kill()
    held.process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "workers outlived the coordinator"
    held.finish()


def test_a_second_resume_is_refused_while_the_first_works(held: Held) -> None:
    second = _invoke("--from_cache", str(held.folder))
    assert second.exit_code == 2
    assert "is being written" in second.output
    assert str(held.process.pid) in second.output
    held.process.kill()
    held.process.wait()
    held.finish()


def test_an_interrupt_leaves_a_run_that_can_be_finished(held: Held) -> None:
    held.process.send_signal(signal.SIGINT)
    text, _ = held.process.communicate(timeout=60)
    assert held.process.returncode == 130, text
    assert "Traceback" not in text
    assert "--from_cache" in text
    held.finish()
