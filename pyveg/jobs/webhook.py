"""Messages to people by a webhook: an Adaptive Card, as Teams' Workflows take it, or any JSON.

The address of a webhook is a secret, since whoever knows it may write there. So it comes from the
environment or a file, and no message of an error has more of it than its host.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyveg.core import secrets
from pyveg.core.errors import ConfigError
from pyveg.core.loopback import is_loopback
from pyveg.core.reading import read_whole
from pyveg.core.texts import said
from pyveg.jobs.http_calls import TRIES, Call, ask

VARIABLE = "PYVEG_WEBHOOK"
"""Of the environment: the address."""
_LONGEST_ADDRESS = 8_192


def find_address(file: str | None = None) -> str | None:
    """The address of the webhook.

    Parameters
    ----------
    file : str, optional
        A file that has it in its only line; the environment is looked at where left out.

    Returns
    -------
    str or None
        None where nobody has said one. From now on it is taken out of all messages.

    Raises
    ------
    ConfigError
        If the file cannot be read, or what is given is no address.
    """
    if file is None:
        address, where = os.environ.get(VARIABLE, "").strip(), VARIABLE
    else:
        address, where = _line_of(file), file
    if not address:
        return None
    secrets.know(address)
    _check(address, where)
    return address


def _line_of(file: str) -> str:
    try:
        text = read_whole(Path(file).expanduser(), _LONGEST_ADDRESS).decode().strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{file} cannot be read: {said(error)}", "write the address of the webhook into it"
        ) from None
    if not text:
        raise ConfigError(f"{file} is empty", "write the address of the webhook into it")
    return text


def _check(address: str, where: str) -> None:
    try:
        parts = urlsplit(address)
        fine = parts.hostname and parts.port != 0 and address.isascii() and address.isprintable()
        plain = parts.scheme == "http" and is_loopback(parts.hostname)
    except ValueError:
        fine = plain = False
    if not fine or " " in address or not (parts.scheme == "https" or plain):
        raise ConfigError(
            f"what {where} has is no address of a webhook", "write one that begins with https://"
        )


def send(
    address: str,
    message: Mapping[str, Any],
    *,
    tries: int = TRIES,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Post a message as JSON, and again where the service is busy or away.

    Parameters
    ----------
    address : str
        Of http or https.
    message : mapping
        Plain data, such as `adaptive_card` makes.
    tries : int
        How often, at most.
    sleep : callable
        Waits some seconds.

    Raises
    ------
    ServiceError
        If it refuses the message (4xx but 408, 425, 429), or leads elsewhere.
    ServiceAwayError
        If it has not taken it after all tries (429, 5xx, no answer).
    """
    secrets.know(address)
    headers = {"Content-Type": "application/json"}
    call = Call(address, "POST", json.dumps(message).encode(), headers)
    ask(call, "the webhook", tries=tries, sleep=sleep)


@dataclass(frozen=True)
class Section:
    """Some facts under a heading."""

    heading: str
    facts: Sequence[tuple[str, str]]
    """What it is, and how much."""


def adaptive_card(
    title: str, sections: Sequence[Section], notes: Sequence[str] = (), link: str = ""
) -> dict[str, Any]:
    """A message that Teams' Workflows show: Adaptive Card 1.4, one table of facts a section.

    Parameters
    ----------
    title : str
    sections : sequence of Section
    notes : sequence of str
        Sentences below.
    link : str
        Address of a button; none where empty.

    Returns
    -------
    dict
        Plain data.

    Examples
    --------
    >>> made = adaptive_card("Yesterday", [Section("A", [("images", "12")])])
    >>> made["attachments"][0]["content"]["body"][2]["facts"]
    [{'title': 'images', 'value': '12'}]
    """
    body = [_text(title, size="Large", weight="Bolder")]
    for section in sections:
        facts = [{"title": name, "value": _plain(value)} for name, value in section.facts]
        body += [_text(section.heading, weight="Bolder"), {"type": "FactSet", "facts": facts}]
    body += [_text(note, color="Warning") for note in notes]
    content: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if link:
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": link}]
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _text(text: str, **looks: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": _plain(text), "wrap": True, **looks}


def _plain(text: str) -> str:
    """A text that makes no link of its own: cards show a Markdown, and names in them are anyone's.

    Examples
    --------
    >>> _plain("[free](https://example.org)")
    '(free)(https://example.org)'
    """
    return text.replace("[", "(").replace("]", ")")
