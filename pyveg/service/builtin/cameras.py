"""The process ``cameras``: PhenoCam's tables of a station, from the images that it has sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pyveg.cameras.names import SITE
from pyveg.cameras.roistats import time_of
from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.service.config import ServiceConfig
from pyveg.service.processes import Process, Settings
from pyveg.service.records import Caller
from pyveg.service.refusals import Refusal
from pyveg.service.stations.desk import FOLDER, TABLE
from pyveg.service.stations.records import Records, no_station
from pyveg.service.stations.settings import checked_roi

ID = "cameras"
NAME = "Camera"
KEPT = ".measured"
_SIDE = 1e-4
"""Of the region, degrees: a camera has one pixel, where it stands."""


@dataclass(frozen=True, kw_only=True)
class CameraInputs:
    """What callers give."""

    station: str = setting(doc="which of your stations")
    roi: str = setting("", doc="region of interest; the station's own where empty")
    start_date: date | None = setting(
        None, doc="first day; that of the first image from 2001 on if left out"
    )
    end_date: date | None = setting(
        None,
        doc="the day after the last; the one after the last image that is not ahead of the time if "
        "left out",
    )
    analysis: bool = setting(False, doc="whether the series is analysed, with a report")


def process(config: ServiceConfig) -> Process:
    """The process."""
    records = Records(config.folder / TABLE)

    def gather(given: Any, folder: Path) -> Settings:
        del folder
        return _settings(config, records, given)

    return Process(
        id=ID,
        title="Greenness of a station",
        description=(
            "Measures the stored images of a station, day by day, and writes PhenoCam's tables: "
            "of images, of days and of three days. To be started every night."
        ),
        inputs=CameraInputs,
        make=lambda given: _settings(config, records, given),
        gather=gather,
        check=_check,
        allow=lambda caller, given: _allow(records, caller, given),
        filename=f"{ID}.py",
    )


def _check(given: CameraInputs) -> None:
    if not SITE.fullmatch(given.station):
        raise ConfigError("inputs: station is no name of one", "list yours at /v1/stations")
    if given.roi:
        try:
            checked_roi(given.roi)
        except Refusal as refusal:
            raise ConfigError(f"inputs: roi: {refusal.wrong}", refusal.cure) from None
    if given.start_date and given.end_date and not given.start_date < given.end_date:
        raise ConfigError(
            f"inputs: end_date = {given.end_date} is not after start_date = {given.start_date}",
            "give the first day, and the day after the last",
        )


def _allow(records: Records, caller: Caller, given: CameraInputs) -> None:
    """A station of somebody else is none."""
    found = records.get(given.station)
    if not (caller.admin or found.owner == caller.name):
        raise no_station(given.station)


def _settings(config: ServiceConfig, records: Records, given: CameraInputs) -> Settings:
    """The settings of a config for a station as it is now.

    Raises
    ------
    ConfigError
        If it has no image or no mask.
    """
    station = records.get(given.station)
    folder = config.folder / FOLDER / station.id
    camera = station.settings.camera(station.id, given.roi)
    if not records.masks(station.id, camera.roi):
        raise ConfigError(f"{station.id} has no mask of {camera.roi}", "send one with PUT")
    return {
        "name": f"{ID}-{station.id}",
        "coordinates": (camera.longitude, camera.latitude),
        "region_size": _SIDE,
        "date_range": [str(day) for day in _dates(records, given)],
        "data_collections": {
            NAME: {
                "collection_name": NAME,
                "data_type": "vegetation",
                "source": "phenocam",
                "path": str(folder),
                # In the station's own folder, so that it goes with it.
                "keep": str(folder / KEPT),
                "site": station.id,
                "roi": camera.roi,
                "utc_offset": camera.utc_offset,
                **({} if camera.elevation is None else {"elevation": camera.elevation}),
                "time_per_point": "1d",
            }
        },
        "collections_to_use": [NAME],
        "modules_to_use": {
            NAME: ["GreennessCalculator"],
            "combine": ["VegAndWeatherJsonCombiner", "GreennessTables"],
        },
        "special_config": {NAME: {"run_mode": config.of(ID).run_mode or "local"}},
        "analysis": given.analysis,
    }


def _dates(records: Records, given: CameraInputs) -> tuple[date, date]:
    """The days of a job; of all images whose clock may be right, where nothing was said."""
    if given.start_date and given.end_date:
        return given.start_date, given.end_date
    first, last = records.ends(given.station)
    if first is None or last is None:
        if records.count(given.station):
            raise ConfigError(
                f"{given.station} has no stored image from 2001 until now",
                "set the camera's clock, or give start_date and end_date",
            )
        raise ConfigError(f"{given.station} has sent no image", "send some first")
    start = given.start_date or time_of(first).date()
    end = given.end_date or time_of(last).date() + timedelta(days=1)
    if not start < end:
        raise ConfigError(
            f"{given.station} has no image from {start} on; the last is of {end - timedelta(1)}",
            "give an earlier start_date",
        )
    return start, end
