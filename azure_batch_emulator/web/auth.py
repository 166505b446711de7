"""Who asks: SharedKey signatures and Bearer tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.settings import Settings

SIGNED = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)
"""Headers whose values are signed, in this order."""

MAX_SKEW = timedelta(minutes=15)
"""How far the date of a request may be from ours."""


def string_to_sign(method: str, target: str, headers: Mapping[str, str], account: str) -> str:
    """What a SharedKey signature is made of.

    Parameters
    ----------
    method : str
        The HTTP verb.
    target : str
        Path and query as they were sent.
    headers : mapping
        Names in lower case.
    account : str
        Name of the account.
    """
    path, _, query = target.partition("?")
    values = {name: headers.get(name, "") for name in SIGNED}
    values["content-length"] = _signed_length(method, values["content-length"])
    if "ocp-date" in headers:
        values["date"] = ""
    ours = sorted((name, value) for name, value in headers.items() if name.startswith("ocp-"))
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query):
        parameters.setdefault(name, value)
    return "".join(
        [
            f"{method}\n",
            *(f"{values[name]}\n" for name in SIGNED),
            *(f"{name}:{value}\n" for name, value in ours),
            f"/{account}{path}",
            *(f"\n{name}:{parameters[name]}" for name in sorted(parameters)),
        ]
    )


def _signed_length(method: str, length: str) -> str:
    if length in {"", "0"}:
        return "" if method in {"GET", "HEAD"} else "0"
    return length


def signature(key: str, text: str) -> str:
    """HMAC-SHA256 of a text, base64, with a key in base64."""
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def check(settings: Settings, method: str, target: str, headers: Mapping[str, str]) -> None:
    """Let a request pass, or raise ``AuthenticationFailed``.

    Parameters
    ----------
    settings : Settings
        Account, key and tokens.
    method, target : str
        The HTTP verb; path and query as they were sent.
    headers : mapping
        Names in lower case.
    """
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme == "SharedKey":
        _check_key(settings, rest, string_to_sign(method, target, headers, settings.account))
        _check_date(headers.get("ocp-date") or headers.get("date", ""))
    elif scheme == "Bearer":
        if not any(_same(rest, token) for token in settings.bearer_tokens):
            raise _failed("The access token is not one that this account accepts.")
    else:
        raise _failed("The Authorization header is missing or has an unknown scheme.")


def _check_key(settings: Settings, credential: str, text: str) -> None:
    account, _, given = credential.partition(":")
    if not settings.shared_key:
        raise _failed("This account does not accept shared keys; use Microsoft Entra ID.")
    if account != settings.account:
        raise _failed(f"There is no account {account!r} here.")
    if not _same(given, signature(settings.key, text)):
        raise _failed("The MAC signature is not the one computed with the account's key.")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _check_date(text: str) -> None:
    try:
        sent = parsedate_to_datetime(text)
    except ValueError:
        raise _failed("The request has no valid date.") from None
    sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - sent) > MAX_SKEW:
        raise _failed("The date of the request is too far from the time of the server.")


def _failed(detail: str) -> BatchError:
    return BatchError("AuthenticationFailed", AuthenticationErrorDetail=detail)
