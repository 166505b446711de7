"""Trend of phi and breaks of places: what they find, and what they leave alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.columns import MEMORY
from pyveg.analysis.data.series import Series, tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.breaks import Break, find_break, site_mean
from pyveg.analysis.temporal.indicators import temporal_indicators
from pyveg.analysis.temporal.memory import MemoryTrends, memory_rows, memory_trends
from pyveg.analysis.temporal.surrogate_tests import SITE, Ready, prepare_chips, stream
from pyveg.calibration.false_alarms import stable_places
from pyveg.calibration.zoo import Record, judge, zoo_series
from pyveg.kernels.phi_trend import phi_trends

QUICK = AnalysisSettings(surrogates=59, indicators=("ar1", "variance"))


def _ready(matrix: Any, settings: AnalysisSettings = QUICK) -> list[Ready]:
    return [chip.ready for chip in prepare_chips(matrix, 12.0, settings) if chip.ready]


def _stable(chips: int = 3, n: int = 120, gaps: float = 0.2, seed: int = 0) -> Any:
    return stable_places(1, n, memory=0.5, gaps=gaps, chips=chips, shared=0.5, seed=seed)[0]


def _series(matrix: Any, rain: Any = None) -> Series:
    chips, n = np.shape(matrix)
    dates = [pd.Timestamp("2010-01-16") + pd.DateOffset(months=k) for k in range(n)]
    rows = pd.DataFrame(
        {
            "date": np.tile(np.array(dates, dtype="datetime64[ns]"), chips),
            "collection": "S2",
            "chip": np.repeat(np.arange(chips), n),
            "level": np.ravel(matrix).astype(float),
        }
    )
    weather = None
    if rain is not None:
        weather = pd.DataFrame({"date": dates, "collection": "E", "total_precipitation": rain})
    return tidy(rows, weather, time_per_point="1m")


def test_the_mean_of_chips_is_what_their_common_part_leaves() -> None:
    """Whatever each misses: the mean's operator is exact for what they share."""
    common = 5 + np.random.default_rng(0).normal(size=60)
    matrix = np.tile(common, (3, 1))
    for chip, step in ((0, 5), (0, 6), (1, 20), (2, 41)):
        matrix[chip, step] = np.nan
    matrix[:2, 30] = np.nan  # most chips miss it
    done = [one.prepared for one in _ready(matrix, AnalysisSettings(outlier_limit=0))]
    site = site_mean(done)
    assert np.isnan(site.residual[30])
    assert np.isfinite(np.delete(site.residual, 30)).all()
    expected = common @ site.operator
    np.testing.assert_allclose(np.delete(site.residual, 30), np.delete(expected, 30), atol=1e-10)


def test_of_one_chip_it_is_the_chip() -> None:
    (chip,) = _ready(_stable(1))
    site = site_mean([chip.prepared])
    np.testing.assert_array_equal(site.residual, chip.prepared.residual)
    np.testing.assert_array_equal(site.operator, chip.prepared.operator)


def test_a_break_has_its_month_and_its_size() -> None:
    matrix = _stable(4)
    matrix[:, 80:] -= 5.0
    found = find_break(_ready(matrix), 12.0, QUICK, [1])
    assert found.p == 1 / (1 + found.surrogates)
    assert abs(found.step - 80) <= 1
    assert found.kind == "step"
    assert found.size == pytest.approx(-5, abs=1.5)
    assert abs(found.size + 5) < 3 * found.error


def test_a_fire_comes_back() -> None:
    kinds = []
    for seed in range(4):
        matrix = _stable(4, gaps=0.0, seed=seed)
        matrix[:, 60:] -= 10 * np.exp(-np.arange(60) / 6)
        found = find_break(_ready(matrix), 12.0, QUICK, [1])
        assert found.p <= 0.01
        assert abs(found.step - 60) <= 1
        assert found.size < 0
        kinds.append(found.kind)
    assert kinds.count("pulse") >= 3


def test_breaks_of_stable_places_are_rare() -> None:
    """At p <= 0.05 at most 9 of 40; the scan is known to find a little too much."""
    p = [find_break(_ready(_stable(1, seed=seed)), 12.0, QUICK, [seed]).p for seed in range(40)]
    assert np.mean(np.array(p) <= 0.05) <= 9 / 40
    assert np.mean(np.array(p) > 0.5) > 0.2


def test_the_noise_is_fitted_without_the_break() -> None:
    """Else the step becomes memory, and surrogates make such steps themselves."""
    matrix = _stable(1, gaps=0.0)
    without = find_break(_ready(matrix), 12.0, QUICK, [1]).memory
    matrix[:, 80:] -= 8.0
    assert find_break(_ready(matrix), 12.0, QUICK, [1]).memory == pytest.approx(without, abs=0.15)


def test_watching_the_indicators_gives_the_numbers_of_the_short_way() -> None:
    series = _series(_stable())
    found = temporal_indicators(series, ["level"], QUICK)
    chips = _ready(series.matrix("level"))
    broken = find_break(chips, 12.0, QUICK, stream(0, "break", "S2", "level"))
    seed = stream(0, "temporal", "S2", "level")
    trends = memory_trends(chips, broken, 12.0, QUICK, seed)
    row = next(iter(memory_rows(trends, [], [SITE], QUICK, {})))
    site = found.memory.query("chip == -1").iloc[0]
    for name in ("t", "p", "change", "noise", "noise_p", "variance_tau", "pairs"):
        assert site[name] == row[name], name
    assert found.breaks.iloc[0]["z"] == broken.z


def test_rows_of_site_and_chips() -> None:
    found = temporal_indicators(_series(_stable()), ["level"], QUICK).memory
    assert list(found.columns) == MEMORY.names
    assert found["chip"].tolist() == [SITE, 0, 1, 2]
    site, chips = found.iloc[0], found.iloc[1:]
    assert site["t"] == pytest.approx(chips["t"].mean())
    assert site["change"] == pytest.approx(chips["change"].mean())
    assert (found["last"] - found["first"]).tolist() == pytest.approx(found["change"].tolist())
    assert (found["change_low"] < found["change"]).all()
    assert (found["p"].between(1 / 60, 1)).all()
    assert site["q"] == site["p"]
    assert (found["weather_reason"] != "").all()


def test_a_rise_is_found_and_a_stable_place_is_not() -> None:
    rising = [judge(zoo_series(".5 to .9", Record(25, 0.0, 3), seed), QUICK, seed).memory["p"]
              for seed in range(8)]  # fmt: skip
    stable = [judge(zoo_series("stable .5", Record(25, 0.0, 3), seed), QUICK, seed).memory["p"]
              for seed in range(8)]  # fmt: skip
    assert np.median(rising) <= 0.05
    assert np.median(stable) > 0.1


@pytest.mark.parametrize("situation", ["noise x 2", "observation noise grows"])
def test_growing_noise_is_called_so(situation: str) -> None:
    states = [
        judge(zoo_series(situation, Record(25), seed), QUICK, seed).state for seed in range(5)
    ]
    assert states.count("spread_grows") >= 3
    assert states.count("memory_rises") <= 1  # what a test at 5 % may do


def _driven(seed: int, *, answer: float, rising: bool, n: int = 300) -> tuple[Any, Any]:
    """A chip of constant memory that follows rain, and that rain."""
    rng = np.random.default_rng(seed)
    phi = np.linspace(0.0, 0.85, n) if rising else np.full(n, 0.3)
    rain, x = np.zeros(n), np.zeros(n)
    for t in range(1, n):
        rain[t] = phi[t] * rain[t - 1] + np.sqrt(1 - phi[t] ** 2) * rng.normal()
        x[t] = 0.4 * x[t - 1] + answer * rain[t] + 0.4 * rng.normal()
    return x[np.newaxis], rain + 10


def test_memory_of_the_rain_is_told_from_memory_of_the_vegetation() -> None:
    rows = []
    for seed in range(5):
        matrix, rain = _driven(seed, answer=1.0, rising=True)
        found = temporal_indicators(_series(matrix, rain), ["level"], QUICK).memory
        rows.append(found.query("metric == 'level' and chip == -1").iloc[0])
        of_rain = found.query("metric == 'total_precipitation'")
        assert len(of_rain) == 1
        assert np.isnan(of_rain["q"]).all()  # it is no test of the vegetation
    table = pd.DataFrame(rows)
    assert (table["p_same"] <= 0.05).mean() >= 0.7
    assert (table["p_beside"] <= 0.05).mean() <= 0.3
    assert (table["p_difference"] <= 0.05).mean() >= 0.7


def test_the_weather_is_compared_on_the_first_surrogates() -> None:
    """The same p as where there are no more of them."""
    matrix, rain = _driven(2, answer=1.0, rising=True, n=120)
    rows = []
    for surrogates in (19, 59):
        settings = AnalysisSettings(surrogates=surrogates, chip_surrogates=19, indicators=("ar1",))
        found = temporal_indicators(_series(matrix, rain), ["level"], settings).memory
        rows.append(found.query("metric == 'level' and chip == -1").iloc[0])
    for name in ("p_same", "p_beside", "p_difference"):
        assert rows[0][name] == rows[1][name]
        assert rows[0][name] * 20 == pytest.approx(round(rows[0][name] * 20))
    assert rows[1]["surrogates"] == 59


def test_rain_that_has_nothing_to_do_with_it_explains_nothing() -> None:
    differences = []
    for seed in range(5):
        matrix, rain = _driven(seed, answer=0.0, rising=True)
        found = temporal_indicators(_series(matrix, rain), ["level"], QUICK).memory
        differences.append(found.query("metric == 'level' and chip == -1")["p_difference"])
    assert (np.concatenate(differences) <= 0.05).mean() <= 0.2


@pytest.mark.parametrize(
    ("rain", "why"),
    [
        (None, "there is no weather"),
        ("late", "rain is known for 12 of 119 pairs of steps"),
        ("half", r"rain is known for [56][0-9] of 119 pairs of steps"),
        ("constant", "never changes"),
    ],
)
def test_where_nothing_can_be_compared_that_is_said(rain: str | None, why: str) -> None:
    matrix, known = _driven(1, answer=1.0, rising=False, n=120)
    if rain == "late":
        known[:108] = np.nan
    if rain == "half":
        known[:60] = np.nan
    if rain == "constant":
        known[:] = 5.0
    series = _series(matrix, None if rain is None else known)
    row = temporal_indicators(series, ["level"], QUICK).memory.query("metric == 'level'")
    assert row["p_difference"].isna().all()
    assert row["weather_reason"].str.contains(why).all()
    assert row["p"].notna().all()


def test_a_series_that_cannot_be_fitted_says_why() -> None:
    short = temporal_indicators(_series(_stable(2, n=18)), ["level"], QUICK)
    assert short.memory["reason"].str.contains("values of 18 steps").all()
    assert short.breaks["reason"].str.contains("values of 18 steps").all()
    assert not short.breaks["found"].any()
    scattered = _stable(1, n=120, gaps=0.0)
    scattered[:, ::2] = np.nan  # no neighbours
    found = temporal_indicators(_series(scattered), ["level"], QUICK).memory
    assert found["reason"].str.contains("too few pairs of neighbouring steps").all()
    assert found["p"].isna().all()


def test_threads_change_nothing() -> None:
    matrix = _stable(5)
    results = []
    for n_threads in (1, 3):
        settings = AnalysisSettings(surrogates=39, indicators=("ar1",), n_threads=n_threads)
        results.append(temporal_indicators(_series(matrix), ["level"], settings).memory)
    pd.testing.assert_frame_equal(*results)


def test_without_a_break_a_series_loses_the_template_it_looks_most_like() -> None:
    chips = _ready(_stable(2))
    trends = MemoryTrends(chips, Break(memory=0.5), 12.0)
    for chip, rest, fit in zip(chips, trends.rests, trends.fits, strict=True):
        assert not np.array_equal(rest, chip.prepared.residual)
        assert (np.isnan(rest) == np.isnan(chip.prepared.residual)).all()
        assert fit.t[0] == phi_trends(rest[np.newaxis]).t[0]
