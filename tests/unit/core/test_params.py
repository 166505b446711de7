from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import pytest

from pyveg.core import params
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.params import setting


@dataclass(frozen=True, kw_only=True)
class Example:
    bands: tuple[str, ...] = setting(doc="names of bands")
    scale: float = setting(10.0, doc="metres", low=0.1, high=1000)
    count: int = setting(-1, doc="how many", low=-1)
    kind: Literal["soil", "plants"] = setting("soil", doc="what")
    flag: bool = setting(False, doc="whether", results=False)
    day: date | None = setting(None, doc="when")
    limits: tuple[float, float] | None = setting(None, doc="from, to")
    table: dict[str, Any] = setting({}, doc="more")


def _build(**given: Any) -> Example:
    return params.build(Example, {"bands": ["B4"], **given}, "here")


def test_values_take_the_declared_type() -> None:
    found = _build(day="2020-02-29", limits=[1, 2.5], table={"a": 1})
    assert found.bands == ("B4",)
    assert found.day == date(2020, 2, 29)
    assert found.limits == (1, 2.5)
    assert _build(day=datetime(2020, 1, 2, 3)).day == date(2020, 1, 2)


def test_what_is_kept_of_a_class_cannot_be_changed() -> None:
    assert params.names(Example) is params.names(Example)
    with pytest.raises(TypeError, match="does not support item assignment"):
        params.names(Example)["more"] = None  # type: ignore[index]


def test_defaults_are_not_shared() -> None:
    assert _build().table is not _build().table or _build().table == {}


def test_settings_survive_json() -> None:
    found = _build(day="2020-02-29", kind="plants", scale=3)
    assert params.build(Example, params.to_json(found), "again") == found


def test_only_what_can_change_results_is_part_of_an_identity() -> None:
    assert "flag" not in params.to_json(_build(), results_only=True)
    assert "flag" in params.to_json(_build())


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("scale", "10", "a number"),
        ("scale", True, "a number"),
        ("count", 1.5, "a whole number"),
        ("flag", 1, "True or False"),
        ("kind", "Soil", '"soil" or "plants"'),
        ("bands", "B4", "a list, each text"),
        ("bands", ["B4", 3], "a list, each text"),
        ("day", "2020-02-30", "YYYY-MM-DD"),
        ("day", 2020, "YYYY-MM-DD"),
        ("limits", [1], "a list of 2: a number, a number or None"),
        ("table", [], "a dictionary"),
        ("scale", None, "a number"),
    ],
)
def test_a_wrong_type_is_told_with_the_right_one(name: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _build(**{name: value})
    assert str(caught.value).startswith(f"here: {name} = {value!r}")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("scale", 0, "at least 0.1 and at most 1000"),
        ("scale", float("nan"), "at least"),
        ("count", -2, "at least -1"),
    ],
)
def test_a_value_out_of_range_is_told_with_its_limits(name: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _build(**{name: value})


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match='unknown setting "scal"; did you mean "scale"'):
        _build(scal=1)


def test_a_setting_without_default_must_be_given() -> None:
    with pytest.raises(ConfigError, match=r'"bands" must be given \(names of bands\)'):
        params.build(Example, {}, "here")


@dataclass(frozen=True, kw_only=True)
class Oven:
    degrees: float = setting(180.0, doc="how hot", low=0)
    racks: tuple[str, ...] = setting((), doc="which to use")
    size: tuple[int, int] = setting((1, 2), doc="width and height")
    name: str | None = setting(None, doc="what it is called")
    parts: dict[str, Any] = setting({}, doc="what it is made of")
    light: bool = setting(False, doc="whether it shines")
    mode: Literal["air", "grill"] = setting("air", doc="how it heats")
    trays: int | None = setting(None, doc="how many")
    key: str = setting("", doc="opens it", secret=True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("degrees", "200", 200.0),
        ("racks", "top, low", ("top", "low")),
        ("racks", "", ()),
        ("size", "3,4", (3, 4)),
        ("name", "a=b, c", "a=b, c"),
        ("parts", '{"door": 1}', {"door": 1}),
        ("light", "True", True),
        ("light", "0", False),
        ("mode", "grill", "grill"),
        ("trays", "3", 3),
    ],
)
def test_text_is_read_as_the_declared_type(name: str, text: str, value: Any) -> None:
    found = params.from_text(Oven, name, text, "--oven")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("degrees", "hot", r"--oven: degrees = 'hot' is not right; give a number"),
        ("size", "3", r"size = '3' is not right; give a list of 2"),
        ("size", "3,x", "is not right"),
        ("parts", "door", "is not right; give a dictionary"),
        ("parts", "[1]", "is not right; give a dictionary"),
        ("light", "maybe", "is not right; give True or False"),
        ("mode", "boil", 'is not right; give "air" or "grill"'),
        ("trays", "few", "is not right; give a whole number or None"),
        ("degreees", "1", 'unknown setting "degreees"; did you mean "degrees"'),
    ],
)
def test_text_that_is_no_value(name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        params.from_text(Oven, name, text, "--oven")


def test_a_secret_is_in_no_text() -> None:
    assert "geheim" not in repr(Oven(key="geheim"))
