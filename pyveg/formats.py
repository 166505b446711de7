"""Bytes to arrays, pictures, tables and JSON, and back.

Nothing here knows of files or of the rest of pyveg. rasterio and Pillow are imported when they are
first needed: importing this module costs no more than NumPy.

Decoders raise `FormatError` for bytes that are not what they should be, and nothing else.
"""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

PNG_END = b"IEND\xaeB`\x82"
"""Last chunk of a PNG with its checksum."""
PNG_LEVEL = 1
"""Of compression. A colour picture of 1100 x 1100 pixels takes 0.08 s and 1.7 MB; level 3: 0.12 s
and 1.6 MB; level 6, Pillow's own: 0.37 s and 1.6 MB."""
STRIP_BYTES = 16_384
"""About what is compressed together in a TIFF, as whole rows. A band of 1100 x 1100 pixels takes
13 ms and 1.67 MB; strips of 64 rows, 140 kB: 20 ms and 1.64 MB. Both are read in 8 ms."""


class FormatError(ValueError):
    """Bytes that are not what they should be, or values that a format cannot hold."""


@dataclass(frozen=True, eq=False)
class Raster:
    """One band of an image, and where it is on the ground.

    Examples
    --------
    >>> import numpy as np
    >>> north = (10.0, 0.0, 300_000.0, 0.0, -10.0, 1_300_000.0)  # pixels of 10 m
    >>> raster = Raster(np.zeros((2, 3), np.float32), "EPSG:32635", north)
    >>> decode_geotiff(encode_geotiff(raster)).crs
    'EPSG:32635'
    """

    array: NDArray[Any]
    """Shape (H, W), row 0 in the north; integers or floats, as stored."""
    crs: str | None = None
    """Coordinate reference system: "EPSG:<number>", or WKT for one that has no number."""
    transform: tuple[float, float, float, float, float, float] | None = None
    """a, b, c, d, e, f: x = a * column + b * row + c, y = d * column + e * row + f, in units of
    `crs`, (0, 0) being the outer corner of the first pixel. None where there is none; a TIFF does
    not distinguish this from the identity."""
    nodata: float | None = None
    """Value of pixels that hold no measurement; they are left as they are in `array`."""
    encoded: bytes | None = field(default=None, init=False, repr=False)
    """The GeoTIFF that holds this raster, where there is one already; see `with_encoding`."""


def with_encoding(raster: Raster, data: bytes) -> Raster:
    """Keep a raster together with the GeoTIFF that holds it.

    `encode_geotiff` returns that GeoTIFF as it is. A file that is only copied is then not
    compressed a second time, which takes longer than reading it.

    Parameters
    ----------
    raster : Raster
    data : bytes
        What `decode_geotiff` made it from, or what `encode_geotiff` made of it.

    Returns
    -------
    Raster
        Its array is a read-only view: changed pixels would not be those of the GeoTIFF. What
        `dataclasses.replace` makes of it is encoded anew.
    """
    array = raster.array.view()
    array.flags.writeable = False
    encoded = replace(raster, array=array)
    object.__setattr__(encoded, "encoded", data)  # the dataclass is frozen
    return encoded


def decode_geotiff(data: bytes) -> Raster:
    """Read a GeoTIFF of one band.

    Raises
    ------
    FormatError
        If it is no TIFF, damaged or truncated, of several bands, or of complex numbers.
    """
    from rasterio.io import MemoryFile

    if not data:
        raise FormatError("not a GeoTIFF: there are no bytes")
    with (
        gdal_errors("not a GeoTIFF, or the head of it is damaged or cut off"),
        MemoryFile(data) as file,
        file.open(driver="GTiff") as dataset,
    ):
        if dataset.count != 1:
            raise FormatError(f"the GeoTIFF has {dataset.count} bands and should have one")
        with gdal_errors("the GeoTIFF is damaged or cut off: its pixels cannot be read"):
            array = dataset.read(1)
        _check_numbers(array)
        return Raster(array, *georeference(dataset), dataset.nodata)


def encode_geotiff(raster: Raster) -> bytes:
    """Write a GeoTIFF of one band, compressed without loss.

    Equal rasters give equal bytes, but for those of `with_encoding`, which have their own.

    Raises
    ------
    FormatError
        If the array is not two-dimensional, has no pixels or a dtype that TIFF cannot hold, or the
        reference system or `nodata` is not possible.
    """
    if raster.encoded is not None:
        return raster.encoded
    from rasterio import Affine
    from rasterio.io import MemoryFile

    array = np.asarray(raster.array)
    _check_numbers(array)
    profile = {
        "driver": "GTiff",
        "height": array.shape[0],
        "width": array.shape[1],
        "count": 1,
        "dtype": array.dtype.name,
        "crs": raster.crs,
        "transform": None if raster.transform is None else Affine(*raster.transform),
        "nodata": raster.nodata,
        "compress": "deflate",
        "zlevel": 1,
        # Differences of neighbours compress better than values; 3 is the predictor for floats.
        "predictor": 3 if array.dtype.kind == "f" else 2,
        "blockysize": max(1, min(STRIP_BYTES // array[0].nbytes, len(array))),
    }
    with (
        gdal_errors(
            f"a GeoTIFF cannot hold {array.dtype} with {raster.crs}, nodata {raster.nodata}"
        ),
        MemoryFile() as file,
    ):
        with file.open(**profile) as dataset:
            # GDAL takes the bytes as they are, and some arrays come in the other byte order.
            dataset.write(array.astype(array.dtype.newbyteorder("="), copy=False), 1)
        return bytes(file.read())


def lonlat(
    raster_crs: str,
    transform: tuple[float, float, float, float, float, float],
    columns: NDArray[np.float64],
    rows: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Longitude and latitude of places in an image.

    Parameters
    ----------
    raster_crs : str
        Reference system of the image.
    transform : tuple of six float
        As in `Raster`.
    columns, rows : ndarray of float64, shape (n,)
        Pixels, (0, 0) being the outer corner of the first one; its centre is (0.5, 0.5).

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Longitude and latitude in degrees, EPSG:4326.

    Raises
    ------
    FormatError
        If the reference system is not known, or a place is outside of what it can describe.
    """
    from rasterio.warp import transform as reproject

    a, b, c, d, e, f = transform
    columns, rows = np.asarray(columns, np.float64), np.asarray(rows, np.float64)
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    complaint = f"places in {raster_crs} cannot be turned into longitude and latitude"
    with gdal_errors(complaint):
        places = np.array(reproject(raster_crs, "EPSG:4326", x.tolist(), y.tolist())[:2])
    if not np.isfinite(places).all():
        raise FormatError(complaint)
    return np.ascontiguousarray(places.T, dtype=np.float64)


def encode_png(array: NDArray[np.uint8]) -> bytes:
    """Write a PNG, compressed without loss, for speed rather than size.

    Parameters
    ----------
    array : ndarray of uint8, shape (H, W) or (H, W, 3)
        Grey, or red, green and blue.

    Raises
    ------
    FormatError
        If the array is of another shape or dtype, or has no pixels.
    """
    from PIL import Image

    shape = array.shape
    if array.dtype != np.uint8 or array.size == 0 or shape[2:] not in {(), (3,)} or len(shape) < 2:
        raise FormatError(
            f"a PNG needs uint8 (height, width) or (.., 3), not {array.dtype} {shape}"
        )
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def decode_png(data: bytes) -> NDArray[np.uint8]:
    """Read a PNG.

    Returns
    -------
    ndarray of uint8, shape (H, W) or (H, W, 3)
        Pictures of one bit become 0 and 255, those with a palette colour; transparency is dropped.

    Raises
    ------
    FormatError
        If it is no PNG, damaged or truncated, or has 16 bits per grey pixel.
    """
    # Pillow reads a picture whose last chunk is missing without a word.
    if PNG_END not in data:
        raise FormatError("not a PNG, or the end of it is cut off")
    image = _open_png(data)
    if image.mode.startswith("I"):
        raise FormatError("the PNG has 16 bits per pixel and should have 8")
    mode = "L" if image.mode in {"1", "L", "LA"} else "RGB"
    return np.array(image if image.mode == mode else image.convert(mode))


def decode_text_matrix(data: bytes) -> NDArray[np.float64]:
    """Read a matrix written as text, one row per line.

    Parameters
    ----------
    data : bytes
        UTF-8. Numbers are separated by commas, by semicolons or by white space, and have a decimal
        point. Empty lines are skipped.

    Returns
    -------
    ndarray of float64, shape (H, W)

    Raises
    ------
    FormatError
        If something is not a number or the rows differ in length, with the number of the line.
    """
    lines = enumerate(_text(data, "a table").splitlines(), start=1)
    rows = [(number, _row(number, line)) for number, line in lines if line.strip()]
    if not rows:
        raise FormatError("the table is empty")
    width = len(rows[0][1])
    for number, row in rows:
        if len(row) != width:
            raise FormatError(f"line {number} has {len(row)} numbers, the first row {width}")
    return np.array([row for _, row in rows], np.float64)


def encode_json(value: Any, *, indent: int | None = None) -> bytes:
    """Write JSON; not-a-number becomes the token NaN, as in the files of the older pyveg 1.1.0.

    Parameters
    ----------
    value : object
        What JSON knows, and numbers and arrays of NumPy. The order of keys is kept.
    indent : int, optional
        Spaces per level; None for all on one line.

    Returns
    -------
    bytes
        ASCII, ending in a newline.

    Raises
    ------
    TypeError
        For a value of another kind.
    """
    return f"{json.dumps(value, indent=indent, default=_plain)}\n".encode("ascii")


def encode_records(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Encode a list of records as JSON, one record per line; see `encode_json`.

    Much faster than an indented text, and still readable.

    Parameters
    ----------
    records : sequence of mapping

    Returns
    -------
    bytes
    """
    lines = b",\n".join(encode_json(record).rstrip() for record in records)
    return b"[\n" + lines + b"\n]\n"


def decode_json(data: bytes) -> Any:
    """Read JSON, in which NaN may stand for a number.

    Raises
    ------
    FormatError
        If it is not JSON, with the place.
    """
    try:
        return json.loads(_text(data, "JSON"))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise FormatError(f"not JSON: {error.msg} at {place}") from error
    except (RecursionError, ValueError) as error:
        raise FormatError(f"not JSON that can be read: {error}") from error


_LOG_OF_GDAL = "rasterio._env.log_error"
"""Where rasterio logs what GDAL says."""


@contextmanager
def gdal_errors(complaint: str) -> Iterator[None]:
    """Raise what GDAL finds as `FormatError`; images without georeferencing are no reason.

    Parameters
    ----------
    complaint : str
        The text of that error.
    """
    from rasterio import Env
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    _hear_no_odd_bytes()
    # Without an environment GDAL prints what it finds, rather than have it logged.
    with Env(), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            yield
        except FormatError:
            raise
        except (RasterioError, CPLE_BaseError, ValueError, TypeError, MemoryError) as error:
            raise FormatError(complaint) from error


def _hear_no_odd_bytes() -> None:
    """Keep the terminal free of tracebacks where GDAL repeats bytes of a damaged file.

    rasterio logs what GDAL says, and takes it for UTF-8. Where it is none, Cython can only print
    that the logging failed, by the two hooks of Python; the error itself is raised all the same.
    """
    if isinstance(sys.unraisablehook, _Unraisable):
        return
    sys.unraisablehook = _Unraisable(sys.unraisablehook)
    sys.excepthook = _Uncaught(sys.excepthook)


@dataclass(frozen=True)
class _Unraisable:
    """A hook that passes on all but the failed logging of what GDAL said."""

    before: Callable[[Any], Any]

    def __call__(self, told: Any) -> None:
        if told.object != _LOG_OF_GDAL:
            self.before(told)


@dataclass(frozen=True)
class _Uncaught:
    """The same for the error itself, which Cython prints first and which has no traceback."""

    before: Callable[..., Any]

    def __call__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not UnicodeDecodeError or trace is not None:
            self.before(kind, error, trace)


def georeference(
    dataset: DatasetReader,
) -> tuple[str | None, tuple[float, float, float, float, float, float] | None]:
    """Reference system and transform of an open dataset, as `Raster` has them."""
    a, b, c, d, e, f = map(float, dataset.transform[:6])
    transform = None if dataset.transform.is_identity else (a, b, c, d, e, f)
    return (name_of_crs(dataset.crs) if dataset.crs else None), transform


def name_of_crs(crs: CRS) -> str:
    """A reference system as `Raster` has it: by its number of EPSG, or as WKT."""
    number = crs.to_epsg()
    return str(crs.to_wkt()) if number is None else f"EPSG:{number}"


def _check_numbers(array: NDArray[Any]) -> None:
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "iuf":
        raise FormatError(
            f"a band needs integers or floats (height, width), not {array.dtype} {array.shape}"
        )


def _open_png(data: bytes) -> Image.Image:
    """The picture, read whole.

    By Pillow's reader of PNG, not `Image.open`, which takes many formats and warns of large
    pictures.
    """
    from PIL.PngImagePlugin import PngImageFile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of animations that are not well-formed
        try:
            image = PngImageFile(io.BytesIO(data))
            image.load()
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
            raise FormatError("not a PNG, or it is damaged or cut off") from error
    return image


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"not {what}: byte {error.start} is not UTF-8 text") from error


def _row(number: int, line: str) -> list[float]:
    """The numbers of a line of a table."""
    if "," in line and ";" in line:
        raise FormatError(f"line {number} has both commas and semicolons")
    fields = re.split(r"\s*[,;]\s*|\s+", line.strip())
    try:
        return [float(field) for field in fields]
    except ValueError as error:
        raise FormatError(f"line {number} is not made of numbers: {line.strip()[:60]!r}") from error


def _plain(value: Any) -> Any:
    """A number or an array of NumPy, as JSON knows it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
