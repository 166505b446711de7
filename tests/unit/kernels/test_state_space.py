from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.kernels.state_space import log_likelihood, process_memory


def _seen(memory: float, observation: float, n: int, seed: int, gaps: float = 0.2) -> Any:
    """A process of SD 1, seen with noise."""
    rng = np.random.default_rng(seed)
    x = np.empty(n)
    x[0] = rng.standard_normal()
    for t in range(1, n):
        x[t] = memory * x[t - 1] + np.sqrt(1 - memory**2) * rng.standard_normal()
    y = x + observation * rng.standard_normal(n)
    y[rng.random(n) < gaps] = np.nan
    return y


def _constant(n: int) -> Any:
    return np.ones((1, n))


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("memory", [-0.4, 0.3, 0.9])
def test_the_likelihood_is_statsmodels(memory: float, gaps: float) -> None:
    sarimax = pytest.importorskip(
        "statsmodels.tsa.statespace.sarimax", reason="the extra analysis is not installed"
    )
    y = _seen(0.6, 0.5, 70, 1, gaps)
    model = sarimax.SARIMAX(y, order=(1, 0, 0), measurement_error=True)
    expected = model.loglike([memory, 0.3, 0.7])  # AR(1), variance of the observation, of e
    assert log_likelihood(y, memory, 0.7, 0.3) == pytest.approx(expected, rel=1e-8)


@given(st.integers(0, 99), st.floats(0.0, 0.95), st.floats(0.1, 3.0), st.floats(0.0, 3.0))
def test_the_likelihood_is_that_of_the_covariance(
    seed: int, memory: float, process: float, observation: float
) -> None:
    y = _seen(0.5, 0.3, 30, seed)
    known = np.flatnonzero(np.isfinite(y))
    apart = np.abs(known[:, None] - known)
    covariance = process * memory**apart / (1 - memory**2) + observation * np.eye(known.size)
    _, logdet = np.linalg.slogdet(covariance)
    squares = y[known] @ np.linalg.solve(covariance, y[known])
    expected = -0.5 * (known.size * np.log(2 * np.pi) + logdet + squares)
    assert log_likelihood(y, memory, process, observation) == pytest.approx(expected, rel=1e-6)


def test_noise_of_the_observation_hides_memory_from_a_plain_fit_only() -> None:
    found = [process_memory(_seen(0.8, 0.7, 300, seed), _constant(300)) for seed in range(20)]
    assert np.median([one.memory for one in found]) == pytest.approx(0.8, abs=0.1)
    assert np.median([one.plain for one in found]) < 0.65
    assert sum(one.low <= 0.8 <= one.high for one in found) >= 17
    assert sum(one.share_low <= 0.33 <= one.share_high for one in found) >= 17
    assert sum(one.observed > 0.9 for one in found) >= 6


def test_where_there_is_no_such_noise_none_is_found() -> None:
    found = [process_memory(_seen(0.7, 0.0, 200, seed), _constant(200)) for seed in range(20)]
    assert not any(one.observed > 0.9 for one in found)
    assert all(one.share_low == 0.0 for one in found)
    assert np.median([one.memory - one.plain for one in found]) < 0.06


def test_regressors_are_taken_away_with_what_they_cost() -> None:
    n = 120
    wave = np.stack([np.ones(n), np.arange(n), np.sin(np.arange(n)), np.cos(np.arange(n))])
    y = _seen(0.5, 0.0, n, 3)
    one = process_memory(y, wave)
    other = process_memory(7 + 2 * (y + 30 * wave[2] - 4 * wave[1]), wave)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_what_is_known_of_the_noise_helps() -> None:
    """Every second step is seen ten times worse; told so, the filter trusts it less."""
    n, worse = 300, np.where(np.arange(300) % 2, 10.0, 0.1)
    told, untold = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        y = _seen(0.8, 0.0, n, seed, 0.0) + np.sqrt(0.2 * worse) * rng.standard_normal(n)
        told.append(process_memory(y, _constant(n), worse))
        untold.append(process_memory(y, _constant(n)))
    width = [np.median([one.high - one.low for one in found]) for found in (told, untold)]
    assert width[0] < 0.8 * width[1]
    assert sum(one.low <= 0.8 <= one.high for one in told) >= 8


@pytest.mark.parametrize("y", [np.full(60, np.nan), np.ones(60), np.arange(10.0)])
def test_nothing_where_there_is_nothing(y: Any) -> None:
    assert np.isnan(process_memory(y, _constant(y.size))).all()
