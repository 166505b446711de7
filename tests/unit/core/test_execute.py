from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyveg.core import manifest
from pyveg.core.execute import describe, read_task_file, run_task, task_file
from pyveg.core.layout import failed_task_key, manifest_key
from pyveg.core.tasks import State, Task
from pyveg.storage.local import LocalStore
from pyveg.storage.memory import MemoryStore
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
    assert set(data) == {"tasks", "store"}
    assert data["store"] == {"type": "local", "path": str(tmp_path)}


def test_facts_of_a_task_come_back_with_it() -> None:
    """Also those of one that failed."""
    from pyveg.core.module import Job
    from pyveg.testing.fakes import Start, StartSettings

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
