"""What a config is written from: the choices of somebody, what there is, and what goes together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyveg.core import registry
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.earth import periods
from pyveg.earth.types import Place
from pyveg.jobs.places import GivenPlace
from pyveg.jobs.regions import check_chip
from pyveg.modules.download import VegetationDownloader
from pyveg.sources.collections import data_collections

WEATHER_OF = {"earth_engine": "ERA5", "stac": "ERA5_OpenMeteo", "simulated": "SimulatedWeather"}
"""Source of imagery -> the weather that goes with it."""
FIRST_CHOICE = "Sentinel2_EarthSearch_C1"
"""What is proposed: imagery of every place on earth that needs no account."""
_ACCOUNTS = {"earth_engine": "a Google Cloud project for Earth Engine"}
"""Source -> the account that it needs."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What somebody wants."""

    collection: str
    place: GivenPlace
    start: date
    end: date
    """Not included."""
    time_per_point: str = "1m"
    run_mode: str = "local"
    weather: str | None = None
    """A collection; that of the imagery's source where None, none where empty."""
    output_location: str = ""
    """The config's name where empty."""
    region_size: float = 0.08
    test: bool = False
    """A few chips of each date only."""
    n_threads: int = 1


def collections(data_type: str) -> dict[str, Mapping[str, Any]]:
    """The known collections of a type, ``"vegetation"`` or ``"weather"``."""
    return {
        name: record
        for name, record in data_collections.items()
        if record["data_type"] == data_type
    }


def proposed() -> dict[str, Mapping[str, Any]]:
    """Collections of imagery in the order in which they are proposed: without an account first."""
    known = collections("vegetation")

    def rank(name: str) -> tuple[bool, bool, bool]:
        real = known[name]["source"] != "simulated"
        return name != FIRST_CHOICE, needs_account(name) != "", not real

    return {name: known[name] for name in sorted(known, key=rank)}


def needs_account(collection: str) -> str:
    """The account that a collection needs; empty where it needs none."""
    return _ACCOUNTS.get(data_collections[collection]["source"], "")


def missing_extras(choices: Choices) -> list[str]:
    """Extras of pyveg that a config needs, and that are not installed here."""
    weather = weather_of(choices)
    used = [choices.collection, *([weather] if weather else [])]
    parts = [("source", data_collections[name]["source"]) for name in used]
    if choices.run_mode != "local":
        parts.append(("runner", choices.run_mode))
    return sorted({extra for part in parts for extra in _missing(*part)})


def _missing(kind: str, name: str) -> list[str]:
    """Extras of pyveg that a part needs, and that are not installed here."""
    return [
        extra
        for extra in registry.extras_of(kind, name)[1]
        if not all(map(registry.is_installed, registry.packages_of("pyveg", extra)))
    ]


def run_modes() -> list[str]:
    """Where the work on dates can be done: here, or by an engine that works elsewhere."""
    far = [name for name, cls in registry.runner_classes().items() if cls.elsewhere]
    return ["local", *far]


def check(choices: Choices) -> None:
    """Refuse choices that do not go together.

    Raises
    ------
    ConfigError
        The message names the option.
    """
    check_collection(choices.collection)
    check_run_mode(choices.run_mode)
    place = choices.place
    if not -90 <= place.latitude <= 90:
        raise ConfigError(
            f"--latitude {place.latitude} is not between -90 and 90", "give degrees north"
        )
    if not -180 <= place.longitude <= 180:
        raise ConfigError(
            f"--longitude {place.longitude} is not between -180 and 180", "give degrees east"
        )
    check_region(choices.collection, place, choices.region_size)
    check_dates(choices.start, choices.end)
    periods.parse_step(choices.time_per_point)


def check_collection(name: str) -> str:
    """Give back the name of a collection of imagery.

    Raises
    ------
    UnknownNameError
    """
    known = collections("vegetation")
    if name not in known:
        raise UnknownNameError("collection", name, known, "--collection_name")
    return name


def check_run_mode(name: str) -> str:
    """Give back the name of a run mode.

    Raises
    ------
    UnknownNameError
    """
    if name not in run_modes():
        raise UnknownNameError("run mode", name, run_modes(), "--run_mode")
    return name


def check_dates(start: date, end: date) -> None:
    """Refuse days in the wrong order.

    Raises
    ------
    ConfigError
    """
    if start >= end:
        raise ConfigError(
            f"--start_date {start} is not before --end_date {end}",
            "give a later --end_date, which is not included",
        )


def check_region(collection: str, place: GivenPlace, size: float) -> None:
    """Refuse a region that has not a single chip of a collection.

    Raises
    ------
    ConfigError
    """
    record = collections("vegetation")[collection]
    if _missing("source", record["source"]):
        return  # what it needs is installed later, and the plan looks again
    if getattr(registry.load("source", record["source"]), "lays_grid", False):
        check_chip(
            Place(place.longitude, place.latitude, place.region_size or size),
            record.get("scale", VegetationDownloader.Settings.scale),
            collection,
        )


def weather_of(choices: Choices) -> str:
    """The collection of weather that goes with the imagery; empty for none.

    Raises
    ------
    UnknownNameError
        If one was chosen that there is not.
    """
    if choices.weather is None:
        source = collections("vegetation")[choices.collection]["source"]
        name = WEATHER_OF.get(source, "")
        return name if name in collections("weather") else ""
    if choices.weather and choices.weather not in collections("weather"):
        raise UnknownNameError("collection", choices.weather, collections("weather"), "--weather")
    return choices.weather
