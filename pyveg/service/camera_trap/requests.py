"""What a client sends -> inputs of ``score-images``, checked in the order that clients know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyveg.service.camera_trap import signatures
from pyveg.service.camera_trap.settings import CameraTrapSettings, versions
from pyveg.service.camera_trap.signatures import NotUsableError
from pyveg.service.config import ServiceConfig

LONGEST_NAME = 92
_NAME = re.compile(r"[A-Za-z0-9_-]*")
_NO = ("false", "f", "no", "n")
_FORMATS = ("1.1", "1.6")


class WrongError(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        Of HTTP.
    what : str
    """

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


@dataclass(frozen=True)
class Asked:
    """A request that may become a job."""

    inputs: dict[str, Any]
    signatures: str
    """As `pyveg.service.access` keeps them."""


def sender_of(body: Mapping[str, Any], allowed: Mapping[str, str], instance: str) -> str:
    """Who asks.

    Raises
    ------
    WrongError
        401 for one who is not on the list of this instance.
    """
    caller = body.get("caller")
    if not isinstance(caller, str) or not caller or allowed.get(caller) != instance:
        raise WrongError(401, "caller is missing, or is not on the list of this instance")
    return caller


def asked(
    body: Mapping[str, Any], sender: str, settings: CameraTrapSettings, config: ServiceConfig
) -> Asked:
    """A request by somebody who may.

    Raises
    ------
    WrongError
        400 for the first that is wrong with it.
    """
    use_url = _flag(body.get("use_url"))
    container, listed = _text(body, "input_container_sas"), _text(body, "images_requested_json_sas")
    if not container and not use_url:
        raise WrongError(400, "input_container_sas must be given, unless use_url is true")
    try:
        # Also where they are empty texts, which are no addresses.
        if body.get("input_container_sas") is not None:
            signatures.checked_container(container)
        if body.get("images_requested_json_sas") is not None:
            signatures.checked_list(listed)
    except NotUsableError as error:
        raise WrongError(400, str(error)) from None
    if use_url and not listed:
        raise WrongError(400, "images_requested_json_sas must be given where use_url is true")
    model = _model(body, versions(settings, config), settings.default_model_version)
    inputs = {
        "model": model,
        "request_name": _name(body),
        "image_path_prefix": _text(body, "image_path_prefix"),
        "first_n": _number(body, "first_n"),
        "sample_n": _number(body, "sample_n"),
        "format": _format(body, settings.format),
        "country": _said(body, "country"),
        "organization_name": _said(body, "organization_name"),
        "instance": settings.instance,
        "sender": sender,
    }
    kept = []
    if not use_url:
        inputs["container"], secret = signatures.divided(container, container=True)
        kept.append(secret)
    if listed:
        inputs["images_list"], secret = signatures.divided(listed)
        kept.append(secret)
    return Asked(inputs, " ".join(filter(None, kept)))


def _flag(given: Any) -> bool:
    """Clients send texts: only some of them mean no."""
    if isinstance(given, str):
        return given.lower() not in _NO if given else False
    return bool(given)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not _is_text(value):
        raise WrongError(400, f"{name} is no text")
    return value


def _is_text(value: str) -> bool:
    """Whether it is more than halves of characters, which JSON can hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _said(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return "" if value is None else str(value)[:200].encode("utf-8", "replace").decode()


def _model(body: Mapping[str, Any], known: Sequence[str], usual: str) -> str:
    given = body.get("model_version")
    model = usual if given in (None, "") else str(given)
    if model not in known:
        raise WrongError(400, f"model_version is none of {', '.join(known)}")
    return model


def _name(body: Mapping[str, Any]) -> str:
    name = _said_whole(body, "request_name")
    if len(name) > LONGEST_NAME:
        raise WrongError(400, f"request_name has more than {LONGEST_NAME} characters")
    if not _NAME.fullmatch(name):
        raise WrongError(400, "request_name has other signs than letters, digits, _ and -")
    return name


def _said_whole(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return "" if value is None else str(value)


def _number(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name) or 0
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise WrongError(400, f"{name} is no whole number")
    return min(value, 1_000_000_000)


def _format(body: Mapping[str, Any], usual: str) -> str:
    given = body.get("format_version")
    chosen = usual if given in (None, "") else str(given)
    if chosen not in _FORMATS:
        raise WrongError(400, f"format_version is none of {', '.join(_FORMATS)}")
    return chosen
