"""One request over HTTP, made again while the service is busy or away. Nothing is followed."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pyveg.core import answers, secrets, waiting
from pyveg.core.answers import Answer, Reply
from pyveg.core.errors import ServiceAwayError, ServiceError
from pyveg.core.loopback import is_loopback

TRIES = 6
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0
"""Seconds; each failure doubles the wait, and ``Retry-After`` may ask for a longer one."""
TIMEOUT = 30.0
_LONGEST_ANSWER = 4_000_000
_SHOWN = 300


@dataclass(frozen=True)
class Call:
    """What is asked."""

    address: str
    """Of http or https; errors show no more of it than its host."""
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Who is asked, for messages."""
        return urlsplit(self.address).netloc.rpartition("@")[2]


def ask(
    call: Call, whom: str, *, tries: int = TRIES, sleep: Callable[[float], None] = time.sleep
) -> bytes:
    """Make a request, and again where the service is busy or away.

    Parameters
    ----------
    call : Call
    whom : str
        The service in messages; its host is added.
    tries : int
        How often, at most.
    sleep : callable
        Waits some seconds.

    Returns
    -------
    bytes
        The body of the answer.

    Raises
    ------
    ServiceError
        If it refuses the request (4xx but 408, 425, 429), or leads elsewhere.
    ServiceAwayError
        If it has not answered after all tries (429, 5xx, no answer).
    """
    why, asked = "", None
    for number in range(tries):
        if number:
            doubled = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (number - 1))
            pause = max(doubled, min(asked or 0.0, LONGEST_WAIT))
            with waiting.told(call.host, why, pause):
                sleep(pause)
        try:
            reply, body = _once(call)
        except (OSError, http.client.HTTPException, ssl.SSLError) as error:
            why, asked = str(answers.lost(error)), None
            continue
        if reply.status is not None and 200 <= reply.status < 300:
            return body
        why, asked = f"HTTP {reply.status}", reply.asked_to_wait()
        if answers.classified(reply) is not Answer.PASSING:
            raise ServiceError(f"{whom} at {call.host} has refused: {why}{_words(body)}", _CURE)
    times = f"{tries} tries" if tries > 1 else "one try"
    raise ServiceAwayError(
        f"{whom} at {call.host} gave no answer in {times}: {why}", "try again later"
    )


_CURE = "see whether its address is right, and whether you may ask it"


def _words(body: bytes) -> str:
    """What a service says of its refusal."""
    text = " ".join(body[:_SHOWN].decode("utf-8", "replace").split())
    return f": {secrets.redacted(text)}" if text else ""


def _once(call: Call) -> tuple[Reply, bytes]:
    connection, target = _connection(call.address)
    try:
        connection.request(call.method, target, call.body, {"User-Agent": "pyveg", **call.headers})
        answer = connection.getresponse()
        body = answer.read(_LONGEST_ANSWER)
        return Reply(answer.status, headers=dict(answer.getheaders())), body
    finally:
        connection.close()


def _connection(address: str) -> tuple[http.client.HTTPConnection, str]:
    """A connection, through the proxy that the environment names, and what to ask it for."""
    parts = urlsplit(address)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    host = parts.hostname or ""
    made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    proxy = urlsplit(getproxies().get(parts.scheme, ""))
    if not proxy.hostname or is_loopback(host) or proxy_bypass(host):
        return made(host, parts.port, timeout=TIMEOUT), target
    connection = made(proxy.hostname, proxy.port, timeout=TIMEOUT)
    if parts.scheme == "http":
        return connection, address
    connection.set_tunnel(host, parts.port or 443)
    return connection, target
