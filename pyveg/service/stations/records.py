"""The table of stations: who owns one, digests of its keys, its masks, and a row per image."""

from __future__ import annotations

import hmac
import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyveg.core import params
from pyveg.service import keys
from pyveg.service.callers import digest
from pyveg.service.refusals import Refusal
from pyveg.service.stations.settings import StationSettings
from pyveg.service.table import Table, make

VERSION = 1
OLD_KEY_SECONDS = 86_400.0
"""How long a key that was replaced is taken."""
_LONGEST_KEY = 200
_SCHEMA = """
CREATE TABLE stations(
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    settings TEXT NOT NULL,
    key TEXT NOT NULL,
    old_key TEXT NOT NULL DEFAULT '',
    old_until REAL NOT NULL DEFAULT 0,
    created REAL NOT NULL
) STRICT;
CREATE TABLE masks(
    station TEXT NOT NULL REFERENCES stations(id) ON DELETE CASCADE,
    roi TEXT NOT NULL,
    start INTEGER NOT NULL,
    file TEXT NOT NULL,
    PRIMARY KEY(station, roi, start)
) STRICT;
CREATE TABLE images(
    station TEXT NOT NULL REFERENCES stations(id) ON DELETE CASCADE,
    taken INTEGER NOT NULL,
    digest TEXT NOT NULL,
    file TEXT NOT NULL,
    received REAL NOT NULL,
    red REAL, green REAL, blue REAL, gcc REAL, rcc REAL,
    n_pixels INTEGER,
    masked_pixels INTEGER NOT NULL,
    brightness REAL,
    quality TEXT NOT NULL,
    mask TEXT,
    score REAL,
    people INTEGER,
    clock INTEGER NOT NULL,
    note TEXT NOT NULL,
    sequence TEXT,
    PRIMARY KEY(station, taken)
) STRICT, WITHOUT ROWID;
"""
EARLIEST = 978_307_200
"""1 January 2001 as seconds since 1970: clocks that have lost their power begin anew with 1970,
1980 or 2000."""


@dataclass(frozen=True)
class Station:
    """A station as the table has it."""

    id: str
    owner: str
    settings: StationSettings
    created: float
    """Seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """What is kept of an image."""

    taken: int
    """Local standard time as seconds since 1970."""
    digest: str
    """Of what was sent, with a key: it tells equal images, and is no digest of any."""
    file: str
    """Path below the folder of stations; empty where it was dropped."""
    received: float
    red: float | None = None
    green: float | None = None
    blue: float | None = None
    gcc: float | None = None
    rcc: float | None = None
    n_pixels: int | None = None
    masked_pixels: int = 0
    """Of the region, in boxes of people."""
    brightness: float | None = None
    quality: str = "ok"
    """"dark", "white" or "ok"; "none" where nothing could be measured."""
    mask: str | None = None
    score: float | None = None
    people: int | None = None
    """Boxes of people; None where nobody looked."""
    clock: int = 0
    """Seconds that the camera's clock is off, if a day or more; else 0."""
    note: str = ""
    """Why there are no figures."""
    sequence: str | None = None


class Records:
    """The table.

    Parameters
    ----------
    path : Path
        Of the file; `prepared` has made it.
    """

    def __init__(self, path: Path) -> None:
        self.table = Table(path)

    # Stations

    def get(self, station: str) -> Station:
        """A station.

        Raises
        ------
        Refusal
            404
        """
        rows = self.table.read("SELECT * FROM stations WHERE id = ?", (station,))
        if not rows:
            raise no_station(station)
        return _station(rows[0])

    def all(self, owner: str = "") -> list[Station]:
        """Those of an owner; all where none is named."""
        rows = self.table.read(
            "SELECT * FROM stations WHERE ? IN ('', owner) ORDER BY id", (owner,)
        )
        return [_station(row) for row in rows]

    def put(self, station: str, owner: str, settings: StationSettings, *, admin: bool) -> str:
        """Make a station, or change its settings.

        Returns
        -------
        str
            The key of a new one, which is kept nowhere; empty for one that was there.

        Raises
        ------
        Refusal
            409 where it is somebody else's.
        """
        text = json.dumps(params.to_json(settings))
        with self.table.write() as at:
            row = at.execute("SELECT owner FROM stations WHERE id = ?", (station,)).fetchone()
            if row is None:
                key = _new_key()
                at.execute(
                    "INSERT INTO stations(id, owner, settings, key, created) VALUES(?, ?, ?, ?, ?)",
                    (station, owner, text, digest(key), time.time()),
                )
                return key
            if row["owner"] != owner and not admin:
                raise Refusal(
                    409, f"there is a station {station} already, of somebody else", "choose another"
                )
            at.execute("UPDATE stations SET settings = ? WHERE id = ?", (text, station))
        return ""

    def rotate(self, station: str) -> str:
        """Give a station a new key; the one before is taken for a day more."""
        key = _new_key()
        with self.table.write() as at:
            at.execute(
                "UPDATE stations SET old_key = key, old_until = ?, key = ? WHERE id = ?",
                (time.time() + OLD_KEY_SECONDS, digest(key), station),
            )
        return key

    def holds(self, station: str, key: str) -> bool:
        """Whether a key is that of a station, or was until lately."""
        rows = self.table.read("SELECT * FROM stations WHERE id = ?", (station,))
        if not rows:
            return False
        given, row = digest(key[:_LONGEST_KEY]), rows[0]
        fresh = hmac.compare_digest(row["key"], given)
        old = hmac.compare_digest(row["old_key"], given) and time.time() < row["old_until"]
        return fresh or old

    def delete(self, station: str, act: Callable[[], None]) -> None:
        """Remove a station with its rows; `act` takes its files away before that is kept."""
        with self.table.write() as at:
            at.execute("DELETE FROM stations WHERE id = ?", (station,))
            act()

    # Masks

    def masks(self, station: str, roi: str) -> list[tuple[int, str]]:
        """From when each mask of a region holds, and its file; in order of time."""
        rows = self.table.read(
            "SELECT start, file FROM masks WHERE station = ? AND roi = ? ORDER BY start",
            (station, roi),
        )
        return [(row["start"], row["file"]) for row in rows]

    def put_mask(self, station: str, roi: str, start: int, file: str) -> None:
        """Note a mask; one of the same region and time is replaced."""
        with self.table.write() as at:
            at.execute(
                "INSERT OR REPLACE INTO masks VALUES(?, ?, ?, ?)", (station, roi, start, file)
            )

    # Images

    def digest_at(self, station: str, taken: int) -> str:
        """The digest of the image of a time; empty where there is none."""
        rows = self.table.read(
            "SELECT digest FROM images WHERE station = ? AND taken = ?", (station, taken)
        )
        return str(rows[0]["digest"]) if rows else ""

    def image(self, station: str, taken: int) -> ImageRecord:
        """The row of an image that is there."""
        rows = self.table.read(
            "SELECT * FROM images WHERE station = ? AND taken = ?", (station, taken)
        )
        if not rows:
            raise Refusal(404, f"{station} has no image of that time", "look at its series")
        return _image(rows[0])

    def add(self, station: str, record: ImageRecord, place: Callable[[], None]) -> str:
        """Put an image's file in its place, and then its row.

        Nobody else writes meanwhile, so that of two images of one time the file and the row are
        those of the same.

        Returns
        -------
        str
            The digest of the image that the table has for that time now.
        """
        values = {"station": station, **asdict(record)}
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        with self.table.write() as at:
            row = at.execute(
                "SELECT digest FROM images WHERE station = ? AND taken = ?", (station, record.taken)
            ).fetchone()
            if row is not None:
                return str(row["digest"])
            place()
            try:
                at.execute(f"INSERT INTO images({names}) VALUES({marks})", values)
            except sqlite3.IntegrityError:  # the station was removed
                raise no_station(station) from None
        return record.digest

    def latest(self, station: str) -> ImageRecord | None:
        """The row of the last image by its clock; None where there is none."""
        rows = self.table.read(
            "SELECT * FROM images WHERE station = ? ORDER BY taken DESC LIMIT 1", (station,)
        )
        return _image(rows[0]) if rows else None

    def series(self, station: str, begin: int, end: int, limit: int) -> list[ImageRecord]:
        """Rows in order of time; both ends are inside."""
        rows = self.table.read(
            "SELECT * FROM images WHERE station = ? AND taken BETWEEN ? AND ?"
            " ORDER BY taken LIMIT ?",
            (station, begin, end, limit),
        )
        return [_image(row) for row in rows]

    def ends(self, station: str) -> tuple[int | None, int | None]:
        """When the first and the last image that is stored were taken; None where there is none.

        Those of a clock that cannot have been right do not count: a day or more ahead, or before
        `EARLIEST`. One of them would make a series of decades.
        """
        rows = self.table.read(
            "SELECT min(taken) AS first, max(taken) AS last FROM images"
            " WHERE station = ? AND file != '' AND clock <= 0 AND taken >= ?",
            (station, EARLIEST),
        )
        return rows[0]["first"], rows[0]["last"]

    def count(self, station: str) -> int:
        """How many images it has."""
        rows = self.table.read("SELECT count(*) AS n FROM images WHERE station = ?", (station,))
        return int(rows[0]["n"])


def prepared(path: Path) -> Records:
    """Make the file of the table; called before others open it.

    Raises
    ------
    ConfigError, TableError
    """
    make(path, _SCHEMA, VERSION)
    return Records(path)


def no_station(station: str) -> Refusal:
    """There is none of that name, or it is somebody else's."""
    return Refusal(404, f"there is no station {station[:64]}", "make it with PUT")


def _new_key() -> str:
    return f"{keys.TOKEN_BEGINS}{secrets.token_urlsafe(32)}"


def _station(row: Any) -> Station:
    settings = params.build(StationSettings, json.loads(row["settings"]), "station")
    return Station(row["id"], row["owner"], settings, row["created"])


def _image(row: Any) -> ImageRecord:
    data = dict(row)
    del data["station"]
    return ImageRecord(**data)
