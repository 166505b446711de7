"""Jobs over files in a config: what they need, what they refuse, and how they are written."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError
from pyveg.core.ledger import COLUMNS, make_ledger
from pyveg.core.pipeline import Pipeline
from pyveg.core.tasks import SANE_COUNT, State, TaskResult
from pyveg.jobs.command import keep, make_settings, to_text
from pyveg.jobs.load import read_config
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import run_pipeline
from pyveg.runners.azure_batch.bundles import make_bundles
from pyveg.runs.run import open_run

COMBINER = "VegAndWeatherJsonCombiner"
JOB = {"command": ["sort", "{input}"], "inputs": ["*.csv"]}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _resolve(**changes: Any) -> Pipeline:
    settings: dict[str, Any] = {
        "output_location": "out",
        "modules_to_use": {"job": ["CommandModule"]},
        "special_config": {"CommandModule": JOB},
        **changes,
    }
    return resolve({name: value for name, value in settings.items() if value is not None})


@pytest.mark.parametrize("key", ["CommandModule", "job"])
def test_it_needs_no_place(desk: Path, key: str) -> None:
    pipeline = _resolve(special_config={key: JOB})
    (sequence,) = pipeline.sequences
    assert not sequence.scope.subject
    assert not sequence.scope.extent
    ids = [task.id for task in pipeline.plan().graph]
    assert ids == ["job/CommandModule/a.csv", "job/CommandModule/b.csv"]
    settings: Any = sequence.modules[0].settings
    assert settings.inputs == (f"{desk}/*.csv",)
    assert not pipeline.warnings


GATHER = "pyveg.testing.fakes:Gather"


def test_a_combiner_needs_no_place_either(desk: Path) -> None:
    """It gathers whatever the Sequences before it made, and its keys lie under its own name."""
    program = [sys.executable, "-c", "pass", "{input}"]
    command = {"command": program, "inputs": ["*.csv"], "allow_no_output": True}
    pipeline = _resolve(
        name="files",
        output_location=str(desk / "out"),
        runner="serial",
        modules_to_use={"job": ["CommandModule"], "combine": [GATHER]},
        special_config={"CommandModule": command},
    )
    combine = pipeline.sequences[-1]
    assert combine.depends_on == ("job",)
    assert combine.scope.root == "combine"
    report = run_pipeline(pipeline)
    assert report.exit_code == 0, report.failures()
    assert set(report.counts) == {State.SUCCEEDED}
    store = open_run(report.url).store
    assert store.read("combine/Gather/all") == b""  # CommandModule wrote nothing that it looks for


def test_a_combiner_of_places_says_that_it_needs_one(desk: Path) -> None:
    del desk
    with pytest.raises(ConfigError, match='the setting "coordinates" must be given'):
        _resolve(modules_to_use={"job": ["CommandModule"], "combine": [COMBINER]})


def test_two_jobs_in_one_config(desk: Path) -> None:
    """What is said for a Sequence goes before what is said for all of them."""
    del desk
    pipeline = _resolve(
        modules_to_use={"one": ["CommandModule"], "two": ["CommandModule"]},
        special_config={
            "one": {"inputs": ["a.csv"], "command": ["cat", "{input}"]},
            "two": {"inputs": ["b.csv"], "command": ["sort", "{input}"]},
            "CommandModule": {"retries": 2},
        },
    )
    graph = pipeline.plan().graph
    assert [task.id for task in graph] == ["one/CommandModule/a.csv", "two/CommandModule/b.csv"]
    assert [step.settings["retries"] for step in graph.steps] == [2, 2]
    assert [step.settings["command"][0] for step in graph.steps] == ["cat", "sort"]


def test_beside_a_collection(desk: Path) -> None:
    del desk
    from pyveg.configs.collections import data_collections

    pipeline = _resolve(
        modules_to_use={
            "SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"],
            "job": ["CommandModule"],
        },
        collections_to_use=["SimulatedWeather"],
        data_collections=data_collections,
        coordinates=(27.95, 11.57),
        date_range=["2016-01-01", "2016-03-01"],
    )
    names = [sequence.name for sequence in pipeline.sequences]
    assert names == ["SimulatedWeather", "job", "combine"]
    assert pipeline.sequences[-1].depends_on == ("SimulatedWeather",)
    assert len(pipeline.plan().graph) == 2 * 2 + 2 + 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"modules_to_use": {"job": ["NDVICalculator"]}}, '"coordinates" must be given'),
        ({"modules_to_use": {"job": []}}, 'modules_to_use["job"] is empty'),
        ({"modules_to_use": {}}, '"coordinates" must be given'),
        (
            {
                "modules_to_use": {
                    "job": ["CommandModule"],
                    "combine": [COMBINER],
                }
            },
            '"coordinates" must be given',
        ),
        ({"modules_to_use": {"items.csv": ["CommandModule"]}}, "kept for pyveg"),
        ({"modules_to_use": {"_pyveg": ["CommandModule"]}}, "kept for pyveg"),
        ({"special_config": {"jbo": JOB}}, 'unknown module or collection "jbo"'),
        ({"special_config": {"job": {**JOB, "timeuot": 1}}}, 'did you mean "timeout"'),
        ({"output_location": None}, '"output_location" must be given'),
    ],
)
def test_what_is_refused(desk: Path, changes: dict[str, Any], said: str) -> None:
    del desk
    with pytest.raises(ConfigError) as caught:
        _resolve(**changes)
    assert said in str(caught.value)


def test_what_has_no_effect_is_told(desk: Path) -> None:
    del desk
    (warning,) = _resolve(coordinates=(1, 2)).warnings
    assert warning.startswith('"coordinates" has no effect')


def test_its_time_limit_needs_no_engine_that_keeps_it(desk: Path) -> None:
    del desk
    pipeline = _resolve(special_config={"job": {**JOB, "timeout": 3}}, runner="serial")
    assert [step.timeout for step in pipeline.plan().graph.steps] == [None]


# Many


@pytest.mark.parametrize(
    ("count", "items_per_task", "tasks", "largest"),
    [(60, -1, 60, 1), (2500, -1, 834, 3), (2500, 100, 25, 100), (60, 7, 9, 7)],
)
def test_how_many_tasks_a_service_gets(
    desk: Path, count: int, items_per_task: int, tasks: int, largest: int
) -> None:
    names = "".join(f"{number}.csv\n" for number in range(count - 1))
    (desk / "list").write_text(f"a.csv\n{names}")
    changes = {**JOB, "inputs": ["@list"], "items_per_task": items_per_task}
    graph = _resolve(special_config={"job": changes}).plan().graph
    assert len(graph) == count
    bundles = make_bundles(list(graph), {}, (), {"job/CommandModule": count})
    assert len(bundles) == tasks <= SANE_COUNT
    assert max(len(bundle.tasks) for bundle in bundles) == largest
    assert {task.id for b in bundles for task in b.tasks} == {task.id for task in graph}


# The ledger


def test_the_ledger(desk: Path) -> None:
    (desk / 'odd "x", y\n.csv').touch()
    graph = _resolve().plan().graph
    tasks = list(graph)
    notes = {"exit_code": 0, "seconds": 1.5, "attempts": 2, "outputs": ["x", "y"]}
    results = {
        tasks[0].id: TaskResult(tasks[0].id, State.SUCCEEDED, notes=notes),
        tasks[1].id: TaskResult(tasks[1].id, State.FAILED, 'exit code 1: "a", b'),
        tasks[2].id: TaskResult(tasks[2].id, State.CANCELLED, "the run was interrupted"),
    }
    table = make_ledger(graph, results)
    assert table is not None
    rows = list(csv.DictReader(io.StringIO(table.decode(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["state"] for row in rows] == ["succeeded", "failed", "cancelled"]
    assert [row["item"] for row in rows] == [task.item.name for task in tasks]
    assert rows[0]["input"] == f"{desk}/a.csv"
    shown = {name: rows[0][name] for name in ("exit_code", "seconds", "attempts", "outputs")}
    assert shown == {"exit_code": "0", "seconds": "1.5", "attempts": "2", "outputs": "x;y"}
    assert rows[1]["reason"] == 'exit code 1: "a", b'
    assert rows[1]["exit_code"] == ""


# Written by a command


TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)


@given(st.lists(TEXT), st.dictionaries(TEXT, TEXT), st.none() | st.integers(0, 9))
def test_a_config_that_was_written_is_read_as_it_was_meant(
    tmp_path_factory: pytest.TempPathFactory,
    command: list[str],
    env: dict[str, str],
    retries: int | None,
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.py"
    given_ = {"command": tuple(command), "env": env, "retries": retries, "inputs": ("a", "b")}
    settings = make_settings({"output_location": "out", "runner": None}, given_, "job")
    path.write_text(to_text(settings), encoding="utf-8")
    assert read_config(path) == settings
    said = settings["special_config"]["job"]
    assert said.get("command", []) == command
    assert said.get("env", {}) == env
    assert said.get("retries") == retries


@pytest.mark.parametrize(
    ("given_", "name"),
    [
        ({"application": "some/my app"}, "my_app"),
        ({"repository": "https://host/x/tool.git"}, "tool"),
        ({}, "command"),
        ({"application": "combine"}, "combine_command"),
        ({"application": "/"}, "command"),
    ],
)
def test_the_name_of_a_job(given_: dict[str, str], name: str) -> None:
    assert make_settings({}, given_)["name"] == name


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "job.py"
    keep({"name": "a"}, path)
    keep({"name": "a"}, path)
    with pytest.raises(ConfigError, match="there is another"):
        keep({"name": "b"}, path)
    with pytest.raises(ConfigError, match="cannot be written"):
        keep({"name": "b"}, tmp_path / "none/job.py")
