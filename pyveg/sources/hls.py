"""Harmonized Landsat Sentinel-2 (HLS) v2.0: two collections that are one series.

Its two products have the same grid, scale and mask, and reflectance adjusted to one another.
What differs are names: band 5 is near infrared in L30 (Landsat) and red edge in S30 (Sentinel-2).
Scenes of L30 are therefore renamed to what S30 calls the same colours, before anybody reads a band
(HLS Product User Guide v2.0).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pyveg.core.errors import ConfigError

SCALE = 1e-4
NODATA = -9999.0
"""Of reflectance; catalogues do not state it (Product User Guide v2.0)."""
SENSOR = "HLS"

_COLLECTION = re.compile(r"hls.*[ls]30", re.IGNORECASE)
_SCENE = re.compile(r"HLS\.([LS]30)\.", re.IGNORECASE)
_AS_S30 = {"B05": "B8A", "B06": "B11", "B07": "B12"}
_ONLY_L30 = ("B09", "B10", "B11")
"""Bands of L30 that S30 has other colours for."""


def is_collection(name: str) -> bool:
    """Whether the id of a collection is one of HLS, in any catalogue's spelling.

    Examples
    --------
    >>> [is_collection(name) for name in ("hls2-l30", "HLSS30_2.0", "landsat-c2-l2")]
    [True, True, False]
    """
    return _COLLECTION.search(name) is not None


def is_scene(scene: Mapping[str, Any]) -> bool:
    """Whether a STAC item is a scene of HLS."""
    return _SCENE.match(str(scene["id"])) is not None or is_collection(
        str(scene.get("collection") or "")
    )


def renamed(scene: dict[str, Any]) -> dict[str, Any]:
    """A scene of L30 with the names that S30 has; any other one as it is.

    Bands that S30 has another colour for (cirrus, thermal) get the name ``L30_B09`` and so on.
    """
    if not is_landsat(scene):
        return scene
    names = {**{band: f"L30_{band}" for band in _ONLY_L30}, **_AS_S30}
    assets = {names.get(name, name): asset for name, asset in scene["assets"].items()}
    return {**scene, "assets": assets}


def check_bands(collection: str, bands: Iterable[str]) -> None:
    """Refuse names of bands that would mean one colour in L30 and another one in S30.

    Parameters
    ----------
    collection : str
        Key of the collection, for the message.
    bands : iterable of str

    Raises
    ------
    ConfigError
    """
    for band in bands:
        if band in _AS_S30:
            raise ConfigError(
                f'collection "{collection}": band "{band}" is infrared in HLS of Landsat (L30) and '
                "red edge in HLS of Sentinel-2 (S30)",
                f'write "{_AS_S30[band]}" for the infrared, which means the same in both',
            )


def is_landsat(scene: Mapping[str, Any]) -> bool:
    """Whether a STAC item is a scene of L30."""
    match = _SCENE.match(str(scene["id"]))
    if match:
        return match[1].upper() == "L30"
    return "l30" in str(scene.get("collection") or "").lower() and is_scene(scene)
