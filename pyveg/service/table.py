"""The file of the job table: SQLite, its schema, and short transactions.

The mode WAL is set once, by `make`, before any other process opens the file: a switch to it on a
new connection fails with "database is locked" whatever the time-out, when many do it at once.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError, StoreError, StoreFullError
from pyveg.core.texts import said
from pyveg.service.filesystems import network_kind

VERSION = 1
"""Of the schema; kept in the file as ``user_version``."""
_WAIT = 30.0
"""Seconds that a transaction waits for another one."""

_SCHEMA = """
CREATE TABLE jobs(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    process TEXT NOT NULL,
    caller TEXT NOT NULL,
    state TEXT NOT NULL,
    url TEXT NOT NULL UNIQUE,
    inputs TEXT NOT NULL,
    idem_key TEXT,
    body_digest TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    updated REAL NOT NULL,
    wants_stop REAL,
    restarts INTEGER NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    told TEXT NOT NULL DEFAULT '{}',
    purge INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL,
    UNIQUE(caller, idem_key)
) STRICT;
CREATE INDEX jobs_active ON jobs(state) WHERE state IN ('accepted', 'running');
CREATE INDEX jobs_of_caller ON jobs(caller, number);
CREATE UNIQUE INDEX jobs_by_change ON jobs(seq);
CREATE TABLE callers(
    name TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    processes TEXT NOT NULL,
    max_active INTEGER,
    admin INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL
) STRICT;
CREATE TABLE sessions(
    digest TEXT PRIMARY KEY,
    caller TEXT NOT NULL REFERENCES callers(name) ON DELETE CASCADE,
    expires REAL NOT NULL
) STRICT;
CREATE TABLE audit(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    caller TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    job TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE TABLE counts(
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY(name, labels)
) STRICT;
CREATE TABLE changes(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL) STRICT;
INSERT INTO changes VALUES(1, 0);
"""


class TableError(StoreError):
    """The table of jobs cannot be used."""


class _Connection(sqlite3.Connection):
    """Closed with the thread that it belongs to, or with its table."""

    def __del__(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it never was opened
            self.close()


class Table:
    """Connections to the file, one for each thread, and transactions.

    Parameters
    ----------
    path : Path
        The file; `make` has made it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._threads = threading.local()

    def read(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """The rows of a query.

        Raises
        ------
        TableError
            If the file is gone, damaged or cannot be read.
        """
        with self._told():
            return self._connection().execute(statement, values).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside; kept at the end, or undone by an error.

        Raises
        ------
        StoreFullError, TableError
        """
        with self._told():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has undone it already
                    connection.execute("ROLLBACK")
                raise

    def version(self) -> int:
        """Changes whenever another connection has written; one cheap look."""
        return int(self.read("PRAGMA data_version")[0][0])

    def close(self) -> None:
        """Close the connection of this thread."""
        connection = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.close()
            del self._threads.connection

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._threads, "connection", None)
        if connection is not None and self._threads.inode == _inode(self.path):
            return connection
        self.close()  # somebody has put another file in its place, such as a backup
        self._threads.connection = made = _connect(self.path)
        self._threads.inode = _inode(self.path)
        return made

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.close()
            raise _error(self.path, error) from error


def make(path: Path, schema: str = _SCHEMA, version: int = VERSION) -> Table:
    """Make the file, or bring one of an earlier version up to date; called before others open it.

    Parameters
    ----------
    path : Path
    schema : str
        Statements that make its tables; those of jobs where left out.
    version : int
        Of the schema.

    Raises
    ------
    ConfigError
        If it would lie on a network disk, where SQLite cannot share it.
    TableError
        If it is damaged, cannot be written, or is of a later version.
    """
    kind = network_kind(path)
    if kind:
        raise ConfigError(
            f"the table of jobs, {path}, would lie on a network disk ({kind}), where its locks "
            "do not hold",
            "give a folder of a disk of this machine as data in service_config.py",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise TableError(
            f"the table of jobs, {path}, cannot be made: {said(error)}",
            "give a folder that this user may write to as data in service_config.py",
        ) from error
    try:
        _bring_up_to_date(path, schema, version)
    except sqlite3.Error as error:
        raise _error(path, error) from error
    return Table(path)


def _bring_up_to_date(path: Path, schema: str, version: int) -> None:
    connection = _connect(path)
    try:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > version:
            raise TableError(
                f"the table of jobs, {path}, was written by a later version of pyveg",
                "use that version",
            )
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its check finds damage")
        if found < version:
            connection.executescript(f"BEGIN;{schema}PRAGMA user_version={version};COMMIT;")
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    # mode=rw: a file that was removed is not made anew, empty, behind the back of its owner
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_WAIT,
        isolation_level=None,
        check_same_thread=False,  # each is used by one thread, and may be closed by another
        factory=_Connection,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _inode(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _error(path: Path, error: sqlite3.Error) -> StoreError:
    text = str(error)
    if "full" in text:
        return StoreFullError(
            f"the disk of the table of jobs, {path}, is full", "make room on that disk"
        )
    if "malformed" in text or "not a database" in text or "damage" in text or "no such" in text:
        return TableError(
            f"the table of jobs, {path}, is damaged: {text}",
            "stop the service, and put a backup of the file in its place",
        )
    if "unable to open" in text:
        return TableError(
            f"the table of jobs, {path}, is not there, or may not be read",
            "put it back, or a backup of it",
        )
    return TableError(f"the table of jobs, {path}, cannot be used: {text}", "look at its disk")
