"""An opened run, wherever it was made and whatever is installed here."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyveg
from pyveg.core.errors import ConfigError, KeyMissingError, NotARunError
from pyveg.core.layout import RUN_FILE
from pyveg.core.pipeline import Pipeline
from pyveg.runs.run import Run, open_run
from pyveg.storage.local import LocalStore
from pyveg.storage.memory import MemoryStore


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, config_writer: Any) -> SimpleNamespace:
    """A finished run over the small simulated place."""
    write = config_writer(tmp_path_factory.mktemp("run"))
    report = pyveg.run_pipeline(write())
    return SimpleNamespace(report=report, folder=Path(report.url))


@pytest.fixture
def run(made: SimpleNamespace) -> Run:
    return open_run(made.folder)


def _record(store: Any, change: Any) -> Run:
    """The same run with another record."""
    record = json.loads(store.read(RUN_FILE))
    change(record["pipeline"])
    changed = MemoryStore()
    for key in store.list():
        changed.write(key, store.read(key))
    changed.write(RUN_FILE, json.dumps(record).encode())
    return open_run(changed)


def test_what_it_was(run: Run) -> None:
    assert isinstance(run.pipeline, Pipeline)
    assert run.pipeline.name == "small"
    assert "data_collections" in run.config
    assert "all tasks have ended" in run.log
    assert {state for counts in run.states().values() for state in counts} <= {"cached", "skipped"}
    settings: Any = run.settings("SimulatedSentinel2", "NetworkCentralityCalculator")
    assert settings.num_quantiles == 20
    with pytest.raises(ConfigError, match="has no NDVI in a sequence combine; its sequences are"):
        run.settings("combine", "NDVI")
    assert run.place is not None
    assert run.place.label == "27.95_11.57"
    assert run.can_be_finished


def test_what_it_left(run: Run, made: SimpleNamespace) -> None:
    assert run.collections == ["SimulatedSentinel2"]
    dates = run.dates()
    assert all(isinstance(date, pd.Timestamp) for date in dates)
    chips = list(run.chips())
    assert [one.date for one in chips] == dates
    ndvi = run.raster(dates[0], "NDVI")
    assert ndvi.crs is not None
    np.testing.assert_array_equal(np.asarray(chips[0].image), ndvi.array.astype(np.float64))
    assert run.picture(dates[0]).shape == (*ndvi.array.shape, 3)
    assert len(run.results().chips) == len(pyveg.load_results(made.folder))
    series = run.series()
    assert series is not None
    assert set(series["collection"]) == {"SimulatedSentinel2", "SimulatedWeather"}
    assert run.metrics["offset50"].unit == "pixels"
    with pytest.raises(KeyMissingError):
        run.raster(dates[0], "B11")
    with pytest.raises(NotARunError, match=r"has no images of Landsat; .*SimulatedSentinel2"):
        run.images("Landsat")


def test_it_is_read_without_the_packages_of_its_modules(made: SimpleNamespace) -> None:
    """Results travel further than what made them."""

    def add(pipeline: Any) -> None:
        for sequence in pipeline["sequences"]:
            sequence["modules"].append(["not_installed.here:Module", {}])

    run = _record(LocalStore(made.folder), add)
    assert len(run.results().chips)
    assert len(list(run.chips())) == len(run.dates()) > 0
    assert "offset50" in run.metrics
    analysis = pyveg.analyse(run, settings=pyveg.AnalysisSettings(surrogates=19), spatial=False)
    assert analysis.series.collection == "SimulatedSentinel2"
    with pytest.raises(ConfigError, match="not_installed"):
        _ = run.pipeline


def test_runs_of_the_format_before(made: SimpleNamespace) -> None:
    """A Scope had fields then; such a run can be opened and analysed, and is not finished."""

    def older(pipeline: Any) -> None:
        pipeline["format"] = 1
        for sequence in pipeline["sequences"]:
            scope = sequence["scope"]
            sequence["scope"] = {
                "sequence": scope["sequence"],
                "place": scope["subject"]["place"],
                "collection": scope["subject"].get("collection"),
                "date_range": scope["extent"],
            }

    run = _record(LocalStore(made.folder), older)
    today = open_run(made.folder)
    assert run.pipeline == today.pipeline
    assert run.dates() == today.dates()
    assert not run.can_be_finished


def test_a_run_of_the_format_before_is_not_finished(made: SimpleNamespace, tmp_path: Path) -> None:
    record = json.loads((made.folder / RUN_FILE).read_text())
    record["pipeline"]["format"] = 1
    (tmp_path / "_pyveg").mkdir()
    (tmp_path / RUN_FILE).write_text(json.dumps(record))
    with pytest.raises(NotARunError, match=r"made by another version of pyveg .* finish it with"):
        pyveg.run_pipeline(from_cache=tmp_path)


@pytest.mark.parametrize("record", [b"", b"{}", b"[1]", b'{"pipeline": {"format": "x"}}'])
def test_a_damaged_record_is_one_sentence(record: bytes) -> None:
    store = MemoryStore()
    store.write(RUN_FILE, record)
    with pytest.raises(NotARunError, match=r"run\.json is damaged"):
        _ = open_run(store).pipeline


def test_a_later_format_is_told() -> None:
    store = MemoryStore()
    record = {"pipeline": {"format": 99, "sequences": []}, "versions": {"pyveg": "9.9"}}
    store.write(RUN_FILE, json.dumps(record).encode())
    with pytest.raises(NotARunError, match=r"another version of pyveg \(9\.9\); open it with"):
        _ = open_run(store).steps


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotARunError, match="holds no run of pyveg"):
        open_run(tmp_path)
