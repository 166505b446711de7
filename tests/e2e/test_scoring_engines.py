"""The same images on every engine: the same results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from pyveg.core import registry
from pyveg.scripts.score_images import main as command
from pyveg.testing.dask_processes import DaskProcesses
from pyveg.testing.small_models import colour_model


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty photos of three colours, one that is broken, and a model."""
    monkeypatch.chdir(tmp_path)
    colour_model(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(30):
        colour = tuple(255 if number % 3 == channel else 9 for channel in range(3))
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"photos/IMG_{number:04}.JPG")
    (tmp_path / "photos/IMG_0031.JPG").write_bytes(b"\xff\xd8")
    return tmp_path


def _scored(*more: str) -> dict[str, Any]:
    usual = ("photos", "--model", "colours.onnx", "--output_location", "out")
    result = CliRunner().invoke(command, [*usual, "--images_per_task", "7", *more])
    assert result.exit_code == 0, result.output
    assert "images: 31, 1 failed" in result.output
    (url,) = set(re.findall(r"^run: (\S+)", result.output, re.MULTILINE))
    store = registry.store_at(url)
    found: dict[str, Any] = json.loads(store.read("combine/detections.json"))
    del found["info"]["detection_completion_time"]
    assert not list(store.list("_pyveg/inputs/"))  # copies go when they are done with
    return found


@pytest.fixture
def expected(desk: Path) -> dict[str, Any]:
    """What this process finds."""
    assert desk
    found = _scored("--runner", "serial")
    surest = [one["detections"][0]["category"] for one in found["images"][:-1]]
    assert surest == ["1", "2", "3"] * 10
    assert found["images"][-1]["detections"] is None
    return found


def test_on_workers_of_dask(dask_processes: DaskProcesses, expected: dict[str, Any]) -> None:
    scheduler = f"dask.scheduler={dask_processes.address}"
    assert _scored("--run_mode", "dask", "--engine", scheduler) == expected


@pytest.mark.slow
@pytest.mark.parametrize("bare", [False, True], ids=["lent packages", "own packages"])
def test_on_nodes(make_cloud: Callable[..., Any], expected: dict[str, Any], bare: bool) -> None:
    """Nodes get the package that runs the model too."""
    cloud = make_cloud(bare=bare)
    assert _scored("--run_mode", "batch") == expected
    assert cloud.batch.requests.counts["create_job"] == 1
