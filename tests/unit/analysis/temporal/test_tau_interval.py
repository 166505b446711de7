from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.analysis.temporal.significance import tau_interval
from pyveg.kernels.rolling import kendall_tau


@given(st.floats(-1, 1), st.integers(0, 99), st.floats(0.01, 0.9))
def test_it_holds_tau_and_stays_inside(tau: float, seed: int, spread: float) -> None:
    null = np.random.default_rng(seed).uniform(-spread, spread, 99)
    low, high = tau_interval(tau, null)
    assert -1 <= low <= tau + 1e-8
    assert tau - 1e-8 <= high <= 1
    turned = tau_interval(-tau, -null)
    assert turned == pytest.approx((-high, -low), abs=1e-9)


def test_it_holds_the_truth_where_there_is_a_trend() -> None:
    """Of 200 series of 40 values, in 190 by its name; tau of the truth by many of them."""
    rng = np.random.default_rng(2)
    time = np.linspace(0, 1.5, 40)
    null = np.array([kendall_tau(rng.standard_normal(40)) for _ in range(400)])
    taus = np.array([kendall_tau(time + rng.standard_normal(40)) for _ in range(200)])
    ends = np.array([tau_interval(tau, null) for tau in taus])
    held = (ends[:, 0] <= taus.mean()) & (taus.mean() <= ends[:, 1])
    assert 180 <= held.sum() <= 198


def test_no_interval_without_tau_or_surrogates() -> None:
    assert np.isnan(tau_interval(np.nan, np.linspace(-0.5, 0.5, 99))).all()
    assert np.isnan(tau_interval(0.5, np.full(99, np.nan))).all()
    assert np.isnan(tau_interval(0.5, np.zeros(18))).all()
