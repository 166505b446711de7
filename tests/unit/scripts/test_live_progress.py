"""The live view: nothing is wider than the terminal, and what matters most is never cut."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pyveg.core import waiting
from pyveg.core.events import EngineStatus, RunEnded, RunStarted, TaskEnded, TaskStarted
from pyveg.core.report import RunReport
from pyveg.core.tasks import State, TaskGraph, TaskResult
from pyveg.scripts.download_progress import LiveDownload
from pyveg.scripts.live_progress import LiveProgress, Sheet
from pyveg.scripts.progress import closing_table
from pyveg.scripts.run_view import ModuleView, RunView
from pyveg.scripts.tables import aligned, short_names
from pyveg.testing.graphs import fake_pipeline

LABELS = (
    "SimulatedSentinel2/VegetationDownloader",
    "SimulatedSentinel2/NetworkCentralityCalculator",
    "Sentinel2_PlanetaryComputer/NetworkCentralityCalculator",
    "Sentinel2_EarthSearch_C1/NetworkCentralityCalculator",
    "combine/VegAndWeatherJsonCombiner",
)


class _Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def graph() -> TaskGraph:
    return fake_pipeline(start={"count": 30}).plan().graph


def _end(graph: TaskGraph, id_: str, state: State, seconds: float = 0.0) -> TaskEnded:
    return TaskEnded(graph[id_], TaskResult(id_, state, seconds=seconds))


def _view(totals: dict[str, int]) -> RunView:
    view = RunView(fake_pipeline().plan().graph)
    view.modules = {label: ModuleView(label, total) for label, total in totals.items()}
    return view


def _drawn(show: LiveProgress, width: int, height: int = 40) -> list[str]:
    page = io.StringIO()
    Console(file=page, width=width, height=height).print(show)
    return page.getvalue().splitlines()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([60, 80, 100, 120]),
    st.lists(st.integers(0, 600_000), min_size=5, max_size=5),
    st.lists(st.sampled_from(list(State)), max_size=6),
    st.sampled_from([0.0, 1.0]) | st.floats(1, 400_000),
)
def test_no_line_is_wider_and_the_times_are_whole(
    width: int, totals: list[int], states: list[State], gone: float
) -> None:
    view = _view({label: total + 6 for label, total in zip(LABELS, totals, strict=True)})
    view._clock = lambda: view._begin + gone
    for module in view.modules.values():
        module.ended.update(states)
        module.running = 12
        module.measured, module.seconds = 3, 5.0
    first, *rows = [line.plain for line in Sheet(view, width).lines(["nodes: 3 idle " * 20])]
    assert max(map(len, [first, *rows])) <= width
    time = r"(\d+:\d\d:\d\d|\d+ d \d+ h)"
    assert re.search(rf" {time} gone(, about {time} left)?$", first)
    assert first.endswith("left") == (gone > 0)
    whole = re.match(rf" *{view.percent} %  [━╌]+  {view.done}/{view.total}  ", first)
    assert whole or width < 80
    assert len(rows) == len(LABELS) + 1
    assert len({row.split("  ")[0] for row in rows[:-1]}) == len(LABELS)


def test_names_are_short_and_still_tell_modules_apart() -> None:
    names = short_names(LABELS, 30)
    assert names[LABELS[0]] == "VegetationDownloader"
    assert names[LABELS[-1]] == "VegAndWeatherJsonCombiner"
    assert all(len(name) <= 30 for name in names.values())
    assert len(set(names.values())) == len(LABELS)
    assert short_names(LABELS, 60) == {label: label for label in LABELS}
    alike = [f"collection_with_a_long_name_{n}_x/Module" for n in range(30)]
    assert len(set(short_names(alike, 18).values())) == 30


def test_work_that_was_given_up_is_no_full_bar(graph: TaskGraph) -> None:
    view = RunView(graph)
    for number in range(30):
        state = State.CANCELLED if number else State.SUCCEEDED
        view.ended(_end(graph, f"A/Start/{number:05}", state))
    first, start, *_ = [line.plain for line in Sheet(view, 80, over=True).lines()]
    assert "1/30  29 cancelled" in start
    bar = re.findall("[━╌]+", start)[0]
    assert bar == "━" + "╌" * (len(bar) - 1)
    assert first.startswith(f"{100 // len(graph):3} %")


def test_failures_are_red_and_none_is_too_few_to_be_seen(graph: TaskGraph) -> None:
    view = RunView(graph)
    for number in range(30):
        view.ended(
            _end(graph, f"A/Start/{number:05}", State.FAILED if number == 7 else State.SUCCEEDED)
        )
    line = list(Sheet(view, 80).lines())[1]
    styles = {str(span.style): line.plain[span.start : span.end] for span in line.spans}
    assert styles["red"].strip("━") == ""
    assert len(styles["red"]) >= 1
    assert "╌" not in line.plain
    assert "30/30  1 failed" in line.plain


def test_time_left_is_what_modules_took_so_far(graph: TaskGraph) -> None:
    clock = _Clock()
    view = RunView(graph, clock)
    assert view.left is None
    for number in range(10):  # two at once, four seconds each
        id_ = f"A/Start/{number:05}"
        view.started(TaskStarted(graph[id_]))
        view.ended(_end(graph, id_, State.SUCCEEDED, 4.0))
    clock.now += 20.0
    others = sum(module.left for label, module in view.modules.items() if label != "A/Start")
    assert view.left == pytest.approx((20 + others) * 4.0 / 2)
    for id_ in (task.id for task in graph if not task.id.startswith("A/Start")):
        view.ended(_end(graph, id_, State.CACHED, 9.0))
    assert view.left == pytest.approx(20 * 4.0 / 2)  # what was done before tells nothing
    assert view.percent == 100 * (10 + others) // len(graph)


def test_the_view_follows_events(graph: TaskGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    page = io.StringIO()
    show = LiveProgress(Console(file=page, width=80))
    show(RunStarted(graph, "memory"))
    try:
        show(TaskStarted(graph["A/Start/00000"]))
        assert "0/30  1 running" in _drawn(show, 80)[1]
        show(_end(graph, "A/Start/00000", State.FAILED, 1.0))
        assert "1/30  1 failed" in _drawn(show, 80)[1]
        show(EngineStatus("nodes: 2 idle, 1 starting"))
        assert _drawn(show, 80)[-1] == "nodes: 2 idle, 1 starting"
        with waiting.told("a.org", "HTTP 429", 12.0):
            assert _drawn(show, 80)[-1] == "waiting for a.org (HTTP 429, again in 12 s)"
        show(EngineStatus("the pool \x1b[2J is gone", urgent=True))
        assert "the pool \\x1b[2J is gone" in page.getvalue()
        low = _drawn(show, 80, height=5)
        assert len(low) == 4
        assert re.fullmatch(r"\.\.\. and \d more modules", low[-2])
    finally:
        show(RunEnded(False))
    assert " left" not in _drawn(show, 80)[0]


def test_a_terminal_that_knows_ascii_alone_is_given_nothing_else() -> None:
    view = _view({"Höhe/Größenmesser_mit_langem_Namen": 9, "B/Größenmesser_mit_langem_Namen": 9})
    view.modules["B/Größenmesser_mit_langem_Namen"].ended.update(
        {State.FAILED: 4, State.BLOCKED: 5}
    )
    lines = [line.plain for line in Sheet(view, 50, ascii_only=True).lines(["größer " * 20])]
    assert all(line.isascii() and len(line) <= 50 for line in lines)
    assert "~" in lines[1]
    page = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show = LiveProgress()
    show._view = view
    Console(file=page, width=50).print(show)
    page.flush()


def _report(graph: TaskGraph, states: list[State], reason: str) -> RunReport:
    results = {
        task.id: TaskResult(task.id, states[number % len(states)], reason)
        for number, task in enumerate(graph)
    }
    return RunReport("memory", graph, results, 1.0)


def _lines(graph: TaskGraph, width: int | None) -> Iterator[str]:
    steps = {step.label: LABELS[n % len(LABELS)] for n, step in enumerate(graph.steps)}
    report = _report(graph, list(State), "the archive cannot be reached " * 8)
    rows = [replace(row, label=steps[row.label]) for row in report.rows()]
    table = [["module", *State]]
    table += [[row.label, *(str(row.counts[state]) for state in State)] for row in rows]
    yield from closing_table(report, width).splitlines()
    yield from aligned(table, [(), *(row.reasons for row in rows)], width).splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_the_closing_table_wraps_nowhere(graph: TaskGraph, width: int) -> None:
    assert max(map(len, _lines(graph, width))) <= width
    text = " ".join(" ".join(_lines(graph, width)).split())
    assert ("the archive cannot be reached " * 8).strip() in text  # no reason is cut
    assert max(map(len, _lines(graph, None))) > 120  # and a log has all in one line


def test_states_that_nothing_ended_in_take_no_room(graph: TaskGraph) -> None:
    report = _report(graph, [State.SUCCEEDED], "")
    assert closing_table(report, 80).split("\n")[0].split() == ["module", "succeeded"]
    assert "blocked" in closing_table(report)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_download_cuts_neither_its_size_nor_its_time(width: int) -> None:
    page = io.StringIO()
    with LiveDownload(Console(file=page, width=width, force_terminal=False)) as show:
        show.begin(100_000, 98_700_000_000)
        show.advance(54_321, 45_600_000_000)
    (line,) = page.getvalue().splitlines()
    assert len(line) <= width
    assert line.startswith("54321/100000 files ")
    assert re.search(r" 45\.6/98\.7 GB .* [\d-]+:[\d-]+:[\d-]+$", line)
