"""The gate through which GDAL asks for files: a proxy in this process that lets nobody astray.

GDAL follows redirects by itself and cannot be told where to. So it reaches the world through a
proxy on the loopback, which connects it to hosts that a catalogue may link to and to no others,
whatever a link turns into on its way. A name is looked up once, and what was found is what is
connected to, so that no name can mean another address a moment later.
"""

from __future__ import annotations

import ipaddress
import os
import re
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies

from pyveg.core.errors import DataError

_LONGEST_HEAD = 64 * 2**10
"""Bytes of a request that GDAL makes; it sends no bodies."""
_PIECE = 64 * 2**10
_CONNECT = 15.0
"""Seconds until a host that does not answer counts as out of reach."""
_IDLE = 300.0
"""Seconds that a connection may be silent; GDAL's own time-outs are shorter."""
_OWN_HEADERS = re.compile(rb"^(proxy-[^:]*|connection|keep-alive):", re.IGNORECASE)

Check = Callable[[str], bool]
"""Takes an address; says whether it may be in a private network, or raises `DataError`."""


class Gate:
    """One proxy, for links of one catalogue.

    Parameters
    ----------
    check : callable
        Looks at each address that is asked for.

    Attributes
    ----------
    address : str
        As GDAL's option takes it.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._failed: dict[str, tuple[float, Exception]] = {}
        self._server = _Server(("127.0.0.1", 0), _Visit)
        self._server.gate = self
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(
            target=self._server.serve_forever, args=(3600.0,), name="pyveg-gate", daemon=True
        ).start()

    def refused(self, since: float) -> DataError | None:
        """The first refusal since a moment of the monotonic clock."""
        found = sorted(self._failed.values(), key=lambda one: one[0])
        return next((e for when, e in found if when >= since and isinstance(e, DataError)), None)

    def lost(self, host: str, since: float) -> Exception | None:
        """Why a host could not be reached since then."""
        when, error = self._failed.get(host, (0.0, None))
        return error if when >= since else None

    def connect(self, url: str) -> socket.socket:
        """A connection to the host of an address.

        Raises
        ------
        DataError
            If a catalogue may not lead there.
        OSError
            If it cannot be reached.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            made = _connected(host, port, private=self._check(url))
        except (DataError, OSError, UnicodeError) as error:
            self._failed[parts.netloc] = time.monotonic(), error
            raise
        self._failed.pop(parts.netloc, None)
        return made


def _connected(host: str, port: int, *, private: bool) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not private and any(not is_public(str(at[4][0])) for at in found):
        raise DataError(
            f"a file of the catalogue is sent on to {host}, which is inside a private network",
            "leave the scene out; or if you know that place, set trusted_hosts of the collection",
        )
    failure: OSError = OSError("no address")
    for family, kind, protocol, _, at in found:
        made = socket.socket(family, kind, protocol)
        made.settimeout(_CONNECT)
        try:
            made.connect(at)
        except OSError as error:
            made.close()
            failure = error
        else:
            return made
    raise failure


def is_public(address: str) -> bool:
    """Whether the world can see an address."""
    return ipaddress.ip_address(address.split("%", maxsplit=1)[0]).is_global


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64
    gate: Gate

    def handle_error(self, *_: object) -> None:
        """Say nothing: GDAL tells that it had no answer."""


class _Visit(socketserver.BaseRequestHandler):
    """One connection of GDAL."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        self.request.settimeout(_IDLE)
        head, _, more = self._head().partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        method, target, _ = first.decode("ascii").split(" ")
        tunnel = method == "CONNECT"
        url = f"https://{target.removesuffix(':443')}/" if tunnel else target
        try:
            away = self.server.gate.connect(url)
        except DataError:
            self.request.sendall(b"HTTP/1.1 403 Refused\r\nContent-Length: 0\r\n\r\n")
            return
        with away:
            if tunnel:
                self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                away.sendall(more)
            else:
                away.sendall(_as_of_origin(method, url, lines))
            _relay(self.request, away)

    def _head(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.request.recv(_PIECE)
            if not piece or len(data) > _LONGEST_HEAD:
                raise ConnectionError
            data += piece
        return data


def _as_of_origin(method: str, url: str, lines: list[bytes]) -> bytes:
    """A request as the host itself takes it, one for each connection."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    kept = [line for line in lines if not _OWN_HEADERS.match(line)]
    first = f"{method} {path} HTTP/1.1".encode("ascii")
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side has ended."""
    ways = {one: other, other: one}
    with suppress(OSError):
        while ready := select.select([one, other], [], [], _IDLE)[0]:
            for source in ready:
                data = source.recv(_PIECE)
                if not data:
                    return
                ways[source].sendall(data)


def has_proxy() -> bool:
    """Whether this process reaches the world by a proxy already, which decides what it lets by."""
    own = ("GDAL_HTTP_PROXY", "GDAL_HTTPS_PROXY")
    return bool({"http", "https", "all"} & getproxies().keys()) or any(map(os.environ.get, own))


@lru_cache(maxsize=32)
def _gate_of(process: int, check: Check) -> Gate:
    del process  # threads do not outlive a fork
    return Gate(check)


def gate_for(check: Check) -> Gate | None:
    """The gate of this process with a check; None where there is a proxy.

    Parameters
    ----------
    check : callable
        Equal ones have the same gate.
    """
    if has_proxy():
        return None
    for name in ("no_proxy", "NO_PROXY"):
        # Where there is no proxy they tell nobody anything, but would lead GDAL past the gate.
        os.environ.pop(name, None)
    return _gate_of(os.getpid(), check)
