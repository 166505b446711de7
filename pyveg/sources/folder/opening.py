"""Opening images by their path: what GDAL knows of a file is more than its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core.errors import DataError
from pyveg.sources.folder.grid import Ground

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

DRIVERS = {
    b"II*\0": "GTiff",
    b"MM\0*": "GTiff",
    b"II+\0": "GTiff",
    b"MM\0+": "GTiff",
    b"\0\0\0\x0cjP  ": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"EHFA_HEADER_TAG": "HFA",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
}
"""First bytes of the formats that are read. None of them can name other files or addresses, as a
VRT does, whatever its name ends in."""
GCP_TOLERANCE = 0.5
"""How far ground control points may be from an affine transform that stands for them, pixels."""
SMALLEST, LARGEST, FARTHEST = 1e-8, 1e7, 1e9
"""Sides of a pixel, and coordinates, of anything on earth: a millimetre in degrees and a quarter of
the earth in metres, far beyond it in feet."""


@dataclass(frozen=True)
class Header:
    """What a file says before its pixels are read."""

    path: Path
    ground: Ground
    descriptions: tuple[str, ...]
    """Of its bands, without one for transparency; "" for a band without."""
    georeference: str
    """What states where it is: "transform", "ground control points", or "" for nothing."""
    numbers: tuple[BandNumbers, ...]
    """Of each band."""
    plain: bool
    """Whether its bytes alone, as a GeoTIFF of one band, say all that."""

    @property
    def count(self) -> int:
        """How many bands it has."""
        return len(self.descriptions)


@dataclass(frozen=True)
class BandNumbers:
    """What a file says that the numbers of a band mean."""

    scale: float | None
    """None where it says nothing."""
    offset: float | None
    nodata: float | None
    unit: str


def header(path: Path, crs: str = "") -> Header:
    """Read the header of a file.

    Parameters
    ----------
    path : Path
    crs : str
        Reference system where the file states none.

    Raises
    ------
    DataError
        For a file that cannot be read or is no image; names it.
    """
    complaint = "its georeferencing or another part of its head is damaged"
    with _opened(path) as dataset, _readable(path, complaint):
        bands = _bands(dataset)
        found = formats.georeference(dataset)
        ground, how = _ground(dataset, found, path, crs)
        return Header(
            path=path,
            ground=ground,
            descriptions=tuple(dataset.descriptions[i - 1] or "" for i in bands),
            georeference=how,
            numbers=tuple(_numbers(dataset, i) for i in bands),
            plain=dataset.driver == "GTiff"
            and dataset.count == 1
            and len(dataset.files) == 1
            and found == (ground.crs, ground.transform),
        )


def pixels(path: Path, band: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Numbers of a band as they stand in the file, and where its masks say there are none.

    Returns
    -------
    ndarray, shape (H, W)
    ndarray of bool, shape (H, W)
        True where a mask in the file, beside it (``.msk``) or of transparency hides a pixel. Its
        no-data value is left to the reader, as the config may state another one.
    """
    from rasterio.enums import MaskFlags

    with _opened(path) as dataset:
        with _readable(path, "the image is damaged or cut off: its pixels cannot be read"):
            array = dataset.read(band)
            flags = dataset.mask_flag_enums[band - 1]
            masked = np.zeros(array.shape, np.bool_)
            # GDAL takes a band called alpha for a mask in images of two and four bands alone.
            if len(_bands(dataset)) < dataset.count:
                masked = dataset.read(dataset.count) == 0
            elif not {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha} & set(flags):
                masked = dataset.read_masks(band) == 0
        if array.dtype.kind not in "iuf":
            raise _unusable(path, f"its numbers are {array.dtype}", "give integers or floats")
        return array, masked


@contextmanager
def _opened(path: Path) -> Iterator[DatasetReader]:
    import rasterio

    try:
        with path.open("rb") as stream:
            head = stream.read(16)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}",
            "give yourself permission to read it, and finish the run with --from_cache",
        ) from error
    complaint = "it is no GeoTIFF or JPEG 2000, or the head of it is damaged or cut off"
    driver = next((name for first, name in DRIVERS.items() if head.startswith(first)), None)
    with _readable(path, complaint):
        if driver is None:
            raise formats.FormatError(complaint)
        dataset = rasterio.open(path, driver=driver)
    with dataset:
        yield dataset


@contextmanager
def _readable(path: Path, complaint: str) -> Iterator[None]:
    try:
        with formats.gdal_errors(complaint):
            yield
    except formats.FormatError as error:
        raise _unusable(path, str(error), "replace it by a sound GeoTIFF or JPEG 2000") from error


def _unusable(path: Path, why: str, cure: str) -> DataError:
    return DataError(f"{path} cannot be used: {why}", cure)


def _bands(dataset: DatasetReader) -> list[int]:
    """Numbers of the bands that hold measurements: not transparency."""
    from rasterio.enums import ColorInterp

    kinds = dataset.colorinterp
    last = dataset.count
    # Only the last of several, and only as a mask: some writers call a fourth band alpha.
    hidden = last > 1 and kinds[-1] == ColorInterp.alpha and _is_mask(dataset, last)
    return list(range(1, last + (0 if hidden else 1)))


def _is_mask(dataset: DatasetReader, band: int) -> bool:
    """Whether a band called alpha is one: it holds the least and the largest number alone."""
    kind = np.dtype(dataset.dtypes[band - 1])
    if kind.kind != "u":
        return False
    with formats.gdal_errors("damaged"):
        values = np.unique(dataset.read(band))
    return bool(set(values.tolist()) <= {0, 1, 255, int(np.iinfo(kind).max)})


def _numbers(dataset: DatasetReader, band: int) -> BandNumbers:
    scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
    tags = {**dataset.tags(), **dataset.tags(band)}
    said = (scale, offset) != (1.0, 0.0)
    if not said and "scale_factor" in tags:  # as netCDF and HLS write it
        scale, offset = _number(tags, "scale_factor", 1.0), _number(tags, "add_offset", 0.0)
        said = (scale, offset) != (1.0, 0.0)
    return BandNumbers(
        scale=float(scale) if said else None,
        offset=float(offset) if said else None,
        nodata=dataset.nodatavals[band - 1],
        unit=dataset.units[band - 1] or tags.get("units", ""),
    )


def _number(tags: dict[str, str], name: str, default: float) -> float:
    try:
        return float(tags.get(name, default))
    except ValueError:
        return default


def _ground(
    dataset: DatasetReader, georeference: tuple[str | None, Any], path: Path, crs: str
) -> tuple[Ground, str]:
    """Where it is on the ground, and what says so."""
    found, transform = georeference
    size = dataset.width, dataset.height
    if transform is None and dataset.gcps[0]:
        points, points_crs = dataset.gcps
        return _by_points(points, points_crs, path, size), "ground control points"
    if transform is None:
        return Ground(None, None, *size), ""
    if not _possible(transform):
        raise _unusable(path, "its georeferencing is damaged", "write it anew")
    crs_of_all = found or _beside(path) or crs or None
    return Ground(crs_of_all, transform, *size), "transform" if crs_of_all else ""


def _possible(transform: tuple[float, ...]) -> bool:
    """Whether an image of the earth can have a transform, in metres, feet or degrees."""
    a, b, c, d, e, f = transform
    if not np.isfinite(transform).all() or max(abs(c), abs(f)) > FARTHEST:
        return False
    sides = np.hypot([a, b], [d, e])
    # Rows and columns that are nearly parallel make no image either.
    return bool(
        sides.min() > SMALLEST
        and sides.max() < LARGEST
        and abs(a * e - b * d) > 1e-3 * sides[0] * sides[1]
    )


def _beside(path: Path) -> str | None:
    """Reference system of a ``.prj`` file, which GDAL does not read for TIFF."""
    from rasterio.crs import CRS

    try:
        text = path.with_suffix(".prj").read_text(encoding="utf-8", errors="replace")
        with formats.gdal_errors(f"{path.with_suffix('.prj')} is no reference system"):
            return formats.name_of_crs(CRS.from_wkt(text))
    except (OSError, formats.FormatError):
        return None


def _by_points(points: Any, crs: Any, path: Path, size: tuple[int, int]) -> Ground:
    """An affine transform that stands for ground control points, where one can."""
    from rasterio.transform import from_gcps

    with _readable(path, "its ground control points cannot be used"):
        fit = from_gcps(points)
        if not _possible(tuple(map(float, fit[:6]))):
            raise formats.FormatError("its ground control points cannot be used")
        there = [~fit @ (point.x, point.y) for point in points]
    off = max(max(abs(c - p.col), abs(r - p.row)) for (c, r), p in zip(there, points, strict=True))
    if off > GCP_TOLERANCE:
        raise _unusable(
            path,
            f"its ground control points are up to {off:.1f} pixels from any affine transform",
            "warp it to a map projection first, with gdalwarp -tps",
        )
    a, b, c, d, e, f = map(float, fit[:6])
    return Ground(formats.name_of_crs(crs) if crs else None, (a, b, c, d, e, f), *size)
