from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyveg import formats
from pyveg.kernels import images
from pyveg.kernels.ndvi import chip_statistics, ndvi

NAMES = ["ndvi", "ndvi_veg", "ndvi_mean", "ndvi_std", "ndvi_veg_mean", "cover", "valid_fraction"]

chips = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, shape, elements=st.floats(-1, 1, width=32) | st.just(np.nan)),
        hnp.arrays(np.uint8, shape),
        hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 255])),
        hnp.arrays(np.bool_, shape),
    )
)


def slow_statistics(
    index: np.ndarray, grey: np.ndarray, bw: np.ndarray, valid: np.ndarray
) -> dict[str, float]:
    """Of one chip, pixel by pixel."""
    everything = [
        (float(i), int(g), b == 0, bool(v) and math.isfinite(i))
        for i, g, b, v in zip(index.flat, grey.flat, bw.flat, valid.flat, strict=True)
    ]

    def mean(values: list[Any]) -> float:
        return math.fsum(values) / len(values) if values else math.nan

    seen = [i for i, _, _, v in everything if v]
    centre = mean(seen)
    return {
        "ndvi": round(mean([g for _, g, _, _ in everything]), 4),
        "ndvi_veg": mean([g for _, g, vegetation, _ in everything if vegetation]),
        "ndvi_mean": centre,
        "ndvi_std": math.sqrt(mean([(i - centre) ** 2 for i in seen])) if seen else math.nan,
        "ndvi_veg_mean": mean([i for i, _, vegetation, v in everything if v and vegetation]),
        "cover": mean([vegetation for _, _, vegetation, v in everything if v]),
        "valid_fraction": mean([v for _, _, _, v in everything]),
    }


# NDVI


def test_ndvi_of_known_values() -> None:
    nir = np.array([[3000, 1000, 0, 0, 65535]], np.uint16)
    red = np.array([[1000, 3000, 7, 0, 65535]], np.uint16)
    found = ndvi(nir, red)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array([[0.5, -0.5, -1, np.nan, 0]], np.float32))


@given(hnp.arrays(np.uint16, (2, 3, 4)))
def test_whole_numbers_never_wrap(bands: np.ndarray) -> None:
    np.testing.assert_array_equal(ndvi(*bands), ndvi(*bands.astype(np.float64)))


def test_ndvi_is_unknown_where_a_band_is() -> None:
    nir = np.array([[np.nan, 1, np.inf, 1, -np.inf, np.inf]])
    red = np.array([[1, np.nan, 1, np.inf, np.inf, np.inf]])
    assert np.isnan(ndvi(nir, red)).all()


@given(hnp.arrays(np.float64, (2, 3, 3), elements=st.floats()))
def test_ndvi_is_a_number_or_unknown_for_any_input(bands: np.ndarray) -> None:
    found = ndvi(*bands)
    assert not np.isinf(found).any()
    usable = (bands >= 0).all(axis=0) & (bands < 1e300).all(axis=0) & (bands > 0).any(axis=0)
    assert (np.abs(found[usable]) <= 1).all()


@given(hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(0, 1, width=16)))
def test_ndvi_changes_sign_with_the_bands(bands: np.ndarray) -> None:
    np.testing.assert_array_equal(ndvi(*bands), -ndvi(*bands[::-1]))


def test_ndvi_needs_bands_of_one_shape() -> None:
    with pytest.raises(ValueError, match="same shape"):
        ndvi(np.zeros((2, 2)), np.zeros((1, 2)))


def test_ndvi_of_the_scene(shared_data: Path) -> None:
    raw = shared_data / "sentinel2_slovenia" / "2015-08-20" / "RAW"
    nir, red, stored = (
        formats.decode_geotiff((raw / f"download.{band}.tif").read_bytes()).array
        for band in ("B8", "B4", "NDVI")
    )
    np.testing.assert_allclose(ndvi(nir, red), stored, atol=1.2e-3)


# Chips


@given(chips)
def test_statistics_as_the_loops_do(
    stack: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    found = chip_statistics(*stack)
    assert list(found) == NAMES
    for number, chip in enumerate(zip(*stack, strict=True)):
        for name, value in slow_statistics(*chip).items():
            assert found[name].dtype == np.float64
            assert found[name][number] == pytest.approx(value, abs=1e-9, nan_ok=True), name


def test_a_chip_without_vegetation_or_valid_pixels() -> None:
    shape = (1, 5, 5)
    grey, white = np.full(shape, 120, np.uint8), np.full(shape, 255, np.uint8)
    found = chip_statistics(np.zeros(shape), grey, white, np.zeros(shape, np.bool_))
    values = {name: float(value[0]) for name, value in found.items()}
    assert values.pop("ndvi") == 120
    assert values.pop("valid_fraction") == 0
    assert all(map(math.isnan, values.values()))


def test_no_chips() -> None:
    nothing = np.zeros((0, 50, 50))
    found = chip_statistics(
        nothing, nothing.astype(np.uint8), nothing.astype(np.uint8), nothing.astype(np.bool_)
    )
    assert {name: value.shape for name, value in found.items()} == dict.fromkeys(NAMES, (0,))


def test_chips_must_be_stacks_of_one_shape() -> None:
    chip, other = np.zeros((2, 5, 5), np.uint8), np.zeros((2, 5, 4), np.uint8)
    with pytest.raises(ValueError, match="stacks of chips"):
        chip_statistics(chip, chip, other, chip == 0)
    with pytest.raises(ValueError, match="stacks of chips"):
        chip_statistics(chip[0], chip[0], chip[0], chip[0] == 0)


@pytest.mark.parametrize("date", ["2015-07-11", "2015-07-31", "2015-08-20"])
def test_chips_equal_the_older_programs(shared_data: Path, date: str) -> None:
    raw = shared_data / "sentinel2_slovenia" / date / "RAW" / "download.NDVI.tif"
    index = formats.decode_geotiff(raw.read_bytes()).array
    grey = images.ndvi_grey(index)
    pictures = (index, grey, images.bwndvi(grey), np.isfinite(index))
    found = chip_statistics(*map(images.cut_chips, pictures))
    grid = images.chip_grid(index.shape)
    centres = images.chip_centres_in_region(14.5578, 45.8705, 0.01, *grid)
    ours = {
        (f"{lon:.3f}", f"{lat:.3f}"): (float(found["ndvi"][i]), float(found["ndvi_veg"][i]))
        for i, (lon, lat) in enumerate(centres)
    }
    old = shared_data / "old_pyveg_slovenia" / date / "ndvi_values.json"
    theirs = {
        (f"{record['longitude']:.3f}", f"{record['latitude']:.3f}"): (
            record["ndvi"],
            record["ndvi_veg"],
        )
        for record in json.loads(old.read_text())
    }
    assert ours == theirs
