"""Whether a job is taken in: the key of the request, and the limits of active jobs.

Both are looked at in the transaction that takes it in, so that they hold however many come at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyveg.service.refusals import Refusal
from pyveg.service.states import ACTIVE

IS_ACTIVE = f"state IN ({', '.join(repr(str(state)) for state in ACTIVE)})"
"""In SQL: whether a job is not over."""
_RETRY_AFTER = 30
"""Seconds after which a caller at its limit may try again."""


@dataclass(frozen=True)
class Order:
    """A job that is asked for."""

    id: str
    process: str
    caller: str
    url: str
    inputs: Mapping[str, Any]
    digest: str
    """Of what was asked; tells a repeated request from another one with the same key."""
    key: str | None = None
    """What the caller calls this request; the same key gives the same job."""


@dataclass(frozen=True)
class Limits:
    """How many jobs may be active at once."""

    of_caller: int
    of_process: int


def of_key(at: sqlite3.Connection, order: Order) -> sqlite3.Row | None:
    """The row that an order with the same key has made; None where there is none.

    Raises
    ------
    Refusal
        409 where that order was another one.
    """
    if order.key is None:
        return None
    row: sqlite3.Row | None = at.execute(
        "SELECT * FROM jobs WHERE caller = ? AND idem_key = ?", (order.caller, order.key)
    ).fetchone()
    if row is None:
        return None
    if row["body_digest"] != order.digest:
        raise Refusal(
            409,
            f"the Idempotency-Key was used for another request, which made the job {row['id']}",
            "give each request a key of its own",
        )
    return row


def check_limits(at: sqlite3.Connection, order: Order, limits: Limits) -> None:
    """Refuse an order where too many jobs are active.

    Raises
    ------
    Refusal
        429 for those of the caller, 503 for those of the process.
    """
    count = f"SELECT count(*) FROM jobs WHERE {IS_ACTIVE} AND "
    mine = at.execute(f"{count} caller = ?", (order.caller,)).fetchone()[0]
    if mine >= limits.of_caller:
        raise Refusal(
            429,
            f"{mine} jobs of {order.caller} are active, and {limits.of_caller} may be",
            "wait until one has ended, or dismiss one",
            retry_after=_RETRY_AFTER,
        )
    all_of_it = at.execute(f"{count} process = ?", (order.process,)).fetchone()[0]
    if all_of_it >= limits.of_process:
        raise Refusal(
            503,
            f"{all_of_it} jobs of the process {order.process} are active, and "
            f"{limits.of_process} may be",
            "try again later",
            retry_after=_RETRY_AFTER,
        )
