"""``$filter``: which fields and operators it may have, and which documents it lets pass."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from azure_batch_emulator import times
from azure_batch_emulator.errors import invalid_parameter

Document = dict[str, Any]
Predicate = Callable[[Document], bool]

ORDERED = frozenset({"eq", "ne", "ge", "gt", "le", "lt"})
EQUAL = frozenset({"eq", "ne"})
PREFIX = ORDERED | {"startswith"}

TASK_FIELDS = {
    "id": PREFIX,
    "state": ORDERED,
    "stateTransitionTime": ORDERED,
    "creationTime": ORDERED,
    "lastModifiedTime": ORDERED,
    "executionInfo/startTime": ORDERED,
    "executionInfo/endTime": ORDERED,
    "executionInfo/exitCode": ORDERED,
    "executionInfo/result": EQUAL,
}
JOB_FIELDS = {
    "id": PREFIX,
    "state": EQUAL,
    "stateTransitionTime": ORDERED,
    "creationTime": ORDERED,
    "lastModified": ORDERED,
    "executionInfo/poolId": PREFIX,
}
POOL_FIELDS = {
    "id": PREFIX,
    "state": EQUAL,
    "stateTransitionTime": ORDERED,
    "creationTime": ORDERED,
    "lastModified": ORDERED,
    "allocationState": EQUAL,
    "allocationStateTransitionTime": ORDERED,
    "vmSize": PREFIX,
    "enableAutoScale": EQUAL,
}
NODE_FIELDS = {
    "state": EQUAL,
    "stateTransitionTime": ORDERED,
    "startTaskInfo/result": EQUAL,
    "startTaskInfo/exitCode": ORDERED,
}
PREPARATION_FIELDS = {"poolId": PREFIX, "nodeId": PREFIX}
NODE_COUNT_FIELDS = {"poolId": PREFIX}
IMAGE_FIELDS = {"osType": EQUAL, "nodeAgentSKUId": PREFIX, "verificationType": EQUAL}
FILE_FIELDS = {"name": frozenset({"startswith"})}

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<date>[Dd]ate[Tt]ime'[^']*')|(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z][\w/]*)|(?P<mark>[(),]))"
)
_RENAMED = {"lastModifiedTime": "lastModified"}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"cannot be read from {text[at:]!r} on")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class _Parser:
    """Reads ``or`` of ``and`` of comparisons and brackets."""

    def __init__(self, text: str, fields: Mapping[str, frozenset[str]]) -> None:
        self._tokens = [*_tokens(text), _Token("end", "the end")]
        self._fields = fields

    def parse(self) -> Predicate:
        predicate = self._any()
        self._take("end")
        return predicate

    def _take(self, kind: str, text: str | None = None) -> str:
        token = self._tokens[0]
        if token.kind != kind or text not in {None, token.text}:
            raise ValueError(f"has {token.text!r} where {text or kind!r} is expected")
        return self._tokens.pop(0).text

    def _next_is(self, text: str) -> bool:
        if self._tokens[0].text != text or self._tokens[0].kind not in {"word", "mark"}:
            return False
        self._tokens.pop(0)
        return True

    def _any(self) -> Predicate:
        parts = [self._all()]
        while self._next_is("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda doc: any(part(doc) for part in parts)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._next_is("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda doc: all(part(doc) for part in parts)

    def _one(self) -> Predicate:
        if self._next_is("("):
            inner = self._any()
            self._take("mark", ")")
            return inner
        if self._next_is("startswith"):
            return self._startswith()
        field = self._take("word")
        name = self._take("word")
        self._allow(field, name)
        return _comparison(field, name, self._literal())

    def _startswith(self) -> Predicate:
        self._take("mark", "(")
        field = self._take("word")
        self._allow(field, "startswith")
        self._take("mark", ",")
        prefix = _unquoted(self._take("text")).lower()
        self._take("mark", ")")
        return lambda doc: str(_lookup(doc, field) or "").lower().startswith(prefix)

    def _allow(self, field: str, name: str) -> None:
        if name not in self._fields.get(field, frozenset()):
            raise ValueError(f"uses {field!r} with {name!r}, which the service does not document")

    def _literal(self) -> Any:
        token = self._tokens.pop(0)
        if token.kind == "date":
            return times.parse_moment(token.text[len("datetime'") : -1])
        if token.kind == "text":
            return _unquoted(token.text)
        if token.kind == "number":
            return float(token.text)
        if token.text in {"true", "false"}:
            return token.text == "true"
        raise ValueError(f"has {token.text!r} where a value is expected")


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _lookup(document: Document, field: str) -> Any:
    """The value of a field like ``executionInfo/exitCode``; None where there is none."""
    value: Any = document
    for part in field.split("/"):
        value = value.get(_RENAMED.get(part, part)) if isinstance(value, dict) else None
    return value


def _is_moment(field: str) -> bool:
    return field.endswith("Time") or field == "lastModified"


def _comparison(field: str, name: str, literal: Any) -> Predicate:
    compare = _OPERATORS[name]
    if _is_moment(field) != (isinstance(literal, str) and bool(times.MOMENT.fullmatch(literal))):
        raise ValueError(f"compares {field!r} with {literal!r}")
    if isinstance(literal, float) != field.endswith("exitCode"):
        raise ValueError(f"compares {field!r} with {literal!r}")
    wanted = literal.lower() if isinstance(literal, str) else literal

    def predicate(document: Document) -> bool:
        value = _lookup(document, field)
        if value is None:
            return name == "ne"
        return compare(value.lower() if isinstance(value, str) else value, wanted)

    return predicate


def parse(text: str | None, fields: Mapping[str, frozenset[str]]) -> Predicate:
    """A function that says which documents a ``$filter`` lets pass.

    Parameters
    ----------
    text : str or None
        The filter; None lets all pass.
    fields : mapping
        Which fields may be used with which operators; anything else is an error of the service.
    """
    if text is None:
        return lambda _: True
    try:
        return _Parser(text, fields).parse()
    except ValueError as error:
        raise invalid_parameter("$filter", text, f"The filter {error}.") from None
