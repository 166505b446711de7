"""Damaged records of a run: done again, or one sentence; never a traceback."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pyveg.configs.collections import data_collections
from pyveg.core import manifest, registry
from pyveg.core.errors import PyvegError
from pyveg.core.layout import RUN_FILE, manifest_key
from pyveg.core.ports import Store
from pyveg.core.values import read_json
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, run_pipeline
from pyveg.runs.run import open_run

CONFIG: dict[str, Any] = {
    "output_location": "x",
    "coordinates": (27.95, 11.57),
    "region_size": 0.024,
    "date_range": ["2016-01-01", "2016-03-01"],
    "data_collections": data_collections,
    "collections_to_use": ["SimulatedWeather"],
    "modules_to_use": {"SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"]},
    "runner": "serial",
}
DEEP = "[" * 200_000 + "]" * 200_000
ODD: tuple[Any, ...] = (None, -1, 1.5, "x", [], {}, [[]], {"a": [[]]}, True, [None], {"": None})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("run") / "run"
    assert run_pipeline(resolve(CONFIG), at=where).exit_code == 0
    return where


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    parts: Any = {}
    if isinstance(value, dict | list):
        parts = value if isinstance(value, dict) else dict(enumerate(value))
    for key, part in parts.items():
        found += _paths(part, (*path, key))
    return found


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = json.loads(json.dumps(document))
    part = changed
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return changed


def _all_that_reads(where: Path) -> None:
    """Everything that looks at the record of a run, each with one sentence at worst."""
    run = open_run(where)
    for look in (
        lambda: prepare(from_cache=where),
        lambda: run.steps,
        lambda: run.metrics,
        lambda: run.collections,
        lambda: run.place,
        run.states,
        run.status,
        lambda: run.log,
    ):
        with suppress(PyvegError):
            look()


def test_any_value_of_the_record_may_be_of_another_type(run: Path) -> None:
    whole = (run / RUN_FILE).read_text()
    document = json.loads(whole)
    try:
        for path in _paths(document):
            for odd in ODD:
                (run / RUN_FILE).write_text(json.dumps(_with(document, path, odd)))
                _all_that_reads(run)
    finally:
        (run / RUN_FILE).write_text(whole)


@pytest.mark.parametrize("text", [DEEP, "", "{", "null", "[]", "\x00\xff", '{"pipeline": ' + DEEP])
def test_a_record_that_is_none(text: str, run: Path) -> None:
    whole = (run / RUN_FILE).read_text()
    try:
        (run / RUN_FILE).write_text(text)
        _all_that_reads(run)
    finally:
        (run / RUN_FILE).write_text(whole)


def _store(run: Path) -> Store:
    return registry.store_at(str(run))


def test_a_damaged_manifest_is_done_again(run: Path) -> None:
    store = _store(run)
    graph = prepare(from_cache=run).plan.graph
    task = next(iter(graph))
    key = manifest_key(task.id)
    whole = store.read(key)
    document = json.loads(whole)
    assert manifest.valid(store, task) is not None
    try:
        for text in (DEEP, "", "{", "null", "[]", "\x00\xff", '"x"', "7"):
            store.write(key, text.encode())
            assert manifest.valid(store, task) is None
        for path in _paths(document):
            for odd in ODD:
                store.write(key, json.dumps(_with(document, path, odd)).encode())
                manifest.valid(store, task)
        store.write(key, DEEP.encode())
        assert run_pipeline(from_cache=run).exit_code == 0
    finally:
        store.write(key, whole)


def test_brackets_without_end_are_no_json() -> None:
    with pytest.raises(ValueError, match="brackets"):
        read_json(DEEP)
