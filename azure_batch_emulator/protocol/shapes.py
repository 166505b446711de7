"""What a request body may look like: a small language of checks.

A check is a function of a value and the name of its property that raises the service's error. A
`Shape` checks an object: fields that it does not know are refused as the service does; fields that
the service knows and the emulator does not are refused as not supported, never ignored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from azure_batch_emulator import times
from azure_batch_emulator.errors import BatchError, invalid_property, not_supported

Check = Callable[[Any, str], None]


def text(longest: int | None = None, pattern: str | None = None) -> Check:
    """A string, not too long, that matches a pattern as a whole."""
    compiled = re.compile(pattern or ".*", re.DOTALL)

    def check(value: Any, name: str) -> None:
        if not isinstance(value, str):
            raise invalid_property(name, value, "A string is expected.")
        if longest is not None and len(value) > longest:
            raise invalid_property(name, value, f"It is longer than {longest} characters.")
        if not compiled.fullmatch(value):
            raise invalid_property(name, value, f"It does not match {pattern}.")

    return check


def number(low: int, high: int) -> Check:
    """A whole number from ``low`` to ``high``."""

    def check(value: Any, name: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid_property(name, value, "A whole number is expected.")
        if not low <= value <= high:
            raise invalid_property(name, value, f"It must be from {low} to {high}.")

    return check


def flag(value: Any, name: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise invalid_property(name, value, "True or false is expected.")


def duration(shortest: float = 0.0, longest: float = math.inf) -> Check:
    """An ISO 8601 duration of at least, and at most, so many seconds."""

    def check(value: Any, name: str) -> None:
        try:
            seconds = times.parse_duration(value)
        except (ValueError, TypeError):
            raise invalid_property(name, value, "An ISO 8601 duration is expected.") from None
        if seconds < shortest:
            raise invalid_property(name, value, f"It must be {shortest:g} seconds at least.")
        if seconds > longest:
            raise invalid_property(name, value, f"It must be {longest:g} seconds at most.")

    return check


def choice(*allowed: str, unsupported: tuple[str, ...] = ()) -> Check:
    """One of some words, in any case; others the service knows and the emulator does not."""

    def check(value: Any, name: str) -> None:
        if isinstance(value, str) and value.lower() in unsupported:
            raise not_supported(f"{name} = {value!r}")
        if not isinstance(value, str) or value.lower() not in {word.lower() for word in allowed}:
            raise invalid_property(name, value, f"It must be one of {', '.join(allowed)}.")

    return check


def only(expected: object, why: str) -> Check:
    """A value that is accepted because it asks for nothing; all others are not supported."""

    def check(value: Any, name: str) -> None:
        if value != expected:
            raise not_supported(f"{name} = {value!r} ({why})")

    return check


def refused(value: Any, name: str) -> None:
    """What the service does and the emulator does not."""
    if value not in ([], {}):
        raise not_supported(f"the property {name!r}")


def anything(value: Any, name: str) -> None:
    """Whatever it is: it is checked later."""


def many(check: Check, most: int | None = None) -> Check:
    """A list of things that pass a check."""

    def check_all(value: Any, name: str) -> None:
        if not isinstance(value, list):
            raise invalid_property(name, value, "A list is expected.")
        if most is not None and len(value) > most:
            raise invalid_property(
                name, f"{len(value)} items", f"At most {most} items are allowed."
            )
        for item in value:
            check(item, name)

    return check_all


class Shape:
    """An object with named properties.

    Parameters
    ----------
    fields : mapping
        Name of each property and its check.
    required : tuple of str
        Those that must be there.
    rule : check, optional
        What must be true of them together.
    """

    def __init__(
        self,
        fields: Mapping[str, Check],
        required: tuple[str, ...] = (),
        rule: Check = anything,
    ) -> None:
        self.fields = dict(fields)
        self.required = required
        self.rule = rule

    def __call__(self, value: Any, name: str = "") -> None:
        """Raise the service's error where an object does not have this shape."""
        if not isinstance(value, dict):
            raise invalid_property(name or "body", value, "An object is expected.")
        for field in self.required:
            if value.get(field) is None:
                raise BatchError(
                    "MissingRequiredProperty",
                    f"The required property {_join(name, field)!r} is missing.",
                    PropertyName=_join(name, field),
                )
        for field, inner in value.items():
            if field not in self.fields:
                raise BatchError(
                    "InvalidRequestBody", Reason=f"There is no property {_join(name, field)!r}."
                )
            if inner is not None:
                self.fields[field](inner, _join(name, field))
        self.rule(value, name)


def _join(name: str, field: str) -> str:
    return f"{name}.{field}" if name else field
