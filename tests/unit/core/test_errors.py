from __future__ import annotations

import pickle

import pytest

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
    assert MADE[3].cure == "pip install 'pyveg[dask]'"


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, PyvegError):
            assert name in drawn
