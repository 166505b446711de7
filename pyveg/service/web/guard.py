"""Around all routes: by which name the service is called, how large bodies are, what is counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from threading import Lock
from typing import Any

from pyveg.core.records import plain_bytes
from pyveg.service.refusals import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Tally:
    """Requests that were answered since somebody last took the counts."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._seconds = 0.0

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one."""
        with self._guard:
            self._counts[method, route, status] += 1
            self._seconds += seconds

    def take(self) -> tuple[Counter[tuple[str, str, int]], float]:
        """The counts so far, which begin anew; and the seconds that the requests took."""
        with self._guard:
            taken = self._counts, self._seconds
            self._counts, self._seconds = Counter(), 0.0
        return taken


class Guard:
    """Looks at each request before any route does.

    Parameters
    ----------
    app : callable
        The routes.
    hosts : sequence of str
        Names that the service may be called by, beside those of this machine alone; a page of
        somebody else that a browser takes for this service, as its name leads here, has another.
    body_limit : int
        Bytes of a body at most.
    limits : mapping
        Beginning of a path -> the limit there.
    tally : Tally
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: Sequence[str],
        body_limit: int,
        limits: Mapping[str, int],
        tally: Tally,
    ) -> None:
        self._app = app
        self._hosts = {host.lower() for host in (*hosts, *_LOOPBACK)}
        self._body_limit = body_limit
        self._limits = dict(limits)
        self._tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name.lower() for name, _ in message["headers"]}
                new = [pair for pair in _HEADERS if pair[0] not in there]
                message["headers"] = [*message["headers"], *new]
            await send(message)

        try:
            await self._guarded(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._tally.add(_method(scope), route, status, time.perf_counter() - begin)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if _name_of(host) not in self._hosts:
            refusal = Refusal(
                400,
                f"this service is not called {host[:100]}",
                "call it as its operator says, or name that host in hosts of service_config.py",
            )
            await _answer(send, refusal)
            return
        limit = self._limit(scope["path"])
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > limit:
            await _answer(send, _too_large(limit))
            return
        body = _Counted(receive, limit)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, body, sending)
        except Refusal as refusal:
            if started:
                raise
            await _answer(send, refusal)

    def _limit(self, path: str) -> int:
        for begin, limit in self._limits.items():
            if path.startswith(begin):
                return limit
        return self._body_limit


class _Counted:
    """Counts the bytes of a body as they come, since its length may not be told."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limit:
            raise _too_large(self._limit)
        return message


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body has more than {limit} bytes", "send less")


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else "other"


def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


async def _answer(send: Send, refusal: Refusal) -> None:
    body = plain_bytes(refusal.to_json())
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # what is left of the body is not read
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
