"""Where the links of a catalogue may lead.

A catalogue of a service is others' text: what it links to is asked for by this machine, from inside
its network and with its rights. So its links are addresses of https or lead to the service itself,
never to files, and never to hosts that the world cannot see, unless the user names them. A
catalogue in files is the user's own, and may link to anything.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import pystac
from pystac_client.stac_api_io import StacApiIO

from pyveg.core.errors import DataError
from pyveg.core.secrets import redacted
from pyveg.core.texts import cut
from pyveg.sources import http
from pyveg.sources.stac.gate import Gate, gate_for, is_public
from pyveg.sources.stac.settings import StacSettings

VARIABLE = "PYVEG_STAC_HOSTS"
"""Environment variable with more trusted hosts, separated by commas."""
_LONGEST = 120
_ODD = re.compile(r"[\s\\\x00-\x1f\"'<>|]")
"""Characters that programs understand differently, and addresses do not need."""


def check_scene(scene: dict[str, Any], bands: Sequence[str], settings: StacSettings) -> None:
    """Refuse a scene that links to what its catalogue may not link to.

    Parameters
    ----------
    scene : dict
        STAC item as JSON.
    bands : sequence of str
        Keys of the assets that will be read.
    settings : StacSettings

    Raises
    ------
    DataError
    """
    for name in bands:
        if name in scene["assets"]:
            check_link(scene["assets"][name]["href"], settings)


def check_link(href: Any, settings: StacSettings) -> None:
    """Refuse an address that a catalogue may not link to; `DataError`."""
    if settings.local:
        return
    fault = _fault(href, urlsplit(settings.url), (*settings.trusted_hosts, *_by_variable()))
    if fault:
        raise DataError(
            f"the catalogue {settings.title} links to {_shown(href)}, {fault}",
            "leave the scene out; or if you know that place and trust the catalogue with it, set "
            "trusted_hosts of the collection",
        )


@dataclass(frozen=True)
class Onward:
    """Where files that a catalogue links to may send whoever asks for them."""

    service: str
    """Address of the catalogue."""
    title: str
    trusted: tuple[str, ...]

    def __call__(self, url: str) -> bool:
        """Whether an address is known to be fine though it be private; `DataError` if none is."""
        parts = urlsplit(url)
        if _is_allowed(parts, urlsplit(self.service), self.trusted):
            return True
        if parts.scheme == "https":
            return False
        raise DataError(
            f"a file of the catalogue {self.title} is sent on to {_shown(url)}, which is neither "
            "https nor the service itself",
            "leave the scene out; or if you know that place and trust the catalogue with it, set "
            "trusted_hosts of the collection",
        )


def gate_of(settings: StacSettings) -> Gate | None:
    """What GDAL is to ask for files through.

    None where nothing is refused, or where links lead to buckets, whose service has an address of
    its own that only the user knows; and where there is a proxy, which decides what it lets by.
    """
    trusted = (*settings.trusted_hosts, *_by_variable())
    buckets = any("://" in one and not one.startswith("http") for one in trusted)
    if settings.local or buckets:
        return None
    return gate_for(Onward(settings.url, settings.title, trusted))


def _shown(href: Any) -> str:
    return cut(redacted(str(href)), _LONGEST)


def _fault(href: Any, own: SplitResult, trusted: Sequence[str]) -> str:
    """Why an address is not followed; empty where it is."""
    parts = _split(href)
    if parts is None:
        return "which is no address"
    if _is_allowed(parts, own, trusted):
        return ""
    if parts.scheme != "https" or not parts.hostname:
        return "which is neither https nor the service itself"
    if "@" in parts.netloc:
        return "which names a user"
    return "which is inside a private network" if _private(parts.hostname) else ""


def _split(href: Any) -> SplitResult | None:
    """Parts of an address; None for what is none, or is read differently by different programs."""
    if not isinstance(href, str) or _ODD.search(href):
        return None
    try:
        parts = urlsplit(href)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_allowed(parts: SplitResult, own: SplitResult, trusted: Sequence[str]) -> bool:
    """Whether it leads to the service itself, or to where the user has said that it may."""
    top = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return bool(parts.netloc) and top in trusted
    own_top = f"{own.scheme}://{own.netloc}"
    return top == own_top or bool({top, parts.hostname, parts.netloc} & set(trusted))


def _by_variable() -> list[str]:
    return [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]


@lru_cache(maxsize=1024)
def _private(host: str) -> bool:
    """Whether a host has any address that the world cannot see; not if nobody here knows it."""
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):  # reached by a proxy, or not at all
        return False
    return any(not is_public(str(at[4][0])) for at in found)


class WatchedIO(StacApiIO):
    """Reads what a catalogue links to, where it may link to it, and not more than fits.

    Parameters
    ----------
    settings : StacSettings
    limits : tuple of float
        Seconds for a connection and for an answer.
    patience : Patience
        How often to ask again.
    """

    def __init__(
        self, settings: StacSettings, limits: tuple[float, float], patience: http.Patience
    ) -> None:
        super().__init__(timeout=limits, max_retries=patience)
        self._settings = settings
        self.session.hooks["response"] = [self._redirected, http.bounded]

    def read_text(self, source: pystac.link.HREF, *args: Any, **options: Any) -> str:
        """As of the client, after a look at where it leads."""
        linked = source.get_absolute_href() if isinstance(source, pystac.Link) else str(source)
        check_link(linked, self._settings)
        return super().read_text(source, *args, **options)

    def request(self, href: str, *args: Any, **options: Any) -> str:
        """As of the client, after a look at where it leads."""
        check_link(href, self._settings)
        return super().request(href, *args, **options)

    def _redirected(self, answer: Any, *_: Any, **__: Any) -> None:
        if not answer.is_redirect:
            return
        try:
            check_link(urljoin(answer.url, answer.headers["location"]), self._settings)
        except DataError:
            answer.close()
            raise
