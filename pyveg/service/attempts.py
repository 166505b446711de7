"""Wrong tokens, keys and passwords: how many an address may try before it is made to wait.

One mechanism for whatever is asked with a secret. Two things keep whoever has the right one from
being shut out by somebody else at the same address, a router or a proxy say:

* Tokens and keys are made here, with 256 random bits, so nobody finds one by trying. They are
  looked at however many wrong ones came before; waiting only keeps the wrong ones from costing
  more than a look into the table.
* Passwords are made by people and could be found, so an address that has to wait is answered
  without a look, but for the secrets that were right from that very address in the last day.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from pyveg.service.refusals import Refusal

K = TypeVar("K")
V = TypeVar("V")

MINUTE = 60.0
"""Seconds in which an address gets all its attempts back, one after the other."""
_KNOWN_SECONDS = 86_400.0
_TELL_EVERY = 3_600.0
_MOST = 10_000
"""Addresses, and right secrets, that are remembered; the oldest go first."""


class Attempts:
    """Counts wrong secrets by address, in this process.

    Parameters
    ----------
    most : int
        Wrong ones of an address in a minute.
    tell : callable
        Takes an address that has to wait, once an hour at most.

    Examples
    --------
    >>> attempts = Attempts(2)
    >>> attempts.failed("192.0.2.1")
    >>> attempts.failed("192.0.2.1")
    Traceback (most recent call last):
        ...
    pyveg.service.refusals.Refusal: too many wrong secrets came from this address; wait 30 s
    """

    def __init__(self, most: int, tell: Callable[[str], None] = lambda _: None) -> None:
        self._most = most
        self._tell = tell
        self._guard = threading.Lock()
        self._key = secrets.token_bytes(32)
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Address -> wrong ones that count still, and when that was."""
        self._told: OrderedDict[str, float] = OrderedDict()
        self._right: OrderedDict[bytes, float] = OrderedDict()
        """Digest of an address and a secret -> when it was right. The key of the digest is known to
        this process alone, so nothing can be made of it."""

    def check(self, address: str, secret: str) -> None:
        """Refuse to look at a secret that people have made, where the address has to wait.

        Raises
        ------
        Refusal
            429
        """
        name = _name_of(address)
        with self._guard:
            wait = self._wait(name)
            known = self._right.get(self._digest(name, secret), -math.inf)
        if wait and time.monotonic() - known > _KNOWN_SECONDS:
            raise _too_many(wait)

    def passed(self, address: str, secret: str) -> None:
        """Remember a secret that people have made and that was right."""
        name = _name_of(address)
        with self._guard:
            _put(self._right, self._digest(name, secret), time.monotonic())

    def failed(self, address: str) -> None:
        """Count a wrong one.

        Raises
        ------
        Refusal
            429, where the address has to wait from now on or already.
        """
        name = _name_of(address)
        now = time.monotonic()
        with self._guard:
            # No more than all of them: who goes on trying has to wait no longer than a minute.
            _put(self._spent, name, (min(self._most, self._count(name, now) + 1), now))
            wait = self._wait(name)
            first = bool(wait) and now - self._told.get(name, -math.inf) > _TELL_EVERY
            if first:
                _put(self._told, name, now)
        if first:
            self._tell(address)
        if wait:
            raise _too_many(wait)

    def _count(self, name: str, now: float) -> float:
        count, at = self._spent.get(name, (0.0, now))
        return max(0.0, count - (now - at) * self._most / MINUTE)

    def _wait(self, name: str) -> int:
        """Seconds until the address has an attempt again; 0 where it has."""
        over = self._count(name, time.monotonic()) - (self._most - 1)
        return math.ceil(over * MINUTE / self._most) if over > 0 else 0

    def _digest(self, name: str, secret: str) -> bytes:
        text = f"{name}\0{secret}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, text, hashlib.sha256).digest()


def _too_many(wait: int) -> Refusal:
    wrong = "too many wrong secrets came from this address"
    return Refusal(429, wrong, f"wait {wait} s", retry_after=wait)


def _name_of(address: str) -> str:
    """An address; of IPv6 the network, as whoever has one address there has all.

    Examples
    --------
    >>> _name_of("2001:db8::1"), _name_of("192.0.2.1")
    ('2001:db8::/64', '192.0.2.1')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found.packed[:8] + bytes(8), 64)))


def _put(kept: OrderedDict[K, V], key: K, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _MOST:
        kept.popitem(last=False)
