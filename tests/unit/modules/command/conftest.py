"""A Task of a command, run without an engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.execute import run_task
from pyveg.core.pipeline import Pipeline
from pyveg.core.tasks import TaskResult
from pyveg.jobs.dispatch import Dispatch
from pyveg.jobs.resolve import resolve
from pyveg.storage.local import LocalStore

SHOW = """
import json, os, sys
json.dump({"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd(),
           "python": sys.executable}, open(os.path.join(sys.argv[1], "seen.json"), "w"))
"""
"""A program that tells what it was given; its first argument is the output folder."""


@pytest.fixture(autouse=True)
def _own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made once per machine is made once per test."""
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path / "cache"))
    for name in ("PYVEG_ENVIRONMENTS", "AZ_BATCH_NODE_SHARED_DIR", "AZ_BATCH_TASK_WORKING_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_pipeline(tmp_path: Path) -> Callable[..., Pipeline]:
    """A job with one input, an application that tells what it sees, and changes."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a b.csv").write_text("1\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/show.py").write_text(SHOW)

    def make(**changes: Any) -> Pipeline:
        settings = {
            "application": str(tmp_path / "app"),
            "command": ["python", "show.py", "{output_dir}", "{input}"],
            "inputs": [str(tmp_path / "data/*")],
            **changes,
        }
        return resolve(
            {
                "output_location": str(tmp_path / "out"),
                "modules_to_use": {"job": ["CommandModule"]},
                "special_config": {"job": settings},
            }
        )

    return make


class OneRun:
    """Runs the Tasks of a job one after the other, in a Store of its own."""

    def __init__(self, make: Callable[..., Pipeline], folder: Path) -> None:
        self._make = make
        self.folder = folder
        self.store = LocalStore(folder)

    def __call__(self, **changes: Any) -> list[TaskResult]:
        tasks = list(self._make(**changes).plan().graph)
        refused = Dispatch(self.store, {}, [].append).prepare(tasks)
        assert not refused
        return [run_task(task, self.store) for task in tasks]


@pytest.fixture
def run(make_pipeline: Callable[..., Pipeline], tmp_path: Path) -> OneRun:
    """Runs such a job with changed settings; gives the results of its Tasks."""
    return OneRun(make_pipeline, tmp_path / "run")
