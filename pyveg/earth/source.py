"""The port of imagery: what a Module asks a Source for, and what it gets.

Adapters live in `pyveg.sources` or in other people's packages and are looked up by name; all pass
`pyveg.testing.source_contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

from pyveg.core import params, registry
from pyveg.core.types import Item
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.formats import Raster


@dataclass(frozen=True)
class Request:
    """One period of one collection at one place, as a Module asks a Source for it.

    Examples
    --------
    >>> images = Collection("Mine", "Mine", "vegetation", "folder")
    >>> asked = Request(Place(27.95, 11.57), images, Item("2016-01-16"), {"red": "B4"})
    >>> asked.scale, asked.index
    (10.0, 'NDVI')
    """

    place: Place
    collection: Collection
    item: Item
    bands: Mapping[str, str]
    """Name of the raster to return -> name of the band in the collection."""
    optional: tuple[str, ...] = ()
    """Rasters that are returned where the Source has them; it is no error where it has not."""
    index: str = "NDVI"
    """Which of the rasters is a vegetation index, and no band."""
    scale: float = 10.0
    """Length of a pixel's side, metres."""
    mask_cloud: bool = True
    cloudy_pix_frac: float = 50.0
    """Scenes with this share of cloud or more are left out, percent."""
    cloudy_pix_flag: str = ""
    """The property of a scene that states its share of cloud; the Source's own where empty."""


@dataclass(frozen=True)
class Scene:
    """What a Source gives for a Request.

    Examples
    --------
    >>> import numpy as np
    >>> scene = Scene({"NDVI": Raster(np.zeros((2, 3), np.float32))}, {"valid_fraction": 1.0})
    >>> scene.rasters["NDVI"].array.shape
    (2, 3)
    """

    rasters: Mapping[str, Raster]
    """Name of the raster -> its pixels with their grid. Reflectance as uint16, x 10,000, 0 = no
    data; NDVI and weather as float32. All rasters of one request have the same shape."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """Where it came from, as JSON: ids of scenes, valid fraction, seeds, files."""
    tables: Mapping[str, bytes] = field(default_factory=dict)
    """Name of a table -> its CSV, where there is more to tell than rasters hold."""


class Source(Protocol):
    """Where raw bands come from. Made from its own typed settings; opens nothing before it must.

    One with a class attribute ``waits = True`` mostly waits for a service, and can be used by many
    threads at once: its downloads run in threads, more of them than there are cores. One that
    asks a service is also `Reachable`. One with ``lays_grid = True`` gives imagery on the pixels
    of the UTM zone that `region_size` and `scale` ask for, so that their number is known before.

    Examples
    --------
    The Source of simulated places:

    >>> from pyveg.sources.simulated import SimulatedSource
    >>> SimulatedSource.by_period, SimulatedSource.Settings.__name__
    (True, 'SimulatedSettings')
    """

    Settings: ClassVar[type]
    by_period: ClassVar[bool]
    """True: its Items are the periods of the date range. False: the dates of what is there."""
    must_agree: ClassVar[tuple[str, ...]]
    """Settings that all collections of one run that come from it must have in common."""
    ignores: ClassVar[tuple[str, ...]]
    """Settings of downloaders and records that have no effect with it; refused in a config."""

    def __init__(self, settings: Any) -> None: ...

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """The Items of a collection within a date range, in order; fetches nothing.

        Parameters
        ----------
        collection : Collection
        place : Place
        dates : DateRange

        Returns
        -------
        sequence of Item
        """
        ...

    def fingerprint(self, request: Request) -> str:
        """What the answer depends on besides the request, such as the contents of files."""
        ...

    def fetch(self, request: Request) -> Scene:
        """Get it. `SkipItem` where there is no image for that period, `DataError` for a bad one."""
        ...


@runtime_checkable
class Reachable(Protocol):
    """A Source that asks a service, which may be away, or not let this user in.

    Examples
    --------
    >>> from pyveg.sources.simulated import SimulatedSource
    >>> isinstance(SimulatedSource(SimulatedSource.Settings()), Reachable)  # it asks no service
    False
    """

    def has(self, request: Request) -> bool:
        """Whether the answer is stored here; quick, and asks nothing."""
        ...

    def reach(self) -> None:
        """Look whether the service is there; takes some seconds at most.

        Raises
        ------
        ServiceAwayError, ConfigError
            If no request would be answered.
        """
        ...


@runtime_checkable
class Surveying(Protocol):
    """A Source that looks at all that it will be asked for before anything is fetched."""

    def survey(self, requests: Sequence[Request], tell: Callable[[str], None]) -> Sequence[Item]:
        """The Items of some requests, with what was found out in their details.

        Parameters
        ----------
        requests : sequence of Request
        tell : callable
            Takes a sentence that the user should read before the run starts.

        Raises
        ------
        ConfigError
            If what is there cannot make one series.
        """
        ...


def open_source(name: str, settings: Mapping[str, Any], where: str) -> Source:
    """Make a Source from its name and the settings that were given for it."""
    cls = registry.load("source", name, where)
    return cast(Source, cls(params.build(cls.Settings, settings, where)))


def source_of(collection: Collection) -> Source:
    """The Source of a collection, made from the settings that its record has."""
    where = f'collection "{collection.key}"'
    return open_source(collection.source, collection.source_settings, where)
