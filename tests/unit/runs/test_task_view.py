from __future__ import annotations

from pathlib import Path

import pytest

from pyveg.core.errors import RunError
from pyveg.core.execute import task_file
from pyveg.core.layout import TASK_FILES, TASK_LOGS
from pyveg.jobs.run import run_pipeline
from pyveg.runs.run import Run, open_run
from pyveg.runs.task_view import look_at_task
from pyveg.testing.graphs import fake_pipeline


@pytest.fixture
def run(tmp_path: Path) -> Run:
    pipeline = fake_pipeline(
        start={"fail": ["00001"]}, output_location=str(tmp_path / "run"), runner="serial"
    )
    return open_run(run_pipeline(pipeline).url)


def test_a_task_in_all_attempts(run: Run) -> None:
    run_pipeline(from_cache=run.url)
    view = look_at_task(run, "A/Start/00001")
    assert view.state == "failed"
    assert [one.record.state for one in view.told if one.record.state] == ["failed", "failed"]
    assert {one.attempt for one in view.told} == {1, 2}
    assert run.store.size(view.failed_key)
    assert not view.done
    done = look_at_task(run, "A/Start/00000")
    assert (done.state, done.done, done.failed_key) == ("succeeded", True, "")
    assert look_at_task(run, "A/Follow/00001").state == "blocked"


def test_one_of_a_module_that_has_told_nothing_waits(run: Run) -> None:
    assert look_at_task(run, "A/Start/00077").state == "waiting"
    for unknown in ("A/Nothing/00001", "", "A", "x/y/z"):
        with pytest.raises(RunError, match="knows no task"):
            look_at_task(run, unknown)


def test_what_its_machine_has_said(run: Run) -> None:
    tasks = [task for task in run.pipeline.plan().graph if task.step.label == "A/Start"]
    for name, part in (("Start-00000-to-00001", tasks[:2]), ("Start-00002", tasks[2:])):
        run.store.write(f"{TASK_FILES}/A_run/{name}.json", task_file(part, run.store))
        run.store.write(f"{TASK_LOGS}/A_run/{name}/stderr.txt", b"said")
    run.store.write(f"{TASK_FILES}/A_run/Start-damaged.json", b"\xff{")
    view = look_at_task(run, "A/Start/00001")
    assert view.logs == (f"{TASK_LOGS}/A_run/Start-00000-to-00001/stderr.txt",)
    assert look_at_task(run, "A/Follow/00001").logs == ()
