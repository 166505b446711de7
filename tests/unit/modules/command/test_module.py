"""CommandModule: what a program is given, what is kept of it, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core import manifest
from pyveg.core.coordinator import Coordinator
from pyveg.core.errors import ConfigError, RunError, StoreError
from pyveg.core.execute import run_task
from pyveg.core.layout import item_folder
from pyveg.core.pipeline import Pipeline
from pyveg.core.ports import Runner
from pyveg.core.tasks import State, Task, TaskGraph
from pyveg.core.types import Item
from pyveg.jobs.dispatch import Dispatch, is_far
from pyveg.modules.command import outputs, sending
from pyveg.storage.memory import MemoryStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="commands need Linux or macOS")

KEY = "job/a b.csv"


def _python(code: str, *arguments: str) -> dict[str, Any]:
    return {"command": ["python", "-c", code, *arguments]}


def test_what_it_sees(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYVEG_AZURE_SAS", "secret")
    monkeypatch.setenv("MINE", "1")
    names = ("output_dir", "input", "item", "name", "stem", "url", "application")
    command = ["python", "show.py", *(f"{{{name}}}" for name in names), "{{}}", "$(x) `y` ; *"]
    (result,) = run(command=command, env={"SEED": "of {stem}"}, pass_env=["MINE"])
    assert result.state is State.SUCCEEDED, result
    seen = json.loads(run.store.read(f"{KEY}/seen.json"))
    given_ = dict(zip(names, seen["argv"], strict=False))
    assert given_["item"] == given_["name"] == Path(given_["input"]).name == "a b.csv"
    assert given_["stem"] == "a b"
    assert given_["url"] == str(tmp_path / "data/a b.csv")
    assert Path(given_["input"]).is_absolute()
    assert seen["argv"][-2:] == ["{}", "$(x) `y` ; *"]
    assert seen["cwd"] == given_["application"]
    assert seen["python"] == sys.executable
    variables = seen["env"]
    assert variables["SEED"] == "of a b"
    assert variables["MINE"] == "1"
    assert variables["PATH"].startswith(str(Path(sys.executable).parent))
    assert not [name for name in variables if name.startswith(("PYVEG", "AZURE"))]
    assert not Path(given_["input"]).exists(), "the folder of an item is removed"


def test_what_is_kept(run: Any) -> None:
    """Outputs by pattern, logs, and facts; keys are safe, whatever names were given."""
    code = """
import os, sys
os.makedirs(sys.argv[1] + "/deep/er")
for name in ("a.csv", "b.txt", "deep/er/ü $(x).csv", ".hidden.csv"):
    open(os.path.join(sys.argv[1], name), "w").write(name)
print("hello"); print("oh", file=sys.stderr)
"""
    (result,) = run(**_python(code, "{output_dir}", "{input}"), outputs=["*.csv", "deep/**/*.csv"])
    assert result.state is State.SUCCEEDED, result
    made = {f"{KEY}/a.csv", f"{KEY}/.hidden.csv", f"{KEY}/deep/er/ü %24%28x%29.csv"}
    logs = {f"{KEY}/stdout.txt": b"hello\n", f"{KEY}/stderr.txt": b"oh\n"}
    assert set(run.store.list("job/")) == made | set(logs)
    assert {key: run.store.read(key) for key in logs} == logs
    found = manifest.read(run.store, result.task_id)
    assert found is not None
    assert set(found.outputs) == made | set(logs)
    assert found.notes == result.notes
    assert result.notes["exit_code"] == 0
    assert result.notes["attempts"] == 1
    assert set(result.notes["outputs"]) == {key.removeprefix(f"{KEY}/") for key in made}


@pytest.mark.parametrize(
    ("code", "changes", "said"),
    [
        ("import sys; print('a\\nwhy', file=sys.stderr); sys.exit(3)", {}, "exit code 3: a | why"),
        ("import os; os.kill(os.getpid(), 11)", {}, "killed by signal 11"),
        ("raise SystemExit(2)", {"retries": 2}, "exit code 2 at the last of 3 tries"),
        ("", {}, "it ended well but made no output (**/* in {output_dir})"),
        (
            "import time; time.sleep(60)",
            {"timeout": 0.01},
            'longer than its time limit of 0.01 minutes; raise "timeout" if it may',
        ),
        (
            "import sys; open(sys.argv[1] + '/stdout.txt', 'w')",
            {},
            "it has made an output of the name stdout.txt",
        ),
    ],
)
def test_how_it_fails(run: Any, code: str, changes: dict[str, Any], said: str) -> None:
    (result,) = run(**_python(code, "{output_dir}", "{input}"), **changes)
    assert result.state is State.FAILED
    assert said in result.reason
    assert set(run.store.list("job/")) == {f"{KEY}/stdout.txt", f"{KEY}/stderr.txt"}
    assert result.notes["attempts"] == changes.get("retries", 0) + 1
    kept = json.loads(run.store.read(f"_pyveg/failed/{result.task_id}.json"))
    assert kept["result"]["notes"] == json.loads(json.dumps(result.notes))


@pytest.mark.parametrize(("codes", "attempts", "waits"), [([], 3, [5.0, 10.0]), ([75], 1, [])])
def test_it_waits_before_it_tries_again_and_only_where_that_may_help(
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
    codes: list[int],
    attempts: int,
    waits: list[float],
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("pyveg.modules.command.module.time.sleep", waited.append)
    again = {"retries": 2, "retry_exit_codes": codes, "retry_seconds": 5}
    (result,) = run(**_python("raise SystemExit(2)", "{output_dir}", "{input}"), **again)
    assert result.notes["attempts"] == attempts
    assert waited == waits
    assert ("at the last of 3 tries" in result.reason) == (attempts == 3)


def test_a_program_that_is_not_there(run: Any) -> None:
    (result,) = run(command=["no-such-program", "{input}"])
    assert result.state is State.FAILED
    assert result.reason.startswith('"no-such-program": it cannot be started: No such file')
    assert "exit_code" not in result.notes


def test_no_output_may_be_fine(run: Any) -> None:
    (result,) = run(**_python("", "{input}"), allow_no_output=True)
    assert result.state is State.SUCCEEDED


def test_a_retry_begins_anew(run: Any, tmp_path: Path) -> None:
    """Nothing of the try before is in its output folder."""
    code = """
import os, sys
assert not os.listdir(sys.argv[1])
first = not os.path.exists(sys.argv[2])
open(sys.argv[2], "w").close()
open(sys.argv[1] + ("/half" if first else "/whole"), "w").close()
sys.exit(first)
"""
    (result,) = run(**_python(code, "{output_dir}", str(tmp_path / "mark"), "{input}"), retries=3)
    assert result.state is State.SUCCEEDED, result
    assert result.notes["attempts"] == 2
    assert result.notes["outputs"] == ["whole"]


def test_what_an_earlier_try_of_the_run_has_left_is_removed(run: Any) -> None:
    code = "import sys; open(sys.argv[1] + '/' + sys.argv[2], 'w')"
    run(**_python(code, "{output_dir}", "old", "{input}"))
    run(**_python(code, "{output_dir}", "new", "{input}"))
    keys = {f"{KEY}/new", f"{KEY}/stdout.txt", f"{KEY}/stderr.txt"}
    assert set(run.store.list("job/")) == keys


def test_it_can_run_where_its_output_goes(run: Any) -> None:
    code = "open('here.txt', 'w').write('x')"
    command = {"command": ["sh", "-c", f'"$0" -c "{code}"', sys.executable, "{input}"]}
    (result,) = run(**command, working_folder="output")
    assert result.notes["outputs"] == ["here.txt"]
    (result,) = run(**command, application="")
    assert result.notes["outputs"] == ["here.txt"]


def test_an_input_that_is_not_there_fails_alone(run: Any, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("data/a b.csv\ndata/none.csv\n")
    good, bad = run(inputs=[f"@{tmp_path}/list"])
    assert good.state is State.SUCCEEDED
    assert bad.state is State.FAILED
    assert bad.reason == (
        f"the input {tmp_path}/data/none.csv is not there; "
        "put it there and finish the run with --from_cache, or leave it out"
    )


def test_where_there_are_no_links_it_is_a_copy(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refused)
    code = "import os, sys; assert not os.path.islink(sys.argv[1]); print(open(sys.argv[1]).read())"
    changes = {**_python(code, "{input}"), "allow_no_output": True, "link_inputs": True}
    (result,) = run(**changes)
    assert result.state is State.SUCCEEDED, result
    assert run.store.read(f"{KEY}/stdout.txt") == b"1\n\n"


def test_a_link_is_given_where_it_is_asked_for(run: Any, tmp_path: Path) -> None:
    code = "import os, sys; print(os.readlink(sys.argv[1]))"
    run(**_python(code, "{input}"), allow_no_output=True, link_inputs=True)
    assert run.store.read(f"{KEY}/stdout.txt").decode() == f"{tmp_path}/data/a b.csv\n"


WRITES_EVERYWHERE = """
import os, sys
open(sys.argv[1], "a").write("more")
os.chmod(sys.argv[1], 0o777)
with open("counter", "a+") as file:
    file.write("x")
    file.seek(0)
    open(sys.argv[2] + "/seen.txt", "w").write(file.read())
open("show.py", "w").write("raise SystemExit(1)")
open(os.path.join(sys.argv[3], "helper.py"), "w").write("x")
"""


def test_no_item_sees_what_another_one_did_and_no_input_is_changed(
    run: Any, tmp_path: Path
) -> None:
    original = tmp_path / "data/a b.csv"
    (tmp_path / "data/c.csv").write_text("2\n")
    before, mode = original.read_bytes(), original.stat().st_mode
    for _ in range(2):
        results = run(**_python(WRITES_EVERYWHERE, "{input}", "{output_dir}", "{application}"))
        assert [result.state for result in results] == [State.SUCCEEDED] * 2, results
        seen = [key for key in run.store.list("job/") if key.endswith("seen.txt")]
        assert [run.store.read(key) for key in seen] == [b"x", b"x"]
    assert original.read_bytes() == before
    assert original.stat().st_mode == mode
    (folder,) = [path for path in (tmp_path / "cache/applications").iterdir() if path.is_dir()]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "show.py": (tmp_path / "app/show.py").read_bytes()
    }


def test_a_retry_has_the_application_as_it_was(run: Any) -> None:
    code = """
import os, sys
assert not os.path.exists("left")
open("left", "w").close()
sys.exit(1)
"""
    (result,) = run(**_python(code, "{input}"), retries=2)
    assert "exit code 1" in result.reason
    assert "AssertionError" not in result.reason


@pytest.mark.parametrize("link", [False, True])
def test_an_input_that_changes_while_its_program_runs_fails_by_name(
    link: bool, run: Any, tmp_path: Path
) -> None:
    original = tmp_path / "data/a b.csv"
    code = f"open({str(original)!r}, 'a').write('more'); open('x', 'w')"
    (result,) = run(**_python(code, "{input}"), allow_no_output=True, link_inputs=link)
    assert result.state is State.FAILED
    assert f"the input {original} has changed" in result.reason


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9, often for want of memory"),
        ("raise SystemExit(137)", "exit code 137, often for want of memory"),
        ("import os; os.kill(os.getpid(), 11)", "killed by signal 11"),
    ],
)
def test_what_a_kill_often_means_is_said(code: str, said: str, run: Any) -> None:
    (result,) = run(**_python(code, "{input}"))
    assert said in result.reason


# Fingerprints


def _task(pipeline: Pipeline) -> Task:
    (task,) = pipeline.plan().graph
    return task


def _with(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "data/a b.csv").write_text(text) and None


@pytest.mark.parametrize(
    ("change", "changes"),
    [
        (_with("22\n"), {}),
        (lambda folder: (folder / "app/show.py").write_text("pass"), {}),
        (lambda folder: (folder / "app/new.py").write_text("pass"), {}),
        (lambda _: None, {"command": ["python", "show.py", "{input}"]}),
        (lambda _: None, {"env": {"A": "1"}}),
        (lambda _: None, {"outputs": ["*.csv"]}),
        (lambda _: None, {"allow_no_output": True}),
    ],
)
def test_what_changes_results_changes_the_fingerprint(
    make_pipeline: Any, tmp_path: Path, change: Any, changes: dict[str, Any]
) -> None:
    before = _task(make_pipeline()).fingerprint
    change(tmp_path)
    assert _task(make_pipeline(**changes)).fingerprint != before


def test_what_changes_no_results_does_not(make_pipeline: Any, tmp_path: Path) -> None:
    before = _task(make_pipeline()).fingerprint
    for changes in (
        {"timeout": 3},
        {"retries": 2},
        {"items_per_task": 7},
        {"pass_env": ["A"]},
        {"run_mode": "threads"},
        {"inputs": [str(tmp_path / "data/a b.csv")]},
    ):
        assert _task(make_pipeline(**changes)).fingerprint == before, changes
    again = Pipeline.from_json(json.loads(json.dumps(make_pipeline().to_json())))
    assert _task(again).fingerprint == before


def test_inputs_in_the_folder_of_the_application_are_no_part_of_it(
    make_pipeline: Any, tmp_path: Path
) -> None:
    """So that a mended input does not make all others new."""
    (tmp_path / "app/list").write_text("one.csv\ntwo.csv\n")
    for name in ("one.csv", "two.csv"):
        (tmp_path / "app" / name).write_text(name)
    changes = {"inputs": [f"@{tmp_path}/app/list"]}
    before = [task.fingerprint for task in make_pipeline(**changes).plan().graph]
    (tmp_path / "app/two.csv").write_text("mended")
    (tmp_path / "app/list").write_text("one.csv\ntwo.csv\n\n")
    after = [task.fingerprint for task in make_pipeline(**changes).plan().graph]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_an_application_that_changes_at_the_last_moment(make_pipeline: Any, tmp_path: Path) -> None:
    task = _task(make_pipeline())
    (tmp_path / "app/show.py").write_text("pass")
    with pytest.raises(RunError, match="has changed since the run was planned"):
        Dispatch(MemoryStore(), {}, [].append).prepare([task])


def test_a_repository(make_pipeline: Any, tmp_path: Path) -> None:
    """Its commit is kept by its id."""
    repository = tmp_path / "app"
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(repository), *identity, *arguments], check=True)
    changes = {"application": "", "repository": str(repository), "commit": "main"}
    pipeline = make_pipeline(**changes)
    settings: Any = pipeline.sequences[0].modules[0].settings
    assert len(settings.commit) == 40
    store, task = MemoryStore(), _task(pipeline)
    Dispatch(store, {}, [].append).prepare([task])
    assert run_task(task, store).state is State.SUCCEEDED
    (repository / "show.py").write_text("raise SystemExit(1)")  # not committed
    assert _task(make_pipeline(**changes)).fingerprint == task.fingerprint


# Sending


def test_inputs_for_other_machines_go_by_the_store(make_pipeline: Any, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"data/{number:02}.csv").write_text(str(number))
    tasks = list(make_pipeline(run_mode="batch").plan().graph)
    store, told = MemoryStore(), []
    assert is_far(tasks[0].step, store, ["batch"])
    (tmp_path / "data/05.csv").unlink()
    dispatch = Dispatch(store, {}, told.append, ["batch"])
    refused = dispatch.prepare(tasks)
    assert list(refused.values()) == [
        f"the input {tmp_path}/data/05.csv is not there; "
        "put it there and finish the run with --from_cache, or leave it out"
    ]
    sent = list(store.list("_pyveg/inputs/"))
    assert len(sent) == 20
    for path in (tmp_path / "data").iterdir():
        path.unlink()  # as on another machine
    results = {task.id: run_task(task, store) for task in tasks}
    assert [r.state for r in results.values()].count(State.SUCCEEDED) == 20
    failed = next(task for task in tasks if results[task.id].state is State.FAILED)
    assert failed.item.name == "05.csv"
    dispatch.tidy(TaskGraph(tasks), results)
    assert not list(store.list("_pyveg/inputs/"))


def test_an_input_that_changes_while_nodes_have_its_copy_fails_by_name(
    make_pipeline: Any, tmp_path: Path
) -> None:
    (tmp_path / "data/second.csv").write_text("2")
    (tmp_path / "data/third.csv").write_text("3")
    graph = make_pipeline(run_mode="batch").plan().graph
    store = MemoryStore()
    dispatch = Dispatch(store, {}, [].append, ["batch"])

    class Elsewhere(Runner):
        """Its Tasks see copies alone, as on another machine."""

        def submit(self, tasks: Any) -> None:
            data = tmp_path / "data"
            moved = data.rename(tmp_path / "away")
            ended = [run_task(task, store) for task in tasks]
            moved.rename(data)
            (data / "second.csv").write_text("another")
            (data / "third.csv").unlink()
            for result in ended:
                coordinator.report(result)

    runners = {"batch": Elsewhere.__new__(Elsewhere)}
    coordinator = Coordinator(
        graph, store, runners, [].append, prepare=dispatch.prepare, recheck=dispatch.recheck
    )
    results = {graph[id_].item.name: one for id_, one in coordinator.run().items()}
    assert [results[name].state for name in ("a b.csv", "third.csv")] == [State.SUCCEEDED] * 2
    assert results["second.csv"].state is State.FAILED
    changed = f"the input {tmp_path}/data/second.csv has changed since the run was planned"
    assert results["second.csv"].reason.startswith(changed)
    left = [key for key in store.list() if "second" in key]
    assert left == []


def test_what_is_left_to_do_stays_sent(make_pipeline: Any, tmp_path: Path) -> None:
    (tmp_path / "data/second.csv").write_text("2")
    tasks = list(make_pipeline(run_mode="batch").plan().graph)
    store = MemoryStore()
    dispatch = Dispatch(store, {}, [].append, ["batch"])
    dispatch.prepare(tasks)
    store.write("_pyveg/inputs/job/00/of-an-older-version", b"")
    results = {task.id: run_task(task, store) for task in tasks}
    results[tasks[1].id] = replace(results[tasks[1].id], state=State.CANCELLED)
    dispatch.tidy(TaskGraph(tasks), results)
    folder = sending.folder_of(tasks[1].step.scope)
    assert list(store.list("_pyveg/inputs/")) == [sending.key_of(folder, tasks[1].item)]
    writes: list[str] = []
    store.open_write = writes.append  # type: ignore[method-assign,assignment]
    assert not dispatch.prepare(tasks[1:])
    assert not writes, "it is there already"


def test_what_cannot_be_removed_is_told(make_pipeline: Any) -> None:
    """The run is done all the same."""
    tasks = list(make_pipeline(run_mode="batch").plan().graph)
    store, told = MemoryStore(), []
    dispatch = Dispatch(store, {}, told.append, ["batch"])
    dispatch.prepare(tasks)

    def refused(key: str) -> None:
        raise StoreError(f"{key}: not now")

    store.delete = refused  # type: ignore[method-assign]
    dispatch.tidy(TaskGraph(tasks), {task.id: run_task(task, store) for task in tasks})
    assert told[-1].urgent
    assert "could not remove what was sent along with job/CommandModule" in told[-1].text
    assert "not now" in told[-1].text


def test_a_service_that_breaks_off_fails_one_input() -> None:
    """Whatever class of error it raises."""

    class Broken:
        def read(self, _: int) -> bytes:
            raise ZeroDivisionError("gone")

    class Inputs:
        @contextmanager
        def open(self, _: Item) -> Any:
            yield Broken()

    item = Item("a", {"input": "s3://a", "size": 1, "version": "1"})
    store = MemoryStore()
    inputs: Any = Inputs()
    failed = sending.send(inputs, [item], store, "_pyveg/inputs/x", print)
    assert failed == {
        "a": "the input cannot be read to its end (ZeroDivisionError: gone); "
        "check the connection, and finish the run with --from_cache"
    }
    assert not list(store.list())


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/data/a%20b.csv", "a%20b.csv"),
        ("https://host/a%20b.csv", "a b.csv"),
        ("azure://box/x/a%20b.csv", "a%20b.csv"),
    ],
)
def test_the_name_of_a_file(url: str, name: str) -> None:
    assert sending.name_of(Item("x", {"input": url})) == name


# Settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"command": []}, "command is empty"),
        ({"command": ["python", "app.py"]}, "the command is the same for every item"),
        ({"command": ["python", "{inptu}"]}, 'unknown placeholder "inptu"; did you mean "input"'),
        ({"command": "python app.py {input}"}, "a list, each text"),
        ({"env": {"A": "{x}"}}, 'unknown placeholder "x"'),
        ({"env": {"A B": "x"}}, "'A B': 'x' is no variable; write a name and a text"),
        ({"env": {"A": 1}}, "'A': 1 is no variable; write a name and a text"),
        ({"inputs": []}, "inputs is empty"),
        ({"inputs": ["no/*.csv"]}, "no input is there"),
        ({"application": "no-app"}, "no-app does not exist"),
        ({"application": "", "command": ["x", "{application}", "{input}"]}, "there is none"),
        ({"application": "", "requirements": "r.txt"}, "name its folder"),
        ({"requirements": "r.txt"}, "requirements: there is no"),
        ({"commit": "main"}, "commit belongs to a repository"),
        ({"repository": "x"}, "are both given; leave one of them out"),
        ({"repository": "x", "application": ""}, "commit is missing"),
        ({"outputs": ["../*"]}, 'is no pattern below {output_dir}; write one such as "*.csv"'),
        ({"outputs": ["/etc/*"]}, 'is no pattern below {output_dir}; write one such as "*.csv"'),
        ({"working_folder": "here"}, 'give "application" or "output"'),
        ({"items_per_task": 0}, "items_per_task = 0 does nothing"),
        ({"retries": -1}, "out of range"),
        ({"comand": ["x"]}, 'unknown setting "comand"; did you mean "command"'),
    ],
)
def test_settings_that_cannot_work(make_pipeline: Any, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_pipeline(**changes).plan()
    assert said in str(caught.value)


def test_a_large_application_is_worth_a_warning(
    make_pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not make_pipeline().warnings
    monkeypatch.setattr("pyveg.modules.command.application.LARGE", 10)
    (warning,) = make_pipeline().warnings
    assert "leave out what it does not need with ignore" in warning


# Outputs


@given(st.text(min_size=1).filter(lambda t: "/" not in t and "\0" not in t))
def test_names_of_outputs_come_back(name: str) -> None:
    part = outputs.key_part(Path("deep", name)).removeprefix("deep/")
    if name in (".", ".."):
        return
    assert part == item_folder(name)
    assert "~" in part or unquote(part) == name


def test_workers_do_not_wait_for_each_other(run: Any) -> None:
    """Many items at once in one process."""
    (result,) = run()
    task = manifest.read(run.store, result.task_id)
    assert task is not None
    states = []
    tasks = list(run._make().plan().graph)
    threads = [
        threading.Thread(target=lambda: states.append(run_task(tasks[0], run.store).state))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == [State.SUCCEEDED] * 4
