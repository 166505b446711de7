from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pyveg.kernels.quantiles import column_quantiles

NUMBERS = st.one_of(
    st.just(np.nan), st.floats(-1e300, 1e300), st.floats(-1, 1), st.integers(0, 3).map(float)
)
SHARES = [0.0, 0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975, 1.0]


def _numpys(values: np.ndarray, shares: list[float]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns without any value
        return np.asarray(np.nanquantile(values, shares, axis=0))


@given(
    arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=NUMBERS),
    st.lists(st.one_of(st.sampled_from(SHARES), st.floats(0, 1)), min_size=1, max_size=4),
)
def test_quantiles_are_numpys_to_the_last_bit(values: np.ndarray, shares: list[float]) -> None:
    before = values.copy()
    found = column_quantiles(values, shares)
    np.testing.assert_array_equal(found, _numpys(values, shares))
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("rows", [1, 2, 19, 199, 999])
def test_of_many_surrogates(rows: int) -> None:
    rng = np.random.default_rng(rows)
    values = rng.standard_normal((rows, 61)) * 10.0 ** rng.integers(-300, 300, 61)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 7] = np.nan
    np.testing.assert_array_equal(column_quantiles(values, SHARES), _numpys(values, SHARES))


def test_nothing_gives_nothing() -> None:
    assert column_quantiles(np.empty((3, 0)), [0.5]).shape == (1, 0)
    assert column_quantiles(np.ones((3, 2)), []).shape == (0, 2)
    assert np.isnan(column_quantiles(np.empty((0, 2)), [0.5])).all()
