"""A real image of Sentinel-2, as each baseline and each satellite would store it.

The pixels come with spyndex (MIT); they contain modified Copernicus Sentinel data.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyveg.earth.source import Scene
from pyveg.earth.types import Place
from pyveg.sources.utm import utm_grid
from pyveg.testing.stac_world import BANDS, CLEAR, QA_CLEAR, StacWorld

Decode = Callable[[Scene], dict[str, np.ndarray]]
PLACE = Place(27.95, 11.57, 0.02)
EDGE = 30
"""Pixels of the image that lie outside of the place, on the west and north."""
OTHERS = {"datetime": "2021-12-05T08:30:00Z", "eo:cloud_cover": 0}


@pytest.fixture(scope="module")
def image() -> dict[str, np.ndarray]:
    """Numbers of a real scene, 300 x 300, 133 to 4932."""
    text = (files("spyndex") / "data" / "S2_10m.json").read_text()
    return dict(zip(BANDS, np.array(json.loads(text)), strict=True))


@pytest.fixture
def world(tmp_path: Path) -> StacWorld:
    return StacWorld(tmp_path / "world", PLACE)


def extent() -> tuple[float, ...]:
    a, b, c, d, e, f = utm_grid(PLACE, 10).transform
    return a, b, c - EDGE * a, d, e, f - EDGE * e


def inside(values: np.ndarray) -> np.ndarray:
    rows, columns = utm_grid(PLACE, 10).shape
    return values[EDGE : EDGE + rows, EDGE : EDGE + columns]


def ndvi(nir: np.ndarray, red: np.ndarray) -> np.ndarray:
    return (nir - red) / (nir + red)


def put(world: StacWorld, image: dict[str, np.ndarray], day: str, baseline: str) -> None:
    added = 1000 if baseline >= "04.00" else 0
    arrays = {band: (values + added).astype(np.uint16) for band, values in image.items()}
    arrays["scl"] = np.full((300, 300), CLEAR, np.uint8)
    about = {**OTHERS, "platform": "sentinel-2a", "s2:processing_baseline": baseline}
    world.put(day, arrays, extent(), {**about, "datetime": f"{day}T08:30:00Z"})


def test_every_pixel_is_the_same_before_and_after_the_new_baseline(
    world: StacWorld, image: dict[str, np.ndarray], asker: Any, decode: Decode
) -> None:
    put(world, image, "2021-12-05", "03.01")
    put(world, image, "2022-01-10", "03.01")
    put(world, image, "2022-01-30", "04.00")
    put(world, image, "2022-02-05", "05.10")
    with world.serve() as server:
        one = asker(server.url)
        found = [decode(one.month(m, place=PLACE)) for m in ("2021-12", "2022-01", "2022-02")]
        wrong = {"offset_rule": "fixed", "value_scale": 1e-4, "value_offset": 0.0}
        raw = decode(asker(server.url, **wrong).month("2022-02", place=PLACE))
    for month in found:
        for band, values in image.items():
            np.testing.assert_array_equal(np.rint(month[band] * 1e4), inside(values))
    true = ndvi(inside(image["nir"]), inside(image["red"]))
    np.testing.assert_allclose(ndvi(found[1]["nir"], found[1]["red"]), true, atol=1e-3)
    assert np.median(ndvi(raw["nir"], raw["red"])) < 0.7 * np.median(true)


def test_landsats_numbers_give_the_same_ndvi(
    world: StacWorld, image: dict[str, np.ndarray], asker: Any, decode: Decode
) -> None:
    """Scale and offset of Collection 2 both ways, for reflectance from 0.0133 on."""
    names = {"blue": "blue", "green": "green", "red": "red", "nir": "nir08"}
    arrays: dict[str, np.ndarray] = {
        names[band]: np.rint((values / 1e4 + 0.2) / 2.75e-5).astype(np.uint16)
        for band, values in image.items()
    }
    arrays["qa_pixel"] = np.full((300, 300), QA_CLEAR, np.uint16)
    about = {**OTHERS, "platform": "landsat-8", "landsat:collection_number": "02"}
    world.put("LC08", arrays, extent(), about)
    landsat = {"mask": "qa_pixel", "mask_band": "qa_pixel", "platforms": ("landsat-8",)}
    with world.serve() as server:
        scene = asker(server.url, **landsat).month("2021-12", place=PLACE, bands=names.values())
    found = decode(scene)
    true = ndvi(inside(image["nir"]), inside(image["red"]))
    difference = np.abs(ndvi(found["nir08"], found["red"]) - true)
    assert difference.max() < 2.5e-3  # half a unit of 1e-4 in red and in NIR, at NIR + red = 0.04
    bright = inside(image["nir"] + image["red"]) > 1000
    assert difference[bright].max() < 1e-3
