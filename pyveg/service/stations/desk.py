"""What routes of stations call. Each method checks who asks, and raises `Refusal` with a status."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any

from pyveg.cameras.masks import RegionMask, decode_mask
from pyveg.cameras.names import named, taken_of_exif
from pyveg.core.errors import ConfigError, PyvegError
from pyveg.service import keys
from pyveg.service.config import ServiceConfig
from pyveg.service.records import Caller
from pyveg.service.refusals import Refusal
from pyveg.service.stations import series, settings
from pyveg.service.stations.archive import Archive
from pyveg.service.stations.looking import look
from pyveg.service.stations.records import ImageRecord, Records, Station, no_station, prepared
from pyveg.service.stations.scorers import Scorers
from pyveg.service.stations.slots import Slots

FOLDER, TABLE = "stations", "stations.sqlite"
MOST_BYTES = 20_000_000
"""Of an image."""
MOST_ROWS = 100_000
_CLOCK = 86_400
"""Seconds that a clock may be off before it is told."""
_MASKS = 64
_FIRST, _LAST = datetime(1970, 1, 1), datetime(9999, 1, 1)


def prepare(config: ServiceConfig) -> None:
    """Make the table, and clear away what a server that was killed has left; before others work.

    Raises
    ------
    ConfigError, TableError
    """
    prepared(config.folder / TABLE)
    Archive(config.folder / FOLDER).tidy()


class StationDesk:
    """Stations without HTTP.

    Parameters
    ----------
    config : ServiceConfig
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._data = config.folder
        self.records = Records(config.folder / TABLE)
        self._archive = Archive(config.folder / FOLDER)
        self._scorers = Scorers(config.station_scorers)
        self.slots = Slots(config.images_in_flight)
        self._guard = threading.Lock()
        self._masks: OrderedDict[str, RegionMask] = OrderedDict()

    # Who asks

    def owned(self, caller: Caller, station: str) -> Station:
        """A station that the caller may look at and change.

        Raises
        ------
        Refusal
            404, also for one of somebody else.
        """
        found = self.records.get(station)
        if not (caller.admin or found.owner == caller.name):
            raise no_station(station)
        return found

    def check_key(self, station: str, key: str) -> None:
        """Refuse whoever has not the key of a station.

        Raises
        ------
        Refusal
            401, whether there is such a station or not.
        """
        if not key:
            raise Refusal(401, "this request has no key", "send Authorization: Bearer KEY")
        if not self.records.holds(station, key):
            raise Refusal(
                401,
                f"this is not the key of a station {station[:64]}",
                "give the one that PUT has answered; one that was replaced holds for a day",
            )

    # Stations

    def put(self, caller: Caller, station: str, given: Any) -> dict[str, Any]:
        """Make a station, or change its settings; what is new has its ``key``."""
        name = settings.checked_name(station)
        wanted = settings.read(given, self._scorers.named)
        key = self.records.put(name, caller.name, wanted, admin=caller.admin)
        return {**self.described(self.records.get(name)), **({"key": key} if key else {})}

    def rotate(self, caller: Caller, station: str) -> dict[str, Any]:
        """A new key; the one before holds for a day."""
        return {"id": self.owned(caller, station).id, "key": self.records.rotate(station)}

    def delete(self, caller: Caller, station: str) -> None:
        """Remove a station with all its images."""
        self.owned(caller, station)
        aside = []
        self.records.delete(station, lambda: aside.append(self._archive.set_aside(station)))
        for path in aside:
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)

    def stations(self, caller: Caller) -> list[dict[str, Any]]:
        """Those of the caller; of everybody for an admin."""
        owner = "" if caller.admin else caller.name
        return [self.described(one) for one in self.records.all(owner)]

    def described(self, station: Station) -> dict[str, Any]:
        """A station, and how it is."""
        last = self.records.latest(station.id)
        silent = self._silent_hours(station, last)
        return {
            "id": station.id,
            "owner": station.owner,
            **{k: v for k, v in vars(station.settings).items() if k != "people"},
            "people": settings.policy(station.settings),
            "images": self.records.count(station.id),
            "latest": series.answer(last) if last else None,
            "health": {
                "silent": silent > station.settings.silent_hours,
                "hours_since_last": round(silent, 2) if last else None,
                "clock_off_seconds": (last.clock or None) if last else None,
                "dark": last is not None and last.quality == "dark",
            },
        }

    def troubles(self) -> dict[str, str]:
        """What of the stations does not work -> why: scorers that nobody can look by."""
        if not self.records.table.path.exists():
            return {}  # the server has not made it yet, so there is no station
        try:
            return self._scorers.troubles(self.records.all())
        except PyvegError as error:
            return {"table of stations": str(error)}

    def put_mask(self, caller: Caller, station: str, roi: str, start: str, data: bytes) -> None:
        """Note a mask that holds from a time on."""
        found = self.owned(caller, station)
        settings.checked_roi(roi)
        begins = _seconds(_moment(start, "from", found)) if start else _seconds(_FIRST)
        try:
            decode_mask(data, roi)
        except ConfigError as error:
            raise Refusal(422, error.wrong, error.cure) from None
        known = dict(self.records.masks(station, roi))
        file = known.get(begins) or self._archive.mask_path(station, roi, len(known) + 1)
        with self._archive.written(file, data) as part:
            part.place()
        self.records.put_mask(station, roi, begins, file)
        self._write_list(station, roi)

    # Images

    def post(
        self, station: str, data: bytes, *, taken: str = "", name: str = "", sequence: str = ""
    ) -> dict[str, Any]:
        """Take an image of a station whose key was shown.

        Returns
        -------
        dict
            With ``status`` "ok", or "duplicate" where it is there already.

        Raises
        ------
        Refusal
            409 where there is another of that time, 422, 503.
        """
        if len(data) > MOST_BYTES:
            raise Refusal(413, f"the image has more than {MOST_BYTES} bytes", "send a smaller one")
        if not data:
            raise Refusal(422, "there is no image", "send it as the part image")
        found = self.records.get(station)
        when = self._when(found, data, taken, name)
        seconds = _seconds(when)
        # With the key of the service, so that nothing on the disk tells which image it was.
        plain = hashlib.sha256(data).hexdigest()
        digest = keys.signature(self._data, f"image of {station}", plain)
        there, status = self.records.digest_at(station, seconds), "duplicate"
        if not there:
            there, status = self._keep(found, data, when, digest, sequence), "ok"
        if there != digest:
            raise Refusal(
                409, f"{station} has another image of {when.isoformat()}", "mend the camera's clock"
            )
        return {"status": status, **series.answer(self.records.image(station, seconds))}

    def _keep(
        self, station: Station, data: bytes, when: datetime, digest: str, sequence: str
    ) -> str:
        mask, label = self._mask_at(station, when)
        seen = look(data, station.settings, mask, self._scorers)
        seconds = _seconds(when)
        file = self._archive.image_path(station.id, seconds, seen.ending)
        record = ImageRecord(
            taken=seconds,
            digest=digest,
            file=file if seen.data is not None else "",
            received=time.time(),
            mask=label,
            clock=_clock_off(station, seconds),
            sequence=sequence[:100] or None,
            **seen.figures,
        )
        if seen.data is None:
            return self.records.add(station.id, record, lambda: None)
        with self._archive.written(file, seen.data) as part:
            return self.records.add(station.id, record, part.place)

    def _when(self, station: Station, data: bytes, taken: str, name: str) -> datetime:
        """Local standard time at which an image was taken."""
        if taken:
            return _moment(taken, "taken", station)
        said = named(name)
        if said is not None:
            return said.taken
        found = taken_of_exif(data)
        if found is None:
            raise Refusal(
                422,
                "neither taken, nor the name of the file, nor Exif says when the image was taken",
                "send taken as 2009-06-30T12:01:38, in local standard time",
            )
        return found

    def _mask_at(self, station: Station, when: datetime) -> tuple[RegionMask | None, str | None]:
        roi, seconds = station.settings.roi, _seconds(when)
        held = [file for start, file in self.records.masks(station.id, roi) if start <= seconds]
        if not held:
            return None, None
        file = held[-1]
        stamp = self._archive.stamp(file)
        with self._guard:
            known = self._masks.get(stamp)
        if known is None:
            region = decode_mask(self._archive.read(file), file)
            known = RegionMask(_FIRST, _LAST, file.rsplit("/", 1)[-1], region)
            with self._guard:
                self._masks[stamp] = known
                while len(self._masks) > _MASKS:
                    self._masks.popitem(last=False)
        return known, roi

    # What there is

    def latest(self, station: str) -> tuple[ImageRecord, bytes]:
        """The last image that was stored, and its bytes."""
        last = self.records.latest(station)
        if last is None or not last.file:
            raise Refusal(404, f"{station} has no image to show", "send one")
        return last, self._archive.read(last.file)

    def series(self, station: str, begin: str, end: str) -> tuple[Station, list[ImageRecord]]:
        """Rows of a station from one time to another; the first `MOST_ROWS` of them."""
        found = self.records.get(station)
        first = _seconds(_moment(begin, "from", found)) if begin else _seconds(datetime(1, 1, 1))
        last = _seconds(_moment(end, "to", found)) if end else _seconds(_LAST)
        if end and len(end) == len("2009-06-30"):
            last += _CLOCK - 1
        return found, self.records.series(station, first, last, MOST_ROWS)

    def _silent_hours(self, station: Station, last: ImageRecord | None) -> float:
        since = last.received if last else station.created
        return (time.time() - since) / 3600

    def _write_list(self, station: str, roi: str) -> None:
        """The list of masks, so that other tools can read the folder."""
        rows = self.records.masks(station, roi)
        ends = [_EPOCH + timedelta(seconds=start - 1) for start, _ in rows[1:]] + [_LAST]
        lines = ["start_date,start_time,end_date,end_time,maskfile,sample_image"]
        for (start, file), end in zip(rows, ends, strict=True):
            begin = _EPOCH + timedelta(seconds=start)
            parts = [one.isoformat().replace("T", ",") for one in (begin, end)]
            lines.append(",".join([*parts, file.rsplit("/", 1)[-1], ""]))
        text = "\n".join(lines) + "\n"
        with self._archive.written(f"{station}/ROI/{station}_{roi}_roi.csv", text.encode()) as part:
            part.place()


_EPOCH = series.EPOCH


def _seconds(when: datetime) -> int:
    return int((when - _EPOCH).total_seconds())


def _moment(text: str, what: str, station: Station) -> datetime:
    """A time as callers write it, in the local standard time of a station."""
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo is not None:
            offset = timedelta(hours=station.settings.utc_offset)
            found = (found.astimezone(UTC) + offset).replace(tzinfo=None)
    except (ValueError, OverflowError):  # no date, or one beyond those that there are
        raise Refusal(
            422, f"{what} = {text[:40]!r} is no time", "write 2009-06-30T12:01:38", pointer=what
        ) from None
    return found.replace(microsecond=0)


def _clock_off(station: Station, seconds: int) -> int:
    """How far a time is from that of the service, if it cannot be a spool or a little slip.

    Images of the past are what a spool sends when the network is back: only those of more than a
    year ago are told, and any of a day or more ahead.
    """
    off = seconds - int(time.time() + 3600 * station.settings.utc_offset)
    return off if off >= _CLOCK or off < -365 * _CLOCK else 0
