"""The end of a run says what can be done with it, in commands that a shell takes as they are."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pyveg.core.report import RunReport
from pyveg.core.tasks import State, TaskResult
from pyveg.scripts.commands import find
from pyveg.scripts.ending import ending, next_lines
from pyveg.scripts.next_steps import in_lines, next_steps
from pyveg.testing.graphs import fake_pipeline

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="quotes as POSIX shells have them")


def _report(url: str, *, fails: bool = False) -> RunReport:
    graph = fake_pipeline().plan().graph
    state = State.FAILED if fails else State.SUCCEEDED
    return RunReport(url, graph, {t.id: TaskResult(t.id, state) for t in graph}, 1.0)


def test_a_run_with_results_can_be_analysed() -> None:
    report = replace(_report("/data/my runs/a'b"), summary="x")
    assert [what for what, _ in next_steps(report)] == ["analyse"]
    assert shlex.split(next_steps(report)[0][1]) == ["pyveg_gee_analysis", "/data/my runs/a'b"]


def test_one_that_was_analysed_has_its_reports() -> None:
    report = replace(_report("r"), summary="x", reports=("r/analysis/My place/report.html",))
    assert next_steps(report) == [("report", "'r/analysis/My place/report.html'")]


def test_one_in_a_container_can_be_downloaded_with_its_accounts() -> None:
    report = replace(_report("azure://demo-2026"), summary="x")
    steps = dict(next_steps(report, "my accounts.py"))
    assert list(steps) == ["analyse", "download"]
    assert shlex.split(steps["download"]) == [
        *("pyveg_azure_download", "--container", "demo-2026", "--output_dir", "demo-2026"),
        *("--all", "--azure_config", "my accounts.py"),
    ]


def test_what_failed_can_be_looked_at_and_tried_again() -> None:
    steps = dict(next_steps(_report("/data/run 1", fails=True)))
    first = next(iter(_report("x").results))
    assert shlex.split(steps["why one failed"])[-3:] == ["/data/run 1", "--task", first]
    assert shlex.split(steps["it once more"]) == [
        "pyveg_run_module",
        f"/data/run 1/_pyveg/failed/{first}.json",
    ]
    far = dict(next_steps(_report("azure://demo", fails=True)))
    assert "it once more" not in far  # its file is not here
    for command in (*steps.values(), *far.values()):
        assert find(shlex.split(command)[0]) is not None


def test_lines_stand_below_one_another() -> None:
    lines = in_lines([("a", "x"), ("longer", "y")])
    assert lines == ["  a:       x", "  longer:  y"]


def test_what_lies_below_the_working_folder_is_named_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {f"{tmp_path}/my run": "my run", f"{tmp_path}/-rf": f"{tmp_path}/-rf", "/x": "/x"}
    for url, shown in given.items():
        (step,) = next_steps(replace(_report(url), summary="x"))
        assert shlex.split(step[1])[1:] == [shown]


@pytest.mark.parametrize("width", [60, 80, 120, None])
def test_what_an_analysis_says_is_a_paragraph(width: int | None) -> None:
    said = (
        "Greenness fell from 0.295 in the first year to 0.205 in the last. " * 5 + "r/report.html"
    )
    report = replace(_report("r"), analyses=(said,), reports=("r/report.html",))
    lines = "\n".join(ending(report, width)).splitlines()
    assert width is None or max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert said.removesuffix(" r/report.html") in text
    assert ("r/report.html" in text) == (width is None)
    assert next_lines(report, None) == ["next:", "  report:  r/report.html"]
    assert next_lines(_report("r"), None) == []
