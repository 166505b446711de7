from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyveg
from pyveg.core import errors
from pyveg.core.errors import (
    ConfigError,
    KeyMissingError,
    MissingPackageError,
    PyvegError,
    UnknownNameError,
)

MADE = [
    PyvegError("the run cannot go on"),
    ConfigError("n_workers = 0 is out of range", "give 1 or more"),
    UnknownNameError("module", "NDVICalculater", ["NDVICalculator"], "modules_to_use"),
    MissingPackageError('the runner "dask"', "pyveg[dask]"),
    KeyMissingError("a/b", "memory://x"),
]


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_what_is_wrong_and_the_cure_are_two_fields(error: PyvegError) -> None:
    assert error.wrong
    assert str(error) == "; ".join(part for part in (error.wrong, error.cure) if part)


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_it_comes_whole_from_another_process(error: PyvegError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.wrong, again.cure) == (error.wrong, error.cure)


def test_a_name_that_is_nearly_right_is_the_cure() -> None:
    assert MADE[2].cure == 'did you mean "NDVICalculator"?'
    assert MADE[3].cure.startswith("pip install '.[dask]' in the folder of pyveg")


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, PyvegError):
            assert name in drawn


NAMES = {
    name
    for name, cls in vars(errors).items()
    if isinstance(cls, type) and issubclass(cls, PyvegError)
}
PACKAGE = Path(pyveg.__file__).parent
CURE = re.compile(
    "[;:.] (or )?(ask|begin|change|check|choose|copy|did you mean|enable|finish|free|give|install|"
    "leave|list|look|lower|make|mend|move|name|open|pip|put|raise|remove|rename|replace|restore|"
    r"run|see|set|shorten|sign|split|start|take|try|use|wait|write)\b",
    re.IGNORECASE,
)
"""A joint of two sentences of which the second says what to do."""


def _literal(node: ast.expr) -> str:
    """The text of a literal, with {} for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_literal, node.values))
    return "{}"


def _messages(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, what is wrong and the cure of each error of ours that is made."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in NAMES:
                wrong, cure = [*map(_literal, node.args), ""][:2]
                yield node.lineno, wrong, cure


def test_a_cure_is_found_in_a_message() -> None:
    source = 'raise ConfigError(f"n = {n} is odd; " "give an even one") from None'
    ((line, wrong, cure),) = _messages(source)
    assert (line, wrong, cure) == (1, "n = {} is odd; give an even one", "")
    assert CURE.search(wrong)
    assert not CURE.search("there are a; b and c; settings differ")


@pytest.fixture(scope="module")
def made_in_the_package() -> list[tuple[str, str, str]]:
    """Where each error is made, what is wrong, and the cure."""
    return [
        (f"{path.relative_to(PACKAGE)}:{line}", wrong, cure)
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, wrong, cure in _messages(path.read_text(encoding="utf-8"))
    ]


def test_no_cure_hides_in_what_is_wrong(made_in_the_package: list[tuple[str, str, str]]) -> None:
    assert len(made_in_the_package) > 500
    assert [made for made in made_in_the_package if CURE.search(made[1])] == []


def test_the_two_fields_join_to_one_sentence(
    made_in_the_package: list[tuple[str, str, str]],
) -> None:
    """Neither begins or ends with a blank, and a full stop ends neither."""
    for where, *parts in made_in_the_package:
        for part in parts:
            assert part == part.strip(), where
            assert not re.search(r"\w\.$|  ", part), where
