"""Who may ask: tokens, of which only digests are kept, sessions of browsers, and the audit."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.secrets import redacted
from pyveg.service import keys
from pyveg.service.records import Caller
from pyveg.service.refusals import Refusal
from pyveg.service.table import Table

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_LONGEST_TOKEN = 200
_LONGEST_DETAIL = 500


@dataclass(frozen=True)
class Session:
    """A browser that has shown a token."""

    caller: Caller
    csrf: str
    """What forms must send back."""
    value: str = ""
    """Of the cookie; only where it is new."""


class Callers:
    """The callers in the table.

    Parameters
    ----------
    table : Table
    data : Path
        The folder of the service, where its key is.
    session_hours : float
        How long a browser stays signed in.
    """

    def __init__(self, table: Table, data: Path, session_hours: float = 12.0) -> None:
        self._table = table
        self._data = data
        self._seconds = 3600 * session_hours

    def add(self, caller: Caller) -> str:
        """Let somebody in; gives the token, which is kept nowhere.

        Raises
        ------
        ConfigError
            If the name is taken or cannot be one.
        """
        if not _NAME.fullmatch(caller.name):
            raise ConfigError(
                f"{caller.name!r} cannot be the name of a caller",
                "give 1 to 64 letters, digits, dots, hyphens, underscores and @",
            )
        token = f"{keys.TOKEN_BEGINS}{secrets.token_urlsafe(32)}"
        with self._table.write() as at:
            taken = at.execute("SELECT 1 FROM callers WHERE name = ?", (caller.name,)).fetchone()
            if taken:
                raise ConfigError(
                    f"there is a caller {caller.name} already",
                    "choose another name, or remove that one first with remove_caller",
                )
            at.execute(
                "INSERT INTO callers VALUES(?, ?, ?, ?, ?, ?)",
                (
                    caller.name,
                    digest(token),
                    json.dumps(caller.processes),
                    caller.max_active,
                    int(caller.admin),
                    time.time(),
                ),
            )
        self.note(caller.name, "", "added")
        return token

    def remove(self, name: str) -> None:
        """Let somebody in no more; the jobs stay, and go on.

        Raises
        ------
        UnknownNameError
        """
        with self._table.write() as at:
            if at.execute("DELETE FROM callers WHERE name = ?", (name,)).rowcount:
                at.execute("DELETE FROM sessions WHERE caller = ?", (name,))
                return
            known = [row[0] for row in at.execute("SELECT name FROM callers")]
        raise UnknownNameError("caller", name, known)

    def names(self) -> list[str]:
        """All callers."""
        return [row[0] for row in self._table.read("SELECT name FROM callers ORDER BY name")]

    def of_token(self, token: str) -> Caller:
        """Whose token it is.

        Raises
        ------
        Refusal
            401, where it is nobody's.
        """
        mine = digest(token[:_LONGEST_TOKEN])
        rows = self._table.read("SELECT * FROM callers WHERE digest = ?", (mine,))
        if not rows or not hmac.compare_digest(rows[0]["digest"], mine):
            raise Refusal(401, "nobody has this token", "ask whoever runs this service for one")
        return _caller(rows[0])

    def sign_in(self, token: str) -> Session:
        """A session for a browser whose user has shown a token.

        Raises
        ------
        Refusal
            401, where it is nobody's.
        """
        caller = self.of_token(token)
        value = secrets.token_urlsafe(32)
        with self._table.write() as at:
            at.execute(
                "INSERT INTO sessions VALUES(?, ?, ?)",
                (digest(value), caller.name, time.time() + self._seconds),
            )
        return Session(caller, self._csrf(value), value)

    def session(self, value: str) -> Session | None:
        """The session of a cookie; None where there is none, or it is over."""
        rows = self._table.read(
            "SELECT callers.* FROM callers JOIN sessions ON callers.name = sessions.caller"
            " WHERE sessions.digest = ? AND sessions.expires > ?",
            (digest(value[:_LONGEST_TOKEN]), time.time()),
        )
        return Session(_caller(rows[0]), self._csrf(value)) if rows else None

    def sign_out(self, value: str) -> None:
        """End a session."""
        with self._table.write() as at:
            at.execute("DELETE FROM sessions WHERE digest = ?", (digest(value[:_LONGEST_TOKEN]),))

    def forget_old(self, audit_days: float) -> None:
        """Remove sessions that are over, and what is too old of the audit."""
        with self._table.write() as at:
            now = time.time()
            at.execute("DELETE FROM sessions WHERE expires < ?", (now,))
            at.execute("DELETE FROM audit WHERE at < ?", (now - 86400 * audit_days,))

    def note(self, caller: str, address: str, action: str, job: str = "", detail: str = "") -> None:
        """Write into the audit who did what, from where."""
        with self._table.write() as at:
            at.execute(
                "INSERT INTO audit(at, caller, address, action, job, detail)"
                " VALUES(?, ?, ?, ?, ?, ?)",
                (time.time(), caller, address, action, job, redacted(detail)[:_LONGEST_DETAIL]),
            )

    def _csrf(self, value: str) -> str:
        return keys.signature(self._data, "csrf", value)


def digest(secret: str) -> str:
    """What is kept of a token. It has 256 random bits, so it needs no salt and no slow function."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _caller(row: object) -> Caller:
    data = dict(row)  # type: ignore[call-overload]
    return Caller(
        data["name"], tuple(json.loads(data["processes"])), data["max_active"], bool(data["admin"])
    )
