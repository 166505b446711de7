from __future__ import annotations

import contextlib
import io
import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from rasterio.io import MemoryFile

from pyveg import formats
from pyveg.formats import FormatError, Raster

UTM = (10.0, 0.0, 465181.0, 0.0, -10.0, 5080254.5)
DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]

sides = st.tuples(st.integers(1, 20), st.integers(1, 20))
bands = st.sampled_from([*DTYPES, "float32", "float64", ">f4", ">u2"]).flatmap(
    lambda dtype: hnp.arrays(dtype, sides)
)
measures = st.floats(-1e7, 1e7, width=32)
sizes = st.floats(0.001, 1000)
transforms = st.tuples(sizes, measures, measures, measures, sizes.map(lambda s: -s), measures)
pictures = hnp.arrays(np.uint8, sides | st.tuples(*[st.integers(1, 9)] * 2, st.just(3)))


def noise(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(5).integers(0, 9000, shape).astype(dtype)


def tiff(array: np.ndarray, **profile: Any) -> bytes:
    """Written by rasterio, as others would."""
    stack = array if array.ndim == 3 else array[np.newaxis]
    count, height, width = stack.shape
    with MemoryFile() as file:
        with file.open(
            **{"driver": "GTiff", "count": count, "height": height, "width": width}
            | {"dtype": stack.dtype.name, "crs": "EPSG:4326"}
            | {"transform": rasterio.Affine(0.1, 0, 14, 0, -0.1, 46)}
            | profile
        ) as dataset:
            dataset.write(stack)
        return bytes(file.read())


def png(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


# GeoTIFF


@settings(deadline=None)
@given(bands)
def test_any_band_comes_back(array: np.ndarray) -> None:
    found = formats.decode_geotiff(formats.encode_geotiff(Raster(array)))
    np.testing.assert_array_equal(found.array, array)
    assert found.array.dtype == array.dtype.newbyteorder("=")
    assert (found.crs, found.transform, found.nodata) == (None, None, None)


@settings(deadline=None)
@given(
    st.sampled_from(["EPSG:32633", "EPSG:4326", "EPSG:32735", "EPSG:3857", None]),
    transforms,
    st.none() | st.integers(0, 255).map(float),
)
def test_georeferencing_comes_back(
    crs: str | None, transform: tuple[float, ...], nodata: float | None
) -> None:
    raster = Raster(noise((3, 4), "uint8"), crs, transform, nodata)
    found = formats.decode_geotiff(formats.encode_geotiff(raster))
    assert (found.crs, found.transform, found.nodata) == (crs, transform, nodata)


def test_a_reference_system_without_number_comes_back_as_text() -> None:
    crs = rasterio.CRS.from_proj4("+proj=laea +lat_0=12.3 +lon_0=4.5 +datum=WGS84 +units=m")
    found = formats.decode_geotiff(formats.encode_geotiff(Raster(noise((3, 4)), crs.to_wkt(), UTM)))
    assert found.crs is not None
    assert found.crs.startswith("PROJCS")
    assert rasterio.CRS.from_wkt(found.crs) == crs


def test_unknown_values_come_back_as_stored() -> None:
    array = np.array([[np.nan, 0.5], [-9999, np.inf]], np.float32)
    for nodata in (math.nan, -9999.0):
        found = formats.decode_geotiff(formats.encode_geotiff(Raster(array, nodata=nodata)))
        np.testing.assert_array_equal(found.array, array)
        assert found.nodata == pytest.approx(nodata, nan_ok=True)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_equal_rasters_give_equal_bytes_and_small_ones(dtype: str) -> None:
    array = np.add.outer(np.arange(300), np.arange(200)).astype(dtype)
    data = formats.encode_geotiff(Raster(array, "EPSG:32633", UTM))
    assert data == formats.encode_geotiff(Raster(array.copy(), "EPSG:32633", UTM))
    assert len(data) < array.nbytes / 10


@pytest.mark.parametrize(
    ("shape", "dtype", "rows"),
    [
        ((1100, 1100), "uint16", 7),
        ((1100, 1100), "float32", 3),
        ((300, 20), "uint8", 300),
        ((2, 20_000), "uint16", 1),
        ((1, 1), "float32", 1),
    ],
)
def test_rows_are_compressed_by_few(shape: tuple[int, int], dtype: str, rows: int) -> None:
    array = noise(shape, dtype)
    data = formats.encode_geotiff(Raster(array, "EPSG:32633", UTM))
    np.testing.assert_array_equal(formats.decode_geotiff(data).array, array)
    with MemoryFile(data) as file, file.open() as dataset:
        assert dataset.block_shapes == [(rows, shape[1])]
        assert dataset.compression.value == "DEFLATE"


def test_a_raster_with_its_encoding_is_not_encoded_anew() -> None:
    data = tiff(noise((40, 50)), compress="lzw")  # as we do not write it
    plain = formats.decode_geotiff(data)
    kept = formats.with_encoding(plain, data)
    assert formats.encode_geotiff(kept) is data
    assert formats.encode_geotiff(pickle.loads(pickle.dumps(kept))) == data
    assert "II*" not in repr(kept)
    assert plain.encoded is None
    for name in ("crs", "transform", "nodata"):
        assert getattr(kept, name) == getattr(plain, name)


def test_a_raster_with_its_encoding_cannot_change() -> None:
    """Bytes that say something else than the array would be written."""
    plain = Raster(noise((4, 5)))
    kept = formats.with_encoding(plain, formats.encode_geotiff(plain))
    with pytest.raises(ValueError, match="read-only"):
        kept.array[0, 0] = 1
    changed = replace(kept, array=kept.array + 1)
    found = formats.decode_geotiff(formats.encode_geotiff(changed))
    np.testing.assert_array_equal(found.array, plain.array + 1)
    plain.array[0, 0] = 1  # the raster itself stays free


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2), np.complex64),
        np.zeros((2, 2), np.bool_),
        np.zeros((2, 2), np.float16),
        np.zeros((2, 2), object),
        np.zeros(4),
        np.zeros((2, 2, 1)),
        np.zeros((0, 2)),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_what_a_geotiff_cannot_hold(array: np.ndarray) -> None:
    with pytest.raises(FormatError, match=r"a band needs|a GeoTIFF cannot hold"):
        formats.encode_geotiff(Raster(array))


@pytest.mark.parametrize(
    "wrong", [{"crs": "EPSG:1"}, {"crs": "rubbish"}, {"nodata": math.nan}, {"nodata": -1.0}]
)
def test_georeferencing_that_is_not_possible(wrong: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="a GeoTIFF cannot hold uint16 with"):
        formats.encode_geotiff(Raster(noise((2, 2)), **wrong))


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"compress": "lzw"},
        {"tiled": True, "blockxsize": 16, "blockysize": 16},
        {"ENDIANNESS": "BIG"},
        {"BIGTIFF": "YES"},
    ],
)
def test_geotiffs_of_others(profile: dict[str, Any]) -> None:
    array = noise((40, 50))
    found = formats.decode_geotiff(tiff(array, **profile))
    np.testing.assert_array_equal(found.array, array)
    assert found.crs == "EPSG:4326"
    assert found.transform == (0.1, 0, 14, 0, -0.1, 46)


def test_geotiffs_of_several_bands_are_refused() -> None:
    with pytest.raises(FormatError, match="has 3 bands and should have one"):
        formats.decode_geotiff(tiff(noise((3, 4, 5))))


def test_geotiffs_of_complex_numbers_are_refused() -> None:
    with pytest.raises(FormatError, match="not complex64"):
        formats.decode_geotiff(tiff(np.ones((4, 5), np.complex64)))


@settings(deadline=None)
@given(st.data())
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_geotiff_cut_off_anywhere_is_an_error(dtype: str, data: st.DataObject) -> None:
    whole = formats.encode_geotiff(Raster(noise((150, 120), dtype), "EPSG:32633", UTM))
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(FormatError, match="GeoTIFF"):
        formats.decode_geotiff(whole[:length])


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_geotiff_is_an_error_or_a_band(data: st.DataObject) -> None:
    damaged = bytearray(formats.encode_geotiff(Raster(noise((20, 10)), "EPSG:32633", UTM)))
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] = data.draw(st.integers(0, 255))
    try:
        found = formats.decode_geotiff(bytes(damaged))
    except FormatError:
        return
    assert found.array.ndim == 2


@pytest.mark.parametrize(
    "data", [b"", b"II*\0", b"rubbish", b"<VRTDataset/>", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_geotiff(data: bytes) -> None:
    with pytest.raises(FormatError, match="not a GeoTIFF"):
        formats.decode_geotiff(data)


def test_a_png_is_no_geotiff() -> None:
    with pytest.raises(FormatError, match="not a GeoTIFF"):
        formats.decode_geotiff(formats.encode_png(noise((4, 5), "uint8")))


def test_the_scene(shared_data: Path) -> None:
    raw = shared_data / "sentinel2_slovenia" / "2015-08-20" / "RAW"
    for band, dtype in (("B4", np.uint16), ("NDVI", np.float32)):
        found = formats.decode_geotiff((raw / f"download.{band}.tif").read_bytes())
        assert found.array.shape == (101, 100)
        assert found.array.dtype == dtype
        assert found.crs == "EPSG:32633"
        assert found.nodata is None
        again = formats.decode_geotiff(formats.encode_geotiff(found))
        np.testing.assert_array_equal(again.array, found.array)
        assert (again.crs, again.transform) == (found.crs, found.transform)


# Longitude and latitude


def test_the_centre_of_the_scene(shared_data: Path) -> None:
    path = shared_data / "sentinel2_slovenia" / "2015-08-20" / "RAW" / "download.B4.tif"
    raster = formats.decode_geotiff(path.read_bytes())
    assert raster.crs is not None
    assert raster.transform is not None
    height, width = raster.array.shape
    place = formats.lonlat(
        raster.crs, raster.transform, np.array([width / 2]), np.array([height / 2])
    )
    assert place.shape == (1, 2)
    assert place.dtype == np.float64
    # 0.0001 degrees are about 10 m, one pixel
    np.testing.assert_allclose(place[0], [14.5578, 45.8705], atol=1e-4)


def test_the_central_meridian_of_utm() -> None:
    transform = (10.0, 0.0, 500_000.0, 0.0, -10.0, 0.0)
    places = formats.lonlat("EPSG:32633", transform, np.zeros(2), np.array([0.0, -1e5]))
    assert places[0] == pytest.approx([15, 0], abs=1e-9)
    # One degree of latitude is about 110.6 km near the equator, times 0.9996.
    assert places[1] == pytest.approx([15, 1e6 / 110_600 / 0.9996], abs=0.01)


@given(transforms.map(lambda t: (0.01, t[1] * 1e-9, 14.0, t[3] * 1e-9, -0.01, 45.0)), st.data())
def test_degrees_stay_degrees(
    transform: tuple[float, float, float, float, float, float], data: st.DataObject
) -> None:
    numbers = st.lists(st.floats(0, 100), min_size=2, max_size=2)
    columns, rows = (np.array(data.draw(numbers)) for _ in range(2))
    a, b, c, d, e, f = transform
    expected = np.stack([a * columns + b * rows + c, d * columns + e * rows + f], axis=-1)
    found = formats.lonlat("EPSG:4326", transform, columns, rows)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-12)


def test_no_places() -> None:
    nothing = np.zeros(0)
    assert formats.lonlat("EPSG:32633", UTM, nothing, nothing).shape == (0, 2)


@pytest.mark.parametrize(
    ("crs", "column"),
    [("EPSG:99999", 0), ("rubbish", 0), ("EPSG:32633", 1e12), ("EPSG:4326", np.nan)],
)
def test_places_that_are_nowhere(crs: str, column: float) -> None:
    with pytest.raises(FormatError, match=f"places in {crs} cannot be turned"):
        formats.lonlat(crs, UTM, np.array([column]), np.array([0.0]))


# PNG


@given(pictures)
def test_any_picture_comes_back(array: np.ndarray) -> None:
    data = formats.encode_png(array)
    found = formats.decode_png(data)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array)
    assert data == formats.encode_png(array.copy())


def test_pictures_that_are_not_contiguous_come_back() -> None:
    array = noise((20, 30, 3), "uint8")[::2, 3:].swapaxes(0, 1)
    np.testing.assert_array_equal(formats.decode_png(formats.encode_png(array)), array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2)),
        np.zeros((2, 2), np.bool_),
        np.zeros((2, 2), np.uint16),
        np.zeros(4, np.uint8),
        np.zeros((2, 2, 1), np.uint8),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((2, 2, 3, 1), np.uint8),
        np.zeros((0, 2), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_what_a_png_cannot_hold(array: np.ndarray) -> None:
    with pytest.raises(FormatError, match="a PNG needs uint8"):
        formats.encode_png(array)


def test_pictures_of_one_bit_become_black_and_white() -> None:
    array = noise((9, 13)) > 4000
    found = formats.decode_png(png(Image.fromarray(array)))
    np.testing.assert_array_equal(found, array * np.uint8(255))


def test_pictures_with_a_palette_become_coloured() -> None:
    image = Image.frombytes("P", (13, 9), (noise((9, 13), "uint8") % 4).tobytes())
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7])
    found = formats.decode_png(png(image))
    np.testing.assert_array_equal(found, np.asarray(image.convert("RGB")))


def test_transparency_is_dropped() -> None:
    colour = noise((9, 13, 4), "uint8")
    np.testing.assert_array_equal(formats.decode_png(png(Image.fromarray(colour))), colour[..., :3])
    grey = Image.fromarray(colour[..., :2])
    assert grey.mode == "LA"
    np.testing.assert_array_equal(formats.decode_png(png(grey)), colour[..., 0])


def test_pictures_of_16_bits_are_refused() -> None:
    with pytest.raises(FormatError, match="16 bits"):
        formats.decode_png(png(Image.fromarray(noise((9, 13)))))


def test_large_pictures_are_read_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert formats.decode_png(formats.encode_png(np.zeros((9, 9), np.uint8))).shape == (9, 9)


@given(st.data())
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
def test_a_png_cut_off_anywhere_is_an_error(shape: tuple[int, ...], data: st.DataObject) -> None:
    whole = formats.encode_png(noise(shape, "uint8"))
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(FormatError, match="cut off"):
        formats.decode_png(whole[:length])


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_png_is_an_error_or_a_picture(data: st.DataObject) -> None:
    damaged = bytearray(formats.encode_png(noise((9, 10), "uint8")))
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] = data.draw(st.integers(0, 255))
    try:
        found = formats.decode_png(bytes(damaged))
    except FormatError:
        return
    assert found.dtype == np.uint8


@given(st.binary(max_size=200))
def test_rubbish_is_no_picture_and_no_raster(data: bytes) -> None:
    with pytest.raises(FormatError):
        formats.decode_png(data)
    with pytest.raises(FormatError):
        formats.decode_png(b"\x89PNG\r\n\x1a\n" + data + formats.PNG_END)
    with pytest.raises(FormatError):
        formats.decode_geotiff(data)


# Tables


@pytest.mark.parametrize("separator", [",", ";", " ", "\t", ", ", " ; ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_with_any_separator(separator: str, end: str) -> None:
    rows = [["1", "-2.5", "3e2"], ["4", "5", "nan"]]
    data = end.join(separator.join(row) for row in rows).encode()
    expected = np.array([[1, -2.5, 300], [4, 5, np.nan]])
    for form in (data, data + end.encode(), b"\xef\xbb\xbf" + data + 3 * end.encode()):
        found = formats.decode_text_matrix(form)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, expected)


@given(hnp.arrays(np.float64, sides, elements=st.floats(allow_nan=False)), st.sampled_from(",; \t"))
def test_any_table_is_read(array: np.ndarray, separator: str) -> None:
    data = "\n".join(separator.join(map(repr, row)) for row in array.tolist()).encode()
    np.testing.assert_array_equal(formats.decode_text_matrix(data), array)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the table is empty"),
        (b" \n\n", "the table is empty"),
        (b"1 2\n\n3 4 5\n", "line 3 has 3 numbers, the first row 2"),
        (b"1,2\n3\n", "line 2 has 1 numbers, the first row 2"),
        (b"1,2\n3,x\n", "line 2 is not made of numbers: '3,x'"),
        (b"a b\n1 2\n", "line 1 is not made of numbers"),
        (b"1,,2\n", "line 1 is not made of numbers"),
        (b"1,2,\n", "line 1 is not made of numbers"),
        (b"1,5;2,5\n", "line 1 has both commas and semicolons"),
        (b"1 2\n\xff\xfe\n", "byte 4 is not UTF-8"),
        (b"1\x002", "line 1 is not made of numbers"),
    ],
)
def test_what_is_no_table(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        formats.decode_text_matrix(data)


@given(st.binary(max_size=60))
def test_rubbish_is_an_error_or_a_table(data: bytes) -> None:
    try:
        found = formats.decode_text_matrix(data)
    except FormatError:
        return
    assert found.ndim == 2


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("binary_image.txt", (100, 100)),
        ("binary_labyrinths_50.csv", (50, 50)),
        ("rietkerk_rainfall1.0_100iterations.csv", (50, 50)),
    ],
)
def test_tables_of_the_older_program(shared_data: Path, name: str, shape: tuple[int, int]) -> None:
    found = formats.decode_text_matrix((shared_data / "patterns" / name).read_bytes())
    assert found.shape == shape
    assert np.isfinite(found).all()


# JSON

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values, st.none() | st.integers(0, 4))
def test_any_json_comes_back(value: Any, indent: int | None) -> None:
    data = formats.encode_json(value, indent=indent)
    assert data.endswith(b"\n")
    assert formats.decode_json(data) == value


def test_json_keeps_the_order_of_keys() -> None:
    assert formats.encode_json({"b": 1, "a": [2, 3]}) == b'{"b": 1, "a": [2, 3]}\n'
    assert formats.encode_json({"b": 1}, indent=2) == b'{\n  "b": 1\n}\n'


def test_json_of_numpy() -> None:
    value = {
        "whole": np.int64(3),
        "single": np.float32(0.5),
        "double": np.float64(0.1),
        "truth": np.bool_(True),
        "list": [np.uint8(7)],
        "array": np.array([[1.5, 2], [3, 4]]),
    }
    assert json.loads(formats.encode_json(value)) == {
        "whole": 3,
        "single": 0.5,
        "double": 0.1,
        "truth": True,
        "list": [7],
        "array": [[1.5, 2.0], [3.0, 4.0]],
    }


@pytest.mark.parametrize("nan", [math.nan, np.float64("nan"), np.float32("nan")])
def test_json_of_not_a_number(nan: float) -> None:
    data = formats.encode_json({"ndvi_veg": nan})
    assert data == b'{"ndvi_veg": NaN}\n'
    assert math.isnan(formats.decode_json(data)["ndvi_veg"])


def test_json_of_other_things_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="set cannot be written"):
        formats.encode_json({"a": {1, 2}})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1, column 1"),
        (b'{"a": 1,\n "b": }', "line 2, column 7"),
        (b'{"a": 1} 2', "Extra data at line 1, column 10"),
        (b'"\xff"', "byte 1 is not UTF-8"),
        (b"[" * 100_000, "not JSON that can be read"),
        (b"1" * 5000, "not JSON that can be read"),
    ],
)
def test_what_is_not_json(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        formats.decode_json(data)


@given(values.filter(lambda value: isinstance(value, dict | list | str)), st.data())
def test_json_cut_off_anywhere_is_an_error(value: Any, data: st.DataObject) -> None:
    whole = formats.encode_json(value)
    length = data.draw(st.integers(0, len(whole) - 2))
    with pytest.raises(FormatError, match="JSON"):
        formats.decode_json(whole[:length])


@given(st.binary(max_size=60))
def test_rubbish_is_an_error_or_json(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        formats.decode_json(data)


def test_json_of_the_older_program(shared_data: Path) -> None:
    for path in (shared_data / "old_pyveg_slovenia").glob("*/*.json"):
        records = formats.decode_json(path.read_bytes())
        again = formats.decode_json(formats.encode_json(records, indent=2))
        assert json.dumps(again) == json.dumps(records)


# Import


def test_import_is_cheap() -> None:
    program = "import sys, pyveg.formats; print({'rasterio', 'PIL', 'scipy'} & set(sys.modules))"
    checkout = Path(formats.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_bytes_that_gdal_repeats_leave_no_traceback_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Cython tells the hooks of Python where rasterio cannot log them; all else passes."""
    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    monkeypatch.setattr(sys, "excepthook", lambda *what: heard.append(what))
    for _ in range(2):
        with pytest.raises(FormatError):
            formats.decode_geotiff(b"II*\0rubbish")
    odd = UnicodeDecodeError("utf-8", b"<\x91", 1, 2, "invalid start byte")
    sys.excepthook(UnicodeDecodeError, odd, None)
    sys.unraisablehook(SimpleNamespace(object="rasterio._env.log_error"))  # type: ignore[arg-type]
    assert heard == []
    sys.unraisablehook(SimpleNamespace(object="other"))  # type: ignore[arg-type]
    sys.excepthook(ValueError, ValueError("x"), None)
    assert len(heard) == 2
