"""What worker processes are given."""

from __future__ import annotations

import pickle

from pyveg.core.ports import EngineSettings
from pyveg.runners.processes import ProcessRunner, _step_in
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline, work_of


def test_a_worker_reads_each_step_once() -> None:
    graph = fake_pipeline().plan().graph
    runner = ProcessRunner(EngineSettings(), work_of(graph, MemoryStore()))
    steps = graph.steps
    sent = [runner._pickled(step) for step in steps]
    assert [_step_in(data) for data in sent] == steps
    assert runner._pickled(steps[0]) is sent[0]
    arrived = pickle.loads(pickle.dumps(sent[0]))  # other bytes of the same content
    assert _step_in(arrived) is _step_in(sent[0])
