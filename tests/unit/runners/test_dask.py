"""The parts of the engine of Dask that need no scheduler."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError, EngineError
from pyveg.core.pipeline import Pipeline
from pyveg.core.ports import Store
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.jobs import engines
from pyveg.runners.dask import child_processes, worker, worker_checks
from pyveg.runners.dask.cluster import address_of
from pyveg.runners.dask.messages import Chunk, ended, results_in
from pyveg.runners.dask.opening import Opening
from pyveg.runners.dask.runner import DaskRunner
from pyveg.runners.dask.settings import DaskSettings
from pyveg.runners.dask.sizes import MOST, SECONDS, Sizes
from pyveg.runners.dask.worker_checks import Unfit
from pyveg.runners.environment import environment
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.local import LocalStore
from pyveg.testing.graphs import fake_pipeline, work_of
from pyveg.testing.runner_contract import Reports

SECRET = "sig=very-secret"


def _tasks(**start: Any) -> list[Task]:
    graph = fake_pipeline(start=start).plan().graph
    return [task for task in graph if task.id.startswith("A/Start")]


def _results(tasks: list[Task], seconds: float, state: State = State.SUCCEEDED) -> list[TaskResult]:
    return [TaskResult(task.id, state, seconds=seconds) for task in tasks]


# What travels


@given(
    st.lists(
        st.tuples(st.sampled_from(State), st.text(), st.floats(0, 1e6), st.text(), st.booleans()),
        min_size=3,
        max_size=3,
    )
)
def test_results_arrive_as_they_were(told: list[tuple[State, str, float, str, bool]]) -> None:
    import msgpack

    tasks = _tasks(count=3)
    chunk = Chunk("run", 7, tuple(tasks))
    results = [
        TaskResult(task.id, state, reason, seconds, details, shared=shared)
        for task, (state, reason, seconds, details, shared) in zip(tasks, told, strict=True)
    ]
    token, number, plain = msgpack.unpackb(msgpack.packb(ended(chunk, results)))
    assert (token, number) == ("run", 7)
    assert results_in(chunk, plain) == results


def test_no_text_and_no_errand_holds_a_secret(tmp_path: Path) -> None:
    opening = Opening("run", LocalStore(tmp_path).spec(), {"X_SAS": SECRET})
    assert "very-secret" not in repr(opening)
    chunk = Chunk(opening.token, 1, tuple(_tasks(count=2)))
    assert b"very-secret" not in pickle.dumps(chunk)


# How many together


@given(st.floats(0, 1e4), st.integers(0, 10**6), st.integers(0, 5000))
def test_sizes_are_within_their_limits(seconds: float, waiting: int, threads: int) -> None:
    tasks = _tasks(count=1)
    sizes = Sizes()
    assert sizes.of(tasks[0], waiting, threads) == 1
    sizes.learn(tasks[0], _results(tasks, seconds))
    size = sizes.of(tasks[0], waiting, threads)
    assert 1 <= size <= MOST
    assert size == 1 or size * seconds <= SECONDS
    assert size == 1 or (size - 1) * 2 * max(threads, 1) <= waiting


def test_short_tasks_travel_together_and_failures_teach_nothing() -> None:
    (task,) = _tasks(count=1)
    sizes = Sizes()
    sizes.learn(task, _results([task], 0.0, State.FAILED))
    assert sizes.of(task, 10**6, 4) == 1
    sizes.learn(task, _results([task], SECONDS / 50))
    assert sizes.of(task, 10**6, 4) == 50
    sizes.learn(task, _results([task], 60.0))
    assert sizes.of(task, 10**6, 4) == 1


# Which workers can be used


def _versions(**workers: dict[str, str | None]) -> dict[str, Any]:
    here = {"python": "3.11.7.final.0", "pyveg": "2.0", "numpy": "2.4.0", "dask": "2026.8.0"}
    return {
        "client": {"packages": here},
        "scheduler": {"packages": {**here, **workers.pop("scheduler", {})}},
        "workers": {name: {"packages": {**here, **more}} for name, more in workers.items()},
    }


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ({"pyveg": None}, "it has no pyveg; install pyveg 2.0 there and start it again"),
        ({"pyveg": "1.9"}, "it has pyveg 1.9, and 2.0 is here; install pyveg 2.0 there"),
        (
            {"python": "3.12.1.final.0"},
            "it has Python 3.12, and 3.11 is here; install Python 3.11 there",
        ),
        ({"python": "3.12.1.final.0", "pyveg": None}, "it has no pyveg;"),
    ],
)
@pytest.mark.parametrize("name", ["scheduler", "w"])
def test_other_versions_are_refused(there: dict[str, str | None], reason: str, name: str) -> None:
    (found,) = worker_checks.wrong_versions(_versions(**{name: there}))
    assert found.name == {"scheduler": "the scheduler", "w": "the worker w"}[name]
    assert found.reason.startswith(reason)


def test_equal_versions_pass_whatever_the_last_number_of_python() -> None:
    assert not list(worker_checks.wrong_versions(_versions(w={"python": "3.11.2.final.0"})))


def test_packages_that_may_change_numbers_are_told() -> None:
    versions = _versions(
        scheduler={"numpy": "1.0"}, w={"numpy": "2.1.0"}, x={"numpy": "2.2.0"}, y={"dask": "2025.1"}
    )
    assert list(worker_checks.different_numbers(versions)) == [
        "the worker w (and 1 more) has numpy 2.1.0, and 2.4.0 is here; this may give other numbers",
        "the worker y has dask 2025.1, and 2026.8.0 is here; this may fail",
    ]


def test_answers_of_workers_become_one_sentence() -> None:
    answers = {
        "tcp://a": "",
        "tcp://b": "it sees nothing",
        "tcp://c": ModuleNotFoundError("No module named 'mine'"),
        "tcp://d": OSError("gone meanwhile"),
    }
    found = list(worker_checks.refusals(answers))
    assert found == [
        Unfit("the worker tcp://b", "it sees nothing"),
        Unfit(
            "the worker tcp://c",
            "ModuleNotFoundError: No module named 'mine'; install there what is installed here",
        ),
    ]
    assert worker_checks.sentence(found) == (
        "the worker tcp://b (and 1 more) cannot be used: it sees nothing"
    )


# On a worker


def _prepare(opening: Opening, *modules: str) -> str:
    return worker._prepare(opening, modules)


def test_a_worker_that_sees_the_run(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    opening = Opening("seen", store.spec(), {"PYVEG_TEST": SECRET})
    store.write(opening.marker, b"")
    assert _prepare(opening, "NDVICalculator") == ""
    assert "PYVEG_TEST" not in os.environ


def test_a_worker_that_lacks_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyveg.runners.dask.opening._LATE", 0.0)
    store = LocalStore(tmp_path / "here")
    opening = Opening("unseen", store.spec())
    assert _prepare(opening).startswith(f"it does not see the files of the run at {tmp_path}/here;")
    store.write(opening.marker, b"")
    assert "mine.modules" in _prepare(opening, "mine.modules:Mine")
    odd = Opening("odd", {"type": "gopher"})
    assert 'it cannot open the run: unknown store "gopher"' in _prepare(odd)


def test_variables_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVEG_TEST_A", "before")
    monkeypatch.delenv("PYVEG_TEST_B", raising=False)
    with environment({"PYVEG_TEST_A": "1", "PYVEG_TEST_B": "2"}):
        assert (os.environ["PYVEG_TEST_A"], os.environ["PYVEG_TEST_B"]) == ("1", "2")
    assert os.environ["PYVEG_TEST_A"] == "before"
    assert "PYVEG_TEST_B" not in os.environ


# In a process of its own


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[Opening]:
    yield Opening("apart", LocalStore(tmp_path).spec())
    child_processes.end_idle()


def test_a_child_serves_until_it_is_ended(opening: Opening, tmp_path: Path) -> None:
    """One process does Task after Task; one that dies or leaves is replaced."""
    tasks = _tasks(count=4, die=["00002"], seconds=0.0)
    assert child_processes.run(tasks[0], opening).state is State.SUCCEEDED
    (first,) = child_processes._idle["apart"]
    assert child_processes.run(tasks[1], opening).state is State.SUCCEEDED
    assert child_processes._idle["apart"] == [first]
    if os.name != "nt":
        assert "process died" in child_processes.run(tasks[2], opening).reason
        assert not child_processes._idle.get("apart")
    assert child_processes.run(tasks[3], opening).state is State.SUCCEEDED
    (last,) = child_processes._idle["apart"]
    os.kill(last._process.pid, signal.SIGTERM)  # as when it has waited for too long
    last._process.wait()
    assert child_processes.run(tasks[0], opening).state is State.SUCCEEDED
    assert LocalStore(tmp_path).read("A/Start/00003") == b"00003"


def test_a_child_that_takes_too_long_is_ended(opening: Opening) -> None:
    (task,) = _tasks(count=1, timeout=0.5 / 60, seconds=90.0)
    result = child_processes.run(task, opening)
    assert result.state is State.FAILED
    assert 'its time limit of 0:00:00.500000; raise "timeout"' in result.reason


def test_a_child_that_cannot_begin(opening: Opening) -> None:
    del opening
    odd = Opening("odd", {"type": "gopher"})
    assert "process died" in child_processes.run(_tasks(count=1)[0], odd).reason


# The config


def _pipeline(scheduler: str, **more: Any) -> Pipeline:
    return fake_pipeline(engines={"dask": {"scheduler": scheduler}}, **{"runner": "dask", **more})


def _check(scheduler: str, store: Store | None = None) -> list[str]:
    pipeline = _pipeline(scheduler)
    return engines.check(pipeline, pipeline.plan().graph, store or LocalStore("nowhere"))


@pytest.mark.parametrize(
    "scheduler", ["tcp://10.0.0.1:8786", "tls://host.example:1", "tcp://[::1]:8786", "local"]
)
def test_addresses(scheduler: str) -> None:
    assert _check(scheduler) == []
    again = Pipeline.from_json(_pipeline(scheduler).to_json())
    assert again.engines == {"dask": {"scheduler": scheduler}}


@pytest.mark.parametrize(
    "scheduler", ["", "host", "host:8786", "tcp://host", "tcp://host:x", "://"]
)
def test_no_address(scheduler: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a scheduler; give"):
        _check(scheduler)


def test_a_file_of_a_scheduler(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.json"
    with pytest.raises(ConfigError, match=r"there is no file .*scheduler\.json; start a scheduler"):
        _check(str(path))
    path.write_text("{}")
    with pytest.raises(EngineError, match="does not tell where a scheduler is"):
        address_of(str(path))
    path.write_text('{"address": "tcp://1.2.3.4:5"}')
    assert address_of(str(path)) == "tcp://1.2.3.4:5"
    assert _check(str(path)) == []


def test_a_scheduler_that_no_module_uses_is_told() -> None:
    (note,) = _pipeline("tcp://host:1", runner="processes").plan().warnings
    assert note.startswith('engines["dask"] (scheduler) has no effect: no Module has run_mode')


@pytest.mark.parametrize(
    ("scheduler", "told"),
    [
        ("local", False),
        ("tcp://127.0.0.1:8786", False),
        ("tcp://localhost:8786", False),
        ("tls://host:8786", False),
        ("tcp://10.0.0.1:8786", True),
        ("ws://host:8786", True),
    ],
)
def test_a_sas_that_goes_unencrypted_is_told(scheduler: str, told: bool) -> None:
    notes = _check(scheduler, AzureBlobStore("https://me.blob.core.windows.net", "run"))
    assert [f"azure://run goes to {scheduler} unencrypted" in note for note in notes] == [
        True
    ] * told


def test_one_engine_for_local_and_dask_modules(tmp_path: Path) -> None:
    pipeline = fake_pipeline(start={"run_mode": "dask"}, runner="dask")
    made = engines.make(pipeline, pipeline.plan().graph, LocalStore(tmp_path))
    assert set(made) == {"dask", "local"}
    assert made["dask"] is made["local"]


# The engine without a scheduler


def test_nothing_is_started_where_nothing_is_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DaskRunner, "_work", _must_not)
    runner = _engine(tmp_path)
    runner.start(LocalStore(tmp_path), Reports())
    runner.close()
    assert not list(tmp_path.iterdir())


def test_workers_that_cannot_be_started_fail_what_waits_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DaskRunner, "_work", _must_not)
    runner, listener = _engine(tmp_path), Reports()
    runner.start(LocalStore(tmp_path), listener)
    first, second = _tasks(count=2)
    runner.submit([first])
    runner._thread.join()
    runner.submit([second])
    assert [result.reason for result in listener.reports] == ["OSError: no more processes"] * 2
    runner.close()


def _engine(folder: Path) -> DaskRunner:
    graph = fake_pipeline().plan().graph
    return DaskRunner(DaskSettings(), work_of(graph, LocalStore(folder)))


async def _must_not(_: DaskRunner) -> None:
    raise OSError("no more processes")
