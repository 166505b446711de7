"""The place of a job whose images are at hand already: it is where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from pyveg.core import params, registry
from pyveg.core.errors import ConfigError
from pyveg.earth.source import open_source
from pyveg.earth.types import Place


@runtime_checkable
class Located(Protocol):
    """A Source of images that are somewhere, whatever the config says."""

    def place(self) -> Place | None:
        """Centre and side of what its images cover; None where they do not say."""
        ...


def may_tell(records: Mapping[str, Any]) -> bool:
    """Whether a collection is of a kind of images that say where they are."""
    names = [one.get("source") for one in records.values() if isinstance(one, Mapping)]
    known = registry.known("source")
    sources = [name for name in names if isinstance(name, str) and (":" in name or name in known)]
    return any(hasattr(registry.load("source", name), "place") for name in sources)


def of_images(records: Mapping[str, Mapping[str, Any]], tell: Callable[[str], None]) -> Place:
    """The place of the first collection whose images say where they are.

    Parameters
    ----------
    records : mapping
        Key of a collection -> its record.
    tell : callable
        Takes a sentence for the user.

    Raises
    ------
    ConfigError
        If none does.
    """
    for key, source in _located(records):
        place = source.place()
        if place is not None:
            tell(
                f'coordinates are those of the images of "{key}": ({place.longitude}, '
                f"{place.latitude}), {place.region_size:g} degrees"
            )
            return place
    raise ConfigError(
        'config: the setting "coordinates" must be given, as there are no images that say where '
        "they are",
        "give coordinates = (longitude, latitude), degrees",
    )


def size_of_images(records: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Side of what images cover, degrees, where all collections are files that are at hand."""
    located = _located(records)
    if not located or len(located) < len(records):
        return None
    for key, source in located:
        if records[key].get("data_type") != "vegetation":
            continue
        try:
            place = source.place()
        except ConfigError:
            return None  # what is wrong with the images is told where all of them are looked at
        if place is not None:
            return place.region_size
    return None


def _located(records: Mapping[str, Mapping[str, Any]]) -> Sequence[tuple[str, Located]]:
    """Sources that can say; what is wrong with the others is found elsewhere."""
    found: list[tuple[str, Located]] = []
    for key, record in records.items():
        name = record.get("source")
        if not isinstance(name, str):
            continue
        where = f'data_collections["{key}"]'
        known = params.names(registry.load("source", name, where).Settings)
        given = {setting: value for setting, value in record.items() if setting in known}
        source = open_source(name, given, where)
        if isinstance(source, Located):
            found.append((key, source))
    return found
