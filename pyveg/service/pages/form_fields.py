"""Forms of browsers: their fields as texts, and the inputs of a process from these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from pyveg.core import params
from pyveg.service.inputs import InputField
from pyveg.service.processes import Process
from pyveg.service.refusals import Refusal

Fields = Mapping[str, Sequence[str]]
"""Fields of a form, each with all its values: a group of boxes has several."""
_MOST = 1_000


async def fields_of(request: Request) -> Fields:
    """What a form sends.

    Raises
    ------
    Refusal
        400, where the body is none.
    """
    try:
        text = (await request.body()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST)
    except ValueError:
        raise Refusal(400, "the body is no form", "send it from the page") from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return given


def last(given: Fields, name: str) -> str:
    """The value of a field; empty where it was not sent.

    Examples
    --------
    >>> last({"analysis": ["false", "true"]}, "analysis"), last({}, "token")
    ('true', '')
    """
    return (given.get(name) or [""])[-1]


def inputs_of(process: Process, given: Fields) -> dict[str, Any]:
    """The inputs of a job; a group of boxes of which none is checked is an empty list.

    Raises
    ------
    Refusal
        422, with a JSON pointer to the field.
    """
    fields = process.input_list()
    inputs = process.from_form({one.name: _joined(one, given) for one in fields})
    for one in fields:
        if one.kind == "list" and one.choices and list(given.get(one.name, ())) == [""]:
            inputs[one.name] = []
    return inputs


def _joined(one: InputField, given: Fields) -> str:
    if one.kind == "list":
        return ",".join(filter(None, given.get(one.name, ())))
    return last(given, one.name)


def texts_of(default: Any) -> list[str]:
    """The default of an input as a form has it.

    Examples
    --------
    >>> texts_of(None), texts_of(0.024), texts_of(True), texts_of(("a", "b"))
    ([], ['0.024'], ['true'], ['a', 'b'])
    """
    plain = params.plain(default)
    if plain is None:
        return []
    values = plain if isinstance(plain, list) else [plain]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]


def place_of(given: Fields) -> tuple[float, float] | None:
    """Longitude and latitude, where a form has them: the map shows them without a script too."""
    try:
        longitude, latitude = float(last(given, "longitude")), float(last(given, "latitude"))
    except ValueError:
        return None
    return (longitude, latitude) if abs(longitude) <= 180 and abs(latitude) <= 90 else None
