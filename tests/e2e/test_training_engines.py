"""Simulated chips -> a trained, promoted model -> predictions in one Pipeline, equal everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, start
from pyveg.jobs.training import make_settings, manifest_of_folder
from pyveg.photos import ENDINGS
from pyveg.runs.run import open_run
from pyveg.training import simulated_chips
from pyveg.training.catalogue import load_catalogue

PREDICTIONS = "model/_predictions/catalogue.csv/predictions.json"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Chips to learn from, and those of other places, one of which is broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path / "cache"))
    simulated_chips.write(tmp_path / "chips", 24)
    simulated_chips.write(tmp_path / "unseen", 16, seed=1)
    (tmp_path / "unseen/broken.png").write_bytes(b"\x89PNG")
    text = manifest_of_folder(tmp_path / "unseen", ENDINGS)
    (tmp_path / "unseen/manifest.json").write_text(text)
    return tmp_path


def _predicted(models: str, **modes: Any) -> dict[str, Any]:
    top = {"output_location": "run", **modes.pop("top", {"runner": "serial"})}
    settings = make_settings(
        top,
        {"catalog": "chips/catalogue.csv", **modes},
        {"models": models},
        {"manifest": "unseen/manifest.json", **modes},
    )
    report = start(prepare(resolve(settings)), picture=False)
    assert report.exit_code == 0, report.failures()
    found: dict[str, Any] = json.loads(open_run(report.url).store.read(PREDICTIONS))
    return found


@pytest.fixture
def expected(desk: Path) -> dict[str, Any]:
    """What this process predicts."""
    found = _predicted("models_here")
    rows = load_catalogue(desk / "unseen/catalogue.csv").rows
    assert set(found["data"]) == {row.file for row in rows}
    right = [(found["data"][r.file]["0"][0] > 0.5) == (r.counts[1] == 1) for r in rows]
    assert sum(right) >= 15
    (failed,) = found["failures"]
    assert failed["subject_id"] == "broken.png"
    return found


def test_processes_predict_what_this_process_does(expected: dict[str, Any]) -> None:
    top = {"runner": "processes", "n_workers": 1}
    assert _predicted("models_there", top=top) == expected


@pytest.mark.slow
def test_nodes_predict_what_this_process_does(
    make_cloud: Callable[..., Any], expected: dict[str, Any], desk: Path
) -> None:
    """Training is a task of one pool, in a container, and prediction of another.

    The model is promoted on this machine between.
    """
    gpu = {"vm_size": "Standard_NC4as_T4_v3", "max_nodes": 1, "container_image": "zoo/train:1"}
    cloud = make_cloud(
        emulator={"containers_as_processes": True, "autoscale_minute": 0.1}, pools={"gpu": gpu}
    )
    engines = {"batch": {"module_pools": {"ChipTrainer": "gpu"}}}
    top = {"output_location_type": "azure", "n_workers": 2, "engines": engines}
    assert _predicted("models_of_batch", top=top, run_mode="batch") == expected
    assert cloud.batch.requests.counts["create_job"] == 2
    assert cloud.batch.requests.counts["create_pool"] == 2
    assert cloud.batch.requests.counts["delete_pool"] == 2
    assert (desk / "models_of_batch/chips/current.json").is_file()
