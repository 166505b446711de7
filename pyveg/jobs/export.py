"""What a run left in the formats of geographic information systems."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core.errors import (
    ConfigError,
    DataError,
    KeyMissingError,
    NotARunError,
    UnknownNameError,
)
from pyveg.core.texts import cell
from pyveg.earth.metrics import Metric
from pyveg.runs.chip_shapes import ChipShape, collection_of_features
from pyveg.runs.geo import chip_frame
from pyveg.runs.run import Run

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be exported, and where to."""

    run: Run
    collection: str
    folder: Path
    force: bool = False
    """Whether files that are there are replaced."""

    def write(self, name: str, data: bytes) -> Path:
        """Write a file in full or not at all."""
        path = self.folder / name
        beside = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise ConfigError(
                f"{path} cannot be written: {error.strerror or error}",
                "name a folder that you may write to",
            ) from error
        return path


def export(
    run: Run,
    kind: str,
    folder: Path,
    *,
    collections: Sequence[str] = (),
    force: bool = False,
    tell: Tell | None = None,
) -> list[Path]:
    """Write what a run left in a standard format, a folder for each collection.

    Parameters
    ----------
    run : Run
    kind : {"geotiff", "geojson", "geoparquet", "csv"}
        ``geotiff``: the vegetation index of each date, its black-and-white picture and the picture
        in colours, with their reference system. The others: measured chips as polygons in WGS 84
        with their metrics, a row for each chip and date; ``csv`` has them as well-known text.
    folder : Path
    collections : sequence of str
        Names of vegetation collections in results; all where empty.
    force : bool
        Whether files that are there are replaced.
    tell : callable, optional
        Given a line about every file.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UnknownNameError
        For a format or a collection that there is not.
    ConfigError
        If a file is there already, or cannot be written.
    NotARunError, DataError
        If there is nothing to be exported, or images have no georeferencing.
    MissingPackageError
        For ``geoparquet`` without the packages of ``pyveg[geo]``.
    """
    if kind not in WRITERS:
        raise UnknownNameError("format", kind, WRITERS, "--format")
    for name in collections:
        if name not in run.collections:
            raise UnknownNameError("collection", name, run.collections, "--collection")
    written = []
    for name in collections or run.collections:
        wanted = Wanted(run, name, folder / _file_name(name), force)
        for path in WRITERS[kind](wanted):
            written.append(path)
            if tell is not None:
                tell(f"written: {path}")
    if not written:
        raise NotARunError(
            f"{run.url} has nothing that could be exported", "finish the run with --from_cache"
        )
    return written


def _file_name(collection: str) -> str:
    return collection.replace("/", "-")


def _geotiffs(wanted: Wanted) -> Iterator[Path]:
    run, name = wanted.run, wanted.collection
    images = run.images(name)
    dates = run.dates(name)
    kinds = (images.index, images.picture, "RGB")
    _check_free(wanted, [f"{date:%Y-%m-%d}_{kind}.tif" for date in dates for kind in kinds])
    for date in dates:
        index = run.raster(date, images.index, name)
        if not index.crs or not index.transform:
            raise DataError(
                f"{name}, {date:%Y-%m-%d}: the image has no georeferencing, so no GeoTIFF can have",
                "give georeferenced images to the run",
            )
        day = f"{date:%Y-%m-%d}"
        yield wanted.write(f"{day}_{images.index}.tif", formats.encode_geotiff(index))
        for kind in kinds[1:]:
            try:
                picture = run.picture(date, kind, name)
            except KeyMissingError:  # a collection that is an index alone has no colours
                continue
            yield wanted.write(f"{day}_{kind}.tif", picture_file(picture, index))


def picture_file(picture: NDArray[np.uint8], like: formats.Raster) -> bytes:
    """A picture as GeoTIFF, where another raster is; transparent where that has no measurement.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W) or (H, W, 3)
    like : Raster
        Of the same shape, floats.
    """
    from rasterio.enums import ColorInterp
    from rasterio.io import MemoryFile
    from rasterio.transform import Affine

    bands = [picture] if picture.ndim == 2 else [picture[..., i] for i in range(3)]
    seen = np.where(np.isfinite(like.array), 255, 0).astype(np.uint8)
    height, width = seen.shape
    colours = (
        [ColorInterp.gray] if len(bands) == 1 else
        [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    )  # fmt: skip
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": height, "width": width, "count": len(bands) + 1,
        "dtype": "uint8", "crs": like.crs, "transform": Affine(*(like.transform or ())),
        "compress": "deflate", "alpha": "unspecified",
    }  # fmt: skip
    with MemoryFile() as file:
        with file.open(**profile) as dataset:
            for number, band in enumerate([*bands, seen], 1):
                dataset.write(band, number)
            dataset.colorinterp = [*colours, ColorInterp.alpha]
        return bytes(file.read())


def _geojson(wanted: Wanted) -> Iterator[Path]:
    _check_free(wanted, ["chips.geojson"])
    shapes = _shapes(wanted)
    data = formats.encode_json(collection_of_features(shapes))
    yield wanted.write("chips.geojson", data)
    yield _columns(wanted, shapes)


def _geoparquet(wanted: Wanted) -> Iterator[Path]:
    _check_free(wanted, ["chips.parquet"])
    shapes = _shapes(wanted)
    frame = chip_frame(shapes)
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    yield wanted.write("chips.parquet", stream.getvalue())
    yield _columns(wanted, shapes)


def _csv(wanted: Wanted) -> Iterator[Path]:
    _check_free(wanted, ["chips.csv"])
    shapes = _shapes(wanted)
    names = list(shapes[0].properties)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*map(cell, names), "wkt"])
    for one in shapes:
        writer.writerow([*(_cell(one.properties.get(name)) for name in names), one.wkt])
    yield wanted.write("chips.csv", text.getvalue().encode())
    yield _columns(wanted, shapes)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return cell(value)
    return json.dumps(value) if isinstance(value, list) else value


def _shapes(wanted: Wanted) -> list[ChipShape]:
    shapes = list(wanted.run.chip_shapes(wanted.collection))
    if not shapes:
        raise NotARunError(
            f"{wanted.run.url} has no measured chips of {wanted.collection}",
            "look at the reasons in its results_summary.json",
        )
    return shapes


_KEYS = {
    "date": ("", "the day that stands for the period"),
    "collection": ("", "name of the collection"),
    "chip": ("", "number of the chip"),
    "latitude": ("degrees north", "of the chip's centre"),
    "longitude": ("degrees east", "of the chip's centre"),
}


def _columns(wanted: Wanted, shapes: Sequence[ChipShape]) -> Path:
    """Beside each table what its columns mean, with their units."""
    known: Mapping[str, Metric] = wanted.run.results().metrics
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["column", "unit", "meaning"])
    for name in shapes[0].properties:
        metric = known.get(name)
        about = (metric.unit, metric.meaning) if metric else _KEYS.get(name, ("", ""))
        writer.writerow(map(cell, (name, *about)))
    return wanted.write("chips_columns.csv", text.getvalue().encode())


def _check_free(wanted: Wanted, names: Sequence[str]) -> None:
    """Nothing is replaced that nobody asked to replace; looked at before anything is written."""
    there = next((name for name in names if (wanted.folder / name).exists()), "")
    if there and not wanted.force:
        raise ConfigError(
            f"{wanted.folder / there} is there already", "replace it with --force, or use another "
            "--output_dir",
        )  # fmt: skip


WRITERS: Mapping[str, Callable[[Wanted], Iterator[Path]]] = {
    "geotiff": _geotiffs,
    "geojson": _geojson,
    "geoparquet": _geoparquet,
    "csv": _csv,
}
"""Format -> who writes it."""
