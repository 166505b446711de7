"""What an answer of a service means, whichever service it is: it passes, it is final, or ours.

Clients of services raise errors of many kinds. Whoever uses a client takes status, code and headers
out of what it raised, and asks here whether it is worth asking again. ::

    reply = Reply(error.status_code, error.error_code, error.response.headers)
    if classified(reply, {"AccountIsDisabled": Answer.FINAL}) is Answer.PASSING:
        time.sleep(reply.asked_to_wait() or 1.0)
"""

from __future__ import annotations

import email.utils
import errno
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Answer(StrEnum):
    """What an answer is worth."""

    PASSING = "passing"
    """The service is busy or away for a moment; the same request may be answered later."""
    FINAL = "final"
    """Not there, forbidden, gone, disabled: asking again gives the same answer."""
    OURS = "ours"
    """The request is wrong, or this machine's clock: it must change before it is sent again."""


PASSING = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505, 506, 507, 508, 510, 511}
"""HTTP statuses that pass. Of the 5xx these do not: what the service cannot do at all (501, 505,
506, 508, 510), a disk that is full (507), and a network that wants a sign-in of its own (511)."""
OURS = frozenset({400, 405, 406, *range(411, 418), 421, 422, 426, 428, 431}) - {412}
"""HTTP statuses of a request that no service of that kind would take."""
NOT_AUTHENTIC = frozenset({401, 403})
"""HTTP statuses of a request whose sender is not believed, or may not do that."""

LEEWAY = timedelta(minutes=5)
"""How far clocks may differ. Google takes signatures five minutes apart, Azure fifteen."""
CLOCK_CURE = "set the clock of this machine, best by a time service (NTP), and try again"


@dataclass(frozen=True)
class Reply:
    """What the error of a client tells of the service's answer."""

    status: int | None = None
    """Of HTTP; None where no answer came."""
    code: str = ""
    """The service's own word for the error."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """One header, whatever the case of its name; empty where there is none."""
        wanted = name.lower()
        return next((str(v) for k, v in self.headers.items() if str(k).lower() == wanted), "")

    def asked_to_wait(self) -> float | None:
        """Seconds that the service asks us to wait (``Retry-After``); None where it does not."""
        text = self.header("Retry-After").strip()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        moment = _moment(text)
        return None if moment is None else max(0.0, (moment - now()).total_seconds())

    def clock(self) -> str:
        """That this machine's clock is wrong, where the reply was sent at another time.

        Examples
        --------
        >>> Reply(403).clock()
        ''
        """
        sent = _moment(self.header("Date"))
        return "" if sent is None else _apart(now() - sent)


def classified(reply: Reply, codes: Mapping[str, Answer] | None = None) -> Answer:
    """What an answer is worth.

    Parameters
    ----------
    reply : Reply
        One without a status is a lost connection, which passes.
    codes : mapping of str to Answer, optional
        Codes of the service that say more than the status.

    Examples
    --------
    >>> classified(Reply(503)), classified(Reply(404)), classified(Reply(None))
    (<Answer.PASSING: 'passing'>, <Answer.FINAL: 'final'>, <Answer.PASSING: 'passing'>)
    >>> classified(Reply(409, "Busy"), {"Busy": Answer.PASSING})
    <Answer.PASSING: 'passing'>
    """
    if reply.status in NOT_AUTHENTIC and reply.clock():
        return Answer.OURS
    if codes and reply.code in codes:
        return codes[reply.code]
    if reply.status is None or reply.status in PASSING:
        return Answer.PASSING
    return Answer.OURS if reply.status in OURS else Answer.FINAL


def now() -> datetime:
    """The time by this machine's clock, aware."""
    return datetime.now(UTC)


def _moment(text: str) -> datetime | None:
    """A date as HTTP writes it, aware."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _apart(ahead: timedelta) -> str:
    if abs(ahead) <= LEEWAY:
        return ""
    # In steps, so that all that failed because of it say the same.
    minutes = round(abs(ahead).total_seconds() / 60)
    length = f"{minutes} min"
    if minutes >= 48 * 60:
        length = f"{round(minutes / (24 * 60))} days"
    elif minutes >= 60:
        length = f"{round(minutes / 30) / 2:g} h"
    side = "ahead of" if ahead > timedelta(0) else "behind"
    return f"this machine's clock is {length} {side} the service's"


_VARYING = re.compile(
    r"(?i)\b(request-?id|trace-?id|time)\b[:= ]\s*\S+"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*|\b0x[0-9a-f]{6,}\b"
)


def without_ids(text: str) -> str:
    """A service's words, in one line, without what differs from request to request.

    Examples
    --------
    >>> without_ids("Denied. RequestId:6a1f33c7-501e-0050-15aa-3a2b4c000000")
    'Denied.'
    """
    return " ".join(_VARYING.sub("", text).split())


class Lost(StrEnum):
    """Why there was no answer at all."""

    NAME = "its name is not known"
    PROXY = "the proxy does not lead to it"
    CERTIFICATE = "its certificate is not trusted"
    REFUSED = "it refuses connections"
    NO_WAY = "no way leads to it"
    SILENT = "it does not answer"
    SLOW = "no answer came in time"
    BROKEN = "the connection broke off"

    @property
    def shared(self) -> bool:
        """Whether the service cannot be reached, rather than this one request was lost."""
        return self not in (Lost.SLOW, Lost.BROKEN)

    @property
    def cure(self) -> str:
        """What to do about it."""
        if self is Lost.PROXY:
            return "check the proxy (HTTPS_PROXY, HTTP_PROXY) and the network"
        if self is Lost.CERTIFICATE:
            return "check the clock, and where a proxy looks into connections REQUESTS_CA_BUNDLE"
        return "check the network"


_WORDS = {
    Lost.PROXY: r"proxyerror|(to|from|through) proxy|proxy (connect|auth|tunnel)|tunnel connection|"
    r"port \d+ via ",
    Lost.NAME: r"getaddrinfo|name ?resolution|name or service not known|nodename nor servname|"
    r"no address associated|resolve host|failed to resolve|resolving timed out|unable to find the"
    r" server",
    Lost.CERTIFICATE: r"certificate",
    Lost.NO_WAY: r"unreachable|no route to host|network is down",
    Lost.SILENT: r"connect ?timeout|connection (to \S+ )?timed out|connection timeout|"
    r"connect timed out",
    Lost.REFUSED: r"refused|actively refused|failed to connect|could(n't| not) connect|"
    r"cannot connect to host",
    Lost.SLOW: r"time ?out|timed out",
}
"""Words that clients and systems have for it, whatever their case; the first that fits counts."""
_ERRNO = {
    errno.ENETUNREACH: Lost.NO_WAY,
    errno.EHOSTUNREACH: Lost.NO_WAY,
    errno.ENETDOWN: Lost.NO_WAY,
    errno.ETIMEDOUT: Lost.SILENT,
    errno.ECONNREFUSED: Lost.REFUSED,
}


def lost(error: BaseException | str) -> Lost:
    """Why no answer came, from what a client raised or said.

    Its own words are of no use to a user, and differ from one request to the next by ports and
    addresses of objects.

    Examples
    --------
    >>> lost(ConnectionRefusedError())
    <Lost.REFUSED: 'it refuses connections'>
    >>> lost("CURL error: Could not resolve host: example.invalid")
    <Lost.NAME: 'its name is not known'>
    """
    chain = [error] if isinstance(error, str) else [*_chain(error)]
    text = " ".join(e if isinstance(e, str) else f"{type(e).__name__} {e}" for e in chain)
    if re.search(_WORDS[Lost.PROXY], text, re.IGNORECASE):  # first: the way to it failed
        return Lost.PROXY
    for one in chain:
        if isinstance(one, socket.gaierror):
            return Lost.NAME
        if isinstance(one, ssl.SSLCertVerificationError):
            return Lost.CERTIFICATE
        if isinstance(one, OSError) and one.errno in _ERRNO:
            return _ERRNO[one.errno]
    found = (why for why, words in _WORDS.items() if re.search(words, text, re.IGNORECASE))
    return next(found, Lost.BROKEN)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that led to it, also where a client hands them on as an argument."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None))
        waiting += [*inner, getattr(one, "inner_exception", None), *one.args]
