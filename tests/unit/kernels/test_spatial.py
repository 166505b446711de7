from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.ndimage import gaussian_filter, label

from pyveg.kernels import spatial, spectrum


def _noise(sigma: float = 0.0, shape: tuple[int, int] = (50, 50), seed: int = 0) -> Any:
    image = np.random.default_rng(seed).normal(size=shape)
    return gaussian_filter(image, sigma, mode="wrap") if sigma else image


def _stripes(waves: float, noise: float = 0.5) -> Any:
    rows = np.indices((50, 50))[0]
    return np.sin(2 * np.pi * waves * rows / 50) + noise * _noise()


@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_morans_i_is_that_of_esda(sigma: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        esda = pytest.importorskip("esda")
        weights = pytest.importorskip("libpysal").weights.lat2W(20, 30, rook=True)
        image = _noise(sigma, (20, 30))
        expected = esda.Moran(image.ravel(), weights, transformation="B", permutations=0).I
    assert spatial.morans_i(image) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
        elements=st.one_of(st.just(np.nan), st.integers(-9, 9).map(float)),
    )
)
def test_morans_i_by_its_formula(image: Any) -> None:
    cells = [(i, j) for i, j in np.ndindex(image.shape) if np.isfinite(image[i, j])]
    mean = np.mean([image[cell] for cell in cells]) if cells else math.nan
    top = pairs = 0.0
    for i, j in cells:
        for other in ((i + 1, j), (i, j + 1), (i - 1, j), (i, j - 1)):
            if other in cells:
                pairs += 1
                top += (image[i, j] - mean) * (image[other] - mean)
    below = sum((image[cell] - mean) ** 2 for cell in cells)
    found = spatial.morans_i(image)
    if not pairs or below == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(len(cells) / pairs * top / below, abs=1e-9)


def test_no_pattern_gives_its_expectation() -> None:
    found = [spatial.morans_i(_noise(shape=(10, 10), seed=seed)) for seed in range(2000)]
    assert np.mean(found) == pytest.approx(-1 / 99, abs=0.005)


def test_masked_pixels_are_not_zeros() -> None:
    image = _noise(2.0) + 10
    image[10:20, 10:20] = np.nan
    zeros = np.nan_to_num(image)
    assert spatial.morans_i(image) == pytest.approx(spatial.morans_i(_noise(2.0)), abs=0.05)
    variance, skewness = spatial.spatial_moments(image)
    known = image[np.isfinite(image)]
    assert variance == pytest.approx(known.var(ddof=1))
    assert skewness == pytest.approx(stats.skew(known, bias=False))
    assert spatial.spatial_moments(zeros)[0] > 3 * variance


def test_blocks() -> None:
    image = np.arange(56.0).reshape(7, 8)
    image[0, 0] = np.nan
    image[2:4, 2:4] = np.nan
    image[2, 2] = 5.0
    found = spatial.coarse(image, 2)
    assert found.shape == (3, 4)
    assert found[0, 0] == pytest.approx((1 + 8 + 9) / 3)
    assert math.isnan(found[1, 1])  # one of four is valid
    assert found[2, 3] == image[4:6, 6:8].mean()
    with pytest.raises(ValueError, match="at least 1 pixel"):
        spatial.coarse(image, 0)


@pytest.mark.parametrize(
    "image",
    [np.full((9, 9), 0.1), np.full((9, 9), np.nan), np.empty((0, 0)), np.ones((1, 1))],
    ids=["constant", "masked", "empty", "one"],
)
def test_images_that_say_nothing(image: Any) -> None:
    assert math.isnan(spatial.morans_i(image))
    assert math.isnan(spatial.spatial_moments(image)[1])
    assert spatial.permuted(image, np.random.default_rng(0)).shape == image.shape


def test_patches() -> None:
    mask = _noise(1.5) > 0
    labels, count = label(mask)
    expected = sorted(int(np.sum(labels == one)) for one in range(1, count + 1))
    assert spatial.patch_sizes(mask).tolist() == expected
    assert spatial.patch_sizes(mask).sum() == mask.sum()
    assert spatial.patch_sizes(np.zeros((4, 4))).tolist() == []


def test_patches_that_are_cut_have_no_known_size() -> None:
    mask = np.zeros((9, 9), np.bool_)
    mask[0, 0:2] = mask[3:5, 3:5] = mask[7, 5] = True
    valid = np.ones((9, 9), np.bool_)
    valid[7, 6] = False
    assert spatial.patch_sizes(mask, valid).tolist() == [1, 2, 4]
    assert spatial.patch_sizes(mask, valid, whole_only=True).tolist() == [4]


def test_nulls_keep_what_they_should() -> None:
    image = _noise(2.0) + 3
    image[0, :4] = np.nan
    rng = np.random.default_rng(1)
    shuffled, phases = spatial.permuted(image, rng), spatial.random_phases(image, rng)
    for made in (shuffled, phases):
        np.testing.assert_array_equal(np.isnan(made), np.isnan(image))
    np.testing.assert_array_equal(np.sort(shuffled.ravel()), np.sort(image.ravel()))
    assert abs(spatial.morans_i(shuffled)) < 0.1
    assert spatial.morans_i(phases) == pytest.approx(spatial.morans_i(image), abs=0.05)
    assert np.corrcoef(phases[1:].ravel(), image[1:].ravel())[0, 1] < 0.5


def test_the_spectrum_holds_all_the_variance() -> None:
    flat = np.mean(
        [spectrum.radial_spectrum(_noise(seed=seed)).power for seed in range(50)], axis=0
    )
    np.testing.assert_allclose(flat, 1.0, atol=0.1)
    found = spectrum.radial_spectrum(_stripes(6, noise=0))
    assert found.wavenumber[np.argmax(found.power)] == 6
    ring = np.rint(np.hypot(*np.meshgrid(*[np.fft.fftfreq(50, 1 / 50)] * 2)))
    assert found.power[5] * np.sum(ring == 6) == pytest.approx(2500, rel=1e-9)


@pytest.mark.parametrize("waves", [4, 6, 10])
def test_a_regular_pattern_has_its_wavelength(waves: int) -> None:
    found = spectrum.radial_spectrum(_stripes(waves))
    assert spectrum.is_periodic(found)
    assert spectrum.wavelength(found, 500.0) == pytest.approx(500 / waves)


@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.0, 4.0, 8.0])
def test_featureless_noise_has_none(sigma: float) -> None:
    found = [
        spectrum.is_periodic(spectrum.radial_spectrum(_noise(sigma, seed=seed)))
        for seed in range(100)
    ]
    assert np.mean(found) <= 0.1  # of single chips; a site is judged by the mean of many


def test_the_density_ratio_rises_as_an_image_reddens() -> None:
    ratios = [
        spectrum.density_ratio(spectrum.radial_spectrum(_noise(sigma))) for sigma in (0, 0.5, 1)
    ]
    assert ratios[0] == pytest.approx(1.0, abs=0.3)
    assert ratios[0] < ratios[1] < ratios[2]


def test_images_without_a_spectrum() -> None:
    constant = spectrum.radial_spectrum(np.full((50, 50), 0.1))
    assert np.isnan(constant.power).all()
    assert math.isnan(spectrum.density_ratio(constant))
    assert not spectrum.is_periodic(constant)
    with pytest.raises(ValueError, match=r"square image .* not shape \(50, 40\)"):
        spectrum.radial_spectrum(np.zeros((50, 40)))
    image = _noise()
    image[:10] = np.nan
    with pytest.raises(ValueError, match="20 % of the image is masked"):
        spectrum.radial_spectrum(image)
