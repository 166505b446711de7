"""What Earth Engine would compute, from GeoTIFFs on disk: the functions that our graphs use.

A computation is evaluated as the service documents its functions, on the pixels of the request,
nearest neighbour. A function that is not here is an error, so that a new graph cannot pass by
accident.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.sources.grid import Grid

Pixels = tuple[NDArray[Any], NDArray[np.bool_]]
"""Values, and where they are valid."""


@dataclass(frozen=True)
class StandInScene:
    """One image of a collection."""

    collection: str
    index: str
    day: str
    """When it was taken, UTC: ``YYYY-MM-DD``, which is noon, or with a time as of ISO 8601."""
    files: Mapping[str, Path]
    """Band -> GeoTIFF; its no-data value is masked."""
    properties: Mapping[str, Any] = field(default_factory=dict)


def write_scene(
    folder: Path,
    collection: str,
    index: str,
    day: str,
    bands: Mapping[str, NDArray[Any]],
    grid: Grid,
    *,
    nodata: float | None = None,
    **properties: Any,
) -> StandInScene:
    """Write the bands of a scene as GeoTIFFs on one grid."""
    home = folder / collection.replace("/", "-") / index
    home.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, array in bands.items():
        files[name] = home / f"{name}.tif"
        raster = formats.Raster(array, grid.crs, grid.transform, nodata)
        files[name].write_bytes(formats.encode_geotiff(raster))
    return StandInScene(collection, index, day, files, properties)


class GraphError(Exception):
    """The service would refuse this computation; the text is what it would say."""


@dataclass(frozen=True)
class Image:
    """Bands that are made when pixels are asked for."""

    bands: Mapping[str, Callable[[Grid], Pixels]]
    properties: Mapping[str, Any] = field(default_factory=dict)

    def each(self, change: Callable[[Pixels], Pixels]) -> Image:
        """The same change for all bands."""
        return replace(self, bands={n: _then(band, change) for n, band in self.bands.items()})

    def with_(self, other: Image, join: Callable[[Pixels, Pixels], Pixels]) -> Image:
        """Band by band with another image; one band there goes with all bands here."""
        theirs = list(other.bands.values())
        if len(theirs) == 1:
            theirs *= len(self.bands)
        pairs = zip(self.bands.items(), theirs, strict=True)
        return replace(self, bands={name: _both(mine, its, join) for (name, mine), its in pairs})


Filter = Callable[[Image], bool]


def _then(band: Callable[[Grid], Pixels], change: Callable[[Pixels], Pixels]) -> Any:
    return lambda grid: change(band(grid))


def _both(
    one: Callable[[Grid], Pixels],
    other: Callable[[Grid], Pixels],
    join: Callable[[Pixels, Pixels], Pixels],
) -> Any:
    return lambda grid: join(one(grid), other(grid))


def _numbers(operation: Callable[[Any, Any], Any]) -> Callable[[Image, Image], Image]:
    def join(one: Pixels, other: Pixels) -> Pixels:
        return operation(one[0], other[0]), one[1] & other[1]

    return lambda image1, image2: image1.with_(image2, join)


@lru_cache(maxsize=256)
def _raster(file: Path) -> formats.Raster:
    return formats.decode_geotiff(file.read_bytes())


def _sample(file: Path, grid: Grid) -> Pixels:
    """The pixels of a file that lie under the centres of a grid's."""
    raster = _raster(file)
    if raster.crs != grid.crs or raster.transform is None:
        raise GraphError(f"the stand-in cannot reproject {raster.crs} to {grid.crs}")
    a, _, c, _, e, f = raster.transform
    x = grid.transform[2] + grid.transform[0] * (np.arange(grid.width) + 0.5)
    y = grid.transform[5] + grid.transform[4] * (np.arange(grid.height) + 0.5)
    columns = np.floor((x - c) / a + 1e-9).astype(int)
    rows = np.floor((y - f) / e + 1e-9).astype(int)
    height, width = raster.array.shape
    inside = ((rows >= 0) & (rows < height))[:, None] & (columns >= 0) & (columns < width)
    values = raster.array[np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)]
    if values.dtype.kind == "f":
        inside &= np.isfinite(values)
    if raster.nodata is not None:
        inside &= values != raster.nodata
    return values, inside


def _footprint(scene: StandInScene) -> NDArray[np.float64]:
    """West, south, east, north in degrees."""
    raster = _raster(next(iter(scene.files.values())))
    height, width = raster.array.shape
    corners = formats.lonlat(
        raster.crs or "",
        raster.transform or (1, 0, 0, 0, 1, 0),
        np.array([0.0, 0.0, width, width]),
        np.array([0.0, height, height, 0.0]),
    )
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _image(scene: StandInScene) -> Image:
    bands = {name: (lambda grid, file=file: _sample(file, grid)) for name, file in _files(scene)}
    noon = "T12:00" if len(scene.day) == len("2020-01-01") else ""
    facts = {
        **scene.properties,
        "system:index": scene.index,
        "system:time_start": _milliseconds(scene.day + noon),
        "footprint": _footprint(scene),
    }
    return Image(bands, facts)


def _files(scene: StandInScene) -> list[tuple[str, Path]]:
    return list(scene.files.items())


class Evaluator:
    """Evaluates one computation.

    Parameters
    ----------
    scenes : sequence of StandInScene
        All images that there are.
    expression : mapping
        As the service gets it.
    """

    def __init__(self, scenes: Sequence[StandInScene], expression: Mapping[str, Any]) -> None:
        self._scenes = scenes
        self._expression = expression

    def result(self) -> Any:
        """Plain data, or an `Image`."""
        return self._node(self._expression["result"], {})

    def _node(self, name: str, scope: Mapping[str, Any]) -> Any:
        return self._value(self._expression["values"][name], scope)

    def _value(self, node: Mapping[str, Any], scope: Mapping[str, Any]) -> Any:
        ((kind, content),) = node.items()
        if kind == "constantValue":
            value = content
        elif kind == "valueReference":
            value = self._node(content, scope)
        elif kind == "argumentReference":
            value = scope[content]
        elif kind == "arrayValue":
            value = [self._value(part, scope) for part in content["values"]]
        elif kind == "functionDefinitionValue":
            value = self._function(content, scope)
        elif kind == "dictionaryValue":
            value = self._values(content["values"], scope)
        else:
            value = self._call(content["functionName"], self._values(content["arguments"], scope))
        return value

    def _values(self, nodes: Mapping[str, Any], scope: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(node, scope) for name, node in nodes.items()}

    def _function(self, content: Mapping[str, Any], scope: Mapping[str, Any]) -> Any:
        names = content["argumentNames"]
        return lambda *given: self._node(
            content["body"], {**scope, **dict(zip(names, given, strict=True))}
        )

    def _call(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "ImageCollection.load":
            return [_image(s) for s in self._scenes if s.collection == arguments["id"]]
        if name not in FUNCTIONS:
            raise GraphError(f"the stand-in has no function {name}")
        return FUNCTIONS[name](**arguments)


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


def _in_range(leftValue: tuple[int, int], rightField: str) -> Filter:
    return lambda image: leftValue[0] <= image.properties[rightField] < leftValue[1]


def _intersects(leftField: str, rightValue: list[Any]) -> Filter:
    if leftField != ".all":
        raise GraphError(f"the stand-in cannot intersect {leftField}")
    (ring,) = rightValue
    low, high = np.min(ring, axis=0), np.max(ring, axis=0)

    def meets(image: Image) -> bool:
        west, south, east, north = image.properties["footprint"]
        return bool(west < high[0] and low[0] < east and south < high[1] and low[1] < north)

    return meets


def _list_contains(leftValue: list[Any], rightField: str) -> Filter:
    return lambda image: image.properties.get(rightField) in leftValue


def _columns(collection: list[Image], reducer: tuple[int, int], selectors: list[str]) -> Any:
    """Rows of properties; those that lack one which is not optional are left out."""
    size, optional = reducer
    rows = [[image.properties.get(name) for name in selectors] for image in collection]
    if len(selectors) != size:
        raise GraphError(f"Need {size} inputs for Reducer.toList, got {len(selectors)}.")
    return {"list": [row for row in rows if None not in row[: size - optional]]}


def _select(
    input: Image,
    bandSelectors: list[str],
    newNames: list[str] | None = None,
) -> Image:
    for name in bandSelectors:
        if name not in input.bands:
            raise GraphError(f"Image.select: Pattern '{name}' did not match any bands.")
    names = zip(newNames or bandSelectors, bandSelectors, strict=True)
    return replace(input, bands={new: input.bands[old] for new, old in names})


def _constant(value: float) -> Image:
    return Image({"constant": lambda grid: (np.full(grid.shape, value), np.full(grid.shape, True))})


def _unmask(input: Image, value: Image, sameFootprint: bool) -> Image:
    if sameFootprint:
        raise GraphError("the stand-in unmasks everywhere")
    return input.with_(
        value, lambda one, fill: (np.where(one[1], one[0], fill[0]), one[1] | fill[1])
    )


def _link(input: Image, imageCollection: list[Image], linkedBands: list[str]) -> Image:
    index = input.properties["system:index"]
    match = [image for image in imageCollection if image.properties["system:index"] == index]
    added = {}
    for name in linkedBands:
        if match:
            added[name] = match[0].bands[name]
        else:  # "will be fully masked"
            added[name] = lambda grid: (np.zeros(grid.shape), np.zeros(grid.shape, dtype=np.bool_))
    return replace(input, bands={**input.bands, **added})


def _over(operation: Callable[..., Any]) -> Callable[[list[Image]], Image]:
    """Reduce a collection pixel by pixel, over what is valid."""

    def make(collection: list[Image]) -> Image:
        if not collection:
            return Image({})
        return Image({name: _reduced(collection, name, operation) for name in collection[0].bands})

    return make


def _reduced(collection: list[Image], name: str, operation: Callable[..., Any]) -> Any:
    def pixels(grid: Grid) -> Pixels:
        parts = [image.bands[name](grid) for image in collection]
        valid = np.stack([part[1] for part in parts])
        values = np.where(valid, np.stack([part[0] for part in parts]).astype(np.float64), np.nan)
        some = np.asarray(valid.any(axis=0), dtype=np.bool_)
        result = np.zeros(grid.shape)
        result[some] = operation(values[:, some], axis=0)
        return result, some

    return pixels


def _mosaic(collection: list[Image]) -> Image:
    """The last image that is valid at a pixel."""
    if not collection:
        return Image({})
    whole, *others = collection
    for image in others:
        whole = whole.with_(
            image, lambda under, top: (np.where(top[1], top[0], under[0]), under[1] | top[1])
        )
    return whole


def _cast(kind: type) -> Callable[[Image], Image]:
    return lambda value: value.each(lambda pixels: (pixels[0].astype(kind), pixels[1]))


def _update_mask(image: Image, mask: Image) -> Image:
    return image.with_(mask, lambda one, by: (one[0], one[1] & by[1] & (by[0] != 0)))


def _clamp(input: Image, low: float, high: float) -> Image:
    return input.each(lambda pixels: (np.clip(pixels[0], low, high), pixels[1]))


def _add_bands(dstImg: Image, srcImg: Image) -> Image:
    return replace(dstImg, bands={**dstImg.bands, **srcImg.bands})


def _rename(input: Image, names: list[str]) -> Image:
    return replace(input, bands=dict(zip(names, input.bands.values(), strict=True)))


PROFILE = """
 EECU·s PeakMem Count  Description
  0.250     47k    44  (plumbing)
  1.500    124k    14  Algorithm ImageCollection.reduce
      -     59k    12  Loading assets
"""
"""What each request is said to cost: 1.75 EECU seconds."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Profile.getProfiles": lambda ids: PROFILE * bool(ids),
    "DateRange": lambda start, end: (_milliseconds(start), _milliseconds(end)),
    "Filter.dateRangeContains": _in_range,
    "Filter.intersects": _intersects,
    "Filter.listContains": _list_contains,
    "Feature": lambda geometry: geometry,
    "GeometryConstructors.Polygon": lambda coordinates, geodesic: coordinates,
    "Collection.filter": lambda collection, filter: [i for i in collection if filter(i)],
    "Collection.map": lambda collection, baseAlgorithm: [baseAlgorithm(i) for i in collection],
    "Collection.reduceColumns": _columns,
    "ImageCollection.fromImages": lambda images: images,
    "ImageCollection.mosaic": _mosaic,
    "AggregateFeatureCollection.array": lambda collection, property: [
        image.properties[property] for image in collection if property in image.properties
    ],
    "Reducer.toList": lambda tupleSize, numOptional: (tupleSize, numOptional),
    "Dictionary.get": lambda dictionary, key: dictionary[key],
    "Image.constant": _constant,
    "Image.select": _select,
    "Image.rename": _rename,
    "Image.addBands": _add_bands,
    "Image.multiply": _numbers(np.multiply),
    "Image.add": _numbers(np.add),
    "Image.max": _numbers(np.maximum),
    "Image.gte": _numbers(np.greater_equal),
    "Image.eq": _numbers(np.equal),
    "Image.bitwiseAnd": _numbers(lambda a, b: a.astype(np.int64) & b.astype(np.int64)),
    "Image.updateMask": _update_mask,
    "Image.unmask": _unmask,
    "Image.clamp": _clamp,
    # Half away from zero, as Java rounds positive numbers.
    "Image.round": lambda value: value.each(lambda p: (np.floor(p[0] + 0.5), p[1])),
    "Image.toUint16": _cast(np.uint16),
    "Image.toFloat": _cast(np.float32),
    "Image.linkCollection": _link,
    "reduce.median": _over(np.nanmedian),
    "reduce.sum": _over(np.nansum),
    "reduce.mean": _over(np.nanmean),
}


def pixels_of(image: Image, grid: Grid) -> NDArray[np.void]:
    """A structured array with a field per band; what is masked is 0, as from the service."""
    if not image.bands:
        raise GraphError("Image.computePixels: the image has no bands.")
    made = {name: band(grid) for name, band in image.bands.items()}
    pixels = np.zeros(
        grid.shape, dtype=[(name, values.dtype) for name, (values, _) in made.items()]
    )
    for name, (values, valid) in made.items():
        pixels[name] = np.where(valid, values, 0)
    return pixels
