from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError
from pyveg.core.layout import LONGEST_PART, item_folder, meeting_point, older_task_id
from pyveg.core.tasks import Step, Task, TaskGraph
from pyveg.core.types import Item, Scope


def _step(module: str = "Thing", **changes: object) -> Step:
    step = Step(module, 1, Scope("S"), {"a": 1, "run_mode": "local"}, {"a": 1})
    return replace(step, **changes)  # type: ignore[arg-type]


def _task(name: str, after: tuple[str, ...] = (), **more: object) -> Task:
    return Task(_step(), Item(name), after, **more)  # type: ignore[arg-type]


def test_an_id_tells_sequence_module_and_item() -> None:
    step = _step("package.module:Thing", scope=Scope("a/b"))
    assert Task(step, Item("2020-01-16")).id == "a-b/Thing/2020-01-16"


def test_json_both_ways() -> None:
    subject = {"place": {"longitude": 27, "latitude": 11.5}}
    scope = Scope("S2", "gee_27_11.5_S2", subject, {"start": "2020-01-01"})
    task = Task(
        _step(scope=scope, timeout=2.5),
        Item("2020-01-16", {"start": "2020-01-01", "end": "2020-02-01"}),
        after=("S2/Other/2020-01-16",),
        after_any=("x/y/z",),
        fingerprint="abc",
        missing={"x/y/z": "failed: why"},
    )
    step = Step.from_json(json.loads(json.dumps(task.step.to_json())))
    again = Task.from_json(json.loads(json.dumps(task.to_json(1))), [_step(), step])
    assert again == task
    assert again.id == task.id
    assert again.step.identity == task.step.identity
    assert again.step.scope.root == "gee_27_11.5_S2"


def test_identity_changes_with_what_can_change_results() -> None:
    base = _step()
    assert _step(settings={"a": 1, "run_mode": "batch"}).identity == base.identity
    assert _step(timeout=3.0, replace=True, run_mode="dask").identity == base.identity
    assert _step(version=2).identity != base.identity
    assert _step(result_settings={"a": 2}).identity != base.identity
    assert _step(scope=Scope("S", subject={"place": 1})).identity != base.identity
    assert _step(scope=Scope("S", extent={"end": "2021-01-01"})).identity == base.identity


def test_tasks_stand_behind_those_they_wait_for() -> None:
    graph = TaskGraph([_task("b", ("S/Thing/a",)), _task("a")])
    assert [task.item.name for task in graph] == ["a", "b"]
    assert graph.dependants["S/Thing/a"] == ["S/Thing/b"]
    assert len(graph.steps) == 2


def test_two_tasks_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match='"S/Thing/a"'):
        TaskGraph([_task("a"), _task("a")])


def test_waiting_for_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="which is not there"):
        TaskGraph([_task("a", ("S/Thing/x",))])


def test_a_circle_is_refused() -> None:
    with pytest.raises(ConfigError, match="in a circle"):
        TaskGraph([_task("a", ("S/Thing/b",)), _task("b", ("S/Thing/a",))])


def test_long_names_of_items_stay_apart() -> None:
    """On a disk that takes 255 bytes in a name, with an ending."""
    names = ["ü" * 200 + end for end in ("", "a", "b", "ü")]
    folders = {item_folder(name) for name in names}
    assert len(folders) == len(names)
    assert all(LONGEST_PART - 4 < len(folder.encode()) <= LONGEST_PART for folder in folders)


@given(st.text(min_size=1).filter(lambda text: "\x00" not in text and text.isprintable()))
def test_any_item_is_one_safe_path_part(name: str) -> None:
    folder = item_folder(name)
    assert folder
    assert "/" not in folder
    assert "\\" not in folder
    assert folder[-1] not in ". "
    assert unquote(folder) == name or len(folder.encode()) > LONGEST_PART - 4
    assert len(folder.encode()) <= LONGEST_PART


@pytest.mark.parametrize(
    "name",
    [
        "Ümlaut größe.csv",
        "気温_2020.csv",
        "हिन्दी.csv",
        "العربية.csv",
        "עברית.csv",
        "ไทย.csv",
        "n\u0303.csv",
    ],
)
def test_letters_of_every_script_stay_readable(name: str) -> None:
    assert item_folder(name) == name


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("a\u202eb", "a%E2%80%AEb"),
        ("a\u200bb", "a%E2%80%8Bb"),
        ("a\u3164", "a%E3%85%A4"),
        ("é\x1b", "é%1B"),
        ("é/è", "é%2Fè"),
        ("é%41", "é%2541"),
        ("🌿", "%F0%9F%8C%BF"),
        ("x\udcff", "x%FF"),
        ("a b", "a b"),
        ("2020-01-01", "2020-01-01"),
        ("CON.csv", "%43ON.csv"),
        ("aux", "%61ux"),
        ("lpt1.tar.gz", "%6Cpt1.tar.gz"),
        ("COM\u00b9", "%43OM\u00b9"),
        ("nul .txt", "%6Eul .txt"),
        ("console.csv", "console.csv"),
        ("x.", "x%2E"),
        ("x ", "x%20"),
    ],
)
def test_all_else_is_encoded(name: str, folder: str) -> None:
    assert item_folder(name) == folder


def test_ids_of_runs_of_before_are_known() -> None:
    assert older_task_id("größe/CommandModule/größe %23.csv") == (
        "größe/CommandModule/gr%C3%B6%C3%9Fe %23.csv"
    )
    assert older_task_id("S/M/2020-01-01") == "S/M/2020-01-01"


def test_names_that_would_meet_have_one_meeting_point() -> None:
    assert meeting_point("README.csv") == meeting_point("readme.csv")
    assert meeting_point("e\u0301") == meeting_point("É")
    assert meeting_point("a") != meeting_point("b")


@given(st.lists(st.text(min_size=1).filter(str.isprintable), unique=True))
def test_items_of_different_names_have_different_folders(names: list[str]) -> None:
    assert len({item_folder(name) for name in names}) == len(names)
