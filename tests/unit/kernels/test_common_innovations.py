"""Series of one place that miss different steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.kernels.common_innovations import common_steps, filled_together
from pyveg.kernels.noise import fit_noise
from pyveg.kernels.surrogates import draw, surrogates

N = 400


def _place(chips: int = 6, shared: float = 0.6, gaps: float = 0.4, seed: int = 0) -> Any:
    """White series with that correlation, and the same with gaps of their own; skewed."""
    rng = np.random.default_rng(seed)
    whole = np.sqrt(shared) * rng.exponential(size=N) + np.sqrt(1 - shared) * rng.normal(
        size=(chips, N)
    )
    whole -= whole.mean(axis=1, keepdims=True)
    return whole, np.where(rng.random((chips, N)) < gaps, np.nan, whole)


def _correlation(series: Any) -> float:
    """Mean over pairs."""
    table = np.corrcoef(series)
    return float(table[np.triu_indices(len(table), 1)].mean())


def test_common_steps() -> None:
    table = np.full((4, 100), np.nan)
    table[:, :5] = 1.0
    table[0] = 1.0
    table[1, :70] = 1.0
    assert common_steps(table).tolist() == list(range(70))  # beyond it, only one of four
    table[1, 20:] = np.nan
    assert common_steps(table).tolist() == list(range(60))  # twenty are few: the best sixty
    table[0, 30:] = np.nan
    assert common_steps(table).tolist() == list(range(30))
    assert common_steps(np.full((4, 100), np.nan)).tolist() == []


@pytest.mark.parametrize("shared", [0.0, 0.3, 0.6, 0.9])
def test_pairs_keep_their_correlation(shared: float) -> None:
    whole, missing = _place(shared=shared)
    filled = filled_together(missing, [1])
    steps = common_steps(missing)
    assert len(steps) > 0.9 * N
    assert np.isfinite(filled[:, steps]).all()
    assert _correlation(filled[:, steps]) == pytest.approx(_correlation(whole), abs=0.06)


def test_surrogates_keep_it_too() -> None:
    """Without the others, a missing innovation is drawn by itself, and the correlation is lost."""
    whole, missing = _place(shared=0.8)
    noises = [fit_noise(row, max_order=0) for row in missing]
    apart = np.stack([noise.innovations for noise in noises])
    draws = draw(N, 50, 1, common_steps(apart))
    found = {}
    for name, rows in (("apart", apart), ("together", filled_together(apart, [1]))):
        made = np.stack(
            [
                surrogates(series, noise._replace(innovations=row), draws)
                for series, noise, row in zip(missing, noises, rows, strict=True)
            ],
            axis=1,
        )
        found[name] = np.mean([_correlation(one) for one in made])
    assert found["together"] == pytest.approx(_correlation(whole), abs=0.06)
    assert found["apart"] < 0.7 * found["together"]


@pytest.mark.parametrize("gaps", [0.6, 0.7, 0.8, 0.9])
def test_few_common_steps_keep_it_as_well(gaps: float) -> None:
    """Many chips of which each misses most steps: none is common to a third of them."""
    whole, missing = _place(chips=60, shared=0.8, gaps=gaps)
    steps = common_steps(missing)
    assert len(steps) >= 60
    filled = filled_together(missing, [1])
    assert np.isfinite(filled[:, steps]).all()
    assert _correlation(filled[:, steps]) == pytest.approx(_correlation(whole), abs=0.1)


def test_series_that_follow_the_place_less_keep_that() -> None:
    rng = np.random.default_rng(2)
    loads = np.array([0.3] + [0.95] * 9)[:, np.newaxis]
    whole = loads * rng.normal(size=2000) + np.sqrt(1 - loads**2) * rng.normal(size=(10, 2000))
    missing = np.where(rng.random(whole.shape) < 0.4, np.nan, whole)
    filled = filled_together(missing, [1])
    steps = common_steps(missing)
    table = np.corrcoef(filled[:, steps])
    assert table[0, 1:].mean() == pytest.approx(0.3 * 0.95, abs=0.06)
    assert table[1:, 1:][np.triu_indices(9, 1)].mean() == pytest.approx(0.95**2, abs=0.04)


def test_each_series_keeps_its_spread_and_shape() -> None:
    whole, missing = _place(chips=3, shared=0.5, gaps=0.3)
    filled = filled_together(missing, [1])
    for before, row, after in zip(whole, missing, filled, strict=True):
        known = np.isfinite(after)
        assert after[known].std() == pytest.approx(np.nanstd(row), rel=0.08)
        skewness = [np.mean((one / one.std()) ** 3) for one in (before, after[known])]
        assert skewness[1] == pytest.approx(skewness[0], abs=0.35)


@given(seed=st.integers(0, 2**32 - 1), chips=st.integers(1, 5), gaps=st.floats(0, 1))
def test_what_is_known_is_not_changed(seed: int, chips: int, gaps: float) -> None:
    _, missing = _place(chips=chips, gaps=gaps, seed=seed)
    before = missing.copy()
    filled = filled_together(missing, [seed])
    np.testing.assert_array_equal(missing, before)
    known = np.isfinite(missing)
    np.testing.assert_array_equal(filled[known], missing[known])
    np.testing.assert_array_equal(filled, filled_together(missing, [seed]))


def test_what_is_complete_or_alone_stays_as_it_is() -> None:
    whole, missing = _place()
    np.testing.assert_allclose(filled_together(whole, [1]), whole)
    np.testing.assert_array_equal(filled_together(missing[:1], [1]), missing[:1])


def test_a_series_with_few_values_stays_as_it_is() -> None:
    _, missing = _place(chips=3)
    missing[1, 19:] = np.nan
    missing[2] = np.nan
    filled = filled_together(missing, [1])
    np.testing.assert_array_equal(filled[1:], missing[1:])
    assert np.isfinite(filled[0][np.isfinite(missing[1])]).all()


def test_the_seed_decides() -> None:
    _, missing = _place()
    assert not np.array_equal(
        filled_together(missing, [1]), filled_together(missing, [2]), equal_nan=True
    )
