"""What worker processes are given."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from pyveg.core.ports import EngineSettings, Grant
from pyveg.runners.processes import ProcessRunner, _step_in
from pyveg.storage.local import LocalStore
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline, work_of
from pyveg.testing.runner_contract import Reports


def test_a_worker_reads_each_step_once() -> None:
    graph = fake_pipeline().plan().graph
    runner = ProcessRunner(EngineSettings(), work_of(graph, MemoryStore()))
    steps = graph.steps
    sent = [runner._pickled(step) for step in steps]
    assert [_step_in(data) for data in sent] == steps
    assert runner._pickled(steps[0]) is sent[0]
    arrived = pickle.loads(pickle.dumps(sent[0]))  # other bytes of the same content
    assert _step_in(arrived) is _step_in(sent[0])


def test_workers_find_themselves_where_the_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their server process was started once, elsewhere and before anything of this was set."""
    store = LocalStore(tmp_path / "run")
    monkeypatch.setattr(LocalStore, "grant", lambda *_: Grant({"PYVEG_TEST_RIGHT": "granted"}))
    monkeypatch.setenv("PYVEG_TEST_VARIABLE", "set late")
    monkeypatch.chdir(tmp_path)
    runner = ProcessRunner(EngineSettings(), work_of(fake_pipeline().plan().graph, store))
    runner.start(store, Reports())
    executor = runner._make_executor()
    try:
        assert executor.submit(os.getcwd).result(60) == str(tmp_path)
        assert executor.submit(os.getenv, "PYVEG_TEST_VARIABLE").result(60) == "set late"
        assert executor.submit(os.getenv, "PYVEG_TEST_RIGHT").result(60) == "granted"
        assert executor.submit(os.getenv, "OMP_NUM_THREADS").result(60) == "1"
        assert "granted" not in repr(runner._surroundings())
    finally:
        executor.shutdown()
        runner.close()
