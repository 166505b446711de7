"""What a package index and a reader of references are told is one and true."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    about = metadata.metadata("pyveg")
    assert cited["version"] == about["Version"]
    assert cited["license"] == "MIT"
    assert about["Author"] == cited["authors"][0]["name"]
    assert {"title", "message", "cff-version"} <= set(cited)


def test_only_addresses_that_are_there_are_named() -> None:
    """There is no public repository and no site yet: a made-up one would be somebody else's."""
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    addresses = re.findall(r'https?://[^"\s]+', setup)
    assert addresses
    assert all(address.startswith("https://doi.org/10.") for address in addresses)


def test_pythons_are_those_that_are_tried() -> None:
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    named = re.findall(r"Python :: (3\.\d+)", setup)
    tried = (ROOT / "tests/drivers/built_packages.py").read_text(encoding="utf-8")
    assert str(tuple(named)).replace("'", '"') in tried
    workflow = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["packages"]["strategy"]["matrix"]["python"] == named
    assert f'python_requires=">={named[0]}"' in setup


def test_every_extra_says_its_size() -> None:
    text = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    for extra in metadata.metadata("pyveg").get_all("Provides-Extra") or []:
        assert re.search(rf"^\| `{extra}` \| .+ \| (< )?\d+ MB \|$", text, re.M), extra


def test_forms_for_issues_are_what_github_reads() -> None:
    forms = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
    assert len(forms) == 3
    for form in forms:
        read = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(read)
        for part in read["body"]:
            assert part["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
            assert part["type"] == "markdown" or {"id", "attributes"} <= set(part)
