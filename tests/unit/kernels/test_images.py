from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyveg import formats
from pyveg.kernels import images

OLD_DATES = ["2015-07-11", "2015-07-31", "2015-08-20"]

sides = st.tuples(st.integers(1, 30), st.integers(1, 30))
greys = hnp.arrays(np.uint8, sides, elements=st.integers(0, 255), fill=st.integers(0, 255))
binaries = hnp.arrays(np.uint8, sides, elements=st.sampled_from([0, 255]))
DEGENERATE = [
    np.full(shape, value, np.uint8)
    for shape in [(1, 1), (1, 2), (2, 1), (7, 9), (1, 40), (22, 33), (60, 20)]
    for value in (0, 1, 127, 254, 255)
]


def degenerate(test: Any) -> Any:
    return pytest.mark.parametrize("grey", DEGENERATE, ids=lambda g: f"{g.shape}-{g[0, 0]}")(test)


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Grey levels as NDVI has them: most near one level."""
    levels = np.random.default_rng(seed).normal(140, 12, shape)
    return np.clip(levels, 0, 255).astype(np.uint8)


# What each function should do, pixel by pixel and without haste.


def reflect(index: int, length: int) -> int:
    if length == 1:
        return 0
    while not 0 <= index < length:
        index = -index if index < 0 else 2 * (length - 1) - index
    return index


def slow_table(levels: list[int], clip_limit: float) -> list[int]:
    area = len(levels)
    counts = [levels.count(level) for level in range(256)]
    limit = max(1, int(clip_limit * area / 256))
    excess = sum(max(count - limit, 0) for count in counts)
    counts = [min(count, limit) + excess // 256 for count in counts]
    rest = excess % 256
    level = 0
    while rest:
        counts[level] += 1
        level += max(1, 256 // (excess % 256))
        rest -= 1
    scale = np.float32(255) / np.float32(area)
    return [int(np.rint(np.float32(sum(counts[: i + 1])) * scale)) for i in range(256)]


def slow_clahe(grey: np.ndarray, clip_limit: float = 2.0, tiles: int = 11) -> np.ndarray:
    one, half, last = np.float32(1), np.float32(0.5), tiles - 1
    height, width = grey.shape
    extend = height % tiles or width % tiles
    tall = (height + tiles - height % tiles if extend else height) // tiles
    wide = (width + tiles - width % tiles if extend else width) // tiles
    tables = {}
    for row in range(tiles):
        for column in range(tiles):
            levels = [
                int(grey[reflect(y, height), reflect(x, width)])
                for y in range(row * tall, (row + 1) * tall)
                for x in range(column * wide, (column + 1) * wide)
            ]
            tables[row, column] = slow_table(levels, clip_limit)
    result = np.empty_like(grey)
    for (y, x), level in np.ndenumerate(grey):
        v = np.float32(y) * (one / np.float32(tall)) - half
        u = np.float32(x) * (one / np.float32(wide)) - half
        above, left = int(np.floor(v)), int(np.floor(u))
        dy, dx = v - np.float32(above), u - np.float32(left)
        (r0, r1), (c0, c1) = ((max(first, 0), min(first + 1, last)) for first in (above, left))
        top, bottom = (
            np.float32(tables[r, c0][level]) * (one - dx) + np.float32(tables[r, c1][level]) * dx
            for r in (r0, r1)
        )
        result[y, x] = int(np.rint(top * (one - dy) + bottom * dy))
    return result


def around(image: np.ndarray, y: int, x: int, reach: int) -> list[int]:
    """Neighbours, with the pixels of the edge repeated."""
    height, width = image.shape
    return [
        int(image[min(max(j, 0), height - 1), min(max(i, 0), width - 1)])
        for j in range(y - reach, y + reach + 1)
        for i in range(x - reach, x + reach + 1)
    ]


def slow_threshold(grey: np.ndarray, window: int, offset: int) -> np.ndarray:
    result = np.zeros_like(grey)
    for (y, x), level in np.ndenumerate(grey):
        mean = round(Fraction(sum(around(grey, y, x, window // 2)), window * window))
        result[y, x] = 255 if int(level) <= mean + offset else 0
    return result


def slow_median(binary: np.ndarray) -> np.ndarray:
    result = np.zeros_like(binary)
    for y, x in np.ndindex(binary.shape):
        result[y, x] = sorted(around(binary, y, x, 1))[4]
    return result


# The older program


@pytest.mark.parametrize("date", OLD_DATES)
def test_ndvi_pictures_equal_the_older_programs(shared_data: Path, date: str) -> None:
    raw = shared_data / "sentinel2_slovenia" / date / "RAW" / "download.NDVI.tif"
    old = shared_data / "old_pyveg_slovenia" / date
    grey = images.ndvi_grey(formats.decode_geotiff(raw.read_bytes()).array)
    old_grey = formats.decode_png((old / "NDVI.png").read_bytes())
    for channel in range(3):
        np.testing.assert_array_equal(grey, old_grey[..., channel])
    old_bw = formats.decode_png((old / "BWNDVI.png").read_bytes())
    np.testing.assert_array_equal(images.bwndvi(grey), old_bw)


# RGB


def test_rgb_is_scaled_by_the_maximum_of_all_bands() -> None:
    rng = np.random.default_rng(1)
    bands = [rng.integers(0, top, (7, 9)).astype(np.uint16) for top in (1000, 5000, 65536)]
    top = max(int(band.max()) for band in bands)
    picture = images.rgb_stretch(*bands)
    assert picture.dtype == np.uint8
    assert picture.shape == (7, 9, 3)
    for (y, x, channel), value in np.ndenumerate(picture):
        assert value == int(255 * float(bands[channel][y, x]) / (top + 1))


def test_rgb_takes_what_is_negative_or_not_finite_as_black() -> None:
    red = np.array([[np.nan, -5.0, np.inf, 9.0]])
    picture = images.rgb_stretch(red, np.zeros((1, 4)), np.zeros((1, 4)))
    assert picture[0, :, 0].tolist() == [0, 0, 0, int(255 * 9 / 10)]


@pytest.mark.parametrize("value", [np.nan, -3.0, -1.0, -0.5, 0.0])
def test_rgb_of_nothing_is_black(value: float) -> None:
    assert not images.rgb_stretch(*[np.full((2, 3), value)] * 3).any()


def test_fixed_rgb_does_not_depend_on_the_image() -> None:
    red = np.array([[0, 100, 600, 1099, 1100, 9000]], np.uint16)
    for other in (np.zeros_like(red), np.full_like(red, 60000)):
        picture = images.rgb_stretch(red, other, other, limits=(100, 1100))
        assert picture[0, :, 0].tolist() == [0, 0, 127, 254, 255, 255]


def test_fixed_rgb_takes_what_is_not_finite_as_black() -> None:
    band = np.array([[np.nan, -np.inf, 2.0]], np.float32)
    picture = images.rgb_stretch(band, band, band, limits=(-1, 2))
    assert picture[0, :, 1].tolist() == [0, 0, 255]


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (0, np.nan), (-np.inf, 1)])
def test_fixed_rgb_needs_ascending_limits(limits: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        images.rgb_stretch(*[np.zeros((2, 2))] * 3, limits=limits)


def test_rgb_needs_bands_of_one_shape() -> None:
    with pytest.raises(ValueError, match="same two-dimensional shape"):
        images.rgb_stretch(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="same two-dimensional shape"):
        images.rgb_stretch(*[np.zeros(4)] * 3)


@given(hnp.arrays(np.uint16, (3, 4, 5)))
def test_rgb_never_wraps(bands: np.ndarray) -> None:
    np.testing.assert_array_equal(
        images.rgb_stretch(*bands), images.rgb_stretch(*bands.astype(np.float64))
    )


# NDVI grey


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_grey_levels_of_ndvi(dtype: type) -> None:
    values = {-1: 0, -0.999: 0, 0: 127, 0.9999: 254, 1: 255, 1.5: 255, -7: 0, 1e30: 255}
    unknown = {np.nan: 127, np.inf: 127, -np.inf: 127}
    ndvi = np.array([[*values, *unknown]], dtype)
    assert images.ndvi_grey(ndvi)[0].tolist() == [*values.values(), *unknown.values()]


def test_grey_levels_of_whole_numbers() -> None:
    assert images.ndvi_grey(np.array([[-3, -1, 0, 1, 2]])).tolist() == [[0, 0, 127, 255, 255]]


@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_grey_levels_rise_with_ndvi(ndvi: np.ndarray) -> None:
    grey = images.ndvi_grey(ndvi)
    assert grey.dtype == np.uint8
    known = np.isfinite(ndvi)
    order = np.argsort(ndvi[known])
    assert (np.diff(grey[known][order].astype(int)) >= 0).all()
    assert (grey[~known] == 127).all()


# CLAHE


@settings(max_examples=25, deadline=None)
@given(greys)
def test_equalised_as_the_loops_do(grey: np.ndarray) -> None:
    np.testing.assert_array_equal(images.equalise_contrast(grey), slow_clahe(grey))


@settings(max_examples=25, deadline=None)
@given(greys, st.floats(0.01, 300), st.integers(1, 13))
def test_equalised_as_the_loops_do_with_settings(
    grey: np.ndarray, clip_limit: float, tiles: int
) -> None:
    ours = images.equalise_contrast(grey, clip_limit=clip_limit, tiles=tiles)
    np.testing.assert_array_equal(ours, slow_clahe(grey, clip_limit, tiles))


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 50), (3, 2), (11, 11), (22, 33), (22, 34), (40, 33), (130, 141)]
)
def test_equalised_as_the_loops_do_on_real_looking_images(shape: tuple[int, int]) -> None:
    grey = noise(shape)
    np.testing.assert_array_equal(images.equalise_contrast(grey), slow_clahe(grey))


@degenerate
def test_equalising_a_flat_image(grey: np.ndarray) -> None:
    np.testing.assert_array_equal(images.equalise_contrast(grey), slow_clahe(grey))


@pytest.mark.parametrize("length", range(1, 11))
def test_small_images_are_reflected_to_and_fro(length: int) -> None:
    indices = images._reflected(length, 30)
    assert indices.tolist() == [reflect(i, length) for i in range(30)]


@pytest.mark.parametrize(("clip_limit", "tiles"), [(0, 11), (-1, 11), (np.nan, 11), (2, 0)])
def test_equalising_needs_sensible_settings(clip_limit: float, tiles: int) -> None:
    with pytest.raises(ValueError, match="tiles must be"):
        images.equalise_contrast(noise((5, 5)), clip_limit=clip_limit, tiles=tiles)


# Threshold


@settings(max_examples=40, deadline=None)
@given(greys, st.sampled_from([1, 3, 7, 11]), st.integers(-20, 20))
def test_threshold_as_the_loops_do(grey: np.ndarray, window: int, offset: int) -> None:
    ours = images.local_threshold(grey, window=window, offset=offset)
    np.testing.assert_array_equal(ours, slow_threshold(grey, window, offset))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 9), (26, 12), (12, 26), (53, 10)])
def test_threshold_as_the_loops_do_by_default(shape: tuple[int, int]) -> None:
    grey = noise(shape)
    np.testing.assert_array_equal(images.local_threshold(grey), slow_threshold(grey, 51, 5))


@pytest.mark.parametrize(("level", "white"), [(100, 255), (105, 255), (106, 0)])
def test_threshold_includes_the_mean_plus_offset(level: int, white: int) -> None:
    grey = np.full((101, 101), 100, np.uint8)
    grey[50, 50] = level
    assert images.local_threshold(grey)[50, 50] == white


@pytest.mark.parametrize("ones", range(4, 6))
def test_the_mean_is_rounded_to_the_nearest(ones: int) -> None:
    grey = np.zeros((3, 3), np.uint8)
    grey.flat[:ones] = 1
    grey[1, 1] = 1
    mean = round(np.count_nonzero(grey) / 9)
    assert images.local_threshold(grey, window=3, offset=0)[1, 1] == (255 if mean >= 1 else 0)


def test_threshold_of_a_large_bright_image_does_not_overflow() -> None:
    grey = np.full((3000, 3000), 255, np.uint8)
    assert (images.local_threshold(grey, window=1001, offset=-1) == 0).all()
    assert (images.local_threshold(grey, window=1001, offset=0) == 255).all()


@degenerate
def test_all_of_a_flat_image_is_at_the_mean(grey: np.ndarray) -> None:
    assert (images.local_threshold(grey) == 255).all()
    assert (images.local_threshold(grey, offset=-1) == 0).all()


@pytest.mark.parametrize("window", [-1, 0, 2, 50, 1003])
def test_threshold_needs_an_odd_window(window: int) -> None:
    with pytest.raises(ValueError, match="window must be odd"):
        images.local_threshold(noise((5, 5)), window=window)


@pytest.mark.parametrize("offset", [-256, 256, 10**10])
def test_threshold_needs_an_offset_in_grey_levels(offset: int) -> None:
    with pytest.raises(ValueError, match="offset must be"):
        images.local_threshold(noise((5, 5)), offset=offset)


# Median


@given(binaries)
def test_median_is_the_middle_of_nine(binary: np.ndarray) -> None:
    np.testing.assert_array_equal(images.median3(binary), slow_median(binary))


@given(binaries)
def test_median_treats_black_and_white_alike(binary: np.ndarray) -> None:
    np.testing.assert_array_equal(images.median3(~binary), ~images.median3(binary))


@pytest.mark.parametrize("value", [1, 127, 254])
def test_median_refuses_grey(value: int) -> None:
    with pytest.raises(ValueError, match="other than 0 and 255"):
        images.median3(np.array([[0, 255, value]], np.uint8))


# All three


@settings(max_examples=15, deadline=None)
@given(greys)
def test_bwndvi_is_equalised_compared_and_smoothed(grey: np.ndarray) -> None:
    ours = images.bwndvi(grey)
    np.testing.assert_array_equal(
        ours, slow_median(images.local_threshold(slow_clahe(grey), window=51, offset=5))
    )
    assert ours.dtype == np.uint8
    assert ours.shape == grey.shape


@degenerate
def test_a_flat_image_is_all_bare_soil(grey: np.ndarray) -> None:
    assert (images.bwndvi(grey) == 255).all()


def test_bwndvi_shows_plants_black_and_leaves_its_input() -> None:
    grey = np.full((120, 120), 120, np.uint8)
    grey[40:60, 40:60] = 200
    before = grey.copy()
    picture = images.bwndvi(grey)
    assert (picture[42:58, 42:58] == 0).all()
    assert (picture[90:, 90:] == 255).all()
    np.testing.assert_array_equal(grey, before)


@pytest.mark.parametrize(
    "image",
    [np.zeros((0, 5), np.uint8), np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5)), np.zeros(5)],
)
def test_only_grey_pictures_are_taken(image: np.ndarray) -> None:
    for function in (images.equalise_contrast, images.local_threshold, images.median3):
        with pytest.raises(ValueError, match="a grey picture is needed"):
            function(image)


def test_pictures_that_are_not_contiguous() -> None:
    grey = noise((80, 90))
    part = grey[::2, 5:60].T
    np.testing.assert_array_equal(images.bwndvi(part), images.bwndvi(part.copy()))


# Valid pixels


def test_valid_pixels_are_known_in_all_bands_and_seen_in_one() -> None:
    red = np.array([[0.0, 1.0, np.nan, 0.0, 4.0]])
    nir = np.array([[0.0, 0.0, 3.0, 2.0, np.inf]])
    assert images.valid_pixels([red, nir]).tolist() == [[False, True, False, True, False]]
    ndvi = np.array([[0.0, np.nan, 0.5, 0.5, 0.5]])
    assert images.valid_pixels([red, nir], ndvi).tolist() == [[False, False, False, True, False]]


def test_valid_pixels_of_whole_numbers() -> None:
    band = np.array([[0, 1], [2, 0]], np.uint16)
    valid = images.valid_pixels([band, np.zeros_like(band)])
    assert valid.dtype == np.bool_
    assert valid.tolist() == [[False, True], [True, False]]


def test_valid_pixels_need_bands_of_one_shape() -> None:
    with pytest.raises(ValueError, match="no band"):
        images.valid_pixels([])
    with pytest.raises(ValueError, match="same two-dimensional shape"):
        images.valid_pixels([np.zeros((2, 2))], np.zeros((2, 1)))


# Chips


@given(st.integers(0, 23), st.integers(0, 23), st.integers(1, 6), st.sampled_from([(), (3,)]))
def test_chips_are_cut_column_by_column(
    height: int, width: int, size: int, channels: tuple[int, ...]
) -> None:
    shape = (height, width, *channels)
    image = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    expected = [
        image[y : y + size, x : x + size]
        for x in range(0, width - size + 1, size)
        for y in range(0, height - size + 1, size)
    ]
    chips = images.cut_chips(image, size)
    rows, columns = images.chip_grid(image.shape, size)
    assert chips.shape == (rows * columns, size, size, *channels)
    assert len(chips) == len(expected)
    for ours, theirs in zip(chips, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_chips_of_an_image_that_is_too_small() -> None:
    assert images.chip_grid((49, 300)) == (0, 6)
    assert images.cut_chips(np.zeros((49, 300, 3), np.uint8)).shape == (0, 50, 50, 3)
    assert images.chip_centres_in_region(1, 2, 0.1, 0, 6).shape == (0, 2)
    assert images.chip_centre_pixels(6, 0).shape == (0, 2)


def test_chips_need_a_size() -> None:
    with pytest.raises(ValueError, match="1 pixel or more"):
        images.cut_chips(np.zeros((5, 5)), 0)


def test_centres_of_the_older_programs_chips() -> None:
    rows, columns = images.chip_grid((1114, 1114))
    centres = images.chip_centres_in_region(11.58, 27.95, 0.1, rows, columns)
    assert len(centres) == 484
    assert [f"{value:.3f}" for value in centres[0]] == ["11.532", "27.998"]
    smaller = images.chip_centres_in_region(11.58, 27.95, 0.08, rows, columns)
    assert [f"{value:.3f}" for value in smaller[0]] == ["11.542", "27.988"]


def test_centres_are_in_the_order_of_the_chips() -> None:
    centres = images.chip_centres_in_region(10, 20, 0.6, rows=2, columns=3)
    expected = [(lon, lat) for lon in (9.8, 10, 10.2) for lat in (20.15, 19.85)]
    np.testing.assert_allclose(centres, expected, rtol=1e-14)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6))
def test_centre_pixels_are_in_the_middle_of_the_chips(rows: int, columns: int, size: int) -> None:
    centres = images.chip_centre_pixels(rows, columns, size)
    row, column = np.mgrid[: rows * size, : columns * size] + 0.5
    for centre, x, y in zip(
        centres, images.cut_chips(column, size), images.cut_chips(row, size), strict=True
    ):
        assert centre == pytest.approx([x.mean(), y.mean()])
