from __future__ import annotations

import math

import numpy as np
import pytest

from pyveg.kernels import recovery


def test_older_defect_the_mean_year_takes_every_twelfth_value() -> None:
    t = np.arange(41)
    series = 10.0 * (t % 12) + t // 12
    before = series.copy()
    expected = [series[month::12].mean() for month in range(12)]
    np.testing.assert_allclose(recovery.mean_year(series, 12), expected)
    np.testing.assert_array_equal(series, before)  # the input is left alone


def test_older_defect_months_move_with_the_series() -> None:
    series = np.arange(24.0)
    rotated = recovery.mean_year(series, 12, first=3)  # it begins in April
    np.testing.assert_array_equal(rotated[3:], recovery.mean_year(series, 12)[:9])


def test_a_month_never_seen_is_missing() -> None:
    series = np.arange(24.0)
    series[[5, 17]] = np.nan
    assert np.flatnonzero(np.isnan(recovery.mean_year(series, 12))).tolist() == [5]


def test_older_defect_the_decay_is_fitted_on_time_with_the_minimum() -> None:
    t = np.arange(8.0)
    noise = 1 + 0.3 * np.random.default_rng(0).normal(size=8)
    values = 5 * np.exp(-0.4 * t) * noise
    rate, r2 = recovery.decay_rate(t, values)
    slope = np.polyfit(t, np.log(values), 1)[0]
    assert rate == pytest.approx(-slope)
    assert r2 == pytest.approx(np.corrcoef(t, np.log(values))[0, 1] ** 2)
    without = recovery.decay_rate(t[:-1], values[:-1])
    assert rate != pytest.approx(without[0])


def test_older_defect_a_cycle_below_zero_has_a_decay_rate() -> None:
    t = np.arange(6.0)
    assert recovery.decay_rate(t, -np.exp(-0.5 * t))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("values", [[], [1, 2], [1, -1, 2, 3], [np.nan] * 5, [0, 1, 2]])
def test_what_has_no_decay(values: list[float]) -> None:
    rate, r2 = recovery.decay_rate(np.arange(len(values)), np.array(values))
    assert math.isnan(rate)
    assert math.isnan(r2)


def test_a_drop_and_its_recovery() -> None:
    series = 0.1 * np.random.default_rng(0).normal(size=120)
    series[40:52] -= 3 * np.exp(-0.25 * np.arange(12))
    found = recovery.recoveries(series, drop=5, step=1 / 12)
    assert [one.step for one in found] == [40]
    assert found[0].depth == pytest.approx(3, abs=0.3)
    assert found[0].rate == pytest.approx(12 * 0.25, rel=0.2)  # per year
    assert found[0].r2 > 0.9


@pytest.mark.parametrize("n", [0, 1, 3, 11, 12, 60])
def test_nothing_drops(n: int) -> None:
    assert recovery.recoveries(np.zeros(n)) == []
    assert recovery.recoveries(np.full(n, np.nan)) == []


def test_older_defect_the_strongest_lag_may_be_negative() -> None:
    rng = np.random.default_rng(0)
    rain = rng.normal(size=200)
    answer = np.concatenate([np.zeros(2), -rain[:-2]]) + 0.5 * rng.normal(size=200)
    answer[rng.random(200) < 0.2] = np.nan
    found = recovery.cross_correlation(answer, rain, 5)
    assert recovery.strongest(found) == 2
    assert found[2] < -0.8
    known = np.isfinite(answer[2:])
    assert found[2] == pytest.approx(np.corrcoef(answer[2:][known], rain[:-2][known])[0, 1])


def test_correlations_of_too_little() -> None:
    assert np.isnan(recovery.cross_correlation(np.arange(9.0), np.arange(9.0), 2)).all()
    assert np.isnan(recovery.cross_correlation(np.ones(30), np.arange(30.0), 2)).all()
    assert recovery.strongest(np.full(3, np.nan)) == -1
    with pytest.raises(ValueError, match="different lengths, 3 and 4"):
        recovery.cross_correlation(np.zeros(3), np.zeros(4), 1)


def test_many_correlations_at_once_are_the_same_to_the_last_bit() -> None:
    rng = np.random.default_rng(3)
    rows, driver = rng.normal(size=(30, 97)), rng.normal(size=97)
    rows[:, rng.random(97) < 0.2] = np.nan
    rows[4, 7] = rows[9, 50:90] = rows[11] = np.nan  # these miss other steps
    rows[13] = np.where(np.isnan(rows[13]), np.nan, 1.0)
    driver[[3, 60]] = np.nan
    found = recovery.cross_correlations(rows, driver, 5)
    one_by_one = np.stack([recovery.cross_correlation(row, driver, 5) for row in rows])
    np.testing.assert_array_equal(found, one_by_one)
    assert np.isnan(found[13]).all()
    assert recovery.cross_correlations(rows[:0], driver, 5).shape == (0, 6)
