"""The loopback: whoever asks this machine asks it directly, whatever proxy is set.

A proxy that is asked for 127.0.0.1 looks at itself, and emulators, model servers and the like are
never there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit


class _Session(Protocol):
    """What is needed of a `requests.Session`."""

    def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
        """Proxies and certificates of one request, by its address."""


S = TypeVar("S", bound=_Session)


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, by its name or number.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "LOCALHOST", "::1", "[::1]", "127.9.9.9")]
    [True, True, True, True, True]
    >>> is_loopback("localhost.example.org"), is_loopback("10.0.0.1"), is_loopback(None)
    (False, False, False)
    """
    name = (host or "").lower().rstrip(".").strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def asks_directly(session: S) -> S:
    """Make a session ask this machine without a proxy; other hosts as the environment says.

    Parameters
    ----------
    session : requests.Session

    Returns
    -------
    requests.Session
        The same.

    Notes
    -----
    Only this session is touched. A variable ``NO_PROXY`` would hold for the whole process, and let
    GDAL go to this machine beside the gate that keeps links of catalogues from it.
    """
    usual = session.merge_environment_settings

    def merged(url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Mapping[str, Any]:
        settings: Mapping[str, Any] = usual(url, proxies, stream, verify, cert)
        return {**settings, "proxies": {}} if is_loopback(urlsplit(url).hostname) else settings

    setattr(session, "merge_environment_settings", merged)  # noqa: B010 - of this one alone
    return session
