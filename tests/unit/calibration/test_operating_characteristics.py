"""Rates, ROC and gaps of a calibration against obvious counts."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import binom, binomtest

from pyveg.analysis.data.series import tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.signals import Chips
from pyveg.calibration import operating_characteristics
from pyveg.calibration.false_alarms import stable_places
from pyveg.calibration.figure import skill_figure, skill_images
from pyveg.kernels import spatial

P = st.one_of(st.sampled_from([0.005, 0.05, 0.5, 1.0, float("nan")]), st.floats(0.001, 1))


def _rows(**p: list[float]) -> pd.DataFrame:
    """A row per scenario and p value of one test."""
    rows = [
        {"scenario": name, "gaps": 0.0, "metric": "m", "indicator": "ar1", "direction": "rise",
         "place": number, "p": value}
        for name, values in p.items()
        for number, value in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@given(stable=st.lists(P, min_size=1, max_size=30), falling=st.lists(P, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_summary_counts(stable: list[float], falling: list[float]) -> None:
    table = operating_characteristics.summarise(_rows(stable=stable, declining=falling)).set_index(
        "scenario"
    )
    one, other = table.loc["stable"], table.loc["declining"]
    tested = [p for p in stable if not math.isnan(p)]
    assert (one["places"], one["tested"]) == (len(stable), len(tested))
    assert one["alarms"] == sum(p <= 0.05 for p in tested)
    if tested:
        assert one["rate"] == one["alarms"] / len(tested)
        assert one["chance_low"] * len(tested) == pytest.approx(binom.ppf(0.025, len(tested), 0.05))
    else:
        assert np.isnan(one["rate"])
    assert other["rate"] == sum(p <= 0.05 for p in falling) / len(falling)
    exact = binomtest(int(other["alarms"]), len(falling)).proportion_ci(method="exact")
    assert (other["rate_low"], other["rate_high"]) == pytest.approx((exact.low, exact.high))
    assert np.isnan(one["auc"])
    pairs = [
        (a > b) + 0.5 * (a == b)
        for a in np.nan_to_num(stable, nan=1.0)
        for b in np.nan_to_num(falling, nan=1.0)
    ]
    assert other["auc"] == pytest.approx(np.mean(pairs))
    assert 0 <= other["auc_low"] <= other["auc"] <= other["auc_high"] <= 1


@given(stable=st.lists(P, min_size=1, max_size=30), falling=st.lists(P, min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_area_under_the_curve_is_that_of_the_summary(
    stable: list[float], falling: list[float]
) -> None:
    rows = _rows(stable=stable, declining=falling)
    x, y = operating_characteristics.roc(
        rows[rows["scenario"] == "stable"], rows[rows["scenario"] == "declining"]
    )
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    assert np.trapezoid(y, x) == pytest.approx(
        operating_characteristics.summarise(rows)["auc"].iloc[1]
    )


def test_the_interval_of_the_area_holds_it() -> None:
    """Known: P(one normal number exceeds another that is 1 higher)."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(200):
        p = np.concatenate([rng.normal(1, 1, 60), rng.normal(0, 1, 40)])
        row = operating_characteristics.summarise(
            _rows(stable=list(p[:60]), declining=list(p[60:]))
        ).iloc[1]
        held += row["auc_low"] <= 0.7602 <= row["auc_high"]
    assert 180 <= held <= 199


def _series(n: int = 120, chips: int = 3, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2016-01-16", periods=n, freq="30D")
    levels = stable_places(1, n, memory=0.4, chips=chips, seed=seed)[0]
    rows = [
        {"date": date, "chip": chip, "latitude": 1.0, "longitude": 2.0, "valid_fraction": 1.0,
         "ndvi_mean": levels[chip, step], "offset50": -500 + rng.normal()}
        for step, date in enumerate(dates)
        for chip in range(chips)
    ]  # fmt: skip
    weather = pd.DataFrame({"date": dates, "collection": "w", "total_precipitation": 0.1})
    return tidy(pd.DataFrame(rows), weather, time_per_point="30d")


@pytest.mark.parametrize("share", [0.2, 0.4, 0.999])
def test_gaps_are_dates_that_all_chips_lose(share: float) -> None:
    series = _series()
    found = operating_characteristics.with_gaps(series, share, 3)
    for metric in ("ndvi_mean", "offset50", "valid_fraction"):
        lost = np.isnan(found.matrix(metric))
        assert (lost == lost[0]).all()
        assert lost[0].sum() == round(share * 120)
        np.testing.assert_array_equal(found.matrix(metric)[~lost], series.matrix(metric)[~lost])
    assert found.table["total_precipitation"].notna().all()
    assert len(found.axis) == 120
    again, other = (
        operating_characteristics.with_gaps(series, share, 3),
        operating_characteristics.with_gaps(series, share, 4),
    )
    pd.testing.assert_frame_equal(found.table, again.table)
    if share < 0.9:
        assert not other.table.equals(found.table)
    assert series.matrix("ndvi_mean").shape == (3, 120)
    assert not np.isnan(series.matrix("ndvi_mean")).any()


def test_no_gaps_and_no_dates() -> None:
    series = _series(30)
    assert operating_characteristics.with_gaps(series, 0.0, 1) is series
    empty = tidy(pd.DataFrame(columns=["date", "ndvi_mean"]))
    assert operating_characteristics.with_gaps(empty, 0.5, 1) is empty


def test_spatial_signals_stand_beside_the_metrics() -> None:
    series = _series(4, chips=2)
    rng = np.random.default_rng(5)
    dates = series.axis.dates
    images = [
        Chips(dates[0], rng.random((2, 50, 50)), np.zeros((2, 50, 50), bool), (0, 1)),
        Chips(dates[2], rng.random((1, 50, 50)), np.zeros((1, 50, 50), bool), (1,)),
    ]
    found = operating_characteristics.with_spatial(series, images)
    known = np.array([[True, False, False, False], [True, False, True, False]])
    for name in operating_characteristics.SPATIAL.values():
        np.testing.assert_array_equal(np.isfinite(found.matrix(name)), known)
    assert found.matrix("morans_i")[1, 2] == spatial.morans_i(images[1].ndvi[0])
    assert (
        found.matrix("spatial_variance")[0, 0] == spatial.spatial_moments(images[0].ndvi[0], 5)[0]
    )
    pd.testing.assert_frame_equal(found.table[series.table.columns], series.table)


def test_all_tests_of_a_place() -> None:
    table = operating_characteristics.site_tests(
        _series(60), AnalysisSettings(surrogates=19, seed=2)
    )
    found = set(zip(table["metric"], table["indicator"], strict=True))
    rolled = {(m, i) for m in ("ndvi_mean", "offset50") for i in operating_characteristics.TESTS}
    assert found == rolled
    known = table[table["p"].notna()]
    assert known["p"].between(0.05, 1).all()
    assert (table[table["p"].isna()]["reason"] != "").all()
    some = operating_characteristics.site_tests(
        _series(60), AnalysisSettings(surrogates=19, seed=2), ["ar1"]
    )
    same = table[table["indicator"] == "ar1"].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, same)
    only = operating_characteristics.site_tests(
        _series(60), AnalysisSettings(surrogates=19, seed=2), ["trend"]
    )
    assert set(only["indicator"]) == {"trend"}


def _calibration() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(1)
    names = [("ndvi_mean", "ar1"), ("ndvi_mean", "sd"), ("offset50", "trend")]
    rows = pd.concat(
        [
            _rows(stable=rng.random(30).tolist(), declining=(rng.random(20) ** 3).tolist()).assign(
                gaps=gaps, metric=metric, indicator=indicator
            )
            for gaps in (0.0, 0.4)
            for metric, indicator in names
        ]
    )
    return rows, operating_characteristics.summarise(rows)


def test_the_figure_shows_every_test_once() -> None:
    figure = skill_figure(*_calibration())
    first, second, curves = figure.get_axes()
    assert [tick.get_text() for tick in first.get_yticklabels()] == [
        "ndvi_mean: ar1",
        "offset50: trend",
    ]
    assert first.get_title() == "False alarms (stable places)"
    assert second.get_title() == "Power (declining places)"
    labels = [text.get_text() for text in figure.subfigs[1].legends[0].get_texts()]
    assert curves.get_title() == "ROC, declining, 0 % gaps"
    assert labels == ["ndvi_mean: ar1", "offset50: trend"]


def test_figures_without_falling_places_or_numbers() -> None:
    rows, _ = _calibration()
    stable = rows[rows["scenario"] == "stable"]
    assert len(skill_figure(stable, operating_characteristics.summarise(stable)).get_axes()) == 1
    empty = stable.assign(p=np.nan)
    (axis,) = skill_figure(empty, operating_characteristics.summarise(empty)).get_axes()
    assert axis.get_yticklabels() == []


def test_the_same_tables_give_the_same_bytes() -> None:
    one, two = (skill_images(*_calibration()) for _ in range(2))
    assert one == two
    assert Image.open(io.BytesIO(one["png"])).size[0] > 500
    assert one["svg"].startswith(b"<?xml")
