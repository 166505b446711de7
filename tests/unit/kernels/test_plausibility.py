"""Numbers that cannot be, and those that mostly are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyveg.kernels import plausibility
from pyveg.kernels.images import valid_pixels
from pyveg.kernels.ndvi import ndvi
from pyveg.kernels.plausibility import Finding
from pyveg.testing.own_images import bands

RGB = ("B4", "B3", "B2")


def look(images: dict[str, Any], index: Any = None) -> Finding:
    made = ndvi(images["B8"], images["B4"]) if index is None else index
    valid = valid_pixels(list(images.values()), made)
    return plausibility.image(images, made, valid, red="B4", nir="B8", rgb=RGB)


def test_a_meadow_is_plausible() -> None:
    for unit, kind in ((1, "uint16"), (1, "int16"), (1e-4, "float32"), (1e-2, "float64")):
        found = look({b: (a * unit).astype(kind) for b, a in bands().items()})
        assert (found.share, found.wrong, tuple(found.doubts)) == (0, "", ())
        assert not found.impossible.any()


def with_hole(value: float, kind: str, rows: int) -> dict[str, Any]:
    images = {b: a.astype(kind) for b, a in bands().items()}
    for array in images.values():
        array[:rows] = value
    return images


@pytest.mark.parametrize(
    ("value", "kind"),
    [(-9999, "int16"), (65535, "uint16"), (-32768, "int16"), (-3.4e38, "float32"), (-1, "int16")],
)
def test_untagged_no_data(value: float, kind: str) -> None:
    """A few such pixels are invalid and counted; many refuse the date."""
    found = look(with_hole(value, kind, 5))
    assert found.impossible[:5].all()
    assert not found.impossible[5:].any()
    assert found.share == pytest.approx(0.05)
    assert not found.wrong
    assert found.doubts[0] == "500 pixels have impossible values and are invalid"
    found = look(with_hole(value, kind, 6))
    assert "6% of the pixels are " in found.wrong
    assert "nodata" in found.cure
    if value in plausibility.FILLED:
        assert f"nodata = {value:g}" in found.cure


@pytest.mark.parametrize("band", ["B4", "B8", "B2"])
@pytest.mark.parametrize("factor", [1e-4, 1e-2])
def test_units_of_two_bands(band: str, factor: float) -> None:
    images: dict[str, Any] = dict(bands())
    images[band] = (images[band] * factor).astype("float32")
    found = look(images)
    assert "the bands are not in one unit: " in found.wrong
    assert band in found.wrong
    assert "units" in found.cure


def test_a_scale_that_is_not_applied() -> None:
    """Numbers of Landsat Collection 2 as reflectance x 10,000."""
    images = {b: np.rint((a / 1e4 + 0.2) / 2.75e-5).astype("uint16") for b, a in bands().items()}
    assert "scale and offset" in look(images).doubts[0]


def test_ndvi_out_of_range() -> None:
    images = bands()
    index = np.rint(ndvi(images["B8"], images["B4"]) * 1e4)
    found = look(images, index)
    assert "cannot be: it is -1 to 1" in found.wrong
    assert "NDVI" in found.cure
    index = ndvi(images["B8"], images["B4"])
    index[:2] = -9999
    assert look(images, index).impossible.sum() == 200


def test_images_that_show_nothing() -> None:
    flat = {b: np.full((100, 100), 1000 * (i + 1), "uint16") for i, b in enumerate(bands())}
    assert "all chips are equal" in look(flat).doubts[0]
    images = bands()
    assert look({**images, "B8": images["B4"]}).doubts[0] == "B4 and B8 hold the same numbers"


def test_cloud_almost_everywhere() -> None:
    """By its blue; half a scene of cloud says nothing."""
    images = bands()
    white = {b: np.full((100, 100), 4500, "uint16") for b in images}
    white["B8"][::2] = 5000
    assert "as bright in blue as cloud, haze or snow" in look(white).doubts[0]
    for array, clear in zip(white.values(), images.values(), strict=True):
        array[:50] = clear[:50]
    assert not look(white).doubts
    desert = {"B2": 2000, "B3": 2800, "B4": 3600, "B8": 4200}
    noise = np.random.default_rng(1).integers(0, 100, (100, 100))
    sand = {b: (v + noise).astype("uint16") for b, v in desert.items()}
    sand["B8"] += noise.astype("uint16")
    assert not look(sand).doubts


def test_real_scenes(shared_data: Any) -> None:
    """The two of Slovenia that are cloud are told, and no other."""
    import rasterio

    told = {}
    for folder in sorted((shared_data / "sentinel2_slovenia").iterdir()):
        images = {}
        for band in ("B2", "B3", "B4", "B8"):
            with rasterio.open(folder / f"RAW/download.{band}.tif") as file:
                images[band] = file.read(1)
        found = look(images)
        assert not found.wrong
        told[folder.name] = len(found.doubts)
    assert {day for day, doubts in told.items() if doubts} == {"2015-07-31", "2015-08-20"}


@pytest.mark.parametrize(
    ("value", "days", "wrong"),
    [
        (0.086, 31, False), (0, 1, False), (1.8, 1, False), (9.3, 31, False), (26.4, 365, False),
        (86, 31, True), (27, 1, True), (-0.1, 31, True), (-1e-9, 31, False), (1e30, 366, True),
    ],
)  # fmt: skip
def test_rain(value: float, days: float, wrong: bool) -> None:
    found = plausibility.rain(np.full((2, 3), value), days)
    assert bool(found.wrong) is wrong
    assert bool(found.cure) is wrong


@pytest.mark.parametrize(
    ("value", "wrong"), [(300, False), (184, False), (330, False), (27, True), (80.6, True)]
)
def test_temperature(value: float, wrong: bool) -> None:
    assert bool(plausibility.temperature(np.full((2, 3), value)).wrong) is wrong


def test_single_pixels_of_weather() -> None:
    values = np.full((10, 10), 0.05)
    values[0, :2] = -9999
    values[1] = np.nan
    found = plausibility.rain(values, 31)
    assert found.impossible.sum() == 2
    assert found.share == pytest.approx(2 / 90)
    assert not found.wrong


@pytest.mark.parametrize(
    ("is_rain", "means", "days", "wrong"),
    [
        (True, [0.0, 0.08, 0.2], 31, False),
        (True, [0, 5, 8.0], 31, True),  # mm of a dry place
        (True, [0, 3, 12.0], 10, True),
        (True, [float("nan")], 31, False),
        (False, [290, 300], 31, False),
        (False, [17, 27], 31, True),
    ],
)
def test_units_of_a_series(is_rain: bool, means: list[float], days: float, wrong: bool) -> None:
    assert bool(plausibility.series(is_rain, means, days)) is wrong
