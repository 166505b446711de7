"""How a run was carried out, as a value and as a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyveg.core.layout import EXECUTION
from pyveg.core.records import Kind, Record
from pyveg.jobs.execution_report import execution_html
from pyveg.jobs.execution_report.timeline import MOST_BARS, timeline
from pyveg.jobs.run import run_pipeline
from pyveg.runs.execution import Execution, execution_of
from pyveg.runs.run import open_run
from pyveg.scripts.create_analysis_report import main as report_command
from pyveg.testing.executions import BEGIN, ended_task, made_execution
from pyveg.testing.graphs import fake_pipeline

HOSTILE = "<script>alert(1)</script>\"'>&\x1b[31m"


def test_sums_are_those_of_the_tasks() -> None:
    total = made_execution(100).total
    assert total.tasks == 100
    assert total.seconds == pytest.approx(150)
    parts = (total.start_seconds, total.read_seconds, total.compute_seconds, total.write_seconds)
    assert parts == pytest.approx((10, 20, 90, 30))
    assert total.queue_seconds == pytest.approx(50)
    assert total.cpu_seconds == pytest.approx(100)
    assert (total.peak_memory_mb, total.read_bytes, total.more_tries) == (199.0, 100_000, 2)


@pytest.mark.parametrize(("count", "nodes"), [(0, 1), (10, 3), (10_000, 60)])
def test_a_page_stays_small_however_many_tasks_there_are(count: int, nodes: int) -> None:
    html = execution_html(made_execution(count, nodes))
    assert len(html) < 300_000
    assert html.count("<table>") == (5 if count else 0)
    assert f"{count:,} succeeded" in html or not count


def test_bars_are_drawn_up_to_a_number_and_then_how_busy_machines_were() -> None:
    assert timeline(made_execution(MOST_BARS)).count("<rect class=") == MOST_BARS
    more = timeline(made_execution(MOST_BARS + 1))
    assert more.count("<rect class=") == 0
    assert "3 tasks ran at once at most, 2.2 on average; 3 waited" in more


def test_tasks_of_one_machine_do_not_cover_one_another() -> None:
    execution = Execution()
    for number in range(6):
        record = ended_task(number, nodes=6)
        usage = record.usage
        assert usage is not None
        execution.take(replace(record, usage=replace(usage, node="one")))
    drawn = timeline(execution)
    assert len({part.split('"')[0] for part in drawn.split(' y="')[1:]}) == 6


def test_failures_are_grouped_by_reason_and_texts_of_others_are_harmless() -> None:
    execution = made_execution(3)
    for number in range(10, 17):
        execution.take(ended_task(number, state="failed", reason=HOSTILE))
    execution.take(ended_task(17, state="failed", reason="another"))
    (first, members), (second, one) = execution.failures()
    assert (len(members), second, len(one)) == (7, "another", 1)
    html = execution_html(execution)
    assert first
    assert "<script>" not in html
    assert "\x1b" not in html
    assert "job/Read/00013" in html
    assert "and 2 more" in html


def test_what_died_counts_as_its_engine_saw_it() -> None:
    execution = Execution()
    execution.take(Record(Kind.STARTED, BEGIN, task="job/Work/1"))
    execution.take(Record(Kind.ENDED, BEGIN + 4, task="job/Work/1", state="failed", text="died"))
    assert execution.total.seconds == 4
    assert "1 tasks could not say what they took" in execution_html(execution)


def test_a_later_attempt_replaces_what_it_does_again_and_keeps_the_rest() -> None:
    execution = made_execution(4)
    execution.take(ended_task(4, state="failed", reason="no"))
    execution.take(Record(Kind.MANY, BEGIN + 9, state="cancelled", counts={"job/Work": 5}))
    execution.take(Record(Kind.RUN, BEGIN + 100, text="runs/a"))
    execution.take(Record(Kind.MANY, BEGIN + 100, state="cached", counts={"job/Work": 4}))
    execution.take(ended_task(4))
    execution.take(ended_task(5))
    assert execution.counts == {"succeeded": 6}
    assert (execution.attempts, execution.total.tasks) == (2, 6)


def test_a_run_leaves_the_page_and_a_command_writes_the_same_again(tmp_path: Path) -> None:
    report = run_pipeline(fake_pipeline(start={"count": 4}), at=tmp_path / "run")
    assert report.execution == f"{report.url}/{EXECUTION}"
    page = Path(report.execution)
    first = page.read_text(encoding="utf-8")
    assert f"{len(report.results)} succeeded" in first
    execution = execution_of(open_run(report.url).store)
    used = [result.usage for result in report.results.values() if result.usage]
    assert execution.total.seconds == pytest.approx(sum(one.seconds for one in used))
    assert execution.total.write_bytes == sum(one.write_bytes for one in used) > 0
    page.unlink()
    done = CliRunner().invoke(report_command, [report.url, "--execution"])
    assert (done.exit_code, done.output.strip()) == (0, report.execution)
    again = page.read_text(encoding="utf-8")
    assert _without_ends(again) == _without_ends(first)


def _without_ends(html: str) -> str:
    """Without the time from begin to end, which goes on until the last event."""
    before, _, after = html.partition("<dt>From begin to end</dt>")
    return before + after.partition("</div>")[2]
