"""What the numbers of files mean: scale, offset, no-data, masks, units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.types import Item
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, Place
from pyveg.kernels.images import valid_pixels
from pyveg.kernels.ndvi import ndvi
from pyveg.sources.folder import FolderSettings, FolderSource
from pyveg.testing.own_images import BANDS, bands, ndvi_of, write, write_date

DAY = "2015-08-30"
PLACE = Place(14.5578, 45.8705)


def fetch(root: Path, names: Sequence[str] = BANDS, kind: Any = "vegetation", **more: Any) -> Scene:
    wanted = names if isinstance(names, dict) else {name: name for name in names}
    request = Request(PLACE, Collection("S2", "S2", kind, "folder"), Item(DAY), wanted)
    return FolderSource(FolderSettings(path=str(root), **more)).fetch(request)


def seen(scene: Scene) -> tuple[Any, Any]:
    """NDVI, and which pixels are valid."""
    arrays = {name: raster.array for name, raster in scene.rasters.items()}
    index = ndvi(arrays["B8"], arrays["B4"])
    return index, valid_pixels(list(arrays.values()), index)


@pytest.mark.parametrize(
    ("kind", "scale", "offset"),
    [("uint16", 2.75e-5, -0.2), ("int16", 1e-4, -0.1), ("uint8", 0.004, 0.0), ("float32", 0.01, 0)],
)
def test_scale_and_offset_of_the_file(
    tmp_path: Path, kind: str, scale: float, offset: float
) -> None:
    images = bands()
    packed = {b: (a / 1e4 - offset) / scale for b, a in images.items()}
    stored = {b: (np.rint(a) if kind != "float32" else a).astype(kind) for b, a in packed.items()}
    write_date(tmp_path, DAY, stored, scale=scale, offset=offset)
    index, valid = seen(fetch(tmp_path))
    assert valid.all()
    assert np.abs(index - ndvi_of(images)).max() < (0.06 if kind == "uint8" else 2e-3)
    scene = fetch(tmp_path)
    assert scene.rasters["B8"].array.dtype == np.float32
    assert np.allclose(scene.rasters["B8"].array, images["B8"], atol=scale * 1e4)
    assert "number x" in scene.record["numbers"]["B8"]


def test_scale_and_offset_of_the_config(tmp_path: Path) -> None:
    images = bands()
    write_date(tmp_path, DAY, {b: np.rint((a / 1e4 + 0.2) / 2.75e-5).astype("uint16")
                               for b, a in images.items()})  # fmt: skip
    index, _ = seen(fetch(tmp_path, scale=2.75e-5, offset=-0.2))
    assert np.allclose(index, ndvi_of(images), atol=1e-3)
    by_band = {"scale": dict.fromkeys(BANDS, 2.75e-5), "offset": dict.fromkeys(BANDS, -0.2)}
    assert np.array_equal(seen(fetch(tmp_path, **by_band))[0], index)


def test_tags_as_hls_writes_them(tmp_path: Path) -> None:
    import rasterio

    images = bands()
    write_date(tmp_path, DAY, {b: (a + 1000).astype("int16") for b, a in images.items()})
    for file in tmp_path.rglob("*.tif"):
        with rasterio.open(file, "r+") as made:
            made.update_tags(scale_factor="0.0001", add_offset="-0.1")
    assert np.allclose(seen(fetch(tmp_path))[0], ndvi_of(images), atol=1e-5)


@pytest.mark.parametrize(
    ("tags", "config", "what"),
    [
        ({"scale": 1e-4}, {"scale": 2.75e-5}, "scale 0.0001 and the config 2.75e-05"),
        ({"scale": 1e-4, "offset": -0.1}, {"offset": 0.0}, "offset -0.1 and the config 0"),
        ({"nodata": 0}, {"nodata": -9999}, "nodata 0 and the config -9999"),
        ({"nodata": 65535}, {"nodata": {"B4": 0}}, "nodata 65535 and the config 0"),
    ],
)
def test_contradictions_are_errors(tmp_path: Path, tags: Any, config: Any, what: str) -> None:
    write_date(tmp_path, DAY, bands(), **tags)
    with pytest.raises(DataError, match=rf"download\.B\d\.tif: the file says {what}") as caught:
        fetch(tmp_path, **config)
    assert "leave" in caught.value.cure
    said = {name: tags[name] for name in tags if name in config}
    if not isinstance(next(iter(config.values())), dict):
        assert fetch(tmp_path, **said).rasters  # the same said twice is none


def hole() -> np.ndarray[Any, Any]:
    mask = np.ones((100, 100), bool)
    mask[10:30, 40:70] = False
    return mask


@pytest.mark.parametrize("inside", [True, False])
def test_masks_in_the_file_and_beside_it(tmp_path: Path, inside: bool) -> None:
    write_date(tmp_path, DAY, bands(), mask=hole(), mask_inside=inside)
    assert bool(list(tmp_path.rglob("*.msk"))) is not inside
    scene = fetch(tmp_path)
    assert np.array_equal(seen(scene)[1], hole())
    assert scene.record["valid_fraction"] == pytest.approx(hole().mean())


def test_a_mask_of_one_band_holds_for_all(tmp_path: Path) -> None:
    images = bands()
    write_date(tmp_path, DAY, {b: a for b, a in images.items() if b != "B4"})
    write_date(tmp_path, DAY, {"B4": images["B4"]}, mask=hole())
    assert np.array_equal(seen(fetch(tmp_path))[1], hole())


def test_transparency(tmp_path: Path) -> None:
    """A last band that is called alpha is a mask, where it holds what one can."""
    import rasterio
    from rasterio.enums import ColorInterp

    images = bands()
    kinds = [ColorInterp.gray, *[ColorInterp.undefined] * 3, ColorInterp.alpha]
    alpha = np.where(hole(), 65535, 0).astype("uint16")
    for name, last in (("mask", alpha), ("infrared", images["B8"])):
        three = [images[b] for b in ("B2", "B3", "B4")]
        stack = [*images.values(), last] if name == "mask" else [*three, last]
        texts = BANDS if name == "mask" else ("B2", "B3", "B4", "B8")
        path = write(tmp_path / name / f"{DAY}.tif", stack, descriptions=texts)
        with rasterio.open(path, "r+") as made:
            made.colorinterp = kinds[-made.count :]
    assert np.array_equal(seen(fetch(tmp_path / "mask"))[1], hole())
    index, valid = seen(fetch(tmp_path / "infrared"))
    assert valid.all()
    assert np.allclose(index, ndvi_of(images))


@pytest.mark.parametrize(
    ("kind", "marker"), [("int16", -9999), ("uint16", 65535), ("float32", -3.4e38), ("int32", -1)]
)
@pytest.mark.parametrize("where", ["file", "config"])
def test_no_data(tmp_path: Path, kind: str, marker: float, where: str) -> None:
    images = {b: np.where(hole(), a.astype(kind), marker).astype(kind) for b, a in bands().items()}
    marker = float(np.asarray(marker).astype(kind))
    write_date(tmp_path, DAY, images, **({"nodata": marker} if where == "file" else {}))
    scene = fetch(tmp_path, **({"nodata": marker} if where == "config" else {}))
    index, valid = seen(scene)
    assert np.array_equal(valid, hole())
    assert np.allclose(index[valid], ndvi_of(bands())[valid])


@pytest.mark.parametrize("stated", [True, False])
def test_zero_in_one_band(tmp_path: Path, stated: bool) -> None:
    """It is a dark pixel, unless the file says that 0 is no data."""
    images = bands()
    images["B4"] = np.where(hole(), images["B4"], 0).astype("uint16")
    write_date(tmp_path, DAY, images, **({"nodata": 0} if stated else {}))
    index, valid = seen(fetch(tmp_path))
    assert np.array_equal(valid, hole() if stated else np.ones_like(hole()))
    assert not (index[valid] == 1).any() if stated else (index[~hole()] == 1).all()


def test_no_data_of_zero_under_an_offset(tmp_path: Path) -> None:
    """The number 0 is no reflectance of -0.2."""
    images = {b: np.where(hole(), np.rint((a / 1e4 + 0.2) / 2.75e-5), 0).astype("uint16")
              for b, a in bands().items()}  # fmt: skip
    for tagged in (True, False):
        root = tmp_path / str(tagged)
        write_date(
            root, DAY, images, scale=2.75e-5, offset=-0.2, **({"nodata": 0} if tagged else {})
        )
        assert np.array_equal(seen(fetch(root))[1], hole())


@pytest.mark.parametrize(
    ("unit", "factor"), [("reflectance", 1e-4), ("percent", 1e-2), ("reflectance x 10,000", 1.0)]
)
def test_units(tmp_path: Path, unit: str, factor: float) -> None:
    images = bands()
    write_date(tmp_path, DAY, {b: (a * factor).astype("float32") for b, a in images.items()})
    scene = fetch(tmp_path, units=unit)
    assert np.allclose(scene.rasters["B8"].array, images["B8"], rtol=1e-6)
    with pytest.raises(ConfigError, match='units: "furlong" is no unit of B'):
        fetch(tmp_path, units="furlong")


def test_units_of_two_bands(tmp_path: Path) -> None:
    """NIR as reflectance beside the others x 10,000, once that is said."""
    images: dict[str, Any] = dict(bands())
    images["B8"] = (images["B8"] / 1e4).astype("float32")
    write_date(tmp_path, DAY, images)
    index, _ = seen(fetch(tmp_path, units={"B8": "reflectance"}))
    assert np.allclose(index, ndvi_of(bands()), atol=1e-5)


WEATHER = {PRECIPITATION: "rain", TEMPERATURE: "t2m"}


@pytest.mark.parametrize("by", ["config", "file"])
def test_units_of_weather(tmp_path: Path, by: str) -> None:
    rain, heat = np.full((2, 3), 86.0, "float32"), np.full((2, 3), 27.0, "float32")
    said = by == "file"
    raw = tmp_path / DAY / "RAW"
    write(raw / "download.rain.tif", rain, unit="mm" if said else "")
    write(raw / "download.t2m.tif", heat, unit="degC" if said else "")
    units = {} if said else {"units": {"rain": "mm", "t2m": "degC"}}
    scene = fetch(tmp_path, WEATHER, "weather", **units)
    assert np.allclose(scene.rasters[PRECIPITATION].array, 0.086)
    assert np.allclose(scene.rasters[TEMPERATURE].array, 300.15)
    if said:
        with pytest.raises(DataError, match=r'"rain" is in mm and the config in m'):
            fetch(tmp_path, WEATHER, "weather", units={"rain": "m"})


@pytest.mark.parametrize(
    ("unit", "metres"), [("[m]", 86.0), ("mm", 0.086), ("Millimeters", 0.086), ("kg m-2", 0.086)]
)
def test_spellings_of_units(tmp_path: Path, unit: str, metres: float) -> None:
    write(tmp_path / DAY / "RAW/download.rain.tif", np.full((2, 3), 86.0, "float32"), unit=unit)
    scene = fetch(tmp_path, {PRECIPITATION: "rain"}, "weather")
    assert np.allclose(scene.rasters[PRECIPITATION].array, metres)


def test_a_unit_of_weather_that_is_not_known(tmp_path: Path) -> None:
    """A rate is no rain of a period; who knows better says so."""
    path = tmp_path / DAY / "RAW/download.rain.tif"
    write(path, np.full((2, 3), 1e-5, "float32"), unit="kg m-2 s-1")
    with pytest.raises(DataError, match=r'"rain" is in kg m-2 s-1, which is not known') as caught:
        fetch(tmp_path, {PRECIPITATION: "rain"}, "weather")
    assert "units" in caught.value.cure
    assert fetch(tmp_path, {PRECIPITATION: "rain"}, "weather", units={"rain": "m"}).rasters


def test_scaled_weather(tmp_path: Path) -> None:
    raw = tmp_path / DAY / "RAW"
    write(raw / "download.rain.tif", np.full((2, 3), 860, "int16"), scale=0.1, unit="mm", nodata=-1)
    write(raw / "download.t2m.tif", np.full((2, 3), 2700, "int16"), scale=0.01, unit="C")
    scene = fetch(tmp_path, WEATHER, "weather")
    assert np.allclose(scene.rasters[PRECIPITATION].array, 0.086)
    assert np.allclose(scene.rasters[TEMPERATURE].array, 300.15)


def test_an_integer_index_has_its_own_no_data(tmp_path: Path) -> None:
    """It becomes NaN and no valid 0."""
    images = bands()
    index = np.where(hole(), np.rint(ndvi_of(images) * 1e4), -3000).astype("int16")
    write_date(tmp_path, DAY, images)
    write(tmp_path / DAY / "RAW/download.NDVI.tif", index, nodata=-3000, scale=1e-4)
    request = Request(PLACE, Collection("S2", "S2", "vegetation", "folder"), Item(DAY),
                      {b: b for b in (*BANDS, "NDVI")}, ("NDVI",))  # fmt: skip
    scene = FolderSource(FolderSettings(path=str(tmp_path))).fetch(request)
    values = scene.rasters["NDVI"].array
    assert np.array_equal(np.isfinite(values), hole())
    assert np.allclose(values[hole()], ndvi_of(images)[hole()], atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "values", "clear"),
    [
        ({"mask_band": "SCL"}, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), (4, 5, 6, 7)),
        ({"mask_band": "QA_PIXEL"}, (1, 21824, 21952, 22280, 23888, 54596, 30048), (21824, 21952)),
        ({"mask_band": "Fmask"}, (0, 2, 4, 8, 16, 32, 64, 192, 255), (0, 32, 64, 192)),
        ({"mask_band": "UDM2"}, (0, 1), (1,)),
        ({"mask_band": "MSK_CLDPRB"}, (0, 39, 40, 100), (0, 39)),
        ({"mask_band": "prob", "mask_limit": 0.5}, (0, 1), (0,)),
        ({"mask_band": "mine", "clear_values": (3, 7)}, (0, 3, 7, 8), (3, 7)),
        ({"mask_band": "mine", "clear_bits": (6,)}, (64, 65, 1, 0), (64, 65)),
        ({"mask_band": "mine", "masked_bits": (0, 3)}, (0, 1, 2, 8, 9, 6), (0, 2, 6)),
        ({"mask_band": "quality", "mask": "SCL"}, (4, 9), (4,)),
    ],
)
def test_mask_bands(tmp_path: Path, settings: Any, values: Any, clear: Any) -> None:
    numbers = np.resize(np.array(values), (100, 100)).astype("uint16")
    write_date(tmp_path, DAY, {**bands(), settings["mask_band"]: numbers})
    scene = fetch(tmp_path, **settings)
    assert np.array_equal(seen(scene)[1], np.isin(numbers, clear))
    masked = 1 - np.isin(numbers, clear).mean()
    assert scene.record["mask"] == {
        "band": settings["mask_band"], "masked_fraction": pytest.approx(masked)
    }  # fmt: skip


def test_a_date_under_cloud_is_skipped(tmp_path: Path) -> None:
    write_date(tmp_path, DAY, {**bands(), "SCL": np.full((100, 100), 9, "uint8")})
    with pytest.raises(SkipItem, match="no clear pixel: the mask hides 100% of what was seen"):
        fetch(tmp_path, mask_band="SCL")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mask_band": "mine"}, "which of its values are clear is not known"),
        ({"clear_values": (1,)}, "mask_band names none"),
        ({"mask_band": "m", "clear_values": (1,), "mask_limit": 3.0}, "say in two ways"),
        ({"mask_band": "m", "clear_bits": (40,)}, "count from 0 to 31"),
        ({"pattern": "{date}.tif", "layout": "hls"}, "both say how files are named"),
        ({"join": "mean"}, 'join = "mean" is unknown'),
        ({"bands": {"B4": 0}}, r'bands\["B4"\] = 0 is no band'),
        ({"scale": 10.0}, "no scale of reflectance"),
        ({"scale": {"B4": 0}}, r'scale\["B4"\] = 0 is out of range'),
        ({"nodata": {"B4": "x"}}, "is no number"),
    ],
)
def test_settings_that_cannot_be(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        FolderSource(FolderSettings(path="anywhere", **settings))
    assert caught.value.cure


def test_a_mask_band_that_is_not_there(tmp_path: Path) -> None:
    write_date(tmp_path, DAY, bands())
    with pytest.raises(DataError, match=r'no file .*download\.SCL\.tif for the band "SCL"'):
        fetch(tmp_path, mask_band="SCL")
