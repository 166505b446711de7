"""The computations, as the service's client writes them down: which scenes, and what of them.

Raise `VERSION` when a graph gives other numbers than before: cached answers and finished Tasks are
known by it. The client must be initialised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.earth.types import DateRange
from pyveg.sources.products import CLOUD_SCORE, Band, Product

VERSION = 1

INDEX = "system:index"
"""Property of a scene that is its id within its collection."""
TIME = "system:time_start"
"""Property of a scene that tells when it was taken, ms since 1970, UTC."""
REJECTED_QA = 0b11111
"""Bits of ``QA_PIXEL``: fill, dilated cloud, cirrus, cloud, cloud shadow."""
FILL_QA = 0b1
"""Of them, those that mark no cloud."""
REJECTED_FMASK = 0b11111
"""Bits of HLS's ``Fmask``: cirrus (not used), cloud, next to cloud or shadow, shadow, snow."""
COUNTS = 10_000
"""Numbers per unit of reflectance in our rasters."""
NO_WEATHER = -9999.0
"""Marks cells without weather on the way to us; no band has such a value."""


@dataclass(frozen=True)
class Ask:
    """One period of one place."""

    period: DateRange
    ring: tuple[tuple[float, float], ...]
    """Corners of the region, longitude and latitude in degrees, the first not repeated."""


@dataclass(frozen=True)
class Masking:
    """Which pixels of a scene count."""

    clouds: bool
    cloud_score: float
    """Pixels of Sentinel-2 with a lower one are masked."""


@dataclass(frozen=True)
class Day:
    """The scenes of one overpass."""

    product: Product
    indices: tuple[str, ...]
    """Of its scenes, sorted; where they overlap the last one that is clear counts."""


def _scenes(name: str, ask: Ask) -> Any:
    import ee

    scenes = ee.ImageCollection(name).filterDate(str(ask.period.start), str(ask.period.end))
    if not ask.ring:
        return scenes
    # A planar polygon: its edges are straight in degrees, as near as makes no difference here.
    ring = [list(corner) for corner in (*ask.ring, ask.ring[0])]
    return scenes.filterBounds(ee.Geometry.Polygon([ring], None, False))


def listing(products: Sequence[Product], ask: Ask, flags: Mapping[str, str]) -> Any:
    """What is known of the scenes, before any pixel is computed.

    Parameters
    ----------
    products : sequence of Product
    ask : Ask
    flags : mapping
        Id of a product -> property that tells the share of cloud; may be missing.

    Returns
    -------
    ee.Dictionary
        Id of a product -> rows of properties, in the order of `facts_of`; and ``"scored"`` ->
        indices of the scenes that have a cloud score.
    """
    import ee

    parts = {}
    for product in products:
        names = facts_of(product, flags)
        # All but the first two are optional, or a scene that lacks one would be left out here.
        rows = _scenes(product.id, ask).reduceColumns(
            ee.Reducer.toList(len(names), len(names) - 2), names
        )
        parts[product.id] = rows.get("list")
    if any(product.mask == "cloud_score" for product in products):
        parts["scored"] = _scenes(CLOUD_SCORE, ask).aggregate_array(INDEX)
    return ee.Dictionary(parts)


def facts_of(product: Product, flags: Mapping[str, str]) -> list[str]:
    """Names of the properties in a row of a listing; the first two are never missing."""
    flag = flags.get(product.id, "")
    return [INDEX, TIME, *([flag] if flag else []), *product.facts]


def bands_in(product: Product, main: Product, names: Sequence[str]) -> list[str]:
    """What bands of one sensor are called by another.

    Raises
    ------
    ConfigError
        For a band that the other sensor has no match for.
    """
    if product.bands == main.bands:
        return list(names)
    colours = {band: colour for colour, band in main.roles.items()}
    for name in names:
        if colours.get(name) not in product.roles:
            raise ConfigError(
                f'with_collections: "{product.id}" has no band that matches "{name}" of '
                f'"{main.id}"',
                "leave the collection out, or take bands that both have",
            )
    return [product.roles[colours[name]] for name in names]


def composite(
    days: Sequence[Day], names: Sequence[str], ask: Ask, main: Product, masking: Masking
) -> Any:
    """Median over days of each pixel, as uint16 reflectance x 10,000 with 0 for no data.

    Tiles of one overpass overlap; they are one observation, and count once.

    Parameters
    ----------
    days : sequence of Day
    names : sequence of str
        Bands, as `main` calls them.
    ask : Ask
    main : Product
    masking : Masking

    Returns
    -------
    ee.Image
    """
    import ee

    layers = []
    for day in days:
        scenes = _scenes(day.product.id, ask).filter(ee.Filter.inList(INDEX, list(day.indices)))
        layers.append(_reflectance(scenes, day.product, main, names, masking).mosaic())
    counts = ee.ImageCollection(layers).median().multiply(COUNTS).round()
    # 0 means no data, so the darkest pixel that was seen is 1.
    return counts.clamp(1, 65535).unmask(0, False).toUint16()


def _reflectance(
    scenes: Any, product: Product, main: Product, names: Sequence[str], masking: Masking
) -> Any:
    """Scenes as reflectance in the bands that are asked for, masked."""
    own = bands_in(product, main, names)
    band = product.band(own[0])
    if band is None:
        raise TypeError(f"{product.id} has no band {own[0]}")
    if product.mask == "cloud_score" and masking.clouds:
        import ee

        # A scene without a score gets one that is masked everywhere, and so is masked itself.
        scenes = scenes.linkCollection(ee.ImageCollection(CLOUD_SCORE), ["cs_cdf"])

    def prepare(image: Any) -> Any:
        picked = image.select(own, list(names))
        values = picked.multiply(band.scale).add(band.offset)
        return _masked(values, image, product, masking)

    return scenes.map(prepare)


def _masked(values: Any, image: Any, product: Product, masking: Masking) -> Any:
    if product.mask == "qa_pixel":
        bits = REJECTED_QA if masking.clouds else FILL_QA
        values = values.updateMask(image.select("QA_PIXEL").bitwiseAnd(bits).eq(0))
        saturated = image.select("QA_RADSAT").bitwiseAnd(product.saturation)
        values = values.updateMask(saturated.eq(0))
    elif product.mask == "cloud_score" and masking.clouds:
        values = values.updateMask(image.select("cs_cdf").gte(masking.cloud_score))
    elif product.mask == "fmask" and masking.clouds:
        values = values.updateMask(image.select("Fmask").bitwiseAnd(REJECTED_FMASK).eq(0))
    return values


def weather(product: Product, bands: Sequence[Band], ask: Ask) -> Any:
    """Sum or mean over the images of a period, as float32 in the units of our results.

    Returns
    -------
    ee.Image
        Cells without a value are `NO_WEATHER`.
    """
    parts = [_over_time(_scenes(product.id, ask).select([band.name]), band) for band in bands]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.addBands(part)
    return whole.unmask(NO_WEATHER, False).toFloat()


def _over_time(images: Any, band: Band) -> Any:
    if band.low is not None:
        images = images.map(lambda image: image.max(band.low))
    total = images.sum() if band.how == "sum" else images.mean()
    return total.multiply(band.scale).add(band.offset).rename([band.name])
