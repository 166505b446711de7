"""Files at addresses that others have written: none of a private network is asked for.

Lists of addresses come from anywhere, and what they name is asked for by this machine, from inside
its network. So each connection goes through the gate that catalogues have too, which looks where a
name leads when it is connected to, after redirects as before.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    BaseHandler,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    UnknownHandler,
    build_opener,
)

from pyveg.core import answers
from pyveg.core.errors import DataError, ServiceAwayError, ServiceError
from pyveg.core.secrets import redacted
from pyveg.sources.input_sas import with_access
from pyveg.sources.stac.gate import Gate, gate_for, is_public

_SECONDS = 60.0
_GONE = (404, 410)


def is_web(url: str) -> bool:
    """Whether it is an address of http or https."""
    return url.startswith(("http://", "https://"))


@dataclass(frozen=True)
class _Hosts:
    """Which hosts may be private."""

    allowed: tuple[str, ...]

    def __call__(self, url: str) -> bool:
        parts = urlsplit(url)
        return bool({parts.hostname, parts.netloc} & set(self.allowed))


@contextmanager
def opened(url: str, private_hosts: tuple[str, ...]) -> Iterator[IO[bytes]]:
    """Read a file as a stream.

    Parameters
    ----------
    url : str
        Of http or https.
    private_hosts : tuple of str
        Hosts (``name`` or ``name:port``) in private networks that may be asked all the same.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    DataError
        If it leads into a private network.
    ServiceError
        If its host does not give it.
    """
    hosts = _Hosts(private_hosts)
    if _is_private_number(urlsplit(url).hostname) and not hosts(url):
        raise _private(url)  # also where a proxy of the environment would be asked
    gate, since = gate_for(hosts), time.monotonic()
    try:
        with _opener(gate).open(Request(with_access(url)), timeout=_SECONDS) as stream:
            yield cast("IO[bytes]", stream)
    except HTTPError as error:
        error.close()
        raise _meant(url, gate, since, error.code) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, FileNotFoundError):
            raise
        refused = gate and gate.refused(since)
        raise (_private(url) if refused else _lost(url, gate, since, error)) from error


def _is_private_number(host: str | None) -> bool:
    """Whether a host is written as an address, and one that the world cannot see."""
    try:
        return not is_public(host or "")
    except ValueError:
        return False


def _meant(url: str, gate: Gate | None, since: float, code: int) -> Exception:
    if gate and gate.refused(since):
        return _private(url)
    if code in _GONE:
        return FileNotFoundError(url)
    return ServiceError(
        f"{redacted(url)}: HTTP {code}", "see whether you may read it, and whether it is there"
    )


def _private(url: str) -> DataError:
    return DataError(
        f"the input {redacted(url)} leads into a private network",
        "leave it out; or if you trust whoever wrote it, name its host in private_hosts",
    )


def _lost(url: str, gate: Gate | None, since: float, error: Exception) -> ServiceError:
    """Why there was no answer; the gate knows more than who asked it."""
    reason = error.reason if isinstance(error, URLError) else error
    known = gate and gate.lost(urlsplit(url).netloc, since)
    said = known or (reason if isinstance(reason, Exception) else error)
    why = answers.lost(said)
    host = urlsplit(url).netloc
    return ServiceAwayError(f"{host} cannot be reached: {why}", why.cure or "try again later")


class _ByGate(BaseHandler):
    """Sends all requests to the gate, whatever the environment says of proxies."""

    handler_order = 100

    def __init__(self, gate: Gate) -> None:
        self._host = gate.address.removeprefix("http://")

    def _by_gate(self, request: Request) -> Request:
        request.set_proxy(self._host, "http")
        return request

    http_request = https_request = _by_gate


def _opener(gate: Gate | None) -> OpenerDirector:
    if gate is None:  # a proxy of the environment decides what it lets by
        return build_opener()
    made = OpenerDirector()
    # Not build_opener, which also knows files and ftp, where a redirect may lead.
    for handler in (
        _ByGate(gate),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPRedirectHandler(),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
        UnknownHandler(),
    ):
        made.add_handler(handler)
    return made
