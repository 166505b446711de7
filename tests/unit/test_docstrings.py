"""Examples in docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pyveg
import pyveg.plugin

PACKAGE = Path(pyveg.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("pyveg", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text()
)


def test_there_are_examples() -> None:
    assert {"pyveg.plugin", "pyveg.earth.metrics", "pyveg.core.errors"} <= set(WITH_EXAMPLES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where examples are run: a run of two months is there, which several of them open."""
    made = tmp_path_factory.mktemp("examples")
    (made / "setup.py").write_text("one two\n")
    days = ["2016-01-01", "2016-03-01"]
    job = pyveg.load_pipeline("demo", date_range=days, runner="serial", analysis=False)
    pyveg.run_pipeline(job, at=made / "two_months")
    return made


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


PLAIN = {"SIZE", "Rights"}
"""A number and a type: no docstring of their own goes with them."""
PUBLIC = [
    (name, getattr(module, name))
    for module in (pyveg, pyveg.plugin)
    for name in module.__all__
    if name not in PLAIN
]


@pytest.mark.parametrize(("name", "public"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_every_public_name_has_an_example(name: str, public: Any) -> None:
    assert ">>> " in (public.__doc__ or ""), f"{name}: an example in its docstring"
    assert public.__module__ in WITH_EXAMPLES, f"{name}: its examples are not run"


def _functions(name: str, public: Any) -> Iterator[tuple[str, Any]]:
    """A public function, or the public methods that a public class defines itself."""
    if inspect.isfunction(public):
        yield name, public
    elif inspect.isclass(public):
        for method, found in vars(public).items():
            function = getattr(found, "__func__", found)
            if inspect.isfunction(function) and not method.startswith("_"):
                yield f"{name}.{method}", function


FUNCTIONS = dict(pair for name, public in PUBLIC for pair in _functions(name, public))


def test_public_functions_of_two_arguments_have_their_sections() -> None:
    """As numpydoc has them: each parameter by name, what comes back, and what is raised."""
    wrong = []
    for name, function in FUNCTIONS.items():
        signature = inspect.signature(function)
        arguments = [one for one in signature.parameters if one not in ("self", "cls")]
        if len(arguments) < 2:
            continue
        text = inspect.getdoc(function) or ""
        section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n---|\Z)", text, re.S | re.M)
        said = (
            re.findall(r"^\*{0,2}[a-z_]\w*(?:, \w+)*(?= :|$)", section[1], re.M) if section else []
        )
        listed = {one.strip(" *") for line in said for one in line.split(",")}
        wrong += [f"{name}: {one}" for one in arguments if one not in listed]
        back = str(signature.return_annotation)
        if back not in ("None", "NoReturn") and not re.search(r"^(Returns|Yields)\n-", text, re.M):
            wrong.append(f"{name}: Returns")
        source = inspect.getsource(function)
        if re.search(r"^\s+raise \w", source, re.M) and "Raises\n---" not in text:
            wrong.append(f"{name}: Raises")
    assert len(FUNCTIONS) > 60
    assert wrong == []
