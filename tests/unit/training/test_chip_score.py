"""The score of a trained classifier is a metric of each chip of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyveg.configs import demo
from pyveg.core.errors import ConfigError
from pyveg.jobs.load import settings_in
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, start
from pyveg.runs.run import open_run
from pyveg.training import train_chips


def _settings(folder: Path, model: Path, rainfall: float, **more: Any) -> dict[str, Any]:
    used = "SimulatedSentinel2"
    return {
        **settings_in(vars(demo)),
        "name": "scored",
        "output_location": str(folder / "run"),
        "runner": "serial",
        "region_size": 0.01,
        "date_range": ["2016-01-01", "2016-02-01"],
        "collections_to_use": [used],
        "modules_to_use": {
            used: ["VegetationDownloader", "VegetationImageProcessor", "ChipScorer"]
        },
        "special_config": {
            used: {"rainfall": rainfall, "cloud_cover": 0.0},
            "ChipScorer": {"model": str(model), **more},
        },
        "analysis": False,
    }


def _scores(settings: dict[str, Any]) -> list[float]:
    report = start(prepare(resolve(settings)), picture=False)
    assert report.exit_code == 0, [r.reason for r in report.results.values()]
    store = open_run(report.url).store
    (key,) = [key for key in store.list() if key.endswith("chip_scores.json")]
    return [row["pattern_score"] for row in json.loads(store.read(key))]


def test_chips_of_a_run_are_scored(chips: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    call = ["--catalog", str(chips), "--save-dir", str(tmp_path / "model")]
    assert train_chips.main(call) == 0
    (model,) = (tmp_path / "model").glob("texture-C10-*.onnx")
    wet = _scores(_settings(tmp_path / "wet", model, 1.2))
    dry = _scores(_settings(tmp_path / "dry", model, 0.3))
    assert len(wet) == len(dry) == 4
    assert min(wet) > 0.5 > max(dry)
    with pytest.raises(ConfigError, match='no category "cow"'):
        resolve(_settings(tmp_path, model, 1.2, category="cow"))
