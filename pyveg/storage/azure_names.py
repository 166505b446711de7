"""Names of blob containers and storage accounts, by Azure's rules."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import urlsplit

from pyveg.core.errors import StoreError

LONGEST = 63
_VALID = re.compile("[a-z0-9](?:-?[a-z0-9])+")
_SEPARATORS = re.compile(r"[-_./\\: ]+")
_OTHERS = re.compile("[^a-z0-9-]+")
_DIGEST = 12
"""Hexadecimal digits that make long names differ: 48 bits."""
_TAIL = len("2026-11-21-10-00-00")
"""Characters at the end of a long name that are kept: the date stamp of a run."""


def is_container_name(text: str) -> bool:
    """Whether Azure takes it: 3 to 63 of a-z, 0-9 and single hyphens between them."""
    return 3 <= len(text) <= LONGEST and _VALID.fullmatch(text) is not None


def container_name(text: str) -> str:
    """The name of the container for a run.

    Capitals become small, and ``_ . / :`` and blanks become hyphens. Where anything else is lost,
    or the name is too long or too short, a digest of the whole text is put in; a long name keeps
    its beginning and the date stamp at its end. A text that is a valid name already is kept.

    Parameters
    ----------
    text : str
        ``<output_location>_<date_stamp>``.

    Returns
    -------
    str
        3 to 63 characters. Texts that differ by more than capitals and separators get different
        names; and two runs never mix, because each container has a lock.
    """
    if is_container_name(text):
        return text
    plain = _without_accents(text).lower()
    separated = _SEPARATORS.sub("-", plain)
    # What lost something could be the name of another text too, and gets a digest.
    lost = separated.isascii() is False or _OTHERS.search(separated) or plain != text.lower()
    name = re.sub("-+", "-", _OTHERS.sub("-", separated)).strip("-")
    if not lost and is_container_name(name):
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    if len(name) + 1 + _DIGEST <= LONGEST:
        return f"{name}-{digest}" if name else f"pyveg-{digest}"
    head = name[: LONGEST - _DIGEST - _TAIL - 2].strip("-")
    return f"{head}-{digest}-{name[-_TAIL:].strip('-')}"


def check_container_name(text: str) -> str:
    """Give a container's name back, or refuse it.

    Raises
    ------
    StoreError
        If Azure would not take it.
    """
    if not is_container_name(text):
        raise StoreError(
            f'"{text}" cannot be the name of a container',
            "give 3 to 63 of the characters a-z, 0-9 and single hyphens between them",
        )
    return text


def account_of(account_url: str) -> str:
    """Name of the storage account at a URL.

    ``https://NAME.blob.core.windows.net``, or ``http://127.0.0.1:10000/NAME`` for an emulator.
    """
    parts = urlsplit(account_url)
    path = parts.path.strip("/")
    return path or (parts.hostname or "").partition(".")[0]


def _without_accents(text: str) -> str:
    """Letters without their accents, so that they stay readable."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(part for part in parts if not unicodedata.combining(part))
