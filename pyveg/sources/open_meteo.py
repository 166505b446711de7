"""Weather without an account: ERA5 by the archive service of Open-Meteo.

Why this one, of the sources that need no account (see docs/stac.md): it serves ERA5 itself, rain
and temperature alike, from 1940 until five days ago, with one small request per period. The public
copies of ERA5 in cloud stores hold one hour of the whole globe per chunk, so that a month at one
place means reading gigabytes; the copy in Planetary Computer's catalogue ends in 2020.

The model is fixed to ``era5``. The service's own choice joins models of different resolution, and
a change of model makes a false trend; its ``era5_land`` has no rain (open-meteo#453).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np

from pyveg.core import params
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.params import setting
from pyveg.core.tasks import digest
from pyveg.core.types import Item
from pyveg.earth import periods
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.formats import Raster
from pyveg.sources.answers import Answers
from pyveg.sources.circuit import host_of
from pyveg.sources.network import NetworkSettings

VERSION = 1
URL = "https://archive-api.open-meteo.com/v1/archive"
KEY = "OPEN_METEO_API_KEY"
"""Only customers of the service have one; it goes with requests to their own address."""
MODEL = "era5"
CELL = 0.25
"""Side of a cell of ERA5, degrees."""
ZERO_CELSIUS = 273.15


@dataclass(frozen=True)
class _Variable:
    unit: str
    """That the service must state."""
    over: Callable[[Sequence[float]], float]
    """From days to a period, in the unit of results."""


VARIABLES = {
    "precipitation_sum": _Variable("mm", lambda days: max(0.0, math.fsum(days)) / 1000),
    "temperature_2m_mean": _Variable("°C", lambda days: math.fsum(days) / len(days) + ZERO_CELSIUS),
}
"""Bands: rain as m per period, air temperature at 2 m as K."""


@dataclass(frozen=True, kw_only=True)
class OpenMeteoSettings(NetworkSettings):
    """Settings of `OpenMeteoSource`."""

    url: str = setting(URL, doc="address of the archive, which may be a server of your own")
    retry_wait: float = setting(
        2.0, doc="seconds before the first repetition; doubles each time", low=0, results=False
    )


class OpenMeteoSource:
    """Rain and air temperature of the ERA5 cell that the centre of a place lies in.

    Days are those of UTC. A raster is that one cell, without the service's adjustment of the
    temperature to the height of the place.

    Parameters
    ----------
    settings : OpenMeteoSettings

    Raises
    ------
    ConfigError
        For an address that is none.
    """

    Settings: ClassVar[type] = OpenMeteoSettings
    by_period: ClassVar[bool] = True
    must_agree: ClassVar[tuple[str, ...]] = ()
    ignores: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: OpenMeteoSettings) -> None:
        if not settings.url.startswith(("http://", "https://")):
            raise ConfigError(
                f'url = "{settings.url}" is no web address', 'begin it with "https://"'
            )
        self.settings = settings

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """Whole periods of the date range."""
        del place
        return periods.items(dates, collection.time_per_point)

    def fingerprint(self, request: Request) -> str:
        """The settings that can change results."""
        del request
        return digest([VERSION, MODEL, params.to_json(self.settings, results_only=True)])

    def fetch(self, request: Request) -> Scene:
        """Rain and temperature of one period.

        Raises
        ------
        SkipItem
            If the service has not all of its days yet.
        ConfigError
            For a band that there is not.
        DataError
            If it answers in another unit.
        ServiceError
            If the service does not answer.
        """
        answers = Answers(self.settings.cache)
        return answers.fetch(request, self.fingerprint(request), lambda: self._make(request))

    def has(self, request: Request) -> bool:
        """Whether the answer is stored."""
        return Answers(self.settings.cache).has(request, self.fingerprint(request))

    def reach(self) -> None:
        """Look whether the archive is there; `ServiceAwayError` where it is not."""
        from pyveg.sources import http

        http.reach(self.settings.url, self._what)

    def _make(self, request: Request) -> Scene:
        wanted = _bands(request)
        period = period_of(request.item)
        answer = self._ask(request.place, period, sorted(set(wanted.values())))
        try:
            latitude, longitude = float(answer["latitude"]), float(answer["longitude"])
            values = {name: _value(answer, band, period) for name, band in wanted.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{self._what} answered in a form that is not known ({error!r})", "check its url"
            ) from error
        record = {
            "source": "open_meteo",
            "model": MODEL,
            "period": [str(period.start), str(period.end)],
            "cell": [longitude, latitude],
            "valid_fraction": 1.0,
        }
        rasters = {name: _raster(value, longitude, latitude) for name, value in values.items()}
        return Scene(rasters, record)

    def _ask(self, place: Place, period: DateRange, bands: Sequence[str]) -> Mapping[str, Any]:
        from pyveg.sources import http

        key = os.environ.get(KEY)
        parameters = {
            "latitude": str(place.latitude),
            "longitude": str(place.longitude),
            "start_date": str(period.start),
            "end_date": str(period.end - timedelta(days=1)),
            "daily": ",".join(bands),
            "models": MODEL,
            "timezone": "GMT",
            # The cell's own temperature: the service would adjust it to the height of the place.
            "elevation": "nan",
            # The default prefers cells over land, which may be another one than that of the centre.
            "cell_selection": "nearest",
            **({"apikey": key} if key and self.settings.url != URL else {}),
        }
        chosen = self.settings
        with http.session(chosen.retries, chosen.retry_wait, chosen.url) as session:
            answer = http.get_json(
                session,
                chosen.url,
                chosen.request_timeout,
                what=self._what,
                parameters=parameters,
            )
        return answer if isinstance(answer, Mapping) else {}

    @property
    def _what(self) -> str:
        return f"the weather archive {host_of(self.settings.url)}"


def _bands(request: Request) -> dict[str, str]:
    """Raster -> band, without optional ones that there are not."""
    for name, band in request.bands.items():
        if band not in VARIABLES and name not in request.optional:
            raise ConfigError(
                f'collection "{request.collection.key}": there is no band "{band}" in this weather '
                "archive",
                f"it has {', '.join(VARIABLES)}",
            )
    return {name: band for name, band in request.bands.items() if band in VARIABLES}


def _value(answer: Mapping[str, Any], band: str, period: DateRange) -> float:
    """One variable of one period, in the unit of results."""
    variable = VARIABLES[band]
    unit = answer["daily_units"][band]
    if unit != variable.unit:
        raise DataError(f'{band} came in "{unit}" instead of "{variable.unit}"', "check the url")
    # By date and not by position: a missing day must not shift the others.
    days = dict(zip(answer["daily"]["time"], answer["daily"][band], strict=True))
    count = (period.end - period.start).days
    wanted = [str(period.start + timedelta(days=number)) for number in range(count)]
    missing = [day for day in wanted if days.get(day) is None]
    if missing:
        raise SkipItem(
            f"no weather: {len(missing)} of {count} days are not in the archive (yet), the first "
            f"is {missing[0]}"
        )
    return variable.over([float(days[day]) for day in wanted])


def _raster(value: float, longitude: float, latitude: float) -> Raster:
    """One cell of the model around its centre."""
    transform = (CELL, 0.0, longitude - CELL / 2, 0.0, -CELL, latitude + CELL / 2)
    array = np.full((1, 1), value, np.float32)
    return Raster(array, "EPSG:4326", transform, nodata=float("nan"))
