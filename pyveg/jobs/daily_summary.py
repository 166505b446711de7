"""What services did in a day: asked of each, told as a text, a row of a table, and a card.

A day is [D, D + 1) in UTC. The numbers are those of ``GET /summary`` of each service.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import sleep as _sleep
from typing import Any
from urllib.parse import quote, urlsplit

from pyveg.core import params, secrets
from pyveg.core.errors import ConfigError, DataError, ServiceError
from pyveg.core.loopback import is_loopback
from pyveg.core.params import setting
from pyveg.core.reading import read_whole
from pyveg.core.texts import cell, said, shown
from pyveg.jobs.http_calls import TRIES, Call, ask
from pyveg.jobs.load import read_config
from pyveg.jobs.webhook import Section, adaptive_card

FILE = "summary_config.py"
"""Looked for in the working directory where no other is named."""
COLUMNS = ("date", "service", "instance", "jobs", "images", "completed", "countries",
           "organisations", "uncounted")  # fmt: skip
_MOST_NAMES = 20


@dataclass(frozen=True, kw_only=True)
class ServiceAddress:
    """One service of the list."""

    address: str = setting(doc='where it is, such as "https://jobs.example.org"')
    token_variable: str = setting("", doc="variable of the environment with an admin's token")
    token_file: str = setting("", doc="file with it, in place of the variable")
    process: str = setting("score-images", doc="whose jobs are counted")


@dataclass(frozen=True, kw_only=True)
class SummaryConfig:
    """The settings of a daily summary."""

    services: dict[str, Any] = setting(
        doc="name -> address, and token_variable or token_file, and process"
    )
    title: str = setting("Images through models", doc="first words of the title")
    link: str = setting("", doc="address of a button below the card")
    csv: str = setting("", doc="table that gets a row for each instance and day")

    def service(self, name: str) -> ServiceAddress:
        """One of the services, checked."""
        made = params.build(ServiceAddress, self.services[name], f'services["{name}"]')
        parts = urlsplit(made.address)
        if not parts.hostname or parts.scheme not in ("http", "https") or parts.query:
            raise ConfigError(
                f'services["{name}"]: address is no address of a service',
                'write it as "https://jobs.example.org"',
            )
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ConfigError(
                f'services["{name}"]: the token would go over http, where others can read it',
                "give the address by https",
            )
        return made


@dataclass(frozen=True)
class Row:
    """What one instance of a service did in a day."""

    date: str
    service: str
    instance: str
    jobs: int
    images: int
    completed: int
    countries: tuple[str, ...]
    organisations: tuple[str, ...]
    uncounted: int = 0
    """Jobs whose images nobody knows."""

    @property
    def facts(self) -> list[tuple[str, str]]:
        """As people read them."""
        found = [
            ("Images", f"{self.images:,}"),
            ("Images completed", f"{self.completed:,}"),
            ("Countries", _listed(self.countries)),
            ("Organisations", _listed(self.organisations)),
            ("Jobs", f"{self.jobs:,}"),
        ]
        if self.uncounted:
            found.append(("Jobs without a count", f"{self.uncounted:,}"))
        return found


@dataclass(frozen=True)
class Summary:
    """A day of all services."""

    day: date
    title: str
    rows: tuple[Row, ...]
    troubles: tuple[str, ...] = ()
    """Services that could not be asked, with the reason."""
    link: str = ""

    @property
    def has_news(self) -> bool:
        """Whether there is something to send: an image, or a job whose images nobody knows."""
        return any(row.images or row.uncounted for row in self.rows)

    @property
    def heading(self) -> str:
        """Of the card and the text.

        Examples
        --------
        >>> Summary(date(2026, 11, 7), "Camera traps", ()).heading
        'Camera traps on Nov 07, 2026'
        """
        return f"{self.title} on {_MONTHS[self.day.month - 1]} {self.day:%d, %Y}"

    def text(self) -> str:
        """As the body of an e-mail: its first line is the subject."""
        lines = [self.heading, ""]
        for row in self.rows:
            lines += [_of(row), *(f"  {name}: {value}" for name, value in row.facts), ""]
        if not self.rows:
            lines += ["No image came in.", ""]
        lines += [f"Not asked: {trouble}" for trouble in self.troubles]
        return "\n".join(lines).rstrip() + "\n"

    def card(self) -> dict[str, Any]:
        """As the body of a message to a webhook."""
        sections = [Section(_of(row), row.facts) for row in self.rows]
        return adaptive_card(
            self.heading, sections, [f"Not asked: {one}" for one in self.troubles], self.link
        )


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not those of strftime, which depend on the machine."""


def _of(row: Row) -> str:
    return f"{row.service}, {row.instance}"


def _listed(names: Sequence[str]) -> str:
    """Some names in one line; they are anyone's."""
    listed = ", ".join(shown(name)[:80] for name in names[:_MOST_NAMES])
    return f"{listed} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else listed


def yesterday() -> date:
    """The last day of UTC that is over."""
    return datetime.now(UTC).date() - timedelta(days=1)


def read(path: str | None = None) -> SummaryConfig:
    """The settings of a summary, with its services checked.

    Parameters
    ----------
    path : str, optional
        The file; ``summary_config.py`` in the working directory where left out.

    Raises
    ------
    ConfigError
        If it is missing, or a setting is wrong.
    """
    chosen = Path(path or FILE)
    if not chosen.is_file():
        raise ConfigError(
            f"there is no file {chosen.absolute()}",
            'write services = {"NAME": {"address": "https://...", "token_variable": ...}} into it',
        )
    config = params.build(SummaryConfig, read_config(chosen), str(chosen))
    if not config.services:
        raise ConfigError(f"{chosen}: services is empty", "name at least one")
    for name in config.services:
        config.service(name)
    return config


def gather(
    config: SummaryConfig,
    day: date,
    *,
    tries: int = TRIES,
    sleep: Callable[[float], None] = _sleep,
) -> Summary:
    """Ask all services; one that does not answer takes nothing from the others.

    Parameters
    ----------
    config : SummaryConfig
    day : date
        Of UTC.
    tries : int
        How often each is asked, at most.
    sleep : callable
        Waits some seconds.

    Raises
    ------
    ConfigError
        If a token is not there.
    """
    rows: list[Row] = []
    troubles: list[str] = []
    tokens = {name: _token(config.service(name), name) for name in config.services}
    for name, token in tokens.items():
        service = config.service(name)
        query = f"date={day}&processID={quote(service.process, safe='')}"
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        call = Call(f"{service.address.rstrip('/')}/summary?{query}", headers=headers)
        try:
            rows += _rows(ask(call, name, tries=tries, sleep=sleep), name, day)
        except (ServiceError, DataError) as error:
            troubles.append(secrets.redacted(error.wrong))
    return Summary(day, config.title, tuple(rows), tuple(troubles), config.link)


def _token(service: ServiceAddress, name: str) -> str:
    where = f'services["{name}"]'
    if service.token_file:
        try:
            token = read_whole(Path(service.token_file).expanduser(), 10_000).decode().strip()
        except (OSError, UnicodeError) as error:
            raise ConfigError(
                f"{where}: {service.token_file} cannot be read: {said(error)}",
                "write the token of an admin into it",
            ) from None
    else:
        token = os.environ.get(service.token_variable, "").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        place = service.token_file or service.token_variable or "token_variable"
        raise ConfigError(
            f"{where}: {place} has no token", "make one with: pyveg serve add_caller NAME --admin"
        )
    secrets.know(token)
    return token


def _rows(body: bytes, name: str, day: date) -> list[Row]:
    """What a service has answered."""
    try:
        return [_row(one, name, day) for one in json.loads(body)["instances"]]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{name} has answered something else than a summary: {error}") from None


def _row(one: Mapping[str, Any], name: str, day: date) -> Row:
    return Row(
        date=str(day),
        service=name,
        instance=str(one["instance"]),
        jobs=int(one["jobs"]),
        images=int(one["images"]),
        completed=int(one["completed"]),
        countries=tuple(map(str, one["countries"])),
        organisations=tuple(map(str, one["organisations"])),
        uncounted=int(one.get("uncounted", 0)),
    )


def table_with(before: bytes, rows: Sequence[Row]) -> bytes:
    """A table with the rows of a day; rows that it has of the same day and instance go.

    Parameters
    ----------
    before : bytes
        The table as it is; empty where there is none.
    rows : sequence of Row

    Returns
    -------
    bytes
        CSV.

    Raises
    ------
    DataError
        If what is there is no such table.
    """
    try:
        known = list(csv.DictReader(io.StringIO(before.decode("utf-8-sig"))))
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"it is no table: {error}") from None
    if before and (not known or set(known[0]) != set(COLUMNS)):
        raise DataError(f"it has other columns than {', '.join(COLUMNS)}")
    new = [_cells(row) for row in rows]
    anew = {_key(row) for row in new}
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows([*(row for row in known if _key(row) not in anew), *new])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cells(row: Row) -> dict[str, str]:
    joined = {name: "; ".join(getattr(row, name)) for name in ("countries", "organisations")}
    return {name: cell(str(value)) for name, value in {**vars(row), **joined}.items()}


def _key(row: Mapping[str, str]) -> tuple[str, ...]:
    return row["date"], row["service"], row["instance"]


def _replace(place: Path, data: bytes) -> None:
    """Put other bytes in the place of a file at once; nothing is left beside it, whatever fails."""
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


def write_table(path: str | Path, rows: Sequence[Row]) -> None:
    """Add the rows of a day to the table in a file, which is there whole at any moment.

    Raises
    ------
    DataError
        If what is there is no such table, or the file cannot be written.
    """
    place = Path(path).expanduser()
    try:
        before = read_whole(place) if place.exists() else b""
        made = table_with(before, rows)
        _replace(place, made)
    except OSError as error:
        raise DataError(f"{place} cannot be written: {said(error)}", "give another --csv") from None
    except DataError as error:
        raise DataError(f"{place}: {error.wrong}", "move it away, or give another --csv") from None
