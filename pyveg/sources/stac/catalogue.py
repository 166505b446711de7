"""Finding scenes: by the search of a STAC API, or by walking through a static catalogue.

Clients are opened once per process and shared by its threads.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pystac
from pystac.stac_io import DefaultStacIO
from pystac_client import Client, ConformanceClasses
from pystac_client.exceptions import APIError

from pyveg import formats
from pyveg.core.errors import ConfigError, DataError, ServiceAwayError, ServiceError
from pyveg.earth.types import DateRange
from pyveg.sources import hls, http
from pyveg.sources.circuit import CIRCUIT, host_of
from pyveg.sources.grid import Grid
from pyveg.sources.stac import times
from pyveg.sources.stac.radiometry import platform
from pyveg.sources.stac.settings import StacSettings, spelled
from pyveg.sources.stac.trust import WatchedIO

Scene = dict[str, Any]
"""A STAC item as JSON."""
Box = tuple[float, float, float, float]
"""West, south, east, north, degrees; west is the larger one across the 180th meridian."""

COLLECTIONS = (ConformanceClasses.COLLECTIONS, ConformanceClasses.FEATURES)
"""What a service can do that tells of its collections."""
PAGE = 100
"""Scenes that a search is asked for at once."""

_lock = threading.Lock()
_open: dict[tuple[str, int, float, float], pystac.Catalog] = {}
_walked: dict[tuple[str, str], list[Scene]] = {}
_known: set[tuple[str, str]] = set()
"""Catalogues and collections that are there."""


class _StaticIO(WatchedIO):
    """As patient as with services; what it reads are plain objects, not clients."""

    def stac_object_from_dict(self, *args: Any, **options: Any) -> pystac.STACObject:
        return DefaultStacIO.stac_object_from_dict(self, *args, **options)


def find(settings: StacSettings, box: Box, period: DateRange) -> list[Scene]:
    """Scenes of a period that touch a box, by time and id.

    Parameters
    ----------
    settings : StacSettings
    box : tuple of float
    period : DateRange

    Returns
    -------
    list of dict
        STAC items as JSON, with absolute addresses; clouds are not looked at. Scenes that do not
        say when they were taken are among them.

    Raises
    ------
    ConfigError
        If there is no such catalogue or collection.
    ServiceError
        If the service does not answer, with advice.
    """
    with _understood(settings):
        scenes = _search(settings, box, period)
    # A walk through a static catalogue has looked at no dates yet.
    scenes = [hls.renamed(scene) for scene in scenes if times.may_be_in(scene, period)]
    if settings.platforms:
        wanted = set(map(spelled, settings.platforms))
        scenes = [scene for scene in scenes if platform(scene) in wanted]
    return sorted(scenes, key=lambda scene: (times.text_of_time(scene), scene["id"]))


def fingerprint(settings: StacSettings, box: Box, period: DateRange) -> str:
    """What files of a local catalogue an answer depends on; nothing for services."""
    if not settings.local:
        return ""
    digest = hashlib.blake2b(digest_size=16)
    for scene in find(settings, box, period):
        digest.update(repr(scene).encode())
        for asset in scene["assets"].values():
            digest.update(_file_state(asset["href"]))
    return digest.hexdigest()


def title(settings: StacSettings) -> str:
    """What the catalogue calls itself, asked for anew: a way to see whether it answers.

    Raises
    ------
    ConfigError, ServiceError
        As `find`.
    """
    with _understood(settings):
        catalogue = _opened(settings)
    return catalogue.title or catalogue.id


def box_of(grid: Grid) -> Box:
    """The box of longitude and latitude around a grid."""
    # Along the edges and not the corners alone: edges of a metric grid are curved in degrees.
    share = np.linspace(0, 1, 9)
    edge = np.concatenate([share, share, np.zeros(9), np.ones(9)])
    other = np.concatenate([np.zeros(9), np.ones(9), share, share])
    places = formats.lonlat(grid.crs, grid.transform, edge * grid.width, other * grid.height)
    middle = places[0, 0]
    longitudes = (places[:, 0] - middle + 180) % 360 - 180 + middle
    west, east = (float((x + 180) % 360 - 180) for x in (longitudes.min(), longitudes.max()))
    return west, float(places[:, 1].min()), east, float(places[:, 1].max())


@contextmanager
def _understood(settings: StacSettings) -> Iterator[None]:
    """Ask the service, unless it is known to be away; what its client raises, as one of ours."""
    host = "" if settings.local else host_of(settings.url)
    CIRCUIT.check(host)
    try:
        yield
    except APIError as error:
        _raise_refusal(error)
        raise _failure(error, settings) from error
    CIRCUIT.answered(host)


def _raise_refusal(error: BaseException) -> None:
    """Raise what the client has wrapped, where that is our own refusal to follow a link."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DataError):
            raise cause
        cause = cause.__cause__ or cause.__context__


def _failure(error: APIError, settings: StacSettings) -> ServiceError:
    # The client wraps whatever stopped its request, ours too.
    if isinstance(error.__context__, ServiceAwayError):
        return error.__context__
    text = str(error)
    status = getattr(error, "status_code", None) or http.status_in(text)
    if status is None:
        return http.unreached(settings.title, settings.url, error)
    CIRCUIT.answered(host_of(settings.url))
    return http.failure(settings.title, status, text)


def _search(settings: StacSettings, box: Box, period: DateRange) -> list[Scene]:
    catalogue = _catalogue(settings)
    if not isinstance(catalogue, Client):
        return [scene for scene in _walk(settings, catalogue) if _touches(scene, box)]
    last = period.end - timedelta(days=1)
    search = catalogue.search(
        collections=list(settings.collections),
        bbox=box,
        datetime=f"{period.start}T00:00:00Z/{last}T23:59:59.999Z",
        limit=PAGE,
        method=_method(catalogue),
    )
    scenes = list(search.items_as_dicts())
    there = {scene.get("collection") for scene in scenes}
    for name in settings.collections:
        # Scenes of one collection are no sign that there is the other one.
        if not scenes or (settings.with_collections and name not in there):
            _check_collection(settings, catalogue, name)
    return scenes


def _method(catalogue: Client) -> str:
    """POST where it is offered; every STAC API knows GET."""
    offered = {str(link.extra_fields.get("method")) for link in catalogue.get_links("search")}
    return "POST" if "POST" in offered else "GET"


def _check_collection(settings: StacSettings, catalogue: Client, name: str) -> None:
    """A search in a collection that there is not finds nothing, and does not say why."""
    key = (settings.url, name)
    if key in _known or not any(map(catalogue.conforms_to, COLLECTIONS)):
        return
    try:
        collection = catalogue.get_collection(name)
    except APIError as error:
        if getattr(error, "status_code", None) != 404:
            raise
        collection = None
    if collection is None:
        raise ConfigError(
            f'{settings.title} has no collection "{name}"',
            "set stac_collection to one that it has"
            if name == settings.stac_collection
            else "correct with_collections",
        )
    _known.add(key)


def _catalogue(settings: StacSettings) -> pystac.Catalog:
    """The catalogue, opened once."""
    wait, timeout = float(settings.retry_wait), float(settings.request_timeout)
    key = (settings.url, settings.retries, wait, timeout)
    with _lock:
        if settings.local or key not in _open:  # files may have changed, and cost little to open
            _open[key] = _opened(settings)
        return _open[key]


def _opened(settings: StacSettings) -> pystac.Catalog:
    limits = (min(http.CONNECT_TIMEOUT, settings.request_timeout), settings.request_timeout)
    patience = http.patience(settings.retries, settings.retry_wait, settings.url)
    url = settings.url
    try:
        root = WatchedIO(settings, limits, patience).read_json(url)
        if not _searchable(root):
            io = _StaticIO(settings, limits, patience)
            return pystac.Catalog.from_file(url, stac_io=io)
        client = Client.from_dict(root, href=url, preserve_dict=False)
        client.set_root(client)  # or each thread would ask for it once more
        client._stac_io = WatchedIO(settings, limits, patience)
        # Some services that search do not declare it in the words of STAC 1.0.
        client.add_conforms_to("CORE")
        client.add_conforms_to("ITEM_SEARCH")
    except FileNotFoundError:
        raise ConfigError(f"there is no catalogue {url}", "give path as its catalog.json") from None
    except (ValueError, KeyError, TypeError, OSError, pystac.STACError) as error:
        raise ConfigError(
            f"{url} is no STAC catalogue: {error}",
            "give the address of a STAC API or of a catalog.json",
        ) from error
    return client


def _searchable(root: Any) -> bool:
    """Whether it is a service, rather than the file of a static catalogue."""
    if not isinstance(root, dict):
        raise TypeError("it is no JSON object")
    stated = any("item-search" in str(name) for name in root.get("conformsTo", ()))
    return stated or any(link.get("rel") == "search" for link in root.get("links", ()))


def _walk(settings: StacSettings, catalogue: pystac.Catalog) -> list[Scene]:
    """All scenes of a static catalogue; walked through again when its files change."""
    key = (settings.url, _tree_state(Path(settings.url)) if settings.local else "")
    with _lock:
        if key not in _walked:
            try:
                _walked[key] = list(_items(catalogue))
            except (ValueError, KeyError, OSError, pystac.STACError) as error:
                _raise_refusal(error)
                raise ConfigError(
                    f"the catalogue {settings.url} is damaged: {error}", "make or copy it anew"
                ) from error
        scenes = _walked[key]
    known = {str(scene.get("collection")) for scene in scenes}
    for name in settings.collections:
        if scenes and name not in known:
            raise ConfigError(
                f'{settings.title} has no collection "{name}"', f"it has {', '.join(sorted(known))}"
            )
    return [scene for scene in scenes if scene.get("collection") in settings.collections]


def _items(catalogue: pystac.Catalog) -> Iterator[Scene]:
    for folder, _, _ in catalogue.walk():
        for link in folder.get_item_links():
            item = _item(link, folder)
            if item is not None:
                item.make_asset_hrefs_absolute()
                yield item.to_dict(include_self_link=False, transform_hrefs=False)


def _item(link: pystac.Link, folder: pystac.Catalog) -> pystac.Item | None:
    """The item that a link leads to, also one without a time, which the client refuses to read."""
    try:
        found = link.resolve_stac_object(root=folder.get_root()).target
    except pystac.STACError:
        plain = _read_as_it_is(link, folder)
        about = plain.get("properties", {})
        if any(about.get(name) for name in ("datetime", *times.RANGE)):
            raise
        # A time that no period has, put in to be read and taken out again.
        stamped = {**plain, "properties": {**about, "datetime": "0001-01-01T00:00:00Z"}}
        found = pystac.Item.from_dict(stamped, href=link.get_absolute_href())
        found.datetime = None
    return found if isinstance(found, pystac.Item) else None


def _read_as_it_is(link: pystac.Link, folder: pystac.Catalog) -> Scene:
    """The JSON of an item, whether or not it is a valid one."""
    io, address = (folder.get_root() or folder)._stac_io, link.get_absolute_href()
    if io is None or address is None:
        raise ValueError(f"a link of {folder.id} leads nowhere")
    return dict(io.read_json(address))


def _tree_state(path: Path) -> str:
    """Changes when a file of a catalogue does."""
    folder = path if path.is_dir() else path.parent
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(folder.rglob("*.json")):
        digest.update(_file_state(str(file)))
    return digest.hexdigest()


def _file_state(href: str) -> bytes:
    """Name, length and time of a file; of an address its name alone."""
    try:
        state = Path(href).stat()
    except OSError:
        return href.encode()
    return f"{href}:{state.st_size}:{state.st_mtime_ns};".encode()


def _touches(scene: Scene, box: Box) -> bool:
    """Whether the boxes of a scene and a place overlap, also across the 180th meridian."""
    if not scene.get("bbox"):
        return True
    values = [float(value) for value in scene["bbox"]]
    half = len(values) // 2
    west, south, east, north = values[0], values[1], values[half], values[half + 1]
    if south > box[3] or north < box[1]:
        return False
    width, own = (box[2] - box[0]) % 360, (east - west) % 360
    return (west - box[0]) % 360 <= width or (box[0] - west) % 360 <= own
