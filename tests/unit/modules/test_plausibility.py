"""Every Source's rasters are looked at before they are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyveg.core.errors import DataError
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.formats import Raster
from pyveg.modules.plausibility import DOUBTS, check_image, check_weather
from pyveg.testing.own_images import HERE, UTM33, bands

RGB = ("B4", "B3", "B2")
RECORD = {"files": {b: f"2015-08-30/{b}.tif" for b in bands()}}


def rasters(images: Any) -> dict[str, Raster]:
    return {name: Raster(array, UTM33, HERE) for name, array in images.items()}


def test_sound_rasters_come_back_as_they_are() -> None:
    given = rasters(bands())
    checked = check_image(given, RECORD, RGB, "B8")
    assert all(checked.rasters[name] is raster for name, raster in given.items())
    assert checked.notes == {}


def test_impossible_pixels_are_missing_in_all_bands() -> None:
    images: dict[str, Any] = {b: a.astype("int16") for b, a in bands().items()}
    images["B4"][:3] = -100
    images["NDVI"] = np.linspace(0, 0.9, 10000, dtype="float32").reshape(100, 100)
    checked = check_image(rasters(images), RECORD, RGB, "B8")
    for name, raster in checked.rasters.items():
        empty = np.isnan(raster.array) if name == "NDVI" else raster.array == 0
        assert empty[:3].all()
        assert not empty[3:].any()
        assert (raster.crs, raster.transform) == (UTM33, HERE)
    assert checked.notes["impossible_pixels"] == 300
    assert checked.notes[DOUBTS] == ["300 pixels have impossible values and are invalid"]


def test_a_refusal_names_files() -> None:
    images: dict[str, Any] = {**bands(), "B8": bands()["B8"] / 1e4}
    with pytest.raises(DataError, match=r"not in one unit: .*2015-08-30/B8\.tif") as caught:
        check_image(rasters(images), RECORD, RGB, "B8")
    assert caught.value.cure
    assert caught.value.wrong.count(".tif") == 2  # of the two bands that differ


def test_an_index_alone_is_let_pass() -> None:
    alone = rasters({"NDVI": np.zeros((100, 100), "float32")})
    assert check_image(alone, {}, (), "").rasters == alone
    assert check_image(alone, {}, RGB, "B8").rasters == alone


def test_an_index_alone_is_within_its_range() -> None:
    values = np.full((100, 100), 0.4, "float32")
    values[0] = -9999
    checked = check_image(rasters({"NDVI": values}), {}, (), "")
    assert np.isnan(checked.rasters["NDVI"].array[0]).all()
    assert checked.notes["impossible_pixels"] == 100
    with pytest.raises(DataError, match=r"NDVI of 4000 to 4000 cannot be") as caught:
        check_image(rasters({"NDVI": np.full((100, 100), 4000, "int16")}), {}, (), "")
    assert "scale" in caught.value.cure


def test_saturated_pixels() -> None:
    images = bands()
    images["B4"][:2] = 65535
    checked = check_image(rasters(images), RECORD, RGB, "B8")
    assert checked.impossible == 200


def test_weather() -> None:
    rain, heat = np.full((10, 10), 0.05, "float32"), np.full((10, 10), 300.0, "float32")
    rain[0, 0] = heat[0, :2] = -9999
    checked = check_weather(rasters({PRECIPITATION: rain, TEMPERATURE: heat}), {}, 31)
    assert np.isnan(checked.rasters[PRECIPITATION].array).sum() == 1
    assert np.isnan(checked.rasters[TEMPERATURE].array).sum() == 2
    assert checked.notes["impossible_pixels"] == 3
    for name, value in ((PRECIPITATION, 86.0), (TEMPERATURE, 27.0)):
        with pytest.raises(DataError, match=r"cannot be.*such as") as caught:
            check_weather(rasters({name: np.full((2, 2), value)}), RECORD, 31)
        assert "units" in caught.value.cure
