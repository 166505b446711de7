"""From the files of a date to its rasters, on the grid that the collection has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core.errors import DataError
from pyveg.sources.folder import grid, opening
from pyveg.sources.folder.grid import Ground, Placed
from pyveg.sources.folder.masks import Rule
from pyveg.sources.folder.meaning import Kind, Meaning
from pyveg.sources.folder.opening import Header

Array = NDArray[Any]
Missing = NDArray[np.bool_]


@dataclass(frozen=True)
class BandFile:
    """Where one raster of a tile comes from."""

    name: str
    """Of the raster."""
    header: Header
    number: int
    """Of the band in the file."""
    meaning: Meaning
    kind: Kind
    optional: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.header.path


@dataclass(frozen=True)
class Tile:
    """The files of one image."""

    bands: Mapping[str, BandFile]
    mask: BandFile | None = None

    @property
    def placed(self) -> list[Placed]:
        """All its files with their pixels."""
        files = [Placed(one.path, one.header.ground) for one in self.bands.values()]
        if self.mask is not None:
            files.append(Placed(self.mask.path, self.mask.header.ground, mask=True))
        return files


@dataclass(frozen=True)
class Layer:
    """One band on the grid of the collection."""

    values: Array
    missing: Missing
    """Where the file says that there is no measurement; NaN is missing anyway."""
    raw_zero: Missing
    """Where the file has the number 0, which in all bands means that nothing was seen."""


@dataclass(frozen=True)
class Reading:
    """How a collection's files are read."""

    target: Ground
    weather: bool
    regrid: bool
    rule: Rule | None
    join: str


def read(tiles: Sequence[Tile], how: Reading) -> tuple[dict[str, formats.Raster], float]:
    """Rasters of a date, and the share of its pixels that its mask hides.

    Parameters
    ----------
    tiles : sequence of Tile
        Of one day; the first valid pixel of them is taken, or their median.
    how : Reading
    """
    (first, *others) = tiles
    if others:
        return _joined(tiles, how)
    layers = {name: _layer(file, how) for name, file in first.bands.items()}
    hidden, masked = _hidden(first, layers, how)
    bands = first.bands.items()
    return {name: _raster(file, layers[name], hidden, how) for name, file in bands}, masked


def _layer(file: BandFile, how: Reading) -> Layer:
    numbers, hidden = opening.pixels(file.path, file.number)
    missing = hidden | _marked(numbers, file)
    zero = numbers == 0
    values, ground = file.meaning.values(numbers), file.header.ground
    if not ground.placed or ground == how.target:
        return Layer(values, missing, zero)
    values, missing, ground_up = grid.upright(values, missing, ground)
    zero = grid.upright(zero, zero, ground)[0]
    if how.regrid and not grid.fits(ground_up, how.target):
        return _warped(file, values, missing, zero, how)
    laid, gone = grid.lay(values, missing, ground_up, how.target)
    return Layer(laid, gone, grid.lay(zero, missing, ground_up, how.target)[0])


def _warped(file: BandFile, values: Array, missing: Missing, zero: Array, how: Reading) -> Layer:
    """A band with other pixels; zeros do not blend into the measurements beside them."""
    empty = missing if how.weather or file.kind.index else missing | zero
    try:
        ground = grid.north_up(file.header.ground)
        made, gone = grid.warp(values, empty, ground, how.target)
    except formats.FormatError as error:
        raise DataError(
            f"{file.path} cannot be used: {error}", "check its georeferencing"
        ) from error
    return Layer(made, gone, np.zeros(gone.shape, np.bool_))


def _marked(numbers: Array, file: BandFile) -> Missing:
    """Where the no-data value stands. Where none is stated, 0 in one band may be a dark pixel."""
    marker = file.meaning.nodata
    if marker is None or np.isnan(marker):
        return np.zeros(numbers.shape, np.bool_)
    return np.asarray(numbers == np.asarray(marker).astype(np.float64))


def _hidden(tile: Tile, layers: Mapping[str, Layer], how: Reading) -> tuple[Missing, float]:
    """Where no band of a tile has a measurement, and the share that its mask hides."""
    hidden = np.zeros((how.target.height, how.target.width), np.bool_)
    if how.weather:
        return hidden, 0.0
    needed = [layers[name] for name, file in tile.bands.items() if not file.optional]
    for layer in needed:
        hidden = hidden | layer.missing
    if needed:
        hidden |= np.logical_and.reduce([layer.raw_zero for layer in needed])
    if tile.mask is None or how.rule is None:
        return hidden, 0.0
    cloudy = _cloudy(tile.mask, how)
    seen = ~hidden
    masked = float(cloudy[seen].mean()) if seen.any() else 0.0
    return hidden | cloudy, masked


def _cloudy(mask: BandFile, how: Reading) -> Missing:
    """Where the mask band does not say that a pixel is clear."""
    if how.rule is None:
        raise ValueError("there is no rule for the mask band")
    numbers, hidden = opening.pixels(mask.path, mask.number)
    cloudy = hidden | ~how.rule.clear(numbers)
    ground = mask.header.ground
    if not ground.placed or ground == how.target:
        return cloudy
    _, cloudy, up = grid.upright(numbers, cloudy, ground)
    if grid.fits(up, how.target):
        return grid.lay(cloudy, cloudy, up, how.target)[1]
    flags, gone = grid.warp(cloudy, np.zeros_like(cloudy), up, how.target, nearest=True)
    return np.asarray(gone | (flags > 0))


def _raster(file: BandFile, layer: Layer, hidden: Missing, how: Reading) -> formats.Raster:
    """A band as runs keep it: missing pixels are 0 in integer reflectance and NaN elsewhere."""
    own = file.optional or how.weather
    missing = layer.missing if own else hidden
    integer = layer.values.dtype.kind in "iu" and not how.weather and not file.kind.index
    changed = missing & (layer.values != 0) if integer else missing & ~_nan(layer.values)
    if not changed.any() and _copyable(file, how):
        ground, marker = file.header.ground, file.header.numbers[0].nodata
        raster = formats.Raster(layer.values, ground.crs, ground.transform, marker)
        return formats.with_encoding(raster, file.path.read_bytes())
    crs, transform = how.target.crs, how.target.transform
    if integer:
        array = np.where(missing, 0, layer.values).astype(layer.values.dtype)
        return formats.Raster(array, crs, transform, 0.0 if missing.any() else None)
    kind = np.result_type(layer.values.dtype, np.float32)
    if not missing.any() and layer.values.dtype.kind in "iu":
        return formats.Raster(layer.values, crs, transform, None)
    array = np.where(missing, np.nan, layer.values).astype(kind)
    return formats.Raster(array, crs, transform, float("nan"))


def _nan(values: Array) -> Missing:
    return (
        np.asarray(np.isnan(values))
        if values.dtype.kind == "f"
        else np.zeros(values.shape, np.bool_)
    )


def _copyable(file: BandFile, how: Reading) -> bool:
    """Whether a file's bytes say all that is known of it, and nothing in it is changed.

    A band that is only copied is not compressed a second time.
    """
    header = file.header
    if not (header.plain and file.meaning.as_it_is and header.ground == how.target):
        return False
    said, meant = header.numbers[0].nodata, file.meaning.nodata
    return said == meant or (said is not None and bool(np.isnan(said)))


def _joined(tiles: Sequence[Tile], how: Reading) -> tuple[dict[str, formats.Raster], float]:
    """Tiles of one day as one image."""
    stacks: dict[str, list[Array]] = {}
    valid: list[Missing] = []
    masked: list[float] = []
    for tile in tiles:
        layers = {name: _layer(file, how) for name, file in tile.bands.items()}
        hidden, share = _hidden(tile, layers, how)
        masked.append(share)
        valid.append(~hidden)
        for name, layer in layers.items():
            gone = hidden | layer.missing
            stacks.setdefault(name, []).append(np.where(gone, np.nan, layer.values))
    rasters = {}
    for name, stack in stacks.items():
        if len(stack) < len(tiles):
            continue  # an optional band that some tiles do not have
        values = _median(stack) if how.join == "median" else _first(stack, valid)
        rasters[name] = _like(tiles[0].bands[name], values, how)
    return rasters, float(np.mean(masked))


def _first(stack: Sequence[Array], valid: Sequence[Missing]) -> Array:
    """Of each pixel the value in the first tile that saw it in all bands."""
    values = np.full(stack[0].shape, np.nan)
    for one, seen in zip(reversed(stack), reversed(valid), strict=True):
        values[seen] = one[seen]
    return values


def _median(stack: Sequence[Array]) -> Array:
    everything = np.stack(stack)
    empty = np.isnan(everything).all(axis=0)
    everything[:, empty] = 0  # NumPy warns of medians of nothing
    return np.where(empty, np.nan, np.nanmedian(everything, axis=0))


def _like(file: BandFile, values: Array, how: Reading) -> formats.Raster:
    """In the units and marks of one that was not joined; medians of integers may be halves."""
    crs, transform = how.target.crs, how.target.transform
    integer = (
        file.meaning.as_it_is
        and not how.weather
        and not file.kind.index
        and bool(np.all(np.isnan(values) | (values == np.rint(values))))
    )
    if integer and np.nanmin(values, initial=0) >= 0 and np.nanmax(values, initial=0) < 65536:
        whole = np.nan_to_num(values).astype(np.uint16)
        return formats.Raster(whole, crs, transform, 0.0)
    return formats.Raster(values.astype(np.float32), crs, transform, float("nan"))
