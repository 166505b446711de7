from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pyveg.kernels.medians import column_medians

NUMBERS = st.one_of(st.just(np.nan), st.floats(-1e6, 1e6), st.integers(0, 3).map(float))


def _slowly(values: np.ndarray) -> np.ndarray:
    out = np.full(values.shape[1], np.nan)
    for column in range(values.shape[1]):
        known = values[np.isfinite(values[:, column]), column]
        if known.size and 2 * known.size >= len(values):
            out[column] = np.median(known)
    return out


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=NUMBERS))
def test_medians_are_numpys(values: np.ndarray) -> None:
    before = values.copy()
    found = column_medians(values, 0, values.shape[1])
    np.testing.assert_allclose(found, _slowly(values), rtol=1e-12)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("rows", [1, 2, 50, 289])
def test_many_columns_in_parts(rows: int) -> None:
    values = np.random.default_rng(rows).standard_normal((rows, 300))
    values[np.random.default_rng(0).random(values.shape) < 0.3] = np.nan
    parts = [column_medians(values, 0, 131), column_medians(values, 131, 300)]
    np.testing.assert_allclose(np.concatenate(parts), _slowly(values))
    assert column_medians(values, 7, 7).shape == (0,)


@pytest.mark.parametrize("order", [1, -1])
def test_ordered_values(order: int) -> None:
    values = np.arange(101.0)[::order, np.newaxis].copy()
    assert column_medians(values, 0, 1)[0] == 50
