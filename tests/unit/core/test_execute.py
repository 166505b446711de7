from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core import execute, manifest, module
from pyveg.core.errors import ConfigError
from pyveg.core.execute import describe, read_task_file, run_task, task_file
from pyveg.core.layout import failed_task_key, manifest_key
from pyveg.core.manifest import Manifest
from pyveg.core.module import Job, Module, Settings
from pyveg.core.tasks import State, Task
from pyveg.storage.local import LocalStore
from pyveg.storage.memory import MemoryStore
from pyveg.testing.fakes import Start, StartSettings
from pyveg.testing.graphs import fake_pipeline


def _tasks(**pipeline: object) -> dict[str, Task]:
    return {task.id: task for task in fake_pipeline(**pipeline).plan().graph}  # type: ignore[arg-type]


def test_a_manifest_tells_what_was_read_and_written(tmp_path: Path) -> None:
    store, tasks = LocalStore(tmp_path), _tasks()
    assert run_task(tasks["A/Start/00001"], store).state is State.SUCCEEDED
    assert run_task(tasks["A/Follow/00001"], store).state is State.SUCCEEDED
    found = manifest.read(store, "A/Follow/00001")
    assert found is not None
    assert found.inputs == ("A/Start/00001",)
    assert found.outputs == {"A/Follow/00001": 6}
    assert found.fingerprint == tasks["A/Follow/00001"].fingerprint
    assert found.seconds > 0
    assert found.peak_memory_mb is None or found.peak_memory_mb > 1
    assert {"python", "pyveg", "numpy"} <= set(found.versions)


_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(
    notes=st.dictionaries(st.text(), _values),
    inputs=st.lists(st.text()),
    outputs=st.dictionaries(st.text(), st.integers()),
)
def test_a_manifest_is_laid_out_as_the_standard_library_does(
    notes: dict[str, Any], inputs: list[str], outputs: dict[str, int]
) -> None:
    store = MemoryStore()
    kept = Manifest("A/Start/1", State.SKIPPED, "f", "why", tuple(inputs), outputs, notes=notes)
    manifest.write(store, kept)
    expected = json.dumps(asdict(kept), indent=1, default=str)
    assert store.read(manifest_key("A/Start/1")).decode() == expected


def test_a_manifest_is_valid_for_the_same_work_only(tmp_path: Path) -> None:
    store, task = LocalStore(tmp_path), _tasks()["A/Start/00001"]
    assert manifest.valid(store, task) is None
    run_task(task, store)
    assert manifest.valid(store, task) is not None
    other = _tasks(start={"count": 4})["A/Start/00001"]
    assert manifest.valid(store, other) is None


def test_a_manifest_is_void_without_its_outputs(tmp_path: Path) -> None:
    store, task = LocalStore(tmp_path), _tasks()["A/Start/00001"]
    run_task(task, store)
    store.write("A/Start/00001", b"longer than before")
    assert manifest.valid(store, task) is None
    store.delete("A/Start/00001")
    assert manifest.valid(store, task) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"state": "odd"}', b"\xff\xfe"])
def test_a_damaged_manifest_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    store, task = LocalStore(tmp_path), _tasks()["A/Start/00001"]
    run_task(task, store)
    store.write(manifest_key(task.id), damage)
    assert manifest.valid(store, task) is None


def test_replacing_reaches_those_behind() -> None:
    tasks = _tasks(start={"replace_existing_files": True})
    assert tasks["A/Follow/00001"].step.replace
    assert not tasks["B/Start/00001"].step.replace
    assert not _tasks(follow={"replace_existing_files": True})["A/Start/00001"].step.replace


def test_a_failed_task_can_be_run_again_from_its_file(tmp_path: Path) -> None:
    store, task = LocalStore(tmp_path), _tasks(start={"fail": ["00001"]})["A/Start/00001"]
    result = run_task(task, store)
    assert (result.state, result.reason) == (State.FAILED, "00001 is bad")
    assert manifest.read(store, task.id) is None
    again, where = read_task_file(store.read(failed_task_key(task.id)))
    assert again == [task]
    assert where.url == store.url


def test_a_failure_voids_what_was_done_before(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    run_task(_tasks()["A/Start/00001"], store)
    failing = _tasks(start={"fail": ["00001"]})["A/Start/00001"]
    assert run_task(failing, store).state is State.FAILED
    assert manifest.read(store, failing.id) is None


def test_a_task_behind_a_skipped_one_is_skipped(tmp_path: Path) -> None:
    store, tasks = LocalStore(tmp_path), _tasks(start={"skip": ["00001"]})
    assert run_task(tasks["A/Start/00001"], store).state is State.SKIPPED
    result = run_task(tasks["A/Follow/00001"], store)
    assert (result.state, result.reason) == (State.SKIPPED, "00001 is empty")


class BrokenStore(MemoryStore):
    """Takes nothing any more."""

    def write(self, key: str, data: bytes) -> None:
        raise OSError(28, f"No space left on device for {len(data)} bytes", key)


def test_a_store_that_fails_fails_the_task() -> None:
    result = run_task(_tasks()["A/Start/00001"], BrokenStore())
    assert result.state is State.FAILED
    assert "No space left on device" in result.reason


def test_a_task_whose_input_was_never_made_is_blocked() -> None:
    store = MemoryStore()
    result = run_task(_tasks()["A/Follow/00001"], store)
    assert (result.state, result.reason) == (State.BLOCKED, "A/Start/00001 has not been done")
    assert not list(store.list())


def test_a_missing_input_fails_with_its_name() -> None:
    store, tasks = MemoryStore(), _tasks()
    run_task(tasks["A/Start/00001"], store)
    store.delete("A/Start/00001")
    result = run_task(tasks["A/Follow/00001"], store)
    assert result.state is State.FAILED
    assert "A/Start/00001" in result.reason


def test_errors_are_told_in_one_line() -> None:
    assert describe(ValueError("a\n  b")) == "ValueError: a b"
    assert describe(KeyError()) == "KeyError"


def test_a_task_file_is_json_without_secrets(tmp_path: Path) -> None:
    data = json.loads(task_file([_tasks()["A/Start/00001"]], LocalStore(tmp_path)))
    assert set(data) == {"format", "steps", "tasks", "store"}
    assert data["store"] == {"type": "local", "path": str(tmp_path)}


def test_a_task_file_has_each_step_once(tmp_path: Path) -> None:
    """Whatever the order of the Tasks."""
    found = _tasks()
    names = ("A/Follow/00001", "A/Start/00001", "B/Start/00001", "A/Start/00000")
    tasks = [found[name] for name in names]
    data = task_file(tasks, LocalStore(tmp_path))
    assert len(json.loads(data)["steps"]) == 3
    again, _ = read_task_file(data)
    assert again == tasks
    assert again[1].step is again[3].step


def test_a_task_costs_less_than_its_step(tmp_path: Path) -> None:
    tasks, store = list(_tasks(start={"count": 100}).values())[:100], LocalStore(tmp_path)
    assert {task.step.name for task in tasks} == {"Start"}
    each = (len(task_file(tasks, store)) - len(task_file(tasks[:50], store))) / 50
    assert each < len(json.dumps(tasks[0].step.to_json())) / 2


@pytest.mark.parametrize("format_", [None, 1, 3, "2"])
def test_a_task_file_of_another_version_is_refused(tmp_path: Path, format_: object) -> None:
    tasks = [_tasks()["A/Start/00001"]]
    data = {**json.loads(task_file(tasks, LocalStore(tmp_path))), "format": format_}
    with pytest.raises(ConfigError, match="written by another version of pyveg; run it with"):
        read_task_file(json.dumps(data).encode())


def test_settings_are_made_once_for_the_tasks_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Mapping[str, object]] = []

    def settings_of(cls: type[Module[Any]], given: Mapping[str, object]) -> Settings:
        made.append(given)
        return module.settings_of(cls, given)

    monkeypatch.setattr(execute, "settings_of", settings_of)
    tasks = [task for task in _tasks(start={"count": 4}).values() if task.id.startswith("A/Start")]
    for task in tasks:
        assert run_task(task, MemoryStore()).state is State.SUCCEEDED
    assert made == [tasks[0].step.settings]


def test_equal_steps_keep_settings_of_their_own() -> None:
    """1 and 1.0 are equal, and a Module may write one or the other."""
    seen: list[float] = []
    task = _tasks()["A/Start/00001"]

    def run(self: Start, job: Job[StartSettings]) -> None:
        del self
        seen.append(job.settings.seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Start, "run", run)
        for seconds in (0, 0.0):
            step = replace(task.step, settings={**task.step.settings, "seconds": seconds})
            run_task(replace(task, step=step), MemoryStore())
    assert [type(seconds) for seconds in seen] == [int, float]


def test_facts_of_a_task_come_back_with_it() -> None:
    """Also those of one that failed."""
    store, tasks = MemoryStore(), _tasks(start={"fail": ["00001"]})
    run = Start.run

    def noting(self: Start, job: Job[StartSettings]) -> None:
        job.notes["tries"] = 3
        run(self, job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Start, "run", noting)
        for name in ("00000", "00001"):
            assert run_task(tasks[f"A/Start/{name}"], store).notes == {"tries": 3}
    kept = json.loads(store.read(failed_task_key("A/Start/00001")))
    assert kept["result"]["notes"] == {"tries": 3}


def test_names_that_are_no_text_do_not_break_a_reason() -> None:
    assert describe(ValueError("a\udcff b\n c")) == "ValueError: a\\udcff b c"


def test_a_task_of_several_that_begins_anew_repeats_nothing(tmp_path: Path) -> None:
    """As on a node that took over from another."""
    from click.testing import CliRunner

    from pyveg.scripts.run_module import main

    store = LocalStore(tmp_path / "run")
    tasks = [_tasks()["A/Start/00000"], _tasks()["A/Start/00001"]]
    run_task(tasks[0], store)
    before = manifest.read(store, tasks[0].id)
    path = tmp_path / "task.json"
    path.write_bytes(task_file(tasks, store))
    result = CliRunner().invoke(main, ["--config_file", str(path)])
    assert result.exit_code == 0
    assert "A/Start/00000 cached" in result.output
    assert "A/Start/00001 succeeded" in result.output
    assert manifest.read(store, tasks[0].id) == before
    path.write_bytes(task_file(tasks[:1], store))  # alone, it was asked for
    assert "succeeded" in CliRunner().invoke(main, ["--config_file", str(path)]).output
