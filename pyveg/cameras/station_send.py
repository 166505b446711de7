#!/usr/bin/env python3
"""`pyveg_station_send`: send the images of a folder to a station, whatever happens meanwhile.

This one file is all that a camera needs: it uses the standard library alone, and runs on
Python 3.9, as ``python3 station_send.py --watch DIR --server URL --station NAME --key_file F``.

The state is where a file is, so nothing is lost whenever the power goes: in the folder it waits,
in ``sent/`` it is stored by the service, in ``refused/`` it was refused, with the reason in a text
beside it, and in ``later/`` is one that the service has failed with again and again while others
passed; it is tried again every hour. A file that was sent and not moved, as the power went between,
is sent again; the service knows it.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import signal
import sys
import time
import uuid
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn, Optional
from urllib.parse import quote, urlsplit

ENDINGS = (".jpg", ".jpeg", ".png")
SENT, REFUSED, LATER = "sent", "refused", "later"
FIRST_WAIT, LONGEST_WAIT = 1.0, 600.0
"""Seconds; each failure doubles the wait."""
_LATER = frozenset({401, 403, 404, 408, 425, 429})
"""Statuses, beside those of 500 and more, that say nothing against the image itself."""
TRIES = 3
"""How often the service may fail with a file before the ones behind it are tried."""
AGAIN = 3600.0
"""Seconds after which a file that was put aside is tried again."""
EVERY, TIMEOUT = 10.0, 60.0
"""Seconds between looks at the folder, and for one file."""
_SETTLED = 2.0
"""Seconds that a file must not have changed; a camera may be writing it still."""
_LONGEST_ANSWER = 65_536


class Later(Exception):  # noqa: N818 - it is no error of the file
    """The file could not be sent, and may be later."""

    def __init__(self, why: str, after: Optional[float] = None) -> None:  # noqa: UP045
        super().__init__(why)
        self.after = after
        """Seconds that the service has asked to wait."""


class Failing(Later):
    """The service has failed; perhaps it does so with this file alone."""


class Refused(Exception):  # noqa: N818
    """The service will never take this file."""


class Server(NamedTuple):
    """Where files go."""

    address: str
    station: str
    key: str
    timeout: float


def post(server: Server, name: str, data: bytes) -> str:
    """Send one file.

    Returns
    -------
    str
        What the service has answered.

    Raises
    ------
    Later, Refused
    """
    parts = urlsplit(server.address)
    made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = made(parts.netloc, timeout=server.timeout)
    edge = uuid.uuid4().hex
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{_plain(name)}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode("ascii") + data + f"\r\n--{edge}--\r\n".encode("ascii")
    headers = {
        "Authorization": f"Bearer {server.key}",
        "Content-Type": f"multipart/form-data; boundary={edge}",
    }
    path = f"{parts.path.rstrip('/')}/v1/stations/{quote(server.station, safe='')}/images"
    try:
        status, text, after = _asked(connection, path, body, headers)
    finally:
        connection.close()
    if status == 200:
        return text
    why = f"{status} {text[:500]}"
    if status >= 500 and status != 503:
        raise Failing(why, after)
    if status >= 500 or status in _LATER or status < 400:
        raise Later(why, after)
    raise Refused(why)


def _asked(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, str, Optional[float]]:  # noqa: UP045
    """Status and text of the answer, and how long it asks to wait."""
    try:
        connection.connect()
    except OSError as error:
        raise Later(f"{type(error).__name__}: {error}") from error
    unsent: Optional[OSError] = None  # noqa: UP045
    try:
        try:
            connection.request("POST", path, body, headers)
        except OSError as error:
            unsent = error  # of a file that is too large, say, whose end nobody waits for
        answer = connection.getresponse()
        text = answer.read(_LONGEST_ANSWER).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        # It was there, and there is no answer: perhaps it is this file that it dies of.
        shown = unsent or error
        raise Failing(f"{type(shown).__name__}: {shown}") from error
    return answer.status, text, wait_of(answer.getheader("Retry-After"))


def wait_of(header: Optional[str]) -> Optional[float]:  # noqa: UP045
    """Seconds that a header Retry-After asks for; None where it says nothing.

    Examples
    --------
    >>> wait_of("30"), wait_of(None), wait_of("soon")
    (30.0, None, None)
    """
    if not header:
        return None
    try:
        return max(0.0, float(int(header)))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def backoff(failures: int) -> float:
    """Seconds to wait after some failures in turn: doubled each time, and not all at once."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 20))
    return longest * random.uniform(0.5, 1.0)


def waiting(folder: Path, settled: float = _SETTLED) -> list[Path]:
    """The files of a folder that can be sent, oldest name first."""
    now = time.time()
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.lower().endswith(ENDINGS):
                continue
            try:
                if not entry.is_file(follow_symlinks=False):
                    continue
                age = now - entry.stat().st_mtime
            except OSError:  # somebody has just taken it away
                continue
            # A clock that was set back makes files of the future; those are whole.
            if age >= settled or age < 0:
                found.append(Path(entry.path))
    return sorted(found, key=lambda path: path.name)


def free_place(path: Path, folder: Path) -> Path:
    """Where a file goes in a folder; one of the same name there is kept."""
    folder.mkdir(exist_ok=True)
    place, number = folder / path.name, 1
    while place.exists():
        place = folder / f"{path.stem}.{number}{path.suffix}"
        number += 1
    return place


def move(path: Path, place: Path) -> None:
    """Move a file so that it stays there whenever the power goes."""
    path.rename(place)
    for one in (place.parent, path.parent):
        _keep(one)


class Spool:
    """A folder of images on their way to a station.

    Parameters
    ----------
    server : Server
    folder : Path
    tries : int
        How often the service may fail with a file before the ones behind it are tried.
    """

    def __init__(self, server: Server, folder: Path, tries: int = TRIES) -> None:
        self._server = server
        self._folder = folder
        self._tries = tries
        self._failed: dict[str, int] = {}
        """Name of a file -> how often the service has failed with it. Kept nowhere else: a sender
        that is started again gives each file its tries again."""
        self.sent = self.refused = 0

    def send(self, settled: float = _SETTLED, again: float = AGAIN) -> None:
        """Send what is there, in order.

        A file with which the service fails again and again is passed over. Once another one has
        passed, it is sent once more; if the service fails with it still, the file is at fault and
        not the service, and is put aside.

        Raises
        ------
        Later
            At the first file that could not be sent: the next ones would meet the same.
        OSError
            If the folder cannot be used, or, after all the others were sent, for a file that cannot
            be read.
        """
        passed_over: list[Path] = []
        unread: Optional[OSError] = None  # noqa: UP045
        last: Optional[Later] = None  # noqa: UP045
        for path in waiting(self._folder, settled):
            if self._failed.get(path.name, 0) >= self._tries:
                passed_over.append(path)
                continue
            try:
                self._pass_on(path)
            except FileNotFoundError:
                continue
            except Failing as error:
                self._failed[path.name] = self._failed.get(path.name, 0) + 1
                if self._failed[path.name] < self._tries:
                    raise
                passed_over.append(path)
                last = error
                continue
            except OSError as error:  # it must not hold up those behind it
                unread = error
                continue
            self._put_aside(passed_over)
        if passed_over and last is None:  # nobody else is there to try it with
            self._pass_on(passed_over.pop(0))
            self._put_aside(passed_over)
        if passed_over and last is not None:
            raise last
        self._try_again(again)
        if unread is not None:
            raise unread

    def _pass_on(self, path: Path) -> None:
        """Send one file, and put it where it then belongs."""
        try:
            post(self._server, path.name, path.read_bytes())
        except Refused as refusal:
            write_reason(path, free_place(path, self._folder / REFUSED), str(refusal))
            self.refused += 1
            say(f"refused: {path.name}: {refusal}")
        else:
            move(path, free_place(path, self._folder / SENT))
            self.sent += 1
        self._failed.pop(path.name, None)

    def _put_aside(self, passed_over: list[Path]) -> None:
        """Others have passed: send these once more, and put aside those that still fail."""
        while passed_over:
            path = passed_over.pop(0)
            try:
                self._pass_on(path)
            except FileNotFoundError:
                continue
            except Failing as error:
                self._failed.pop(path.name, None)
                write_reason(path, free_place(path, self._folder / LATER), str(error))
                say(f"put aside: {path.name}: {error}")

    def _try_again(self, again: float) -> None:
        """Send what was put aside, if that is long enough ago."""
        for path in aside(self._folder):
            reason = Path(f"{path}.txt")
            try:
                age = time.time() - reason.stat().st_mtime
            except FileNotFoundError:
                age = again
            if 0 <= age < again:
                continue
            try:
                self._pass_on(path)
            except Failing as error:
                write_reason(path, path, str(error))
                continue
            if reason.exists():
                reason.unlink()


def send_all(server: Server, folder: Path, settled: float = _SETTLED) -> tuple[int, int]:
    """Send what is there, in order; see `Spool.send`.

    Returns
    -------
    tuple of int
        Files that were sent, and that were refused.
    """
    spool = Spool(server, folder)
    spool.send(settled)
    return spool.sent, spool.refused


def aside(folder: Path) -> list[Path]:
    """The files of a folder that were put aside."""
    home = folder / LATER
    return waiting(home, 0.0) if home.is_dir() else []


def write_reason(path: Path, place: Path, why: str) -> None:
    """Put a file into a place, with the reason beside it."""
    # First the reason: a file without one would be a riddle.
    with open(f"{place}.txt", "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(f"{why}\n")
        stream.flush()
        os.fsync(stream.fileno())
    if place != path:
        move(path, place)


def keep_sending(server: Server, folder: Path, every: float) -> NoReturn:
    """Send what comes into a folder, for ever."""
    failures, spool = 0, Spool(server, folder)
    while True:
        try:
            spool.send()
        except Later as error:
            failures += 1
            wait = max(backoff(failures), min(error.after or 0.0, LONGEST_WAIT))
            say(f"waiting {wait:.0f} s: {error}")
            time.sleep(wait)
            continue
        except OSError as error:  # the disk is full, or the folder was taken away for a while
            failures += 1
            say(f"what is in the folder cannot be used: {error}")
            time.sleep(backoff(failures))
            continue
        failures = 0
        time.sleep(every)


def say(text: str) -> None:
    """A line for the journal; never the key."""
    sys.stderr.write(f"pyveg_station_send: {text}\n")
    sys.stderr.flush()


def main(given: Optional[list[str]] = None) -> int:  # noqa: UP045
    """Read the command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="pyveg_station_send",
        description="Send the images that come into a folder to a station of pyveg serve.",
        epilog="Files go to sent/ once they are stored there, to refused/ with the reason beside "
        "them if the service will never take them, and to later/ if it fails with them while it "
        "takes others; those are tried again every hour. Stop it and start it as you like.",
    )
    parser.add_argument("--watch", required=True, metavar="DIR", help="folder of images")
    parser.add_argument("--server", required=True, metavar="URL", help="address of the service")
    parser.add_argument(
        "--key_file", "--key-file", required=True, metavar="F", help="file with the station's key"
    )
    parser.add_argument("--station", help="name of the station; that of DIR if left out")
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between looks [10]")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for one file [60]")
    parser.add_argument("--once", action="store_true", help="send what is there, and end")
    return run(**vars(parser.parse_args(given)))


def run(  # noqa: PLR0917 - options go by name
    watch: str,
    server: str,
    key_file: str,
    station: Optional[str] = None,  # noqa: UP045
    every: float = EVERY,
    timeout: float = TIMEOUT,
    once: bool = False,
) -> int:
    """Do what the command line says; gives the exit code."""
    folder = Path(watch)
    wrong = _wrong(folder, server)
    if not wrong and not (timeout > 0 and every >= 0):
        wrong = "--timeout and --every are seconds; give a timeout of more than 0"
    try:
        key = Path(key_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        key, wrong = "", wrong or f"the key cannot be read: {error}"
    if not wrong and (not key or not key.isascii() or not key.isprintable() or " " in key):
        wrong = f"{key_file} has no key; write the one that PUT has answered into it"
    if wrong:
        say(f"error: {wrong}")
        return 2
    target = Server(server, station or folder.resolve().name, key, timeout)
    signal.signal(signal.SIGTERM, _end)
    try:
        if once:
            return _once(target, folder)
        keep_sending(target, folder, max(every, 0.1))
    except KeyboardInterrupt:
        return 130


def _once(server: Server, folder: Path) -> int:
    spool = Spool(server, folder, tries=1)
    try:
        spool.send(settled=0.0, again=0.0)
    except (Later, OSError) as error:
        say(f"not all were sent: {error}")
        return 1
    left = len(aside(folder))
    say(f"sent {spool.sent}, refused {spool.refused}, put aside {left}")
    return 1 if spool.refused or left else 0


def _wrong(folder: Path, address: str) -> str:
    """What of the command line cannot be; empty where all can."""
    if not folder.is_dir():
        return f"there is no folder {folder}"
    no_address = f"--server {address} is no address; write https://jobs.example.org"
    try:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            return no_address
    except ValueError:
        return no_address
    if parts.username or parts.password:
        return "--server must hold no password"
    return ""


def _plain(name: str) -> str:
    """A name as a header can have it."""
    kept = (c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return "".join(kept)


def _keep(folder: Path) -> None:
    """Have the names of a folder on the disk."""
    try:
        descriptor = os.open(str(folder), os.O_RDONLY)
    except OSError:  # not on Windows
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _end(number: int, frame: Optional[FrameType]) -> None:  # noqa: UP045
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
