"""The reference of the documentation site has every name that there is."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from pathlib import Path

import pytest
import yaml

import pyveg
import pyveg.plugin
from pyveg.analysis.data.columns import ANALYSIS, CALIBRATION, CAMPAIGN, ZOO_TABLES
from pyveg.core import params
from pyveg.core.module import Settings
from pyveg.scripts import commands

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))
try:
    reference_pages = importlib.import_module("reference_pages")
    run_tutorials = importlib.import_module("run_tutorials")
finally:
    sys.path.pop(0)


@pytest.mark.parametrize("name", ["api", "plugin"])
def test_every_public_name(name: str) -> None:
    module = {"api": pyveg, "plugin": pyveg.plugin}[name]
    text = getattr(reference_pages, name)()
    shown = re.findall(r"^::: (\S+)$", text, re.M)
    assert [path.rpartition(".")[2] for path in shown] == module.__all__


def test_every_setting() -> None:
    text = reference_pages.settings_page()
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if "| `" in line}
    for owner, cls in reference_pages.owners().items():
        assert set(params.names(cls)) <= {name.strip("`") for name in rows}, owner
        own = set(params.names(cls)) - set(params.names(Settings))
        assert not own or any(owner in row for row in rows.values()), owner
    assert "every Module" in rows["`run_mode`"]


def test_every_command_and_option() -> None:
    text = reference_pages.command_page()
    for one in commands.subcommands():
        assert f"### pyveg {one.name}\n" in text
        assert f"Usage: pyveg {one.name} " in text
    assert "Usage: pyveg train " in text
    assert "--from_cache TEXT" in text


def test_every_route() -> None:
    documents = reference_pages.service_documents()
    text = reference_pages.http_page(documents)
    for document in documents.values():
        for path, methods in document["paths"].items():
            for method in methods:
                assert f"### {method.upper()} `{path}`\n" in text
    for path in ("/processes/{process}/execution", "/bajor/training/jobs/", "/jobs/{job}/events"):
        assert f" `{path}`\n" in text
    assert "camera-trap" in text
    assert re.findall(r"^-+$", text, re.M) == []  # no heading of numpydoc is left


def test_every_table_and_column() -> None:
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    for name, table in {**ANALYSIS, **CAMPAIGN, **CALIBRATION, **ZOO_TABLES}.items():
        assert f"`{name}`" in text
        assert all(f"| `{column.name}` | {column.unit} |" in text for column in table.columns)


def test_every_page_is_in_the_navigation() -> None:
    class Loader(yaml.SafeLoader):
        """Reads the tags of MkDocs as nothing."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)
    named = set(re.findall(r"[\w/]+\.md", str(settings["nav"])))
    kept = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert kept | set(reference_pages.pages()) <= named
    assert settings["strict"]
    assert settings["theme"]["font"] is False


def test_its_examples() -> None:
    for module in (reference_pages, run_tutorials):
        failed, tried = doctest.testmod(module)
        assert tried
        assert not failed


def test_a_cell_shows_what_a_notebook_would_show() -> None:
    names = {"__shell__": run_tutorials.shell, "who": "you"}
    cell = run_tutorials.Cell("print('<hello>')\n!echo {who} {{x}}\n1 + 1\n", 7)
    shown = run_tutorials.run_cell(cell, names, "page.md")
    assert re.findall("<code>(.*?)</code>", shown) == ["&lt;hello&gt;&#10;you {x}", "2"]
    with pytest.raises(RuntimeError, match="exit code 3"):
        run_tutorials.run_cell(run_tutorials.Cell("!exit 3\n", 1), names, "page.md")
    with pytest.raises(AssertionError, match="in plain words") as caught:
        run_tutorials.run_cell(
            run_tutorials.Cell("x = 1\nassert x == 2, 'in plain words'\n", 40), names, "page.md"
        )
    assert caught.traceback[-1].lineno == 40  # counted from 0: line 41 of the page


def test_every_claim_of_a_tutorial_is_checked() -> None:
    pages = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
    assert len(pages) == 7
    for page in pages:
        text = page.read_text(encoding="utf-8")
        code = "\n".join(cell.source for cell in run_tutorials.cells(text))
        assert len(re.findall(r'^ *assert .*, (?:f?"|status)', code, re.M)) >= 3, page.name
        assert "## Conclusion" in text
