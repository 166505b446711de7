"""Values of a config, whatever their type: as plain data, or refused by their name.

A config is a program, so a setting may be any object of Python: arrays of NumPy, a Path, a set, a
generator, a list within itself. What can be plain data becomes it; all else is one sentence.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import ItemsView, KeysView, Mapping, Set, ValuesView
from datetime import date
from itertools import islice
from numbers import Number
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.core.secrets import has_secret
from pyveg.core.texts import LONGEST_VALUE, brief, cut

DEEPEST = 20
"""Lists within lists that a setting may have."""
LONGEST_TEXT = 100_000
"""Characters of one text; a program in a command may be long."""
MOST = 1_000_000
"""Values that one setting may have; lists of inputs are long."""
_LARGEST = 10**30
_PLAIN = (str, Number, bool, type(None), list, tuple, date)


def tidied(value: Any, name: str, where: str, *, kept: bool = True) -> Any:
    """A value as plain data, as far as it can be; the rest is left as it is, for its type's check.

    Arrays and numbers of NumPy and views of dictionaries become lists and numbers of Python, paths
    text, and any mapping a dict.

    Parameters
    ----------
    value : object
    name, where : str
        Begin the messages of errors.
    kept : bool
        Whether it is kept with results, and so may hold no secret.

    Raises
    ------
    ConfigError
        For what could be in no setting: keys that are no text, whole numbers of 30 digits, texts
        with a NUL or half a character, secrets in addresses, more than 20 lists within each other,
        and sets, which have no order.
    """
    return _Tidying(name, where, kept).of(value, ())


class _Tidying:
    """One value on its way; knows how many parts of it were seen."""

    def __init__(self, name: str, where: str, kept: bool) -> None:
        self._name, self._where, self._kept = name, where, kept
        self._seen = 0

    def of(self, value: Any, path: tuple[str, ...]) -> Any:
        """A part of the value, below these names."""
        self._seen += 1
        if self._seen > MOST:
            raise self._refused((), f"has more than {MOST:,} values", "give fewer")
        if len(path) > DEEPEST:
            raise self._refused((), "has too many lists within each other", "make it flatter")
        value = _of_numpy(value)
        if isinstance(value, os.PathLike):
            value = os.fsdecode(value)
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, int) and abs(value) >= _LARGEST:
            raise self._refused(path, f"= {brief(value)} is out of range", "give a smaller number")
        return self._several(value, path)

    def _several(self, value: Any, path: tuple[str, ...]) -> Any:
        """What holds other values; all else as it is."""
        if isinstance(value, Mapping):
            pairs = islice(value.items(), MOST)
            return {self._key(key, path): self.of(part, (*path, f"{key}")) for key, part in pairs}
        if isinstance(value, KeysView | ValuesView | ItemsView | range):
            value = list(islice(value, MOST + 1))
        if isinstance(value, Set):
            wrong = f"= {brief(value)} is a set, which has no order"
            raise self._refused(path, wrong, "write a list")
        if type(value) in (list, tuple):
            return type(value)(self.of(part, (*path, "")) for part in value)
        if path and not isinstance(value, _PLAIN):  # one at the top has a type of its own
            wrong = f"= {brief(value)} is no text, number, date, list or dictionary"
            raise self._refused(path, wrong, "give one of these")
        return value

    def _key(self, key: Any, path: tuple[str, ...]) -> str:
        if not isinstance(key, str):
            wrong = f"has the name {brief(key)}, which is no text"
            raise self._refused(path, wrong, "write it in quotes")
        return self._text(key, path)

    def _text(self, text: str, path: tuple[str, ...]) -> str:
        text = text if type(text) is str else "".join(text)  # a class of its own, as NumPy has
        wrong, cure = _fault(text, kept=self._kept)
        if wrong:
            raise self._refused(path, wrong, cure)
        return text

    def _refused(self, path: tuple[str, ...], wrong: str, cure: str) -> ConfigError:
        below = "".join(f'["{cut(name, LONGEST_VALUE)}"]' for name in path[:3] if name)
        return ConfigError(f"{self._where}: {self._name}{below} {wrong}", cure)


def _fault(text: str, *, kept: bool) -> tuple[str, str]:
    """What is wrong with a text whatever it is for, and the cure; empty where nothing is."""
    if len(text) > LONGEST_TEXT:
        return f"= {brief(text)} is too long", "give a shorter text"
    if "\0" in text:
        return f"= {brief(text)} has a NUL in it", "leave that out"
    if not _is_text(text):
        return f"= {brief(text)} has half a character in it", "write the whole character"
    if kept and has_secret(text):
        return (
            "has a password, key or token in it, and a config is kept with its results",
            "leave it out of the address or text, and give it by an environment variable",
        )
    return "", ""


def _of_numpy(value: Any) -> Any:
    """A number, text, date or array of NumPy as one of Python."""
    if not type(value).__module__.startswith("numpy") or isinstance(value, type):
        return value
    dtype = getattr(value, "dtype", None)
    if dtype is None or not hasattr(value, "item"):
        return value
    if getattr(value, "ndim", 0):
        return list(value)
    if dtype.kind == "f":
        return float(str(value))  # 27.95 of few digits stays 27.95
    if dtype.kind == "M":
        return str(value)
    return value.item()


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and type(value) is not tuple


def _is_text(text: str) -> bool:
    """Whether it can be written; a name of a file may have bytes that are no text in it."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def read_json(data: bytes | str) -> Any:
    """JSON that anyone may have written or damaged.

    Raises
    ------
    ValueError
        If it is none, or has too many brackets within each other.
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("too many brackets within each other") from None


def not_finite(value: Any) -> bool:
    """Whether it is, or has in it, a number that is none, or is infinite."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(not_finite, value.values()))
    return isinstance(value, list | tuple) and any(map(not_finite, value))
