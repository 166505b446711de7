"""What the docs say is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyveg.core import params, registry
from pyveg.core.module import MOVED
from pyveg.jobs.resolve import COLLECTION_FIELDS, TopLevel
from pyveg.scripts import (
    analysis_summary_data,
    azure_config,
    azure_download,
    calc_EC,
    calibrate,
    cancel,
    create_analysis_report,
    gee_analysis,
    gen_pattern,
    logs,
    run_command,
    run_module,
    run_pipeline,
    status,
)
from pyveg.testing.settings_tables import updated

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", ["config", "analysis", "tables"])
def test_the_tables_that_are_made_from_code_are_up_to_date(page: str) -> None:
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    assert "<!-- end -->" in text
    assert updated(text) == text, f"python -m pyveg.testing.settings_tables docs/{page}.md"


def test_every_name_of_a_config_is_documented() -> None:
    text = (ROOT / "docs/config.md").read_text(encoding="utf-8")
    folder = params.names(registry.load("source", "folder").Settings)
    for name in (*params.names(TopLevel), *COLLECTION_FIELDS, *folder, *MOVED):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "command",
    [
        run_pipeline,
        run_module,
        run_command,
        calc_EC,
        calibrate,
        gen_pattern,
        azure_config,
        azure_download,
        gee_analysis,
        create_analysis_report,
        analysis_summary_data,
        status,
        logs,
        cancel,
    ],
)
def test_options_in_the_docs_exist(command: object) -> None:
    """Every option that a page shows behind a command is one that the command has."""
    name = f"pyveg_{command.__name__.rpartition('.')[2]}"  # type: ignore[attr-defined]
    help_ = CliRunner().invoke(command.main, ["--help"]).output  # type: ignore[attr-defined]
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            shown = line.partition(name)[2]
            for option in re.findall(r"(?<![\w-])--\w+", shown):
                assert option in help_, f"{page.name}: {name} {option}"
