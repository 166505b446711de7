"""Typed settings: a frozen dataclass says what there is, this file checks what is given."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Hashable, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.texts import brief
from pyveg.core.values import not_finite, read_json, tidied

T = TypeVar("T")


def setting(
    default: Any = dataclasses.MISSING,
    *,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    but: int | None = None,
    results: bool = True,
    shared: bool = False,
    secret: bool = False,
    finite: bool = True,
) -> Any:
    """Declare one setting of a Module, a Source or an engine.

    Parameters
    ----------
    default : object
        Its value where none is given; without one the setting must be given.
    doc : str
        One sentence for the user, with the unit.
    low, high : float
        Limits, both allowed.
    but : int
        A number between them that means nothing.
    results : bool
        Whether it can change results; only such settings are part of a Task's fingerprint.
    shared : bool
        Given to one Module of a Sequence, it holds for all of them that have it.
    secret : bool
        No text shows its value, and no config may hold it, as configs are kept with results.
    finite : bool
        Whether NaN and infinity are refused, as they are by nearly all.

    Returns
    -------
    dataclasses.Field
        Put it where a frozen dataclass has the default of a field.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True, kw_only=True)
    ... class Limits:
    ...     share: float = setting(0.5, doc="share of valid pixels", low=0, high=1)
    >>> build(Limits, {"share": 0.7}, "config").share
    0.7
    >>> build(Limits, {"share": 7}, "config")
    Traceback (most recent call last):
    pyveg.core.errors.ConfigError: config: share = 7 is ...
    """
    metadata = {"doc": doc, "low": low, "high": high, "results": results, "shared": shared}
    metadata |= {"secret": secret, "finite": finite, "but": but}
    if isinstance(default, list | dict):
        return dataclasses.field(
            default_factory=lambda: default, metadata=metadata, repr=not secret
        )
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


def names(cls: type) -> Mapping[str, dataclasses.Field[Any]]:
    """Settings of a class by name; always the same object, which cannot be changed."""
    return _fields(cls)


# Each Task reads both of these, and working them out takes longer than a short Task.


@cache
def _fields(cls: Hashable) -> Mapping[str, dataclasses.Field[Any]]:
    return MappingProxyType({field.name: field for field in dataclasses.fields(cast("type", cls))})


@cache
def _hints(cls: Hashable) -> Mapping[str, Any]:
    """Types of the settings of a class."""
    return MappingProxyType(typing.get_type_hints(cls))


def build(cls: type[T], given: Mapping[str, Any], where: str, *, kept: bool = True) -> T:
    """Make an instance of `cls` from what the user gave.

    Parameters
    ----------
    cls : type
    given : mapping
    where : str
        Begins the messages of errors.
    kept : bool
        Whether it is kept with results, and so may hold no secret.

    Raises
    ------
    UnknownNameError
        For a setting that `cls` does not have.
    ConfigError
        For a value of the wrong type or beyond its limits, or one that must be given and is not.
    """
    if not isinstance(given, Mapping):
        wrong = f"{where} = {brief(given)} is no dictionary"
        raise ConfigError(wrong, "write {setting: value}")
    values = checked(cls, given, where, kept=kept)
    for name, spec in names(cls).items():
        if name not in values and spec.default is spec.default_factory is dataclasses.MISSING:
            raise ConfigError(f'{where}: the setting "{name}" must be given ({_doc(spec)})')
    return cls(**values)


def checked(
    cls: type, given: Mapping[str, Any], where: str, *, kept: bool = True
) -> dict[str, Any]:
    """Some settings of `cls`, each of its type and within its limits; the others may be missing.

    Parameters
    ----------
    cls : type
    given : mapping
    where : str
        Begins the messages of errors.
    kept : bool
        Whether they are kept with results, and so may hold no secret.

    Raises
    ------
    UnknownNameError
        For a setting that `cls` does not have.
    ConfigError
        For a value of the wrong type or beyond its limits.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Oven:
    ...     degrees: float = setting(doc="how hot", low=0)
    ...     racks: tuple[str, ...] = setting(doc="which to use")
    >>> checked(Oven, {"racks": ["top", "low"]}, "oven")
    {'racks': ('top', 'low')}
    """
    known, hints = names(cls), _hints(cast("Hashable", cls))
    for name in given:
        if not isinstance(name, str) or name not in known:
            raise UnknownNameError("setting", name, known, where)
    values = {
        name: convert(value, hints[name], name, where, kept=kept) for name, value in given.items()
    }
    for name in known:
        if name in values:
            _check_limits(values[name], known[name], where)
    return values


def from_text(cls: type, name: str, text: str, where: str) -> Any:
    """The value of one setting from the text of an option or an environment variable.

    A list is written with commas, a dictionary as JSON.

    Raises
    ------
    UnknownNameError
        For a setting that `cls` does not have.
    ConfigError
        If the text is no value of its type.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Oven:
    ...     degrees: float = setting(180.0, doc="how hot")
    ...     racks: tuple[str, ...] = setting((), doc="which to use")
    >>> from_text(Oven, "degrees", "200", "--oven"), from_text(Oven, "racks", "top, low", "--oven")
    (200.0, ('top', 'low'))
    """
    if name not in names(cls):
        raise UnknownNameError("setting", name, names(cls), where)
    hint = _hints(cast("Hashable", cls))[name]
    value = _read(text, hint)
    if value is _WRONG:
        wrong = f"{where}: {name} = {brief(text)} is not right"
        raise ConfigError(wrong, f"give {describe(hint)}")
    return value


def to_json(settings: Any, *, results_only: bool = False) -> dict[str, Any]:
    """Settings as plain data that `build` reads back."""
    return {
        name: plain(getattr(settings, name))
        for name, spec in names(type(settings)).items()
        if spec.metadata.get("results", True) or not results_only
    }


def plain(value: Any) -> Any:
    """Tuples as lists and dates as text, as JSON has them."""
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    return str(value) if isinstance(value, date) else value


def _doc(spec: dataclasses.Field[Any]) -> str:
    return str(spec.metadata.get("doc", spec.name))


def _check_limits(value: Any, spec: dataclasses.Field[Any], where: str) -> None:
    if isinstance(value, bool):
        return
    low, high = spec.metadata.get("low"), spec.metadata.get("high")
    words = [
        f"{word} {limit:g}"
        for word, limit in (("at least", low), ("at most", high))
        if limit is not None
    ]
    if spec.metadata.get("but") is not None:
        words.append(f"not {spec.metadata['but']}")
    finite = spec.metadata.get("finite", True)
    if finite and high is None and not isinstance(value, int):
        words.append("finite")
    wrong = finite and not_finite(value)
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float):
            within = (low is None or number >= low) and (high is None or number <= high)
            wrong = wrong or not within or number == spec.metadata.get("but", math.nan)
    if wrong:
        raise ConfigError(
            f"{where}: {spec.name} = {brief(value)} is out of range",
            f"it must be {' and '.join(words)}",
        )


def convert(value: Any, hint: Any, name: str, where: str, *, kept: bool = True) -> Any:
    """Check `value` against a type; lists become tuples, text becomes dates, ints floats."""
    converted = _convert(tidied(value, name, where, kept=kept), hint)
    if converted is _WRONG:
        wrong = f"{where}: {name} = {brief(value)} is not right"
        raise ConfigError(wrong, f"give {describe(hint)}")
    return converted


_WRONG = object()


def _convert(value: Any, hint: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        attempts = (_convert(value, arg) for arg in args)
        return next((converted for converted in attempts if converted is not _WRONG), _WRONG)
    if origin is Literal:
        return value if isinstance(value, str) and value in args else _WRONG
    if origin is tuple:
        return _convert_tuple(value, args)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return value if isinstance(value, Mapping) else _WRONG
    return value if hint is Any else _convert_scalar(value, hint)


def _convert_tuple(value: Any, args: tuple[Any, ...]) -> Any:
    if not isinstance(value, list | tuple):
        return _WRONG
    hints = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
    if len(hints) != len(value):
        return _WRONG
    parts = tuple(_convert(part, hint) for part, hint in zip(value, hints, strict=True))
    return _WRONG if any(part is _WRONG for part in parts) else parts


def _convert_scalar(value: Any, hint: Any) -> Any:
    if hint is type(None):
        return None if value is None else _WRONG
    if hint is bool or isinstance(value, bool):
        return value if hint is bool and isinstance(value, bool) else _WRONG
    if hint is float:
        return _convert_float(value)
    if hint is int and isinstance(value, Integral):
        return int(value)
    if hint is date:
        return _convert_date(value)
    return value if isinstance(value, hint) else _WRONG


def _convert_float(value: Any) -> Any:
    """Numbers of any type; those of Python as they are, since folder names repeat them."""
    if type(value) in (int, float):
        return value
    if not isinstance(value, Real | Decimal):
        return _WRONG
    for as_is in (str(value), value):  # 27.95 with few digits stays 27.95
        try:
            return float(as_is)
        except (OverflowError, ValueError):  # no decimal number, a signalling NaN, or beyond floats
            continue
    return _WRONG


def _convert_date(value: Any) -> Any:
    if isinstance(value, date):
        return date(value.year, value.month, value.day)
    if not isinstance(value, str):
        return _WRONG
    try:
        return date.fromisoformat(value[:10]) if _is_day(value) else _WRONG
    except (ValueError, TypeError):
        return _WRONG


def _is_day(text: str) -> bool:
    """Whether a text is a day; one at midnight is, as NumPy and pandas write it."""
    day, _, time = text.partition("T")
    return len(day) == len("2016-01-31") and not time.strip("0:.")


def _read(text: str, hint: Any) -> Any:
    """Text as a value of a type, or `_WRONG`."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        attempts = (_read(text, arg) for arg in args if arg is not type(None))
        return next((value for value in attempts if value is not _WRONG), _WRONG)
    if origin is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        hints = [args[0]] * len(parts) if args[-1] is Ellipsis else list(args)
        return _convert_tuple(list(map(_read, parts, hints)), args)
    if hint is bool:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), _WRONG)
    try:
        if hint in (int, float):
            return hint(text)
        value = read_json(text) if (origin or hint) is dict else text
    except ValueError:
        return _WRONG
    return _convert(value, hint)


def describe(hint: Any) -> str:
    """A type in the user's words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(arg) for arg in args)
    if origin is Literal:
        return " or ".join(f'"{arg}"' for arg in args)
    if origin is tuple:
        if args[-1] is Ellipsis:
            return f"a list, each {describe(args[0])}"
        return f"a list of {len(args)}: {', '.join(describe(arg) for arg in args)}"
    words = {
        int: "a whole number",
        float: "a number",
        bool: "True or False",
        str: "text",
        date: 'a date as "YYYY-MM-DD"',
        type(None): "None",
        dict: "a dictionary",
    }
    return words.get(origin or hint, "a dictionary")
