"""Colours of a region, against NumPy on its pixels one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyveg.kernels.greenness import QUANTILES, colours, greenness

IMAGES = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


@given(image=IMAGES, seed=st.integers(0, 9))
def test_as_the_pixels_say(image: np.ndarray, seed: int) -> None:
    region = np.random.default_rng(seed).random(image.shape[:2]) < 0.5
    region.flat[0] = True
    pixels = image[region].astype(float)

    found = greenness(image, region)
    np.testing.assert_allclose(found[:3], pixels.mean(axis=0), rtol=1e-12)
    assert found.pixels == len(pixels)
    if pixels.any():
        assert found.gcc == pytest.approx(pixels[:, 1].sum() / pixels.sum())
        assert found.rcc == pytest.approx(pixels[:, 0].sum() / pixels.sum())
    else:
        assert np.isnan(found.gcc)

    three, _ = colours(image, region)
    np.testing.assert_allclose([one.sd for one in three], pixels.std(axis=0), atol=1e-9)
    np.testing.assert_allclose(
        [one.quantiles for one in three], np.percentile(pixels, QUANTILES, axis=0).T, rtol=1e-12
    )


def test_how_colours_go_together() -> None:
    image = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    image[..., 2] = 255 - image[..., 0]
    region = np.ones((20, 30), dtype=bool)
    _, (red_green, green_blue, blue_red) = colours(image, region)
    expected = np.corrcoef(image.reshape(-1, 3).T)
    np.testing.assert_allclose(
        [red_green, green_blue, blue_red], [expected[0, 1], expected[1, 2], -1.0], atol=1e-12
    )
    image[..., 1] = 7
    assert np.isnan(colours(image, region)[1][0])


@pytest.mark.parametrize(
    ("image", "region", "wrong"),
    [
        (np.zeros((2, 3, 3), np.uint8), np.ones((3, 2), bool), "2 x 3 pixels, and the image 3 x 2"),
        (np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), bool), "no pixel"),
        (np.zeros((2, 3), np.uint8), np.ones((2, 3), bool), "three colours"),
        (np.zeros((2, 3, 3)), np.ones((2, 3), bool), "8 bits"),
    ],
)
def test_what_cannot_be_measured(image: np.ndarray, region: np.ndarray, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        greenness(image, region)
