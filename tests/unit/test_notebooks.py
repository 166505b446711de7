"""What values show of themselves in a notebook and a shell, and jobs that are made of a dict."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import pyveg
from pyveg.core import html
from pyveg.core.errors import ConfigError
from pyveg.core.progress import in_notebook
from pyveg.core.tasks import TaskGraph, TaskResult
from pyveg.jobs.load import read_config

LONGEST = 2_000
SHORT = {"date_range": ["2016-01-01", "2016-02-01"], "runner": "serial", "analysis": False}


class Shown(HTMLParser):
    """Tags and texts of what a notebook is given."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        del attrs
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


class Notebook:
    """As much of IPython as progress needs."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.handles = 0
        shell = SimpleNamespace(kernel=object())
        self.package = SimpleNamespace(get_ipython=lambda: shell, version_info=(9, 0))
        self.display = SimpleNamespace(Pretty=str, display=self._display)

    def _display(self, text: str, display_id: bool) -> Any:
        assert display_id
        self.handles += 1
        self.lines.append(text)
        return SimpleNamespace(update=self.lines.append)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    made = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", made.package)
    monkeypatch.setitem(sys.modules, "IPython.display", made.display)
    return made


@pytest.fixture
def demo(tmp_path: Path) -> dict[str, Any]:
    """The settings of the demo as a dict, for one month and a folder of the test."""
    path = Path(pyveg.__file__).parent / "configs" / "demo.py"
    return {**read_config(path), **SHORT, "output_location": str(tmp_path / "demo")}


def test_values_show_themselves(demo: dict[str, Any], notebook: Notebook) -> None:
    """All that a user gets in hand: a short repr, and a table without markup of others."""
    pipeline = pyveg.load_pipeline(demo, name="a <b>name</b>")
    assert not notebook.lines
    report = pyveg.run_pipeline(pipeline)
    assert report.exit_code == 0
    series = pd.DataFrame({"date": ["2016-01", "2016-02"], "NDVI": [0.3, 0.4]})
    found = pyveg.analyse(series)
    shown = {
        "a <b>name</b>": pipeline,
        "Plan of 7 tasks": pipeline.plan(),
        "1 succeeded": report,
        "VegetationDownloader1 of 10": pyveg.open_run(report.url),
        found.verdict.headline: found,
    }
    for words, value in shown.items():
        page = Shown(value._repr_html_())
        assert words in page.text
        assert set(page.tags) <= {"div", "strong", "table", "tr", "th", "td"}
        assert 20 < len(repr(value)) <= LONGEST
    # Both were watched without being asked for it, each in one line that is written anew.
    assert notebook.handles == 2
    assert "run: 7 of 7 tasks, ended" in notebook.lines
    assert notebook.lines[-1] == "analysis: verdict (8 of 8)"


def test_large_values_show_little_of_themselves() -> None:
    pipeline = replace(pyveg.load_pipeline("demo"), name="n" * 5_000)
    plan = pipeline.plan()
    failed = {
        task.id: TaskResult(task.id, pyveg.State.FAILED, "r" * 50, details="d" * 5_000)
        for task in plan.graph
    }
    report = pyveg.RunReport("u" * 5_000, plan.graph, failed, 1.0)
    for value in (pipeline, plan, report, next(iter(failed.values()))):
        assert len(repr(value)) <= LONGEST
    short = replace(report, url="here")
    assert repr(short) == "<RunReport of here: 721 failed>"


def test_tables_are_escaped_short_and_without_secrets() -> None:
    rows = [("<script>alert(1)</script>", "https://x.example?sig=abcdefghijklmnop")] * 40
    made = html.table("t", ["a", "b"], rows, ["<i>"])
    page = Shown(made)
    assert "script" not in page.tags
    assert "i" not in page.tags
    assert "abcdefghijklmnop" not in made
    assert "... and 10 more" in page.text


def test_progress_outside_of_notebooks_is_one_line() -> None:
    assert not in_notebook()
    out = io.StringIO()
    show = pyveg.ShowProgress(out)
    show("trends", 0, 8)
    show(pyveg.RunStarted(TaskGraph([]), "here"))
    show(pyveg.EngineStatus("nodes: 2 idle"))
    show(pyveg.RunEnded(interrupted=True))
    lines = [line.strip() for line in out.getvalue().split("\r")[1:]]
    assert lines == [
        "analysis: trends (1 of 8)",
        "run: 0 of 0 tasks",
        "run: 0 of 0 tasks: nodes: 2 idle",
        "run: 0 of 0 tasks, interrupted",
    ]
    assert out.getvalue().count("\n") == 1


def test_a_dict_is_a_config(demo: dict[str, Any]) -> None:
    from_file = pyveg.load_pipeline("demo", **{**SHORT, "output_location": demo["output_location"]})
    made = pyveg.load_pipeline(demo)
    assert made.sequences == from_file.sequences
    assert pyveg.load_pipeline(demo, runner="threads").runner == "threads"
    with pytest.raises(ConfigError, match="date_rang"):
        pyveg.load_pipeline({**demo, "date_rang": []})
    with pytest.raises(ConfigError, match="3 is no name of a setting"):
        pyveg.load_pipeline({**demo, 3: 4})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match="password"):
        pyveg.run_pipeline({**demo, "output_location": "https://kim:secret@x.example/y"})
