from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError
from pyveg.core.events import Event, TaskEnded
from pyveg.core.report import RunReport
from pyveg.core.tasks import State, Task
from pyveg.jobs.run import run_pipeline
from pyveg.testing.graphs import fake_pipeline, work_of


def _run(tmp_path: Path, **more: Any) -> RunReport:
    return run_pipeline(
        fake_pipeline(output_location=str(tmp_path / "run"), runner="threads", **more)
    )


def _again(report: RunReport, **more: Any) -> RunReport:
    pipeline = fake_pipeline(runner="threads", **more) if more else None
    return run_pipeline(pipeline, from_cache=report.url)


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    first = _run(tmp_path, start={"count": 4, "skip": ["00002"]})
    second = _again(first)
    assert second.counts == {State.CACHED: 9, State.SKIPPED: 2}
    assert second.exit_code == 0


def test_a_mended_input_is_done_with_all_behind_it(tmp_path: Path) -> None:
    first = _run(tmp_path, start={"count": 4, "fail": ["00002"]})
    assert first.exit_code == 1
    assert first.counts == {State.SUCCEEDED: 9, State.FAILED: 1, State.BLOCKED: 1}
    kept = Path(first.url) / "_pyveg/failed/A/Start/00002.json"
    assert kept.is_file()
    second = _again(first, start={"count": 4})
    done = {id_ for id_, result in second.results.items() if result.state is State.SUCCEEDED}
    assert done == {"A/Start/00002", "A/Follow/00002", "combine/Gather/all"}
    assert second.exit_code == 0
    assert not kept.exists()
    assert "missing" not in (Path(first.url) / "combine/Gather/all").read_text()


def test_a_lost_output_is_made_again(tmp_path: Path) -> None:
    first = _run(tmp_path)
    (Path(first.url) / "A/Follow/00001").unlink()
    second = _again(first)
    done = [id_ for id_, result in second.results.items() if result.state is State.SUCCEEDED]
    assert done == ["A/Follow/00001"]


def test_replacing_does_everything_again(tmp_path: Path) -> None:
    first = _run(tmp_path)
    second = _again(first, start={"replace_existing_files": True})
    again = {id_ for id_, result in second.results.items() if result.state is State.SUCCEEDED}
    assert {id_.partition("/")[0] for id_ in again} == {"A", "combine"}
    assert len(again) == 7


def test_an_interrupt_cancels_the_rest_and_can_be_resumed(tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, TaskEnded) and event.result.task_id == "A/Start/00001":
            raise KeyboardInterrupt

    pipeline = fake_pipeline(
        start={"count": 6}, output_location=str(tmp_path / "run"), runner="serial"
    )
    report = run_pipeline(pipeline, observers=[interrupt])
    assert report.interrupted
    assert report.exit_code == 130
    assert report.counts[State.CANCELLED] > 0
    second = _again(report)
    assert second.exit_code == 0
    assert second.results["A/Start/00000"].state is State.CACHED
    assert set(second.counts) == {State.CACHED, State.SUCCEEDED}


def test_dates_to_process_limits_a_module_and_those_behind_it(tmp_path: Path) -> None:
    report = _run(tmp_path, start={"count": 5}, follow={"dates_to_process": ["00003"]})
    ids = [id_ for id_ in report.results if id_.startswith("A/Follow")]
    assert ids == ["A/Follow/00003"]
    with pytest.raises(ConfigError, match='unknown date "00009"'):
        fake_pipeline(follow={"dates_to_process": ["00009"]}).plan()


def test_the_plan_counts_what_is_done(tmp_path: Path) -> None:
    from pyveg.jobs.run import prepare

    report = _run(tmp_path, start={"count": 4, "fail": ["00002"], "skip": ["00003"]})
    prepared = prepare(from_cache=report.url)
    table = prepared.plan.states(prepared.resumed)
    assert table["A/Start"] == {"cached": 2, "to do": 1, "skipped": 1}
    assert fake_pipeline().plan().states()["A/Start"] == {"to do": 3}


def test_two_runs_of_one_second_do_not_share_a_folder(tmp_path: Path) -> None:
    urls = {_run(tmp_path).url for _ in range(3)}
    assert len(urls) == 3


def test_the_run_keeps_its_log(tmp_path: Path) -> None:
    report = _run(tmp_path, start={"fail": ["00001"]})
    text = (Path(report.url) / "_pyveg/run.log").read_text()
    assert "A/Start/00001 failed" in text
    assert "DataError: 00001 is bad" in text
    _again(report)
    assert len((Path(report.url) / "_pyveg/run.log").read_text()) > len(text)


def test_an_empty_start_is_an_error() -> None:
    with pytest.raises(ConfigError, match="has nothing to do"):
        fake_pipeline(start={"count": 0}).plan()


def test_the_closing_table_groups_reasons(tmp_path: Path) -> None:
    report = _run(tmp_path, start={"count": 9, "skip": ["00001", "00004"], "fail": ["00002"]})
    row = report.rows()[0]
    assert row.label == "A/Start"
    assert row.counts[State.SUCCEEDED] == 6
    assert row.reasons[0] == "00001 skipped: 00001 is empty"


def test_items_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match='two items of the name "a"'):
        fake_pipeline(start={"names": ["a", "b", "a"]}).plan()


def test_what_cannot_be_prepared_fails_and_blocks_what_comes_after() -> None:
    """Other Tasks go on."""
    from pyveg.core.coordinator import Coordinator
    from pyveg.core.ports import EngineSettings
    from pyveg.runners.local import ThreadRunner
    from pyveg.storage.memory import MemoryStore

    graph = fake_pipeline(start={"count": 3}, runner="threads").plan().graph
    store = MemoryStore()
    runner = ThreadRunner(EngineSettings(), work_of(graph, store))
    seen: list[str] = []

    def prepare(tasks: Sequence[Task]) -> dict[str, str]:
        seen.extend(task.id for task in tasks)
        return {task.id: "no luck" for task in tasks if task.id == "A/Start/00001"}

    coordinator = Coordinator(graph, store, {"local": runner}, [].append, prepare=prepare)
    runner.start(store, coordinator)
    results = coordinator.run()
    runner.close()
    bad = {id_: result for id_, result in results.items() if not result.state.good}
    assert bad["A/Start/00001"].state is State.FAILED
    assert bad["A/Start/00001"].reason == "no luck"
    assert bad["A/Follow/00001"].state is State.BLOCKED
    assert len(bad) == 2
    assert sorted(seen) == sorted(set(results) - {"A/Follow/00001"})


def test_failures_are_told_by_name_where_items_are_files() -> None:
    """The first twenty reasons, each on one line; one that many share is told once."""
    from dataclasses import replace

    from pyveg.core.tasks import TaskGraph, TaskResult

    names = [*(f"{number:02}" for number in range(24)), "with\nbreak"]
    plan = fake_pipeline(start={"names": names}).plan().graph
    step = replace(next(iter(plan)).step, listed=True)
    graph = TaskGraph(replace(task, step=step) for task in plan if task.id.startswith("A/Start"))

    def failed(reason: Callable[[str], str]) -> RunReport:
        results = {
            task.id: TaskResult(task.id, State.FAILED, reason(task.item.name)) for task in graph
        }
        return RunReport("run", graph, results, 1.0)

    report = failed(lambda name: f"bad {name}")
    assert len(report.failures()) == 21
    assert report.failures()[0] == "00: bad 00"
    assert report.failures()[-1] == "... and 5 more"
    assert report.failures(most=25)[-1] == "with\\nbreak: bad with\\nbreak"
    assert failed(lambda _: "away").failures() == ["00, 01, 02 and 22 more: away"]
    assert failed(lambda name: name[:1]).failures() == [
        "00, 01, 02 and 7 more: 0",
        "10, 11, 12 and 7 more: 1",
        "20, 21, 22, 23: 2",
        "with\\nbreak: w",
    ]
    assert report.rows()[0].reasons == ()


def test_what_a_killed_worker_has_half_written_is_removed_at_the_end(tmp_path: Path) -> None:
    def killed(event: Event) -> None:
        if isinstance(event, TaskEnded):
            (at / ".partial").mkdir(exist_ok=True)
            (at / ".partial/of-a-worker").write_text("half")

    at = tmp_path / "run"
    places: list[dict[str, Any]] = [{"at": at}, {"from_cache": at}]
    for again in places:
        pipeline = fake_pipeline(runner="threads", start={"count": 2})
        assert run_pipeline(pipeline, observers=[killed], **again).exit_code == 0
        assert not list((at / ".partial").iterdir())
