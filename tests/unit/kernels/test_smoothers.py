from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pyveg.kernels import smoothers
from pyveg.kernels.linear import apply_operator, hat_rows, product

N = 120
T = np.arange(N)


def _gaps(share: float, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random(N) >= share


def _walk(seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=N).cumsum()


def test_products_are_products() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(4, 7)), rng.normal(size=(7, 3))
    np.testing.assert_allclose(product(left, right), left @ right, atol=1e-13)
    valid = rng.random(7) > 0.3
    turned = rng.normal(size=(7, 7)) * valid[:, None]
    series = rng.normal(size=(5, 7))
    expected = np.where(valid, np.where(valid, series, 0) @ turned, np.nan)
    series[:, ~valid] = np.nan
    np.testing.assert_allclose(apply_operator(turned, series, valid), expected, atol=1e-13)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_hat_rows_are_least_squares(share: float) -> None:
    valid, x = _gaps(share), _walk()
    design = np.column_stack([np.ones(N), T / N, np.sin(T)])
    expected = np.linalg.lstsq(design[valid], x[valid], rcond=None)[0]
    rows = hat_rows(design, valid)
    np.testing.assert_allclose(rows @ x, expected, rtol=1e-9)
    assert (rows[:, ~valid] == 0).all()


def test_hat_rows_of_what_is_not_determined() -> None:
    design = np.column_stack([np.ones(N), np.ones(N)])
    assert np.isnan(hat_rows(design, _gaps(0.0))).all()
    assert np.isnan(hat_rows(design[:, :1], np.zeros(N, np.bool_))).all()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("period", [12, 12.175, 24.35])
def test_a_season_of_waves_is_found_exactly(share: float, period: float) -> None:
    valid = _gaps(share)
    season = 2 * np.sin(2 * np.pi * T / period) - np.cos(4 * np.pi * T / period)
    series = season + 5 + 0.1 * T - 0.001 * T**2
    found = smoothers.harmonic_matrix(valid, period) @ np.where(valid, series, 0)
    np.testing.assert_allclose(found, season, atol=1e-9)


def test_too_few_values_for_a_season() -> None:
    valid = np.zeros(N, np.bool_)
    valid[:9] = True
    with pytest.raises(ValueError, match="9 values do not determine a season of 3 waves"):
        smoothers.harmonic_matrix(valid, 12)
    with pytest.raises(ValueError, match="do not determine"):
        smoothers.harmonic_matrix(T % 12 == 3, 12)  # always the same month
    with pytest.raises(ValueError, match="too short for a wave"):
        smoothers.harmonic_matrix(_gaps(0.0), 2)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("span", [0.1, 0.5, 1.0])
def test_loess_is_that_of_statsmodels(share: float, span: float) -> None:
    lowess = pytest.importorskip("statsmodels.nonparametric.smoothers_lowess").lowess
    valid, x = _gaps(share), _walk()
    found = smoothers.loess_matrix(valid, span) @ np.where(valid, x, 0)
    expected = lowess(x[valid], T[valid], frac=span, it=0, delta=0, return_sorted=False)
    np.testing.assert_allclose(found[valid], expected, rtol=1e-8, atol=1e-9)
    assert (found[~valid] == 0).all()


@pytest.mark.parametrize("sigma", [1.0, 6.0, 70.0])
def test_gaussian_is_that_of_scipy(sigma: float) -> None:
    x = _walk()
    found = smoothers.gaussian_matrix(_gaps(0.0), sigma) @ x
    np.testing.assert_allclose(found, gaussian_filter1d(x, sigma), rtol=1e-9, atol=1e-9)


def test_gaps_have_no_weight() -> None:
    valid, x = _gaps(0.3), _walk()
    for matrix in (
        smoothers.gaussian_matrix(valid, 6.0),
        smoothers.loess_matrix(valid, 0.4),
        smoothers.quadratic_matrix(valid),
        smoothers.harmonic_matrix(valid, 12),
    ):
        spoilt = np.where(valid, x, 1e9)
        np.testing.assert_allclose(matrix @ spoilt, matrix @ np.where(valid, x, 0), atol=1e-6)
    np.testing.assert_allclose(
        (smoothers.gaussian_matrix(valid, 6.0) @ np.ones(N))[valid], 1.0, atol=1e-12
    )


def test_trends_of_a_line_are_the_line() -> None:
    valid = _gaps(0.2)
    for matrix in (smoothers.loess_matrix(valid, 0.5), smoothers.quadratic_matrix(valid)):
        np.testing.assert_allclose((matrix @ (3 + 0.2 * T))[valid], (3 + 0.2 * T)[valid])


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_stl_as_one_matrix_is_that_of_statsmodels(share: float) -> None:
    stl = pytest.importorskip("statsmodels.tsa.seasonal").STL
    valid, x = _gaps(share), _walk() + 3 * np.sin(2 * np.pi * T / 12)
    season, trend = smoothers.stl_matrices(valid, 12)
    known = np.where(valid, x, 0)
    filled = smoothers.stl_fill(valid, 12) @ known
    expected = stl(filled, period=12, seasonal=13, trend=61).fit()
    np.testing.assert_allclose(season @ known, expected.seasonal, atol=1e-8)
    np.testing.assert_allclose(trend @ known, expected.trend, atol=1e-8)


def test_the_fill_of_stl() -> None:
    valid, x = _gaps(0.2), np.tile(np.arange(12.0), 10)
    fill = smoothers.stl_fill(valid, 12)
    np.testing.assert_allclose(fill @ np.where(valid, x, 0), x, atol=1e-9)  # a pure season
    np.testing.assert_array_equal(fill[valid], np.eye(N)[valid])


def test_older_defect_a_month_never_seen_is_told() -> None:
    with pytest.raises(ValueError, match=r"steps 3, 7 of the year .* use season"):
        smoothers.stl_fill(~np.isin(T % 12, [3, 7]), 12)


def test_stl_needs_two_years() -> None:
    with pytest.raises(ValueError, match="24 steps; there are 23"):
        smoothers.stl_matrices(np.ones(23, np.bool_), 12)


def test_wrong_widths() -> None:
    with pytest.raises(ValueError, match="holds fewer than 3"):
        smoothers.loess_matrix(_gaps(0.0), 0.01)
    with pytest.raises(ValueError, match="holds fewer than 3"):
        smoothers.loess_matrix(np.zeros(N, np.bool_), 0.5)
    with pytest.raises(ValueError, match="must be above 0"):
        smoothers.gaussian_matrix(_gaps(0.0), 0)
    with pytest.raises(ValueError, match="do not determine a quadratic"):
        smoothers.quadratic_matrix(T < 3)
    assert smoothers.stl_window(12) == 61
