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

TOLD = AnalysisSettings(surrogates=99)


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
    _, tau, p, reason, *_ = level_trend(series, 12.0, TOLD, [1])
    assert sign * tau > 0.5
    assert p == 2 / 100
    assert reason == ""


def test_a_season_is_no_trend() -> None:
    """Also where the record begins in the dry season and ends in the wet one."""
    rng = np.random.default_rng(4)
    series = 9 * np.sin(2 * np.pi * np.arange(54) / 12 - 1.5) + rng.standard_normal(54)
    _, tau, p, *_ = level_trend(series, 12.0, TOLD, [1])
    assert abs(tau) < 0.25
    assert p > 0.05


@pytest.mark.parametrize("memory", [0.3, 0.6, 0.8])
def test_memory_is_no_trend(memory: float) -> None:
    """Kendall's own p < 0.05 would call a third and more of these a trend."""
    series = stable_places(200, 120, memory=memory, seed=6)[:, 0]
    p = np.array([level_trend(one, 12.0, TOLD, [number]).p for number, one in enumerate(series)])
    low, high = null_interval(0.05, 200, 0.999)
    assert low <= np.count_nonzero(p <= 0.05) <= high
    assert 0.4 < np.mean(p <= 0.5) < 0.6


def test_the_site_is_the_median_of_its_chips() -> None:
    matrix = stable_places(1, 60, memory=0.2, chips=3, seed=1)[0]
    matrix[2] += 1000 * np.linspace(0, 1, 60)
    row = level_trends(_series(matrix), ["level"], TOLD, chips=False).iloc[0]
    middle = _series(np.median(matrix, axis=0)[np.newaxis])
    alone = level_trends(middle, ["level"], TOLD).iloc[0]
    names = ["slope", "tau", "p", "n_valid"]
    assert row[names].equals(alone[names])
    assert row["chips"] == 3
    assert row["tau"] < 0.9


def test_the_same_seed_gives_the_same() -> None:
    matrix = stable_places(1, 60, memory=0.5, gaps=0.2, seed=3)[0]
    one, two = (level_trends(_series(matrix), ["level"], TOLD) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert list(one.columns) == LEVELS.names
    other = AnalysisSettings(surrogates=99, seed=1)
    assert level_trends(_series(matrix), ["level"], other)["p"].iloc[0] != one["p"].iloc[0]


def test_stl_is_replaced_by_regression() -> None:
    series = stable_places(1, 72, memory=0.5, gaps=0.1, seed=3)[0, 0]
    pytest.importorskip("statsmodels", reason="the extra analysis is not installed")
    stl = AnalysisSettings(surrogates=99, season="stl", trend="stl")
    assert level_trend(series, 12.0, stl, [1]) == level_trend(series, 12.0, TOLD, [1])


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
    _, tau, p, reason, *_ = level_trend(series, 12.0, TOLD, [1])
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
    assert table.loc[SITE, "p"] == 2 / 100
    assert table.loc[0, "surrogates"] == 99
    assert table.loc[SITE, "slope_low"] <= table.loc[SITE, "slope_high"] < 0
    assert (table.loc[0:, "q"] <= 0.05).all()
    assert table.loc[SITE, "q"] == table.loc[SITE, "p"]  # one metric: nothing to correct for
    ends = table.loc[SITE, ["interval_low", "interval_high"]]
    assert ends["interval_low"] < -0.8 < ends["interval_high"] < -0.5


def test_the_interval_of_the_slope_holds_it() -> None:
    """Of 100 declines at most 12 have an interval that misses them; chance makes 5."""
    series = stable_places(100, 120, memory=0.5, gaps=0.2, seed=5)[:, 0] - 0.3 * np.arange(120) / 12
    few = AnalysisSettings(surrogates=39)
    found = [level_trend(one, 12.0, few, [number]) for number, one in enumerate(series)]
    missed = [not one.interval_low <= -0.3 <= one.interval_high for one in found]
    assert sum(missed) <= 12
