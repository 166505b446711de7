"""Modules of other people's packages run like ours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODULE = '''
"""A Module that knows only the public parts of pyveg."""

import json
from dataclasses import dataclass

from pyveg.core import module
from pyveg.core.params import setting


@dataclass(frozen=True, kw_only=True)
class CountSettings(module.Settings):
    factor: int = setting(1, doc="what to multiply with", low=1)


class ChipCounter(module.Module[CountSettings]):
    """Counts the chips of each date."""

    Settings = CountSettings
    consumes = ("images",)

    def run(self, job):
        chips = json.loads(job.store.read(job.layout.chips(job.item.name)))
        count = chips["rows"] * chips["columns"] * job.settings.factor
        key = f"{job.layout.root}/{job.item.name}/JSON/count.json"
        job.store.write(key, json.dumps(count).encode())
'''

METADATA = "Metadata-Version: 2.1\nName: chipcounter\nVersion: 1.0\n"
ENTRY_POINTS = "[pyveg.modules]\nChipCounter = chipcounter.steps:ChipCounter\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an installed package, as pip would leave it."""
    folder = tmp_path / "site"
    package, info = folder / "chipcounter", folder / "chipcounter-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "steps.py").write_text(MODULE)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.mark.parametrize("name", ["ChipCounter", "chipcounter.steps:ChipCounter"])
@pytest.mark.parametrize("runner", ["serial", "processes"])
def test_a_module_of_another_package(
    write_config: Any, site: Path, monkeypatch: pytest.MonkeyPatch, name: str, runner: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(site))
    modules = ["VegetationDownloader", "VegetationImageProcessor", name]
    config = write_config(
        collections_to_use=["SimulatedSentinel2"],
        modules_to_use={"SimulatedSentinel2": modules},
        special_config={"ChipCounter": {"factor": 10}, "SimulatedSentinel2": {"spin_up": 20}},
        runner=runner,
    )
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--config_file", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = write_config.runs()
    counts = [json.loads(path.read_text()) for path in folder.glob("gee_*/*/JSON/count.json")]
    assert counts
    assert set(counts) == {40}
    assert "SimulatedSentinel2/ChipCounter" in done.stdout
