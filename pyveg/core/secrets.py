"""Secrets: found in texts by their form, or since this process knows them, and taken out.

The one redactor: messages, events, manifests, tables and logs go through `redacted`. What is kept
for ever, such as a config, is refused instead (`has_secret`), as nobody would miss it there later.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any

from pyveg.core.texts import cut

HIDDEN = "***"
"""Stands in the place of a secret."""
SHORTEST = 8
"""Characters of a secret that is looked for; shorter ones would be found everywhere."""

_NAMES = (
    "sig|signature|sharedaccesssignature|token|access_?token|refresh_?token|id_?token|auth"
    "|private_?token|api_?key|apikey|access_?key|account_?key|subscription-key|password|passwd|pwd"
    "|secret|client_?secret|x-amz-(?:signature|credential|security-token)"
    "|x-goog-(?:signature|credential)|awsaccesskeyid"
)
"""Names that only secrets have in the query of an address or a connection string."""
# With a password for any protocol. A name alone is one only over http, where it is a token:
# git@host and container@account are no secrets.
_UP_TO = "{0,256}"
"""Characters of a part of a secret; without an end, a search would take the square of a text."""
_USER = re.compile(
    rf"(?P<begin>//|\b[a-z][a-z0-9+]{{1,20}}:/)[^\s/?#@:'\"]{_UP_TO}:[^\s/?#'\"]{_UP_TO}@"
    rf"|(?P<http>https?://)[^\s/?#'\"]{_UP_TO}@"
    # A slash that should have been encoded; what is a port and a path is no password.
    rf"|(?P<slash>://)[^\s/?#@:\['\"]{_UP_TO}:(?!\d+/)[^\s@'\"]{_UP_TO}@",
    re.IGNORECASE,
)
_QUERY = re.compile(
    rf"(?P<name>(?:[?&;#]|%3f|%26|\b(?=accountkey=|sharedaccesssignature=))"
    rf"(?:{_NAMES})(?:=|%3d))(?!\*\*\*)[^\s&;'\"<>]+"
    r"|(?P<long>[?&#](?:key|code)=|\bsig=(?=[\w%+/]{30}))[^\s&;'\"<>]{16,}",
    re.IGNORECASE,
)
_WORDS = (
    "pass(?:word|wd|phrase)|pwd|secret|(?:api|access|account|private|subscription)[-_]?key"
    "|(?:access|refresh|private|auth|bearer)[-_]?token|token|sig"
)
# As dictionaries, headers and files of variables have them. A value in quotes, or of letters and
# digits that no bracket follows: in a config, token = os.environ["TOKEN"] is none.
_NAMED = re.compile(
    rf"(?P<named>(?:{_WORDS})\\?[\"']?\s{{0,3}}[:=]\s{{0,3}})"
    rf"(?=\\?[\"']?[^\s\"'\\]{_UP_TO}\d)"
    r"(?:(?P<quote>\\?[\"'])[^\s\"'\\]{8,}(?=\\?[\"'])|[A-Za-z0-9+/=_~-]{8,}(?![\w.(\[]))",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?P<scheme>\b(?:bearer|sharedkey\s{1,3}\w{1,24}:|authorization:\s{0,3}\w{1,24})\s{0,3})"
    rf"(?=\S{_UP_TO}\d)[A-Za-z0-9+/=._~-]{{16,}}",
    re.IGNORECASE,
)
_KNOWN_FORMS = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
    r"|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|pypi-[\w-]{50,}|hf_[A-Za-z0-9]{30,}|sk-[\w-]{20,}"
    r"|pyveg_[\w-]{43}(?![\w-])|ya29\.[\w-]{20,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})"
)
"""Tokens that say by their first letters whose they are."""
_KEY_BLOCK = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")

_VARIABLE = re.compile(
    r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|SAS|CREDENTIALS?|CONNECTION_STRING)$"
)
"""Environment variables whose values are secrets, by their names."""

_LEAST_OF_VARIABLE = 12
"""Characters from which on a variable is taken for a secret: KEY=production is none."""
_FRESH = 1.0
"""Seconds that a look at the environment holds for; each message asks."""

_known: set[str] = set()
_files: set[str] = set()
_seen: tuple[float, frozenset[str]] = (float("-inf"), frozenset())


def know(*secrets: str) -> None:
    """Tell this process secrets that it must not show, such as the key of an account."""
    _known.update(secret for secret in secrets if len(secret) >= SHORTEST)


def know_file(path: str | os.PathLike[str]) -> None:
    """Tell this process a file that holds secrets, and that nobody else may be given."""
    _files.add(os.path.realpath(path))


def is_secret_file(path: str | os.PathLike[str]) -> bool:
    """Whether it is such a file, by whatever path."""
    return bool(_files) and os.path.realpath(path) in _files


def known() -> frozenset[str]:
    """All secrets that this process knows, those in its environment too."""
    return frozenset(_known) | _in_environment()


def _in_environment() -> frozenset[str]:
    global _seen  # noqa: PLW0603 - a cache of one value
    now = time.monotonic()
    if now - _seen[0] > _FRESH:
        _seen = now, frozenset(v for name, v in os.environ.items() if _is_one(name, v))
    return _seen[1]


def look_again() -> None:
    """Look at the environment anew, where one secret that is a moment old must not slip through."""
    global _seen  # noqa: PLW0603 - a cache of one value
    _seen = float("-inf"), frozenset()


def _is_one(name: str, value: str) -> bool:
    """Whether an environment variable is a secret; the path of a file with one is not."""
    if len(value) < _LEAST_OF_VARIABLE or not _VARIABLE.search(name):
        return False
    return not os.path.exists(value)  # noqa: PTH110 - a name that is too long is no path


_MARGIN = 2_000
"""Characters; longer than a secret is."""


def redacted(text: str) -> str:
    """A text without secrets.

    Examples
    --------
    >>> redacted("https://x/a.tif?sv=1&sig=abc%2Fd&se=2 is not there")
    'https://x/a.tif?sv=1&sig=***&se=2 is not there'
    >>> redacted("git clone https://ghp_T0ken@github.com/me/it.git, git@github.com:me/it.git")
    'git clone https://***@github.com/me/it.git, git@github.com:me/it.git'
    """
    for secret in known():
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return _by_form(text)


def redacted_ends(text: str, most: int) -> str:
    """The beginning and the end of a long text, without secrets; as `texts.cut` shortens it.

    Only what is kept is looked through, and a little beyond, so that no secret is cut in two.
    """
    begin, end = most // 4, most - most // 4
    if len(text) <= most + 2 * _MARGIN:
        return cut(redacted(text), most)
    first = redacted(text[: begin + _MARGIN])[:begin]
    last = redacted(text[-(end + _MARGIN) :])[-end:]
    return f"{first} ... {len(text) - most} characters left out ... {last}"


def redacted_in(data: Any) -> Any:
    """Plain data without secrets in its texts."""
    if isinstance(data, str):
        return redacted(data)
    if isinstance(data, Mapping):
        return {key: redacted_in(part) for key, part in data.items()}
    if type(data) in (list, tuple):
        return type(data)(map(redacted_in, data))
    return data


def _by_form(text: str) -> str:
    if "@" in text and ":" in text:
        text = _USER.sub(lambda m: f"{m['begin'] or m['http'] or m['slash']}{HIDDEN}@", text)
    if "=" in text or "%3" in text:
        text = _QUERY.sub(lambda m: f"{m['name'] or m['long']}{HIDDEN}", text)
    if "=" in text or ":" in text:
        text = _NAMED.sub(lambda m: f"{m['named']}{m['quote'] or ''}{HIDDEN}", text)
    text = _HEADER.sub(lambda m: f"{m['scheme']}{HIDDEN}", text)
    return _KNOWN_FORMS.sub(HIDDEN, text)


def has_secret(text: str) -> bool:
    """Whether a text holds a secret, by its form or since this process knows it."""
    return redacted(text) != text


def holds_secret(data: bytes) -> bool:
    """Whether the contents of a file hold a private key or a secret that this process knows."""
    if _KEY_BLOCK.search(data):
        return True
    return any(secret.encode("utf-8", "surrogateescape") in data for secret in known())
