"""What goes wrong on Dask, and what the user is told."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError, EngineError
from pyveg.core.events import EngineStatus, Event, TaskEnded, TaskStarted
from pyveg.core.ports import Grant
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.jobs.load import load_pipeline
from pyveg.jobs.run import run_pipeline
from pyveg.storage.local import LocalStore
from pyveg.testing.dask_processes import DaskProcesses
from pyveg.testing.graphs import fake_pipeline

posix = pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX systems")


@pytest.fixture
def own_processes(tmp_path: Path) -> Iterator[DaskProcesses]:
    """A scheduler that a test may harm."""
    with DaskProcesses(tmp_path / "dask") as processes:
        yield processes


def _run(folder: Path, scheduler: str = "local", **more: Any) -> RunReport:
    observers = more.pop("observers", ())
    pipeline = fake_pipeline(
        output_location=str(folder / "run"),
        runner="dask",
        engines={"dask": {"scheduler": scheduler}},
        **more,
    )
    return run_pipeline(pipeline, observers=observers)


def _when(count: int, act: Callable[[], None]) -> Callable[[Event], None]:
    """An observer that does something once, when that many Tasks have begun."""
    begun: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, TaskStarted):
            begun.append(event.task.id)
            if len(begun) == count:
                threading.Thread(target=act).start()

    return watch


def _at_first_end(act: Callable[[], None]) -> Callable[[Event], None]:
    """An observer that does something before any Task of a second Module can go out."""
    acted: list[bool] = []

    def watch(event: Event) -> None:
        if isinstance(event, TaskEnded) and not acted:
            acted.append(True)
            act()

    return watch


@posix
def test_a_worker_that_is_killed_loses_nothing(
    dask_processes: DaskProcesses, tmp_path: Path
) -> None:
    victim = next(iter(dask_processes.worker_ids().values()))
    ended: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, TaskEnded):
            ended.append(event.task.id)

    report = _run(
        tmp_path,
        dask_processes.address,
        start={"count": 12, "seconds": 0.3},
        observers=[_when(3, lambda: os.kill(victim, signal.SIGKILL)), note],
    )
    assert report.exit_code == 0
    assert report.counts == {State.SUCCEEDED: 27}
    assert len(ended) == len(set(ended)) == 27
    assert victim not in dask_processes.worker_ids().values()


@posix
def test_a_task_that_kills_its_worker_fails_alone(tmp_path: Path) -> None:
    """On workers of this machine."""
    report = _run(tmp_path, start={"count": 12, "die": ["00004", "00005"]}, n_workers=2)
    failed = {id_ for id_, result in report.results.items() if result.state is State.FAILED}
    assert failed == {"A/Start/00004", "A/Start/00005"}
    assert "its worker process died" in report.results["A/Start/00004"].reason
    assert report.counts == {State.FAILED: 2, State.BLOCKED: 2, State.SUCCEEDED: 23}


@pytest.mark.slow
@posix
def test_a_program_that_needs_more_than_a_worker_has(
    own_processes: DaskProcesses, tmp_path: Path
) -> None:
    """It is refused where it says so, and ended where it does not; its item is named."""
    own_processes.add_workers(1, memory_limit="300MB")
    code = "import sys, time; held = bytearray(600 * 2**20); time.sleep(1)"
    (tmp_path / "large.txt").write_text("x")

    def reason(needs: dict[str, float]) -> str:
        config = {
            "name": "hungry",
            "output_location": str(tmp_path / "out"),
            "engines": {"dask": {"scheduler": own_processes.address}},
            "modules_to_use": {"job": ["CommandModule"]},
            "special_config": {
                "CommandModule": {
                    "run_mode": "dask",
                    "command": [sys.executable, "-c", code, "{input}"],
                    "inputs": [str(tmp_path / "large.txt")],
                    "resources": needs,
                }
            },
        }
        report = run_pipeline(load_pipeline(config))
        (result,) = report.results.values()
        assert result.state is State.FAILED
        assert report.failures()[0].startswith("large.txt: ")
        return result.reason

    assert reason({"memory_gb": 0.6}).startswith(
        "it needs 0.6 GiB of memory (resources), and no worker may have more than 0.28;"
    )
    assert reason({"memory_gb": 0.2}).startswith(
        "it took more memory than the 0.2 GiB that it may have"
    )


@posix
def test_a_task_that_kills_every_worker_of_a_scheduler(
    own_processes: DaskProcesses, tmp_path: Path
) -> None:
    """Those beside it, in threads of the same workers, have nothing to do with it."""
    own_processes.add_workers(1, threads=3)
    report = _run(
        tmp_path, own_processes.address, start={"count": 9, "seconds": 0.1, "die": ["00004"]}
    )
    assert report.counts == {State.FAILED: 1, State.BLOCKED: 1, State.SUCCEEDED: 19}
    assert "its worker process died" in report.results["A/Start/00004"].reason


@posix
def test_a_scheduler_that_goes_away(
    own_processes: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyveg.runners.dask.cluster.PATIENCE", 2.0)
    own_processes.add_workers(1)
    told: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, EngineStatus) and event.urgent:
            told.append(event.text)

    report = _run(
        tmp_path,
        own_processes.address,
        start={"count": 20, "seconds": 0.2},
        observers=[_when(4, own_processes.kill_scheduler), note],
    )
    assert report.exit_code == 1
    reasons = {r.reason for r in report.results.values() if r.state is State.FAILED}
    (reason,) = reasons
    assert reason.startswith(f"the Dask scheduler {own_processes.address} went away")
    assert told[0].startswith("dask: the workers are shown at http://")
    assert told[1:] == [f"dask: {reason}"]
    done = report.counts[State.SUCCEEDED]
    assert 0 < done < 40
    again = run_pipeline(from_cache=report.url, runner="threads")
    assert again.exit_code == 0
    assert again.counts[State.CACHED] >= done


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyveg.runners.dask.cluster.PATIENCE", 1.0)
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        begin = time.monotonic()
        with pytest.raises(EngineError, match=f"no Dask scheduler answers at {address}"):
            _run(tmp_path, address)
    assert time.monotonic() - begin < 60


def _preload(folder: Path, text: str) -> Path:
    script = folder / "preload.py"
    script.write_text(text)
    return script


SAYS = """
import sys, distributed.versions as there
if not hasattr(there, "real"):  # Dask runs a preload script more than once
    there.real = there.get_package_info
there.get_package_info = lambda names: {{**there.real(names), "pyveg": {version!r}}}
"""
OTHER_PYVEG = SAYS.format(version="1.9")
BROKEN_PYVEG = "import sys; sys.modules['pyveg'] = None"
WITHOUT_PYVEG = SAYS.format(version=None) + BROKEN_PYVEG


def test_a_worker_without_pyveg(own_processes: DaskProcesses, tmp_path: Path) -> None:
    own_processes.add_workers(1, preload=_preload(tmp_path, WITHOUT_PYVEG))
    words = r"the worker tcp://\S+ cannot be used: it has no pyveg; install pyveg 2\.\S+ there"
    with pytest.raises(EngineError, match=words):
        _run(tmp_path, own_processes.address)


def test_a_worker_without_pyveg_that_comes_during_the_run(
    own_processes: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask parts with a worker that cannot even read a Task; others do what it was given.

    Such a worker logs the bytes that it was sent; secrets must not be among them.
    """
    secrets = {"PYVEG_TEST": "sig=very-secret"}
    monkeypatch.setattr(LocalStore, "grant", lambda *_: Grant(secrets))
    own_processes.add_workers(1)
    script = _preload(tmp_path, BROKEN_PYVEG)
    report = _run(
        tmp_path,
        own_processes.address,
        start={"count": 15},
        follow={"seconds": 0.1},
        observers=[_at_first_end(lambda: own_processes.add_workers(1, preload=script))],
    )
    assert report.exit_code == 0
    assert report.counts == {State.SUCCEEDED: 33}
    assert "Failed to deserialize" in own_processes.log
    assert "very-secret" not in own_processes.log
    assert "very-secret" not in "".join(own_processes.variables("PYVEG_TEST"))


def test_workers_that_come_during_the_run(own_processes: DaskProcesses, tmp_path: Path) -> None:
    """First there is none; one that is good is told of the run; one of another version ends it."""
    script = _preload(tmp_path, OTHER_PYVEG)
    told: list[str] = []

    def add_the_first(event: Event) -> None:
        if isinstance(event, EngineStatus):
            told.append(event.text)
            if event.text.endswith("; tasks wait until some are started"):
                own_processes.add_workers(1)

    report = _run(
        tmp_path,
        own_processes.address,
        start={"count": 15},
        follow={"seconds": 0.1},
        observers=[
            add_the_first,
            _at_first_end(lambda: own_processes.add_workers(1, preload=script)),
        ],
    )
    assert told[1].endswith("; tasks wait until some are started")
    assert report.counts[State.SUCCEEDED] >= 15
    (reason,) = {r.reason for r in report.results.values() if r.state is State.FAILED}
    assert "cannot be used: it has pyveg 1.9" in reason
    assert "then finish the run with --from_cache" in reason
    assert told.count(f"dask: {reason}") == 1
    assert run_pipeline(from_cache=report.url, runner="threads").exit_code == 0


def test_workers_that_see_another_folder(
    dask_processes: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    elsewhere = str(tmp_path / "elsewhere")
    monkeypatch.setattr(LocalStore, "spec", lambda _: {"type": "local", "path": elsewhere})
    with pytest.raises(EngineError, match=rf"does not see the files of the run at {elsewhere}"):
        _run(tmp_path, dask_processes.address)


def test_a_store_that_workers_cannot_reach(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='leave out run_mode = "dask" or another'):
        run_pipeline(
            fake_pipeline(
                start={"run_mode": "dask"},
                output_location="x",
                output_location_type="memory",
                runner="threads",
            )
        )
    del tmp_path
