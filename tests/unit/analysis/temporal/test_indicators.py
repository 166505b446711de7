from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pyveg.analysis.data.series import Series, tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.indicators import temporal_indicators
from pyveg.analysis.temporal.power import power_statement
from pyveg.analysis.temporal.rain import drought_recovery, rain_response
from pyveg.analysis.temporal.sensitivity import sensitivity, summarise_sensitivity
from pyveg.analysis.temporal.significance import null_interval, p_value, q_values, share_interval
from pyveg.analysis.temporal.surrogate_tests import SITE, site_median
from pyveg.analysis.temporal.tables import longest_gap
from pyveg.calibration.false_alarms import false_alarms, stable_places
from pyveg.core.errors import ConfigError
from pyveg.kernels.surrogates import ar_process

QUICK = AnalysisSettings(surrogates=39)


def _series(matrix: Any, **columns: Any) -> Series:
    """A series (chips, n) of months; NaN has no record."""
    chips, n = np.shape(matrix)
    dates = [pd.Timestamp("2010-01-16") + pd.DateOffset(months=k) for k in range(n)]
    rows = pd.DataFrame(
        {
            "date": np.tile(np.array(dates, dtype="datetime64[ns]"), chips),
            "collection": "S2",
            "chip": np.repeat(np.arange(chips), n),
            "ndvi_mean": np.ravel(matrix).astype(float),
            **columns,
        }
    )
    return tidy(rows, time_per_point="1m")


def _stable(chips: int = 3, n: int = 120, gaps: float = 0.1, seed: int = 0) -> Any:
    return stable_places(1, n, memory=0.5, gaps=gaps, chips=chips, shared=0.5, seed=seed)[0]


def test_site_and_chips_are_tested() -> None:
    found = temporal_indicators(_series(_stable()), settings=QUICK)
    trends = found.trends
    assert len(trends) == 4 * 7
    assert trends["p"].between(1 / 40, 1).all()
    assert (trends["q"] >= trends["p"] - 1e-12).all()
    assert (trends["reason"] == "").all()
    site = trends[trends["chip"] == SITE].set_index("indicator")
    assert site.loc["ar1", "tau"] == -site.loc["restoring_rate", "tau"]
    assert (site["tau_low"] <= site["tau_high"]).all()
    curve = found.indicators.query("chip == -1 and indicator == 'ar1'")
    assert (curve["null_low"] < curve["null_high"]).all()
    assert curve["step"].tolist() == list(range(59, 120))  # the last window too
    assert site.loc["ar1", "tau"] == pytest.approx(
        stats.kendalltau(curve["step"], curve["value"]).statistic
    )
    assert {"valid_share", "outliers"} <= set(found.indicators["indicator"])


def test_one_chip_is_the_site() -> None:
    trends = temporal_indicators(_series(_stable(1)), settings=QUICK).trends
    columns = ["indicator", "tau", "p"]
    site, chip = (
        trends.loc[trends["chip"] == number, columns].reset_index(drop=True) for number in (SITE, 0)
    )
    pd.testing.assert_frame_equal(site, chip)


def test_results_do_not_depend_on_threads() -> None:
    series = _series(_stable(4))
    one = temporal_indicators(series, settings=QUICK)
    two = temporal_indicators(series, settings=AnalysisSettings(surrogates=39, n_threads=2))
    pd.testing.assert_frame_equal(one.trends, two.trends)
    pd.testing.assert_frame_equal(one.indicators, two.indicators)
    other = temporal_indicators(series, settings=AnalysisSettings(surrogates=39, seed=1))
    assert not one.trends["p"].equals(other.trends["p"])


def test_a_strong_rise_is_found() -> None:
    rng = np.random.default_rng(1)
    memory = np.linspace(0.1, 0.95, 360)[:, None]
    matrix = ar_process(rng.normal(size=(3, 360)), memory)
    trends = temporal_indicators(_series(matrix), settings=AnalysisSettings(surrogates=199)).trends
    site = trends[trends["chip"] == SITE].set_index("indicator")
    assert site.loc[["ar1", "variance", "restoring_rate"], "p"].max() <= 0.05


def test_the_restoring_rate_is_tested_by_ar1() -> None:
    """Where AR(1) is not positive there is no rate in the tables, and still a rank in the trend."""
    matrix = np.random.default_rng(1).normal(size=(3, 120))
    for names in (("ar1", "restoring_rate"), ("restoring_rate",)):
        settings = AnalysisSettings(surrogates=39, indicators=names)
        found = temporal_indicators(_series(matrix), settings=settings)
        rows = found.trends[found.trends["indicator"] == "restoring_rate"].set_index("chip")
        if "ar1" in names:
            of_ar1 = found.trends[found.trends["indicator"] == "ar1"].set_index("chip")
            curves = found.indicators
    assert (rows["direction"] == "fall").all()
    np.testing.assert_array_equal(rows["tau"], -of_ar1["tau"])
    np.testing.assert_array_equal(rows["p"], of_ar1["p"])
    memory, rate = (
        curves[curves["indicator"] == name].set_index(["chip", "step"])["value"]
        for name in ("ar1", "restoring_rate")
    )
    site = curves[curves["chip"] == SITE].set_index(["indicator", "step"])
    for limit, other in (
        ("null_low", "null_high"),
        ("null_middle", "null_middle"),
        ("high", "low"),
    ):
        of_memory = site.loc["ar1", other]
        expected = -12 * np.log(of_memory.where(of_memory > 0))
        np.testing.assert_allclose(site.loc["restoring_rate", limit], expected)
    positive = memory > 0
    assert 0 < positive.sum() < len(memory)
    assert rate[~positive].isna().all()
    np.testing.assert_allclose(rate[positive], -12 * np.log(memory[positive]))


@pytest.mark.parametrize("n", [0, 1, 3, 11, 12, 23])
def test_short_series_cannot_tell(n: int) -> None:
    found = temporal_indicators(_series(_stable(2, n, 0.0)) if n else tidy(pd.DataFrame()),
                                ["ndvi_mean"], QUICK)  # fmt: skip
    assert found.trends["tau"].isna().all()
    assert found.trends["p"].isna().all()
    assert found.trends["q"].isna().all()
    assert (found.trends["reason"] != "").all()
    assert len(found.indicators) == 0
    if n:
        shown = "1 value of 1 step;" if n == 1 else f"{n} values of {n} steps;"
        assert shown in found.trends["reason"].iloc[0]
        assert len(found.parts) == 2 * n


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.full((2, 60), np.nan), "0 values of 60 steps"),
        (np.full((2, 60), 0.3), "all values are equal"),
        (np.where(np.arange(120) % 12 < 3, _stable(2, 120, 0), np.nan), "do not determine"),
    ],
    ids=["nothing", "constant", "three months a year"],
)
def test_series_that_cannot_tell(matrix: Any, reason: str) -> None:
    series = _series(matrix)
    trends = temporal_indicators(series, ["ndvi_mean"], QUICK).trends
    assert trends["p"].isna().all()
    assert trends["reason"].str.contains(reason).all()
    assert sensitivity(series, "ndvi_mean", QUICK, surrogates=19)["p"].isna().all()
    assert rain_response(series, "ndvi_mean", QUICK)["correlation"].isna().all()
    assert drought_recovery(series, "ndvi_mean", QUICK)["rate"].isna().all()


def test_a_dead_chip_does_not_stop_the_others() -> None:
    matrix = _stable(3)
    matrix[1] = np.nan
    trends = temporal_indicators(_series(matrix), settings=QUICK).trends
    ar1 = trends[trends["indicator"] == "ar1"].set_index("chip")
    assert ar1["p"].isna().tolist() == [False, False, True, False]
    assert ar1.loc[SITE, "chips"] == 2


def test_metrics_below_zero_have_no_cv() -> None:
    series = _series(_stable(1) - 50)
    trends = temporal_indicators(series, settings=QUICK).trends.set_index("indicator")
    assert trends.loc["cv", "p"].isna().all()
    assert trends.loc["cv", "reason"].str.contains("mean is not positive").all()


def test_outliers_are_flagged_and_kept() -> None:
    matrix = _stable(1, gaps=0.0)
    matrix[0, 70] += 30
    found = temporal_indicators(_series(matrix), settings=QUICK)
    row = found.parts.set_index("step").loc[70]
    assert row["outlier"]
    assert row["value"] == matrix[0, 70]
    assert math.isnan(row["residual"])
    assert found.trends["outliers"].eq(1).all()


@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_false_alarms_are_as_rare_as_promised(gaps: float) -> None:
    """A quick look; `bench_calibration.py` and the slow test below look closer."""
    told = AnalysisSettings(surrogates=99, indicators=("ar1", "variance"))
    table = false_alarms(told, places=100, memory=[0.5], gaps=[gaps])
    assert table["tested"].min() >= 98
    assert (table["alarms"] <= table["high"]).all()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("null", ["ar", "phase", "block"])
def test_the_nominal_rate_is_held(null: str) -> None:
    """Rates of 1,000 places inside the 95 % interval of 400, so that chance hides less."""
    told = AnalysisSettings(surrogates=199, null=null, indicators=("ar1", "variance"), seed=1)
    table = false_alarms(told, places=1000, memory=[0.5], gaps=[0.0, 0.2, 0.4])
    assert table["tested"].min() >= 950  # with 40 % gaps some cannot tell
    low, high = (hits / 400 for hits in null_interval(0.05, 400))
    assert table["rate"].between(low, high).all(), table


def test_older_defect_plain_kendall_p_values_raise_false_alarms() -> None:
    """What this analysis is for: the same places by p < 0.05 of Kendall's test."""
    alarms = []
    for matrix in stable_places(24, 120, memory=0.5):
        found = temporal_indicators(_series(matrix), settings=AnalysisSettings(surrogates=19))
        curve = found.indicators.query("chip == -1 and indicator == 'ar1'")
        test = stats.kendalltau(curve["step"], curve["value"], alternative="greater")
        alarms.append(test.pvalue < 0.05)
    assert np.mean(alarms) > 0.25


def test_p_values_count_the_series_itself() -> None:
    null = np.arange(19.0)
    assert p_value(18.5, null, "rise") == 1 / 20
    assert p_value(18.0, null, "rise") == 2 / 20
    assert p_value(-1, null, "fall") == 1 / 20
    assert p_value(18.5, null, "either") == 2 / 20
    assert p_value(9, null, "either") == 1
    assert math.isnan(p_value(math.nan, null, "rise"))
    assert math.isnan(p_value(1.0, np.empty(0), "rise"))
    assert p_value(5.0, np.full(19, np.nan), "rise") == 1  # not known not to be extreme


def test_q_values_are_those_of_statsmodels() -> None:
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    p = np.array([0.01, np.nan, 0.04, 0.3, 0.02, 0.9])
    known = np.isfinite(p)
    for method, name in (("bh", "fdr_bh"), ("by", "fdr_by")):
        found = q_values(p, method)
        np.testing.assert_allclose(found[known], multipletests(p[known], method=name)[1])
        assert math.isnan(found[1])
    assert np.isnan(q_values(np.full(3, np.nan))).all()


def test_intervals() -> None:
    assert null_interval(0.05, 400) == (12, 29)
    low, high = share_interval(20, 400)
    assert low < 0.05 < high
    assert share_interval(0, 10)[0] == 0


def test_power_grows_with_the_record_and_falls_with_gaps() -> None:
    rng = np.random.default_rng(0)
    long, short = np.ones(300, np.bool_), np.ones(48, np.bool_)
    gappy = long & (rng.random(300) > 0.4)
    told = AnalysisSettings(window=0.5)
    powers = [power_statement(mask, 12, told) for mask in (short, gappy, long)]
    values = [one.power for one in powers]
    assert values[0] < values[1] < values[2]
    assert values[2] > 0.4
    assert all(one.low <= one.power <= one.high for one in powers)
    assert "means little" in powers[0].text
    assert "from 0.3 to 0.7 would be found" in powers[2].text
    assert power_statement(long, 12, told, first=0.5, last=0.5).power == pytest.approx(
        0.05, abs=0.03
    )


@pytest.mark.parametrize("n", [0, 1, 3, 12])
def test_power_of_nothing(n: int) -> None:
    found = power_statement(np.ones(n, np.bool_), 12)
    assert math.isnan(found.power)
    assert "cannot be tested" in found.text


def test_the_surface_of_settings() -> None:
    series = _series(_stable(2))
    table = sensitivity(series, "ndvi_mean", QUICK, windows=(0.3, 0.6), bandwidths=(0.3, 0.8),
                        surrogates=39)  # fmt: skip
    assert len(table) == 4 * 7
    ar1 = table[table["indicator"] == "ar1"]
    assert ar1["tau"].nunique() == 4
    summary = summarise_sensitivity(table).set_index("indicator")
    assert summary.loc["ar1", "settings"] == 4
    assert summary.loc["ar1", "median_tau"] == pytest.approx(ar1["tau"].median())
    assert summary.loc["ar1", "share_below_alpha"] == pytest.approx((ar1["p"] <= 0.05).mean())


def test_the_answer_to_rain() -> None:
    rng = np.random.default_rng(0)
    rain = rng.gamma(2.0, 1.0, 120)
    green = 5 + np.roll(rain, 2) + 0.3 * rng.normal(size=120)
    series = _series(green[np.newaxis], total_precipitation=rain)
    series.table["total_precipitation"] = rain
    table = rain_response(series, "ndvi_mean", QUICK)
    best = table[table["strongest"]].iloc[0]
    assert best["lag"] == 2
    assert best["p"] == 1 / 40
    assert best["correlation"] > best["null_high"]
    without = rain_response(_series(green[np.newaxis]), "ndvi_mean", QUICK)
    assert without["reason"].tolist() == ["there is no weather"]


def test_recovery_after_a_drought() -> None:
    rng = np.random.default_rng(0)
    rain = rng.normal(5, 1, 120)
    green = 5 + 0.1 * rng.normal(size=120)
    rain[57:61] -= 4
    green[60:72] -= 3 * np.exp(-0.25 * np.arange(12))
    series = _series(green[np.newaxis])
    series.table["total_precipitation"] = rain
    settings = AnalysisSettings(trend="none")
    table = drought_recovery(series, "ndvi_mean", settings, drop=6)
    assert len(table) == 1
    row = table.iloc[0]
    assert row["date"] == pd.Timestamp("2015-01-16")
    assert row["fits"]
    assert row["drought"]
    assert row["rate"] == pytest.approx(3, rel=0.4)


def test_site_median_is_numpys() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 3, 40))
    values[rng.random(values.shape) < 0.3] = np.nan
    found = site_median(values)
    enough = np.isfinite(values).sum(axis=0) >= 2.5
    np.testing.assert_allclose(found[enough], np.nanmedian(values, axis=0)[enough])
    assert np.isnan(found[~enough]).all()


def test_longest_gap() -> None:
    assert longest_gap(np.array([1, 1, 0, 1, 1, 1, 0, 1], np.bool_)) == 3
    assert longest_gap(np.zeros(4, np.bool_)) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"season": "lowess"}, 'unknown season "lowess"'),
        ({"indicators": ("ac1",)}, 'indicators: unknown name "ac1"'),
        ({"indicators": ()}, "must name some, each once"),
        ({"indicators": ("ar1", "ar1")}, "must name some, each once"),
        ({"seed": 2**70}, "seed = .* below 2"),
        ({"rain_months": math.inf}, "rain_months = inf must be"),
        ({"outlier_limit": math.nan}, "outlier_limit = nan must be"),
        ({"null": "arima"}, 'null: unknown name "arima"'),
        ({"window": 0}, "window = 0 must be above 0"),
        ({"surrogates": 5}, "surrogates = 5 must be at least 19"),
        ({"surrogates": 10**15}, "surrogates = 10* must be at most 1000000"),
        ({"harmonics": 10**15}, "harmonics = 10* must be at most 366"),
        ({"n_threads": 10**15}, "n_threads = 10* must be at most 10000"),
        ({"outlier_limit": -1.0}, "outlier_limit = -1.0 must be at least 0"),
        ({"trend": "stl"}, "goes with season"),
    ],
)
def test_settings_are_checked(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AnalysisSettings(**wrong)
