"""What any process sees of a run on Azure Batch while it lasts."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from pyveg import open_run
from pyveg.core.errors import EngineError
from pyveg.core.events import Event
from pyveg.core.ports import EngineView
from pyveg.jobs.run import run_pipeline
from pyveg.runners.azure_batch import packages
from pyveg.runners.azure_batch.engine import AzureBatchEngine
from pyveg.storage import azure
from pyveg.testing.gate import Gate
from pyveg.testing.graphs import fake_pipeline


def _until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.05)
    return found


class _Run:
    """A run in a thread, whose tasks on Batch wait at a gate."""

    def __init__(self, gate: Gate, **start: Any) -> None:
        start = {"run_mode": "batch", "gate": str(gate.folder), **start}
        self._gate = gate
        self._pipeline = fake_pipeline(
            start=start,
            follow={"run_mode": "batch"},
            output_location=f"look-{uuid.uuid4().hex[:8]}",
            output_location_type="azure",
            runner="threads",
        )
        self._names: list[str] = []
        self.report: Any = None
        self._thread = threading.Thread(target=self._main)

    def _main(self) -> None:
        self.report = run_pipeline(self._pipeline, observers=[self._watch])

    def _watch(self, event: Event) -> None:
        url = getattr(event, "url", "")
        if url:
            self._names.append(url.removeprefix("azure://"))

    def __enter__(self) -> _Run:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.open()
        self._thread.join()

    def ask_to_stop(self) -> None:
        (name,) = self._names
        open_run(f"azure://{name}").ask_to_stop()

    def look(self) -> EngineView:
        (name,) = _until(lambda: self._names)
        view = AzureBatchEngine.look(AzureBatchEngine.Settings(), azure.open_store(name))
        assert view is not None
        return view


def test_nodes_tasks_and_their_logs(make_cloud: Any, gate: Gate) -> None:
    cloud = make_cloud()
    with _Run(gate, count=1) as run:
        gate.wait_for("00000")
        view = run.look()
        (node,) = view.nodes()
        assert (node.state, node.reason) == ("running", "")
        (work,) = view.running()
        assert (work.task_ids, work.node) == (("A/Start/00000",), node.id)
        assert work.since is not None
        assert node.since is not None
        (log,) = cloud.node_folders.glob("**/workitems/*/job-1/Start-00000/stderr.txt")
        with log.open("a") as file:
            file.write("x" * 20_000 + " half done")
        said = view.log("A/Start/00000")
        assert said.endswith("x half done")
        assert len(said) < 5_000
        assert view.log("A/Start/00007") == ""
        assert view.node_log(node.id) == ""  # it is set up
    assert run.report.exit_code == 0
    assert view.running() == []


def test_tasks_that_one_task_of_the_service_does(make_cloud: Any, gate: Gate) -> None:
    make_cloud()
    with _Run(gate, count=3, n_batch_tasks=1) as run:
        gate.wait_for("00000")
        (work,) = run.look().running()
        assert work.task_ids == ("A/Start/00000", "A/Start/00001", "A/Start/00002")
    assert run.report.exit_code == 0


def test_a_node_that_sets_itself_up(
    make_cloud: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cloud()
    whole = packages.make_delivery

    def slow(*told: Any) -> packages.Delivery:
        files = whole(*told).files
        wait = f"echo unpacking; while [ ! -e {gate.folder}/open ]; do sleep 0.1; done\n"
        return packages.Delivery({**files, packages.SCRIPT: wait.encode() + files[packages.SCRIPT]})

    monkeypatch.setattr("pyveg.runners.azure_batch.runner.make_delivery", slow)
    with _Run(gate, count=1) as run:
        view = run.look()
        (node,) = _until(view.nodes)
        assert _until(lambda: view.node_log(node.id)) == "unpacking"
        assert view.running() == []
        run.ask_to_stop()  # what it would set up is not needed
    assert run.report.interrupted


def test_an_account_that_lets_nobody_in(make_cloud: Any) -> None:
    cloud = make_cloud()
    view = AzureBatchEngine.look(AzureBatchEngine.Settings(), azure.open_store("look-at-nothing"))
    assert view is not None
    assert view.nodes() == []
    cloud.batch.rotate_key()
    for ask in (view.nodes, view.running, lambda: view.log("A/B/1"), lambda: view.node_log("n")):
        with pytest.raises(EngineError, match="the key of the Batch account is wrong"):
            ask()
