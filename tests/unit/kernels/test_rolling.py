from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from pyveg.kernels import rolling
from pyveg.kernels.rolling import INDICATORS, kendall_tau, rolling_indicators


def _series(n: int = 120, gaps: float = 0.0, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    for t in range(1, n):
        x[t] += 0.5 * x[t - 1]
    x[rng.random(n) < gaps] = np.nan
    return x


def _slowly(x: Any, window: int, least: int, fixed: Any) -> Any:
    """Every window on its own, by SciPy."""
    out = np.full((len(INDICATORS), len(x)), np.nan)
    for t in range(window - 1, len(x)):
        part, level = x[t - window + 1 : t + 1], fixed[t - window + 1 : t + 1]
        known = np.isfinite(part)
        both = known[1:] & known[:-1]
        if both.sum() >= least and np.ptp(part[:-1][both]) and np.ptp(part[1:][both]):
            out[0, t] = stats.pearsonr(part[:-1][both], part[1:][both])[0]
            if out[0, t] > 0:
                out[6, t] = -math.log(out[0, t])
        if known.sum() < least:
            continue
        values = part[known]
        out[1, t], out[2, t] = values.var(ddof=1), values.std(ddof=1)
        mean = (values + level[known]).mean()
        out[3, t] = values.std(ddof=1) / mean if mean > 1e-9 else np.nan
        if np.ptp(values) > 0 and values.size > 3:
            out[4, t] = stats.skew(values, bias=False)
            out[5, t] = stats.kurtosis(values, bias=False)
    return out


@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("window", [12, 60, 120])
def test_every_window_as_scipy_has_it(gaps: float, window: int) -> None:
    x = _series(gaps=gaps)
    fixed = np.linspace(5, 1, x.size)
    found = rolling_indicators(x, window, fixed=fixed, least=4)
    np.testing.assert_allclose(found, _slowly(x, window, 4, fixed), rtol=1e-9, atol=1e-11)


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(
        np.float64,
        st.integers(8, 40),
        elements=st.one_of(st.just(np.nan), st.integers(-50, 50).map(float)),
    ),
    st.integers(3, 12),
)
def test_any_series_as_scipy_has_it(x: Any, window: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        expected = _slowly(x, min(window, len(x)), 4, np.zeros(len(x)))
    found = rolling_indicators(x, min(window, len(x)), least=4)
    np.testing.assert_allclose(found[:4], expected[:4], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found[4:6], expected[4:6], rtol=1e-6, atol=1e-7)


def test_a_huge_outlier_does_not_spoil_later_windows() -> None:
    x = _series(200)
    x[20] = 1e9
    found = rolling_indicators(x, 40, ("ar1", "variance"))
    expected = rolling_indicators(x[21:], 40, ("ar1", "variance"))
    np.testing.assert_allclose(found[:, 100:], expected[:, 79:], rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 1.0, 0.1, -3e7])
def test_a_constant_series_has_no_memory(level: float) -> None:
    found = rolling_indicators(np.full(60, level), 20)
    assert np.isnan(found[[0, 4, 5, 6]]).all()
    assert (found[1, 19:] == 0).all()


def test_windows_with_too_few_pairs_say_nothing() -> None:
    x = _series(60)
    x[20:40:2] = np.nan
    found = rolling_indicators(x, 20, ("ar1", "variance"), least=10)
    assert np.isnan(found[0, 39])
    assert np.isnan(found[1, 39]) == (np.isfinite(x[20:40]).sum() < 10)
    assert np.isfinite(found[0, 59])


def test_rolling_pairs_counts_them() -> None:
    rng = np.random.default_rng(3)
    valid = rng.random(50) > 0.3
    found = rolling.rolling_pairs(valid, 12)
    for t in range(50):
        part = valid[t - 11 : t + 1] if t >= 11 else valid[:0]
        assert found[t] == np.sum(part[1:] & part[:-1])


def test_the_restoring_rate_has_a_unit() -> None:
    x = _series()
    by_month = rolling_indicators(x, 60, ("ar1", "restoring_rate"))
    by_year = rolling_indicators(x, 60, ("restoring_rate",), step=1 / 12)
    np.testing.assert_allclose(by_month[1, 59:], -np.log(by_month[0, 59:]))
    np.testing.assert_allclose(by_year[0, 59:], 12 * by_month[1, 59:])


def test_equal_to_ewstools_without_gaps() -> None:
    ewstools = pytest.importorskip("ewstools")
    x = _series()
    found = rolling_indicators(x, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = ewstools.TimeSeries(pd.Series(x))
        for name in ("auto", "var", "std", "skew", "kurt"):
            getattr(other, f"compute_{name}")(rolling_window=60)
        other.compute_ktau()
    names = {"ac1": 0, "variance": 1, "std": 2, "skew": 4, "kurtosis": 5}
    for name, place in names.items():
        np.testing.assert_allclose(found[place], other.ews[name], rtol=1e-9, atol=1e-12)
    assert kendall_tau(found[0]) == pytest.approx(other.ktau["ac1"], abs=1e-12)


def test_older_defect_all_indicators_carry_the_last_date_of_their_window() -> None:
    x = _series(50)
    found = rolling_indicators(x, 20, ("ar1", "variance"))
    assert (np.isfinite(found) == (np.arange(50) >= 19)).all()
    changed = x.copy()
    changed[30] += 5
    moved = np.abs(rolling_indicators(changed, 20, ("ar1", "variance")) - found) > 1e-9
    np.testing.assert_array_equal(np.flatnonzero(moved[1, 19:]) + 19, np.arange(30, 50))
    np.testing.assert_array_equal(np.flatnonzero(moved[0, 19:]) + 19, np.arange(30, 50))


def test_older_defect_the_last_window_is_there() -> None:
    x = _series(50)
    expected = np.corrcoef(x[30:-1], x[31:])[0, 1]
    assert rolling_indicators(x, 20, ("ar1",))[0, -1] == pytest.approx(expected)


def test_older_defect_gaps_do_not_compress_time() -> None:
    x = _series(60)
    x[30:40] = np.nan
    found = rolling_indicators(x, 20, ("ar1",), least=2)[0]
    part = x[25:45]
    both = np.isfinite(part[1:]) & np.isfinite(part[:-1])
    assert both.sum() == 8  # 25..29 and 40..44; 29 and 40 are no neighbours
    expected = np.corrcoef(part[:-1][both], part[1:][both])[0, 1]
    assert found[44] == pytest.approx(expected)


def test_gaps_do_not_bias_ar1() -> None:
    levels = {}
    for gaps in (0.0, 0.2, 0.4):
        levels[gaps] = np.mean([rolling.ar1(_series(120, gaps, seed)) for seed in range(800)])
    assert abs(levels[0.2] - levels[0.0]) < 0.02
    assert abs(levels[0.4] - levels[0.0]) < 0.03
    filled = np.mean(
        [
            rolling.ar1(pd.Series(_series(120, 0.2, seed)).interpolate().to_numpy())
            for seed in range(800)
        ]
    )
    assert filled - levels[0.0] > 0.06  # what filling does, and why nothing is filled


@pytest.mark.parametrize("seed", range(5))
def test_tau_as_scipy_has_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 9, 40).astype(float)
    y[rng.random(40) < 0.2] = np.nan
    known = np.isfinite(y)
    expected = stats.kendalltau(np.arange(40)[known], y[known]).statistic
    assert kendall_tau(y) == pytest.approx(expected, abs=1e-14)
    assert rolling.kendall_taus(y[np.newaxis, np.newaxis]).shape == (1, 1)


def test_tau_of_nothing() -> None:
    assert math.isnan(kendall_tau(np.array([])))
    assert math.isnan(kendall_tau(np.array([1.0, np.nan])))
    assert math.isnan(kendall_tau(np.ones(9)))
    assert math.isnan(kendall_tau(np.arange(5.0), least=6))
    assert kendall_tau(np.arange(6.0), least=6) == 1.0


@pytest.mark.parametrize("n", [0, 1, 3])
def test_short_series(n: int) -> None:
    found = rolling_indicators(np.arange(float(n)), 3, ("variance",), least=2)
    assert found.shape == (1, n)
    assert np.isfinite(found).sum() == max(0, n - 2)
    assert math.isnan(rolling.ar1(np.full(n, np.nan)))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match='unknown indicator "ac1"; known: ar1'):
        rolling_indicators(np.arange(9.0), 3, ("ac1",))
    with pytest.raises(ValueError, match="at least 3 steps, got 2"):
        rolling_indicators(np.arange(9.0), 2)
    with pytest.raises(ValueError, match="fixed must have shape"):
        rolling_indicators(np.arange(9.0), 3, fixed=np.zeros(3))
    with pytest.raises(ValueError, match="not shape"):
        rolling_indicators(np.zeros((2, 2, 2)), 3)
