"""Shared access signatures for addresses of inputs, which nobody writes down with a run.

An address with a signature in it would be kept for ever in lists and records. So lists have plain
addresses, and the environment has one or more addresses with their signatures, divided by spaces::

    PYVEG_INPUT_SAS="https://account.blob.core.windows.net/photos?sv=...&sp=rl&sig=..."

What lies at such an address or below it is asked for with that signature, when it is opened.
"""

from __future__ import annotations

import os
from functools import lru_cache
from urllib.parse import parse_qs

from pyveg.core import secrets

VARIABLE = "PYVEG_INPUT_SAS"
"""Variable of the environment; its name makes the redactor take all of it for a secret."""


def with_access(url: str) -> str:
    """An address with the signature that goes for it; as it is where none does.

    Parameters
    ----------
    url : str
        Without a signature.

    Returns
    -------
    str
        It is a secret where it differs from `url`, and for nobody but the service that is asked.

    Examples
    --------
    >>> import os
    >>> os.environ[VARIABLE] = "https://a.example/photos?sp=r&sig=0123456789abcdef"
    >>> with_access("https://a.example/photos/1.jpg")
    'https://a.example/photos/1.jpg?sp=r&sig=0123456789abcdef'
    >>> with_access("https://a.example/photos2/1.jpg")
    'https://a.example/photos2/1.jpg'
    >>> del os.environ[VARIABLE]
    """
    plain = url.partition("#")[0]
    path = plain.partition("?")[0]
    for base, query in _given(os.environ.get(VARIABLE, "")):
        if path == base or path.startswith(f"{base}/"):
            return f"{plain}{'&' if '?' in plain else '?'}{query}"
    return url


@lru_cache(maxsize=4)
def _given(text: str) -> tuple[tuple[str, str], ...]:
    """Addresses and their queries, the longest first, as that is the most special one."""
    parts = [one.partition("?") for one in text.split()]
    found = [(base.rstrip("/"), query) for base, _, query in parts if query]
    for _, query in found:
        # The signature by itself too, as services repeat it in what they answer.
        secrets.know(*parse_qs(query).get("sig", ()), *_raw(query))
    return tuple(sorted(found, key=lambda one: -len(one[0])))


def _raw(query: str) -> list[str]:
    """Signatures as they stand in a query, percent-encoded."""
    return [part[4:] for part in query.split("&") if part.startswith("sig=")]
