"""What the docs say is true."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pyveg.core import params, registry
from pyveg.core.module import MOVED
from pyveg.jobs.choices import FIRST_CHOICE, needs_account
from pyveg.jobs.resolve import COLLECTION_FIELDS, TopLevel
from pyveg.scripts import commands
from pyveg.scripts.edge import underscored
from pyveg.testing.settings_tables import updated

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", ["config", "analysis", "service", "camera_trap", "tables"])
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


def _words() -> list[tuple[str, str, commands.Subcommand]]:
    """Page, line and subcommand of each command that the docs show, by either of its names."""
    found = []
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            for one in commands.subcommands():
                for name in (f"pyveg {one.name}", one.older_name):
                    matches = re.finditer(rf"\b{re.escape(name)}(?![\w-])", line)
                    found += [(page.name, line[match.end() :], one) for match in matches]
    return found


def _options(command: click.Command) -> set[str]:
    """Options of a command, and of the subcommands that it may have itself."""
    found = set(re.findall(r"--\w+", CliRunner().invoke(command, ["--help"]).output))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found |= _options(below)
    return found


def test_options_in_the_docs_exist() -> None:
    """Every option that a page shows behind a command is one that the command has."""
    known: dict[str, set[str]] = {}
    seen = _words()
    assert {one.name for _, _, one in seen} == {one.name for one in commands.subcommands()}
    for page, rest, one in seen:
        if one.name not in known:
            known[one.name] = _options(import_module(f"pyveg.scripts.{one.module}").main)
        # Up to the next command or sentence, and to what belongs to a program.
        shown = re.split(r"\bpyveg[ _]| -- |; |\. ", rest)[0]
        for option in re.findall(r"(?<![\w-])--[\w-]+", shown):
            assert f"--{underscored(option[2:])}" in known[one.name], f"{page}: {one.name} {option}"


def test_commands_in_the_docs_exist() -> None:
    """What stands behind ``pyveg`` in code is a subcommand."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        code = [
            *re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M),
            *re.findall("`[^`\n]+`", text),
        ]
        for name in re.findall(r"(?:^|[`&;] ?|and )pyveg ([a-z][\w-]+)", "\n".join(code), re.M):
            if (page.name, name) not in NO_COMMANDS:
                assert commands.find(name) is not None, f"{page.name}: pyveg {name}"


NO_COMMANDS = {("commands.md", "statsu")}
"""Page and word of what stands behind ``pyveg`` to show that it is none."""


def test_every_command_is_in_its_table() -> None:
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    for one in commands.subcommands():
        assert f"| `pyveg {one.name}` | `{one.older_name}` | {one.line} |" in text


def test_extras_are_installed_from_the_folder_of_pyveg() -> None:
    """In pages and in the code alike, for as long as no index has a release."""
    files = [*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "pyveg").rglob("*.py")]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    assert sum("pip install '.[" in text for text in texts.values()) > 5
    assert [
        path.name for path, text in texts.items() if re.search(r"install \W?pyveg\[", text)
    ] == []


def test_the_first_choice_needs_no_account() -> None:
    """The page of the installation and what the command proposes are one."""
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"--collection-name {FIRST_CHOICE} " in text
    assert needs_account(FIRST_CHOICE) == ""


def test_the_readme_fits_one_screen() -> None:
    """What it answers, a picture of the report, two lines to type, three ways on."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) < 400
    assert "docs/images/demo_report.png" in text
    lines = re.findall(r"^```\n(.*?)\n```$", text, re.S | re.M)
    assert [line.split("&& ")[-1] for line in lines] == ["pyveg run demo", "pytest"]
    assert lines[0] in (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^- \*", text, re.M)) == 3
