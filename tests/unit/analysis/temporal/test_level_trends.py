"""Trends of levels: found where they are, and not made up where series have memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pyveg.analysis.data.columns import LEVELS
from pyveg.analysis.data.series import tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.level_trends import level_trend, level_trends, theil_sen
from pyveg.analysis.temporal.significance import null_interval
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.calibration.false_alarms import stable_places
from pyveg.kernels.surrogates import ar_process

TOLD = AnalysisSettings()


def _series(matrix: Any) -> Any:
    """A Series of chips (chips, n)."""
    dates = pd.date_range("2010-01-15", periods=matrix.shape[1], freq="MS")
    rows = [
        {"date": date, "chip": chip, "level": matrix[chip, step]}
        for step, date in enumerate(dates)
        for chip in range(len(matrix))
    ]
    return tidy(pd.DataFrame(rows), time_per_point="1m")


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e3, 1e3)), min_size=2, max_size=25),
    st.sampled_from([1 / 12, 0.5, 1.0]),
)
def test_theil_sen_is_scipys(values: list[float | None], step: float) -> None:
    data = np.array([np.nan if one is None else one for one in values])
    where = np.flatnonzero(np.isfinite(data))
    found = theil_sen(data, step)
    if where.size < 2:
        assert np.isnan(found)
    else:
        expected = stats.theilslopes(data[where], where * step).slope
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_a_clear_trend_is_found(sign: float, gaps: float) -> None:
    series = stable_places(1, 120, memory=0.4, gaps=gaps, seed=2)[0, 0]
    series = series + sign * np.linspace(0, 8, 120)
    _, tau, p, reason, *_ = level_trend(series, 12.0, TOLD)
    assert sign * tau > 0.5
    assert p < 0.01
    assert reason == ""


def test_a_season_is_no_trend() -> None:
    """Also where the record begins in the dry season and ends in the wet one."""
    rng = np.random.default_rng(4)
    series = 9 * np.sin(2 * np.pi * np.arange(54) / 12 - 1.5) + rng.standard_normal(54)
    _, tau, p, *_ = level_trend(series, 12.0, TOLD)
    assert abs(tau) < 0.25
    assert p > 0.05


def _wandering(kind: str, count: int, n: int) -> Any:
    """Series (count, n) of slow noise."""
    rng = np.random.default_rng(6)
    drive = rng.standard_normal((count, n + 300))
    if kind == "long memory":  # fractionally integrated, d = .45
        k = np.arange(1, n + 300)
        weights = np.concatenate([[1.0], np.cumprod((k - 0.55) / k)])
        return np.stack([np.convolve(row, weights)[300 : n + 300] for row in drive])
    slow = ar_process(drive, np.array([0.8]))[:, 300:]
    white = 1.5 * rng.standard_normal(slow.shape) if kind == "observed" else 0.0
    return slow + white


@pytest.mark.parametrize("kind", ["long memory", "red", "observed"])
def test_slow_noise_is_no_trend(kind: str) -> None:
    """A test that knows AR(1) only calls 22 to 35 % of these a trend; here 7 % at most."""
    series = _wandering(kind, 150, 120)
    p = np.array([level_trend(one, 12.0, TOLD).p for one in series])
    assert np.count_nonzero(p <= 0.05) <= null_interval(0.07, 150, 0.999)[1]


@pytest.mark.parametrize("kind", ["long memory", "red", "observed"])
def test_a_fall_at_the_end_is_found(kind: str) -> None:
    """What falls in its last two years only is no straight line, and is found all the same."""
    series = _wandering(kind, 20, 120)
    size = 6 * np.median(np.std(series, axis=1))
    late = np.clip((np.arange(120) - 96) / 24, 0, 1)
    p = np.array([level_trend(one - size * late, 12.0, TOLD).p for one in series])
    assert np.count_nonzero(p <= 0.05) >= 17


@given(st.floats(0.001, 1000), st.floats(-1e3, 1e3), st.integers(0, 9))
def test_units_do_not_matter(scale: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = rng.standard_normal(60)
    series[rng.random(60) < 0.2] = np.nan
    one, other = (level_trend(row, 12.0, TOLD) for row in (series, shift + scale * series))
    assert other.p == pytest.approx(one.p, rel=1e-6, abs=1e-9)
    assert other.change == pytest.approx(scale * one.change, rel=1e-6, abs=1e-9 * abs(shift))
    assert other.interval_high - other.slope == pytest.approx(
        scale * (one.interval_high - one.slope), rel=1e-6, abs=1e-9 * abs(shift)
    )


def test_the_change_is_that_of_the_first_and_the_last_year() -> None:
    series = np.concatenate([np.full(12, 3.0), np.full(36, 5.0), np.full(12, 4.0)])
    noise = np.random.default_rng(1).standard_normal(60)
    plain = AnalysisSettings(season="none")
    found = level_trend(series + noise, 12.0, plain)
    assert found.change == pytest.approx(1.0 + noise[-12:].mean() - noise[:12].mean())
    assert found.change_low < found.change < found.change_high


def test_the_site_is_the_median_of_its_chips() -> None:
    matrix = stable_places(1, 60, memory=0.2, chips=3, seed=1)[0]
    matrix[2] += 1000 * np.linspace(0, 1, 60)
    row = level_trends(_series(matrix), ["level"], TOLD, chips=False).iloc[0]
    middle = _series(np.median(matrix, axis=0)[np.newaxis])
    alone = level_trends(middle, ["level"], TOLD).iloc[0]
    names = ["slope", "tau", "p", "n_valid", "change"]
    assert row[names].equals(alone[names])
    assert row["chips"] == 3
    assert row["tau"] < 0.9


def test_it_has_no_chance_in_it() -> None:
    matrix = stable_places(1, 60, memory=0.5, gaps=0.2, seed=3)[0]
    seeds = (AnalysisSettings(seed=seed) for seed in (0, 1))
    one, two = (level_trends(_series(matrix), ["level"], seed) for seed in seeds)
    pd.testing.assert_frame_equal(one, two)
    assert list(one.columns) == LEVELS.names


def test_stl_is_replaced_by_regression() -> None:
    series = stable_places(1, 72, memory=0.5, gaps=0.1, seed=3)[0, 0]
    pytest.importorskip("statsmodels", reason="the extra analysis is not installed")
    stl = AnalysisSettings(season="stl", trend="stl")
    assert level_trend(series, 12.0, stl) == level_trend(series, 12.0, TOLD)


@pytest.mark.parametrize(
    ("series", "told"),
    [
        (np.full(60, np.nan), "0 values of 60 steps; a test needs 24"),
        (np.arange(23.0), "23 values of 23 steps; a test needs 24"),
        (np.full(60, 3.0), "all values are equal"),
        (np.where(np.arange(120) % 12 < 2, np.arange(120.0) % 7, np.nan)[:], "values"),
    ],
)
def test_no_number_where_there_can_be_none(series: Any, told: str) -> None:
    _, tau, p, reason, *_ = level_trend(series, 12.0, TOLD)
    assert np.isnan(tau)
    assert np.isnan(p)
    assert told in reason


def test_no_dates() -> None:
    empty = tidy(pd.DataFrame(columns=["date", "level"]))
    row = level_trends(empty, ["level"], TOLD).iloc[0]
    assert row["reason"] == "there are no dates"
    assert np.isnan(row["p"])


def test_a_decline_is_found_with_its_slope() -> None:
    matrix = stable_places(1, 120, memory=0.3, gaps=0.1, chips=4, seed=1)[0]
    matrix = matrix - 0.8 * np.arange(120) / 12
    table = level_trends(_series(matrix), ["level"], TOLD).set_index("chip")
    assert table.loc[SITE, "slope"] == pytest.approx(-0.8, abs=0.1)
    assert table.loc[SITE, "p"] < 0.01
    assert table.loc[SITE, "slope_low"] <= table.loc[SITE, "slope_high"] < 0
    assert (table.loc[0:, "q"] <= 0.05).all()
    assert table.loc[SITE, "q"] == table.loc[SITE, "p"]  # one metric: nothing to correct for
    ends = table.loc[SITE, ["interval_low", "interval_high"]]
    assert ends["interval_low"] < -0.8 < ends["interval_high"] < -0.5


@pytest.mark.parametrize("memory", [0.5, 0.8])
def test_intervals_hold_the_truth(memory: float) -> None:
    """Of 100 declines at most 12 have an interval that misses them; chance makes 5."""
    series = stable_places(100, 120, memory=memory, gaps=0.2, seed=5)[:, 0]
    found = [level_trend(one - 0.3 * np.arange(120) / 12, 12.0, TOLD) for one in series]
    missed = [not one.interval_low <= -0.3 <= one.interval_high for one in found]
    assert sum(missed) <= 12
    assert sum(not one.change_low <= -2.7 <= one.change_high for one in found) <= 12
