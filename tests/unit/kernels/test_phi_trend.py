from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize

from pyveg.kernels.phi_trend import LEAST_PAIRS, phi_trends


def _slowly(x: Any, regressors: Any = None) -> tuple[float, float, float, float]:
    """Pair by pair, with NumPy's least squares and SciPy's minimiser."""
    n = len(x)
    others = np.empty((0, n)) if regressors is None else regressors
    rows, target, u = [], [], []
    for t in range(n - 1):
        if np.isfinite([x[t], x[t + 1], *others[:, t + 1]]).all():
            place = (t + 0.5) / n - 0.5
            rows.append([x[t], place * x[t], *others[:, t + 1]])
            target.append(x[t + 1])
            u.append(place)
    design, y, u = np.array(rows), np.array(target), np.array(u)
    d = 0.0
    for _ in range(3):
        root = np.exp(-d * u / 2)
        beta = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        rest = y - design @ beta

        def minus_likelihood(given: Any, rest: Any = rest) -> float:
            mean = given[0] + given[1] * u
            return float(np.sum(mean + rest**2 * np.exp(-mean)))

        used = d
        start = [np.log(np.mean(rest**2)), 0.0]
        d = minimize(minus_likelihood, start, method="BFGS", options={"gtol": 1e-9}).x[1]
    weights = np.exp(-used * u)
    inverse = np.linalg.inv(design.T @ (weights[:, None] * design))
    variance = np.sum(weights * rest**2) / (len(y) - design.shape[1])
    return beta[0], beta[1], float(np.sqrt(inverse[1, 1] * variance)), d


def _series(
    n: int = 150, *, memory: Any = 0.5, noise: Any = 1.0, gaps: float = 0.0, seed: int = 0
) -> Any:
    rng = np.random.default_rng(seed)
    phi, spread = np.broadcast_to(memory, n), np.broadcast_to(noise, n)
    x = np.zeros(n)
    for t in range(n - 1):
        x[t + 1] = phi[t] * x[t] + spread[t] * rng.normal()
    x[rng.random(n) < gaps] = np.nan
    return x


@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_numpy_and_scipy_fit(gaps: float, seed: int) -> None:
    x = _series(noise=np.linspace(1, 3, 150), gaps=gaps, seed=seed)
    found = phi_trends(x[np.newaxis])
    expected = _slowly(x)
    np.testing.assert_allclose([one[0] for one in found[:4]], expected, rtol=2e-5, atol=2e-6)
    both = np.isfinite(x[1:]) & np.isfinite(x[:-1])
    assert found.pairs[0] == both.sum()
    assert found.t[0] == found.change[0] / found.error[0]


@pytest.mark.parametrize("k", [1, 3])
def test_regressors_are_fitted_beside_the_memory(k: int) -> None:
    rng = np.random.default_rng(k)
    rain = rng.normal(size=(k, 200))
    rain[0, :5] = np.nan
    x = _series(200, gaps=0.1, seed=k) + np.nan_to_num(rain[0])
    found = phi_trends(x[np.newaxis], rain)
    np.testing.assert_allclose(
        [one[0] for one in found[:4]], _slowly(x, rain), rtol=2e-5, atol=2e-6
    )


def test_pairs_can_be_left_out() -> None:
    x = _series(200)
    where = np.arange(200) >= 50
    some = phi_trends(x[np.newaxis], where=where)
    marker = np.where(where, np.random.default_rng(1).normal(size=200), np.nan)
    beside = phi_trends(x[np.newaxis], marker[np.newaxis])
    assert some.pairs[0] == beside.pairs[0] == 150
    assert some.t[0] == pytest.approx(beside.t[0], abs=0.3)  # a regressor that means nothing


def test_a_rise_of_memory_and_one_of_noise_are_told_apart() -> None:
    n, count = 400, 40
    rising = np.stack([_series(n, memory=np.linspace(0.2, 0.8, n), seed=s) for s in range(count)])
    noisy = np.stack([_series(n, noise=np.linspace(1, 3, n), seed=s) for s in range(count)])
    memory, noise = phi_trends(rising), phi_trends(noisy)
    assert abs(memory.change.mean() - 0.6) < 0.08
    assert abs(memory.noise.mean()) < 0.15
    assert abs(noise.change.mean()) < 0.08
    assert abs(noise.noise.mean() - 2 * np.log(3)) < 0.35  # a line through a curved logarithm
    assert abs(noise.t).mean() < 1.2


def test_the_error_of_the_change_is_its_spread() -> None:
    found = phi_trends(np.stack([_series(200, seed=s) for s in range(300)]))
    assert 0.85 < found.t.std() < 1.15


def test_each_series_is_fitted_by_itself() -> None:
    rows = np.stack([_series(gaps=0.1 * s, seed=s) for s in range(4)])
    together = phi_trends(rows)
    for s in range(4):
        alone = phi_trends(rows[s : s + 1])
        assert [one[s] for one in together] == [one[0] for one in alone]


@pytest.mark.parametrize(
    "row",
    [
        np.full(60, np.nan),
        np.zeros(60),
        np.where(np.arange(60) % 2, np.nan, 1.0),
        np.where(np.arange(200) < LEAST_PAIRS, np.random.default_rng(1).normal(size=200), np.nan),
        0.9 ** np.arange(60.0),
        np.array([1.0]),
    ],
    ids=["nothing", "constant", "no neighbours", "too few", "no noise", "one value"],
)
def test_what_cannot_be_fitted_is_missing(row: Any) -> None:
    found = phi_trends(row[np.newaxis])
    assert all(np.isnan(one[0]) for one in found[:4])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="residuals must have shape"):
        phi_trends(np.zeros(20))
    with pytest.raises(ValueError, match="regressors must have shape"):
        phi_trends(np.zeros((1, 20)), np.zeros((1, 19)))


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(
        np.float64,
        st.integers(2, 60),
        elements=st.one_of(st.just(np.nan), st.integers(-20, 20).map(float)),
    ),
    st.floats(1e-3, 1e3),
)
def test_units_do_not_matter_and_nothing_is_infinite(x: Any, scale: float) -> None:
    one, other = phi_trends(x[np.newaxis]), phi_trends(scale * x[np.newaxis])
    for first, second in zip(one, other, strict=True):
        assert not np.isinf(first).any()
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
