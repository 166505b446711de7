"""Typed inputs of a process: their JSON schema, the fields of a form, and their checks."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Union, get_args, get_origin

from pyveg.core import params
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.secrets import has_secret
from pyveg.service.refusals import Refusal, wrong_inputs

Kind = Literal["number", "integer", "text", "date", "boolean", "choice", "list", "object"]

LONGEST_TEXT = 10_000
"""Characters of a text that a caller gives."""
LONGEST_LIST = 10_000


@dataclass(frozen=True)
class InputField:
    """One input, as a form shows it."""

    name: str
    doc: str
    kind: Kind
    choices: tuple[str, ...] = ()
    """Of a choice, and of the members of a list."""
    required: bool = False
    default: Any = None
    low: float | None = None
    high: float | None = None


def fields_of(cls: type) -> list[InputField]:
    """The inputs of a process, in their order."""
    hints = typing.get_type_hints(cls)
    return [_field(spec, hints[name]) for name, spec in params.names(cls).items()]


def schema_of(cls: type) -> dict[str, dict[str, Any]]:
    """The inputs of a process as OGC API - Processes describes them.

    Examples
    --------
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Inputs:
    ...     longitude: float = params.setting(doc="degrees east", low=-180, high=180)
    >>> schema_of(Inputs)["longitude"]["schema"]
    {'type': 'number', 'minimum': -180, 'maximum': 180}
    """
    hints = typing.get_type_hints(cls)
    described = {}
    for name, spec in params.names(cls).items():
        schema = _schema(hints[name])
        for key, limit in (("minimum", "low"), ("maximum", "high")):
            if spec.metadata.get(limit) is not None:
                _numeric(schema)[key] = spec.metadata[limit]
        if not is_required(spec):
            schema["default"] = params.plain(_default(spec))
        described[name] = {
            "title": name.replace("_", " "),
            "description": spec.metadata.get("doc", name),
            "minOccurs": 1 if is_required(spec) else 0,
            "maxOccurs": 1,
            "schema": schema,
        }
    return described


def check(cls: type, given: Any) -> Any:
    """Make the inputs of a process from what a caller gave.

    Parameters
    ----------
    cls : type
        The frozen dataclass that declares them.
    given : object
        As it came from JSON; a value may stand in an object ``{"value": ...}``.

    Raises
    ------
    Refusal
        422, with a JSON pointer to what is wrong.
    """
    if not isinstance(given, Mapping):
        raise Refusal(
            422, "inputs is no object", 'write {"inputs": {NAME: VALUE}}', pointer="/inputs"
        )
    known = params.names(cls)
    for name in given:
        if name not in known:
            raise wrong_inputs(UnknownNameError("input", name, known, "inputs"), _pointer(name))
    values = {name: _unwrapped(value) for name, value in given.items()}
    for name, value in values.items():
        try:
            _check_size(name, value)
            params.build(_alone(cls, name), {name: value}, "inputs")
        except ConfigError as error:
            raise wrong_inputs(error, _pointer(name)) from None
    try:
        return params.build(cls, values, "inputs")
    except ConfigError as error:  # one that is missing
        raise wrong_inputs(error) from None


def from_form(cls: type, texts: Mapping[str, str]) -> dict[str, Any]:
    """Inputs from the texts of a form; a field that is left empty is left out.

    Raises
    ------
    Refusal
        422, with a JSON pointer to the field.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if not text.strip():
            continue
        try:
            values[name] = params.plain(params.from_text(cls, name, text.strip(), "inputs"))
        except ConfigError as error:
            raise wrong_inputs(error, _pointer(name)) from None
    return values


def is_required(spec: dataclasses.Field[Any]) -> bool:
    """Whether an input has no default."""
    return spec.default is spec.default_factory is dataclasses.MISSING


def _field(spec: dataclasses.Field[Any], hint: Any) -> InputField:
    plain = _without_none(hint)
    members = _without_none(get_args(plain)[0]) if get_origin(plain) is tuple else plain
    choices = get_args(members) if get_origin(members) is Literal else ()
    return InputField(
        spec.name,
        spec.metadata.get("doc", spec.name),
        _kind(plain),
        tuple(choices),
        is_required(spec),
        None if is_required(spec) else params.plain(_default(spec)),
        spec.metadata.get("low"),
        spec.metadata.get("high"),
    )


def _kind(hint: Any) -> Kind:
    origin = get_origin(hint) or hint
    if origin is Literal:
        return "choice"
    if origin is tuple:
        return "list"
    kinds: dict[Any, Kind] = {
        float: "number",
        int: "integer",
        str: "text",
        date: "date",
        bool: "boolean",
    }
    return kinds.get(origin, "object")


def _schema(hint: Any) -> dict[str, Any]:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        parts = [_schema(one) for one in args]
        return {"anyOf": parts} if len(parts) > 1 else parts[0]
    if origin is Literal:
        return {"type": "string", "enum": list(args)}
    if origin is tuple and args[-1] is Ellipsis:
        return {"type": "array", "items": _schema(args[0]), "maxItems": LONGEST_LIST}
    if origin is tuple:
        one = _schema(args[0])
        return {"type": "array", "items": one, "minItems": len(args), "maxItems": len(args)}
    plain: dict[Any, dict[str, Any]] = {
        float: {"type": "number"},
        int: {"type": "integer"},
        bool: {"type": "boolean"},
        str: {"type": "string", "maxLength": LONGEST_TEXT},
        date: {"type": "string", "format": "date"},
        type(None): {"type": "null"},
    }
    return dict(plain.get(origin or hint, {"type": "object"}))


def _numeric(schema: dict[str, Any]) -> dict[str, Any]:
    """The part of a schema that limits hold for."""
    for part in schema.get("anyOf", ()):
        if part.get("type") in ("number", "integer"):
            return typing.cast("dict[str, Any]", part)
    return schema


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [one for one in get_args(hint) if one is not type(None)]
        return rest[0]
    return hint


def _default(spec: dataclasses.Field[Any]) -> Any:
    if spec.default_factory is not dataclasses.MISSING:
        return spec.default_factory()
    return spec.default


def _alone(cls: type, name: str) -> type:
    """A class with that input only, so that an error is about it."""
    hint = typing.get_type_hints(cls)[name]
    spec = params.names(cls)[name]
    made = field(metadata=spec.metadata)
    return dataclasses.make_dataclass("One", [(name, hint, made)], frozen=True, kw_only=True)


def _unwrapped(value: Any) -> Any:
    """A value that OGC's qualified form wraps."""
    if isinstance(value, Mapping) and "value" in value and set(value) <= {"value", "mediaType"}:
        return value["value"]
    return value


def _check_size(name: str, value: Any) -> None:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise ConfigError(
            f"inputs: {name} has {len(value)} characters", f"give at most {LONGEST_TEXT}"
        )
    if isinstance(value, list) and len(value) > LONGEST_LIST:
        raise ConfigError(
            f"inputs: {name} has {len(value)} members", f"give at most {LONGEST_LIST}"
        )
    if _holds_secret(value):
        raise ConfigError(
            f"inputs: {name} holds a password, key or token, and inputs are kept with the job",
            "leave it out; what the service itself may read is said in its config",
        )


def _holds_secret(value: Any) -> bool:
    if isinstance(value, str):
        return has_secret(value)
    if isinstance(value, Mapping):
        return any(_holds_secret(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(map(_holds_secret, value))


def _pointer(name: str) -> str:
    return f"/inputs/{str(name)[:100].replace('~', '~0').replace('/', '~1')}"
