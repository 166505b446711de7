"""The statements about jobs: how they come in, move, are listed, and change."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pyveg.service import admission
from pyveg.service.admission import IS_ACTIVE as _ACTIVE
from pyveg.service.admission import Limits, Order
from pyveg.service.records import JobRecord, Told
from pyveg.service.states import JobState, may_follow
from pyveg.service.table import Table

_KEPT, _TO_PURGE, _PURGED = 0, 1, 2
"""Whether what a job has made is there, is to be removed, or is gone."""
LATEST = "9" * 18
"""A cursor before which all jobs are."""


@dataclass(frozen=True)
class Admitted:
    """What came of an order."""

    job: JobRecord
    new: bool


@dataclass(frozen=True)
class Wanted:
    """Which jobs are asked for; what is empty takes all."""

    caller: str = ""
    states: Collection[JobState] = ()
    processes: Collection[str] = ()

    def where(self) -> tuple[str, list[Any]]:
        """As SQL, with its values."""
        parts: list[str] = [f"purge <> {_PURGED}"]
        values: list[Any] = []
        if self.caller:
            parts.append("caller = ?")
            values.append(self.caller)
        for column, given in (("state", self.states), ("process", self.processes)):
            if given:
                parts.append(f"{column} IN ({', '.join('?' * len(given))})")
                values += map(str, given)
        return " AND ".join(parts), values


class Jobs:
    """The jobs in the table.

    Parameters
    ----------
    table : Table
    """

    def __init__(self, table: Table) -> None:
        self.table = table

    # How they come in

    def admit(self, order: Order, limits: Limits) -> Admitted:
        """Take an order in, or give the job that the same one made before.

        Raises
        ------
        Refusal
            409 where the key was used for something else; 429 or 503 where a limit is reached.
        """
        with self.table.write() as at:
            before = admission.of_key(at, order)
            if before is not None:
                return Admitted(_record(before), new=False)
            admission.check_limits(at, order, limits)
            now = time.time()
            at.execute(
                "INSERT INTO jobs(id, process, caller, state, url, inputs, idem_key, body_digest,"
                " created, updated, seq) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    order.id,
                    order.process,
                    order.caller,
                    str(JobState.ACCEPTED),
                    order.url,
                    json.dumps(order.inputs),
                    order.key,
                    order.digest,
                    now,
                    now,
                    _next(at),
                ),
            )
            row = at.execute("SELECT * FROM jobs WHERE id = ?", (order.id,)).fetchone()
        return Admitted(_record(row), new=True)

    # What there is

    def get(self, job: str) -> JobRecord | None:
        """The job of that id; None where there is none, or what it made is removed."""
        rows = self.table.read(f"SELECT * FROM jobs WHERE id = ? AND purge <> {_PURGED}", (job,))
        return _record(rows[0]) if rows else None

    def page(self, wanted: Wanted, limit: int, before: str = LATEST) -> tuple[list[JobRecord], str]:
        """Jobs, newest first.

        Parameters
        ----------
        wanted : Wanted
        limit : int
        before : str
            The cursor that the last page gave.

        Returns
        -------
        jobs : list of JobRecord
        cursor : str
            For the next page; empty at the end.
        """
        where, values = wanted.where()
        rows = self.table.read(
            f"SELECT * FROM jobs WHERE {where} AND number < ? ORDER BY number DESC LIMIT ?",
            [*values, int(before), limit + 1],
        )
        more = len(rows) > limit
        return [_record(row) for row in rows[:limit]], str(
            rows[limit - 1]["number"]
        ) if more else ""

    def changed(self, after: int, limit: int, job: str = "", caller: str = "") -> list[JobRecord]:
        """Jobs whose last change came after another one, in the order of these changes."""
        where, values = Wanted(caller).where()
        if job:
            where, values = f"{where} AND id = ?", [*values, job]
        statement = f"SELECT * FROM jobs WHERE {where} AND seq > ? ORDER BY seq LIMIT ?"
        return [_record(row) for row in self.table.read(statement, [*values, after, limit])]

    def last_change(self) -> int:
        """The number of the last change of any job."""
        return int(self.table.read("SELECT seq FROM changes")[0][0])

    def created_in(self, process: str, begin: float, end: float) -> list[JobRecord]:
        """Jobs of a process that came in from one moment on and before another, oldest first."""
        statement = (
            "SELECT * FROM jobs WHERE process = ? AND created >= ? AND created < ? ORDER BY number"
        )
        return [_record(row) for row in self.table.read(statement, (process, begin, end))]

    def active(self) -> list[JobRecord]:
        """Jobs that are not over, oldest first."""
        statement = f"SELECT * FROM jobs WHERE {_ACTIVE} ORDER BY number"
        return [_record(row) for row in self.table.read(statement)]

    def counts(self) -> dict[tuple[str, str], int]:
        """(process, state) -> how many jobs, those that were purged too."""
        rows = self.table.read("SELECT process, state, count(*) FROM jobs GROUP BY process, state")
        return {(row[0], row[1]): row[2] for row in rows}

    # How they change

    def move(
        self,
        job: str,
        state: JobState,
        message: str = "",
        told: Told | None = None,
        *,
        at: float | None = None,
    ) -> bool:
        """Bring a job to another state.

        Parameters
        ----------
        job : str
        state : JobState
        message : str
        told : Told, optional
            What its run has said; as before where left out.
        at : float, optional
            When its run began or ended; now where left out.

        Returns
        -------
        bool
            Whether it did. It does not where the table of moves has no such move from the state
            that the job is in, as when somebody else was first.
        """
        now = time.time()
        before = [str(one) for one in may_follow(state)]
        column = "started" if state is JobState.RUNNING else "finished"
        with self.table.write() as transaction:
            cursor = transaction.execute(
                f"UPDATE jobs SET state = ?, message = ?, told = coalesce(?, told), {column} = ?,"
                f" updated = ?, seq = ? WHERE id = ? AND state IN ({', '.join('?' * len(before))})",
                (
                    str(state),
                    message,
                    None if told is None else json.dumps(told.to_json()),
                    now if at is None else at,
                    now,
                    _next(transaction),
                    job,
                    *before,
                ),
            )
            return cursor.rowcount == 1

    def tell(self, news: Sequence[tuple[str, str, Told | None]]) -> None:
        """Keep what some runs have said: (job, message, told); jobs that are over stay so."""
        if not news:
            return
        with self.table.write() as at:
            for job, message, told in news:
                at.execute(
                    "UPDATE jobs SET message = ?, told = coalesce(?, told), updated = ?, seq = ?"
                    f" WHERE id = ? AND {_ACTIVE}",
                    (
                        message,
                        None if told is None else json.dumps(told.to_json()),
                        time.time(),
                        _next(at),
                        job,
                    ),
                )

    def ask_to_stop(self, job: str) -> JobRecord | None:
        """Note that a job is to be stopped, and when that was said first; None where it is over."""
        with self.table.write() as at:
            now = time.time()
            cursor = at.execute(
                "UPDATE jobs SET wants_stop = coalesce(wants_stop, ?), updated = ?, seq = ?"
                f" WHERE id = ? AND {_ACTIVE}",
                (now, now, _next(at), job),
            )
            if cursor.rowcount != 1:
                return None
            return _record(at.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone())

    def count_restart(self, job: str) -> None:
        """Note that the process of a job is started again."""
        with self.table.write() as at:
            at.execute(
                f"UPDATE jobs SET restarts = restarts + 1, updated = ?, seq = ? WHERE id = ?"
                f" AND {_ACTIVE}",
                (time.time(), _next(at), job),
            )

    # How they go

    def ask_to_purge(self, job: str) -> JobRecord | None:
        """Note that what a job has made is to be removed; None where the job is not over."""
        with self.table.write() as at:
            cursor = at.execute(
                f"UPDATE jobs SET purge = max(purge, {_TO_PURGE}), updated = ?, seq = ?"
                f" WHERE id = ? AND NOT {_ACTIVE}",
                (time.time(), _next(at), job),
            )
            if cursor.rowcount != 1:
                return None
            return _record(at.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone())

    def to_purge(self) -> list[JobRecord]:
        """Jobs whose runs are to be removed."""
        statement = f"SELECT * FROM jobs WHERE purge = {_TO_PURGE} ORDER BY number"
        return [_record(row) for row in self.table.read(statement)]

    def purged(self, job: str) -> None:
        """Note that nothing is left of a job but its row, without inputs; its key is free again."""
        with self.table.write() as at:
            at.execute(
                f"UPDATE jobs SET purge = {_PURGED}, inputs = '{{}}', idem_key = NULL,"
                " told = '{}', updated = ?, seq = ? WHERE id = ?",
                (time.time(), _next(at), job),
            )

    def ended_before(self, process: str, at: float) -> list[JobRecord]:
        """Jobs of a process that are kept, and ended before a moment."""
        statement = (
            f"SELECT * FROM jobs WHERE process = ? AND finished < ? AND purge = {_KEPT}"
            f" AND NOT {_ACTIVE} ORDER BY number"
        )
        return [_record(row) for row in self.table.read(statement, (process, at))]


def _next(at: sqlite3.Connection) -> int:
    """The number of this change."""
    row = at.execute("UPDATE changes SET seq = seq + 1 RETURNING seq").fetchone()
    return int(row[0])


def _record(row: sqlite3.Row) -> JobRecord:
    return JobRecord(
        id=row["id"],
        process=row["process"],
        caller=row["caller"],
        state=JobState(row["state"]),
        url=row["url"],
        created=row["created"],
        updated=row["updated"],
        seq=row["seq"],
        inputs=_inputs(row["inputs"]),
        started=row["started"],
        finished=row["finished"],
        wants_stop=row["wants_stop"],
        restarts=row["restarts"],
        message=row["message"],
        told=_told(row["told"]),
        purged=row["purge"] != _KEPT,
    )


# Lists and the supervisor read the same rows again and again, and most have not changed.


@lru_cache(maxsize=4096)
def _told(text: str) -> Told:
    return Told.from_json(json.loads(text))


@lru_cache(maxsize=4096)
def _inputs(text: str) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(text))
