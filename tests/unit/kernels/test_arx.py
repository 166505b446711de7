from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.kernels.arx import arx_fit, arx_pairs, driven_part, stored


@given(st.integers(0, 1000), st.integers(0, 3), st.floats(0, 0.4))
def test_it_is_least_squares_over_the_pairs(seed: int, k: int, gaps: float) -> None:
    rng = np.random.default_rng(seed)
    series, rows = rng.standard_normal(60), rng.standard_normal((k, 60))
    series[rng.random(60) < gaps] = np.nan
    rows[rng.random((k, 60)) < gaps / 4] = np.nan
    fit = arx_fit(series, rows)
    steps = [
        t for t in range(1, 60)
        if np.isfinite(series[t]) and np.isfinite(series[t - 1]) and np.isfinite(rows[:, t]).all()
    ]  # fmt: skip
    assert np.flatnonzero(arx_pairs(series, rows)).tolist() == steps
    assert fit.pairs == len(steps)
    if len(steps) > 2 * k + 4:
        design = np.stack([[series[t - 1], *rows[:, t]] for t in steps])
        expected = np.linalg.lstsq(design, series[steps], rcond=None)[0]
        np.testing.assert_allclose([fit.memory, *fit.effects], expected, atol=1e-8)
        rest = series[steps] - design @ expected
        assert fit.squares == pytest.approx(rest @ rest)


def test_what_says_the_same_twice_is_not_determined() -> None:
    rng = np.random.default_rng(0)
    rain = rng.standard_normal(50)
    fit = arx_fit(rng.standard_normal(50), np.stack([rain, 2 * rain]))
    assert np.isnan(fit.memory)
    assert np.isnan(fit.squares)
    assert (driven_part(fit, np.stack([rain, rain])) == 0).all()


def test_the_driven_part_is_the_series_without_noise() -> None:
    rain = np.random.default_rng(0).standard_normal((1, 200))
    series = np.zeros(200)
    series[0] = 2 * rain[0, 0]
    for t in range(1, 200):
        series[t] = 0.7 * series[t - 1] + 2 * rain[0, t]
    np.testing.assert_allclose(driven_part(arx_fit(series, rain), rain), series, atol=1e-6)


def test_a_store_keeps_its_share_and_a_gap_adds_nothing() -> None:
    assert stored([1.0, np.nan, 0.0, 2.0], 0.5).tolist() == [1.0, 0.5, 0.25, 2.125]
