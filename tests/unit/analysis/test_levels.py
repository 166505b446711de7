from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pyveg.analysis.calibration import stable_places
from pyveg.analysis.levels import level_trend, level_trends, theil_sen
from pyveg.analysis.measure import SITE
from pyveg.analysis.series import Series, tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.significance import null_interval

QUICK = AnalysisSettings(surrogates=99)


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


def _place(matrix: np.ndarray) -> Series:
    chips, n = matrix.shape
    dates = [pd.Timestamp("2010-01-16") + pd.DateOffset(months=k) for k in range(n)]
    rows = pd.DataFrame(
        {
            "date": np.tile(np.array(dates, dtype="datetime64[ns]"), chips),
            "collection": "S2",
            "chip": np.repeat(np.arange(chips), n),
            "ndvi_mean": matrix.ravel(),
        }
    )
    return tidy(rows, time_per_point="1m")


def test_a_decline_is_found_with_its_slope() -> None:
    matrix = stable_places(1, 120, memory=0.3, gaps=0.1, chips=4, seed=1)[0]
    matrix = matrix - 0.8 * np.arange(120) / 12
    table = level_trends(_place(matrix), ["ndvi_mean"], QUICK).set_index("chip")
    assert table.loc[SITE, "slope"] == pytest.approx(-0.8, abs=0.1)
    assert table.loc[SITE, "p"] == 2 / 100
    assert table.loc[0, "surrogates"] == 99
    assert table.loc[SITE, "slope_low"] <= table.loc[SITE, "slope_high"] < 0
    assert (table.loc[0:, "q"] <= 0.05).all()
    assert np.isnan(table.loc[SITE, "q"])


def test_memory_is_no_trend() -> None:
    """Kendall's own test calls a third of these a trend; ours keeps its word."""
    places = stable_places(120, 60, memory=0.7, gaps=0.2, seed=5)
    settings = AnalysisSettings(surrogates=59)
    ours, theirs = 0, 0
    for number, matrix in enumerate(places):
        ours += level_trend(matrix[0], 12, settings, [number]).p <= 0.05
        known = np.isfinite(matrix[0])
        theirs += stats.kendalltau(np.flatnonzero(known), matrix[0][known]).pvalue <= 0.05
    _, high = null_interval(0.05, 120, 0.99)
    assert ours <= high
    assert theirs > 2 * ours


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full(60, np.nan), "0 values"),
        (np.full(60, 3.0), "equal"),
        (np.arange(10.0), "10 values"),
        (np.empty(0), "0 values"),
    ],
)
def test_what_cannot_be_tested_says_so(values: np.ndarray, reason: str) -> None:
    found = level_trend(values, 12, QUICK, [1])
    assert np.isnan(found.p)
    assert reason in found.reason


def test_no_dates() -> None:
    empty = tidy(pd.DataFrame({"date": []}))
    table = level_trends(empty, ["ndvi_mean"], QUICK)
    assert table["reason"].tolist() == ["there are no dates"]
