"""Numbers of any type as settings: those of Python are kept as they are."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.core.params import setting


@dataclass(frozen=True, kw_only=True)
class Example:
    scale: float = setting(10.0, doc="metres", low=-1e300, high=1e300)
    count: int = setting(1, doc="how many")
    flag: bool = setting(False, doc="whether")
    pair: tuple[float, float] | None = setting(None, doc="from, to")
    names: tuple[str, ...] = setting((), doc="names")


def _build(**given: Any) -> Example:
    return params.build(Example, given, "here")


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_float_comes_back_from_any_type(value: float) -> None:
    assert _build(scale=Decimal(repr(value))).scale == value
    assert _build(scale=np.float64(value)).scale == value
    assert _build(scale=Fraction(value)).scale == pytest.approx(value)
    # Of few digits: the shortest number that is this one, as people wrote it.
    short = _build(scale=np.float32(value)).scale
    assert type(short) is float
    assert np.float32(short) == np.float32(value)


@pytest.mark.parametrize("value", [27, 27.0])
def test_numbers_of_python_keep_their_type(value: float) -> None:
    assert type(_build(scale=value).scale) is type(value)


def test_whole_numbers_switches_and_arrays() -> None:
    found = _build(count=np.int16(3), flag=np.bool_(True), pair=np.array([1.5, 2.5]))
    assert (found.count, found.flag, found.pair) == (3, True, (1.5, 2.5))
    assert type(found.count) is int
    assert type(found.flag) is bool
    assert _build(names=np.array(["a", "b"])).names == ("a", "b")
    assert _build(pair=np.array([1, 2], np.float32)).pair == (1.0, 2.0)


@pytest.mark.parametrize(
    "given",
    [
        {"scale": "10"},
        {"scale": 1j},
        {"scale": True},
        {"scale": np.bool_(True)},
        {"scale": Decimal("sNaN")},
        {"scale": float("nan")},
        {"scale": np.array([1.0])},
        {"count": 1.5},
        {"count": Fraction(3, 2)},
        {"count": Decimal(3)},
        {"flag": 1},
        {"pair": np.array(1.0)},
        {"pair": np.ones((2, 2))},
        {"pair": np.ones(3)},
    ],
)
def test_what_is_no_such_number_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="here: "):
        _build(**given)
