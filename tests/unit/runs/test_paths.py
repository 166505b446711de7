"""Where a run keeps its things is known to `pyveg.runs`, and to those who write them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pyveg

PACKAGE = Path(pyveg.__file__).parent
WRITERS = ("core", "earth", "runs", "storage", "modules", "sources", "runners", "testing")
"""Rooms that write a run, or files from outside; the other rooms read it, and ask a Run."""
OWN = {
    "analysis/folder.py": "the pictures of an analysis, which is no run",
    "calibration/calibrate.py": "the results of a calibration, which is no run",
}
"""Files with a Store of their own that they may list."""
PATHS = re.compile(r"/(RAW|PROCESSED|JSON|SPLIT)/|download\.\w+\.tif|_BWNDVI|_chips\.json|_pyveg/")
TOLD = re.compile(r"\s")
"""A text with white space is for people."""


def readers() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.split("/")[0] not in WRITERS and "/" in name:
            yield name, ast.parse(path.read_text())


def test_no_store_of_a_run_is_listed_elsewhere() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in readers()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "list"
        and name not in OWN
    ]
    assert found == []


def test_no_path_of_a_run_is_put_together_elsewhere() -> None:
    found = [
        f"{name}:{node.lineno}: {node.value}"
        for name, tree in readers()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and PATHS.search(node.value)
        and not TOLD.search(node.value)
    ]
    assert found == []


def test_only_runs_and_writers_know_the_layout() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in readers()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "pyveg.earth.layout"
    ]
    assert found == []
