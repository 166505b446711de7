"""What the stored numbers of a scene mean: reflectance = number * scale + offset.

The offset decides about NDVI: it does not cancel in (NIR - red) / (NIR + red). Landsat Collection 2
has one always; Sentinel-2 since processing baseline 04.00 (25 January 2022, and reprocessed scenes
of all years), and catalogues differ in what they do about it:

- Planetary Computer hands on what ESA delivers and states no offset: the baseline decides.
- Earth Search's ``sentinel-2-c1-l2a`` hands it on too, and states the offset.
- Earth Search's ``sentinel-2-l2a`` has subtracted the offset from most scenes, and says so in
  ``earthsearch:boa_offset_applied``; the offset that it states beside it is then wrong
  (Element84/earth-search#9). Where the property is false, it is often wrong itself (#71,
  cirrus-earth-search#33), and nothing else in the item tells.

A scene whose offset cannot be known is left out, and counted, rather than read wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyveg.sources import hls
from pyveg.sources.stac.settings import StacSettings, spelled

Item = Mapping[str, Any]
"""A STAC item as JSON."""

BASELINE_WITH_OFFSET = (4, 0)
SENTINEL_SCALE, SENTINEL_OFFSET = 1e-4, -0.1
"""Of Level-2A since that baseline; before it the offset is 0 (ESA, products' BOA_ADD_OFFSET)."""
LANDSAT_SCALE, LANDSAT_OFFSET = 2.75e-5, -0.2
"""Of surface reflectance in Collection 2 (USGS, Level-2 Science Product Guide)."""

_PRODUCT_BASELINE = re.compile(r"_N(\d{2})(\d{2})_")
_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_BASELINES = ("s2:processing_baseline", "processing:version", "sentinel:processing_baseline")


class DoubtError(Exception):
    """Nobody can tell what the numbers of a scene mean; the text says why."""


@dataclass(frozen=True)
class Radiometry:
    """How the numbers of a band become reflectance."""

    scale: float
    offset: float
    rule: str
    """What decided: ``"flag"``, ``"baseline"``, ``"stated"``, ``"product"`` or ``"fixed"``."""


def radiometry(item: Item, band: str, settings: StacSettings) -> Radiometry:
    """Settle scale and offset of one band of a scene.

    Parameters
    ----------
    item : mapping
        STAC item as JSON.
    band : str
        Key of the asset.
    settings : StacSettings

    Returns
    -------
    Radiometry

    Raises
    ------
    DoubtError
        If the item says nothing that can be relied on.
    """
    if settings.offset_rule == "fixed":
        return Radiometry(settings.value_scale or 1.0, settings.value_offset or 0.0, "fixed")
    about = band_metadata(item, band)
    scale, offset = about.get("scale"), about.get("offset")
    if hls.is_scene(item) and scale is None:
        return Radiometry(hls.SCALE, 0.0, "product")
    if is_sentinel2(item) and not hls.is_scene(item):
        return _sentinel2(item, scale, offset, strict=settings.doubts_flag)
    if scale is not None:
        return Radiometry(float(scale), float(offset or 0.0), "stated")
    if _is_landsat_c2(item):
        return Radiometry(LANDSAT_SCALE, LANDSAT_OFFSET, "product")
    raise DoubtError(f'it states no scale for "{band}"; give offset_rule = "fixed"')


def _sentinel2(item: Item, scale: Any, stated: Any, *, strict: bool) -> Radiometry:
    scale = SENTINEL_SCALE if scale is None else float(scale)
    stated = None if stated is None else float(stated)
    version, applied = baseline(item), _applied(item)
    if applied:
        return Radiometry(scale, 0.0, "flag")
    if version is None:
        if stated is None or strict:
            raise DoubtError("it has no processing baseline")
        return Radiometry(scale, stated, "stated")
    if version < BASELINE_WITH_OFFSET:
        if stated and not strict:  # strict is Earth Search, which states one for all scenes alike
            raise DoubtError(f"it states the offset {stated:g}, which its baseline has not")
        return Radiometry(scale, 0.0, "baseline")
    if strict:
        raise DoubtError("it denies that the offset is applied, which is often wrong")
    if stated is None:
        return Radiometry(scale, SENTINEL_OFFSET, "baseline")
    if stated == 0:
        raise DoubtError("it states no offset, which its baseline has")
    return Radiometry(scale, stated, "stated")


def platform(item: Item) -> str:
    """The satellite; ``"unknown"`` where the item does not say."""
    return spelled(str(item["properties"].get("platform") or "unknown"))


def is_sentinel2(item: Item) -> bool:
    """Whether the scene is one of Sentinel-2."""
    names = (platform(item), str(item["properties"].get("constellation")).lower())
    return any("sentinel-2" in name for name in names) or bool(
        re.match(r"S2[A-D]_", str(item["id"]))
    )


def _is_landsat_c2(item: Item) -> bool:
    about = item["properties"]
    if about.get("landsat:collection_number") is not None:
        return str(about["landsat:collection_number"]) == "02"
    return bool(re.match(r"L[COTEM]0\d_L2.._\d{6}_\d{8}_(\d{8}_)?02_", str(item["id"])))


def _applied(item: Item) -> bool:
    return any(item["properties"].get(name) is True for name in _APPLIED)


def baseline(item: Item) -> tuple[int, int] | None:
    """Processing baseline of a Sentinel-2 scene, such as (4, 0); None where the item has none."""
    about = item["properties"]
    for name in _BASELINES:
        match = re.fullmatch(r"0?(\d{1,2})\.(\d{2})", str(about.get(name, "")))
        if match:
            return int(match[1]), int(match[2])
    for text in (about.get("s2:product_uri"), about.get("s2:granule_id"), item["id"]):
        match = _PRODUCT_BASELINE.search(str(text))
        if match:
            return int(match[1]), int(match[2])
    return None


def baseline_text(item: Item) -> str | None:
    """The baseline as ESA writes it: ``"04.00"``."""
    version = baseline(item)
    return None if version is None else f"{version[0]:02}.{version[1]:02}"


def band_metadata(item: Item, band: str) -> dict[str, Any]:
    """What the item says of the numbers of a band: scale, offset, nodata.

    In the words of the raster extension 1 (``raster:bands``) or 2 and STAC 1.1 (``bands``,
    ``raster:scale``).
    """
    asset = item["assets"][band]
    inner: dict[str, Any] = {}
    for key in ("raster:bands", "bands"):
        inner |= (asset.get(key) or [{}])[0]
    numbers: dict[str, Any] = {}
    for name in ("scale", "offset", "nodata"):
        for fields in (inner, asset):
            for key in (f"raster:{name}", name):
                if fields.get(key) is not None:
                    numbers.setdefault(name, fields[key])
    return numbers


def band_number(item: Item, band: str) -> int | None:
    """Number of a band of Landsat, from its name ``OLI_B4``, ``ETM_B3`` or ``SR_B4``."""
    asset = item["assets"][band]
    for key in ("eo:bands", "bands"):
        for about in asset.get(key) or []:
            match = re.search(r"B(\d{1,2})$", str(about.get("name", "")))
            if match:
                return int(match[1])
    match = re.search(r"_B(\d{1,2})\.TIF$", str(asset["href"]).partition("?")[0], re.IGNORECASE)
    return int(match[1]) if match else None
