"""One test for each fault of the older analysis that could come back here.

Those of its inputs are guarded elsewhere: exchanged latitude and longitude in test_results.py, a
simulator without a seed in tests/unit/sources/test_simulated.py, files that cannot be read in
tests/e2e/test_bad_input.py, documented defaults that are not the code's in tests/unit/test_docs.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.series import Series, site_table, tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.indicators import temporal_indicators
from pyveg.analysis.temporal.rain import rain_response
from pyveg.analysis.temporal.sensitivity import sensitivity
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.calibration.false_alarms import stable_places
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.kernels import images, ndvi, recovery, rolling
from pyveg.kernels.decomposition import Steps, prepare
from pyveg.kernels.noise import fit_noise
from pyveg.kernels.surrogates import ar_process

QUICK = AnalysisSettings(surrogates=39)
N = 120


def _dates(n: int, days: float = 0) -> Any:
    first = pd.Timestamp("2010-01-16")
    if days:
        return first + pd.to_timedelta(np.arange(n) * days, unit="D")
    return pd.DatetimeIndex([first + pd.DateOffset(months=k) for k in range(n)])


def _series(values: Any, *, days: float = 0, weather: pd.DataFrame | None = None) -> Series:
    matrix = np.atleast_2d(values).astype(float)
    chips, n = matrix.shape
    rows = pd.DataFrame(
        {
            "date": np.tile(_dates(n, days).to_numpy(), chips),
            "collection": "S2",
            "chip": np.repeat(np.arange(chips), n),
            "ndvi_mean": matrix.ravel(),
        }
    )
    known = rows[rows["ndvi_mean"].notna()]
    return tidy(known, weather, time_per_point=f"{days:g}d" if days else "1m")


def _stable(**more: Any) -> Any:
    return stable_places(1, N, memory=0.5, seed=2, **more)[0]


# Indicators


def test_indicators_share_their_dates_and_the_last_window_is_there() -> None:
    table = temporal_indicators(_series(_stable()), settings=QUICK).indicators
    site = table[table["chip"] == SITE]
    dates = {name: part["date"].tolist() for name, part in site.groupby("indicator")}
    assert dates["ar1"] == dates["variance"]
    assert dates["ar1"][-1] == _dates(N)[-1]
    assert dates["ar1"][0] == _dates(N)[59]  # a window of 60 months ends there


def test_gaps_do_not_compress_time() -> None:
    """Without its gaps a series of every other month would look like one of neighbours."""
    x = ar_process(np.random.default_rng(0).standard_normal((1, 2000)), np.array([0.9]))[0]
    x[1::2] = np.nan
    values = rolling.rolling_indicators(x[np.newaxis], 1000, ("ar1",))
    assert np.isnan(values).all()  # no month has a neighbour, so nothing can be said


def test_the_null_model_is_stationary_and_its_order_is_chosen() -> None:
    x = ar_process(np.random.default_rng(1).standard_normal((1, 2000)), np.array([0.5, 0.3]))[0]
    noise = fit_noise(x)
    assert len(noise.coefficients) >= 2
    assert noise.coefficients[:2] == pytest.approx([0.5, 0.3], abs=0.1)
    roots = np.roots(np.concatenate([[1], -noise.coefficients]))
    assert np.abs(roots).max() < 1  # never a random walk, as differencing makes it


def test_surrogates_are_detrended_as_the_series_is() -> None:
    done = prepare(_stable()[0], Steps())
    rng = np.random.default_rng(2)
    raw = rng.standard_normal((5, N))
    slope = np.linspace(0, 50, N) + 20 * np.sin(2 * np.pi * np.arange(N) / 12)
    np.testing.assert_allclose(done.residuals(raw + slope), done.residuals(raw), atol=0.2)


def test_sensitivity_to_the_width_of_lowess_has_numbers() -> None:
    settings = AnalysisSettings(surrogates=19, indicators=("ar1",))
    table = sensitivity(
        _series(_stable()), "ndvi_mean", settings, windows=(0.5,), bandwidths=(0.2, 0.8),
        surrogates=19,
    )  # fmt: skip
    assert table["tau"].notna().all()
    assert table["tau"].nunique() == 2


def test_the_strongest_lag_may_be_negative() -> None:
    assert recovery.strongest(np.array([0.2, -0.9, 0.5])) == 1
    rng = np.random.default_rng(0)
    rain = rng.standard_normal(N)
    values = 0.3 * rng.standard_normal(N) - 2 * np.concatenate([[0, 0], rain[:-2]])
    weather = pd.DataFrame(
        {"date": _dates(N), "collection": "W", PRECIPITATION: rain + 9, TEMPERATURE: 300.0}
    )
    table = rain_response(_series(values, weather=weather), "ndvi_mean", QUICK)
    best = table[table["strongest"].astype(bool)].iloc[0]
    assert best["lag"] == 2
    assert best["correlation"] < -0.5


def test_no_label_is_misspelt() -> None:
    rows = pd.DataFrame({"date": _dates(30), "collection": "S2", "chip": 0, "offset50": -700.0})
    assert "offset50" in tidy(rows).table.columns
    assert "offest50" not in tidy(rows).table.columns


# Preparation


def test_a_strong_season_is_no_outlier_and_a_cloud_in_it_is() -> None:
    season = 10 * np.sin(2 * np.pi * np.arange(N) / 12)
    values = season + 0.1 * np.random.default_rng(0).standard_normal(N)
    values[51] += 2  # within 3 SD of the raw series, 20 of the residuals
    flagged = temporal_indicators(_series(values), settings=QUICK).parts["outlier"].to_numpy()
    assert np.flatnonzero(flagged).tolist() == [51]


def test_gaps_stay_gaps() -> None:
    values = _stable()
    values[0, 30:36] = np.nan
    series = _series(values)
    assert np.isnan(series.matrix("ndvi_mean")[0, 30:36]).all()
    parts = temporal_indicators(series, settings=QUICK).parts
    assert parts["residual"].isna().to_numpy()[30:36].all()


def test_a_date_of_one_chip_only_counts() -> None:
    values = _stable(chips=3)
    values[1:, 40] = np.nan
    table = site_table(_series(values), "ndvi_mean")
    assert table.loc[40, "chips"] == 1
    assert table.loc[40, "middle"] == values[0, 40]


def test_records_between_steps_are_brought_to_the_step() -> None:
    rows = pd.DataFrame(
        {
            "date": pd.to_datetime(["2020-01-05", "2020-01-25", "2020-02-15", "2020-04-15"]),
            "collection": "S2", "chip": 0, "ndvi_mean": [0.1, 0.3, 0.5, 0.7],
        }
    )  # fmt: skip
    found = tidy(rows, time_per_point="1m").matrix("ndvi_mean")[0]
    np.testing.assert_allclose(found, [0.2, 0.5, np.nan, 0.7])


def test_weather_need_not_be_daily() -> None:
    weather = pd.DataFrame({"date": _dates(N) + pd.Timedelta(days=9), "collection": "ERA5",
                            PRECIPITATION: np.arange(N) / N, TEMPERATURE: 300.0})  # fmt: skip
    found = _series(_stable(), weather=weather).weather()
    assert found is not None
    np.testing.assert_allclose(found, np.arange(N) / N)


def test_season_of_steps_that_are_no_months() -> None:
    n = 36 * 6
    season = 5 * np.sin(2 * np.pi * np.arange(n) * 10 / 365.25)
    values = season + 0.1 * np.random.default_rng(0).standard_normal(n)
    parts = temporal_indicators(_series(values, days=10), settings=QUICK).parts
    assert parts["residual"].std() < 0.2


def test_stl_feeds_the_indicators() -> None:
    pytest.importorskip("statsmodels")
    by_season = {
        season: temporal_indicators(
            _series(_stable()), settings=AnalysisSettings(surrogates=19, season=season)
        )
        for season in ("harmonic", "stl")
    }
    curves = [
        found.indicators.query("chip == -1 and indicator == 'ar1'")["value"].to_numpy()
        for found in by_season.values()
    ]
    assert np.abs(curves[0] - curves[1]).max() > 1e-3


# Recovery


def test_the_season_is_that_of_every_year_and_its_input_is_left_alone() -> None:
    values = _stable()
    before = values.copy()
    parts = temporal_indicators(_series(values), settings=QUICK).parts
    np.testing.assert_array_equal(values, before)
    season = parts["season"].to_numpy()
    np.testing.assert_allclose(season[12:], season[:-12], atol=1e-9)
    truth = 2 * np.sin(2 * np.pi * np.arange(12) / 12)
    assert abs(int(np.argmax(season[:12])) - int(np.argmax(truth))) <= 1  # labels do not rotate


def test_a_recovery_through_zero_has_its_rate() -> None:
    """Regressed as value on time, with the lowest point, and through a change of sign."""
    t = np.arange(60)
    values = 0.2 * np.random.default_rng(0).standard_normal(60)
    values[20:] += -9 * np.exp(-0.5 * (t[20:] - 20))
    (found,) = recovery.recoveries(values, drop=4, length=12, step=1.0)
    assert found.step == 20
    assert found.rate == pytest.approx(0.5, rel=0.25)
    assert found.r2 > 0.8


def test_a_bad_fit_is_not_kept_for_the_sign_of_its_residuals() -> None:
    rng = np.random.default_rng(3)
    values = 0.2 * rng.standard_normal(60)
    values[20:32] = rng.uniform(-9, -5, 12)  # stays low: no exponential at all
    values[20] = -9.5
    (found,) = recovery.recoveries(values, drop=4, length=12, step=1.0)
    assert found.r2 < 0.3


# Images


def test_chips_of_an_oblong_image_stand_where_they_are() -> None:
    centres = images.chip_centres_in_region(10.0, 20.0, 0.6, rows=2, columns=3)
    np.testing.assert_allclose(centres[:, 0], [9.8, 9.8, 10.0, 10.0, 10.2, 10.2])
    np.testing.assert_allclose(centres[:, 1], [20.15, 19.85] * 3)


def test_ndvi_is_averaged_before_it_is_rounded() -> None:
    values = np.full((1, 50, 50), 0.2031, np.float32)  # between two of 8 bit's steps of 0.008
    grey = images.ndvi_grey(values[0])[np.newaxis]
    found = ndvi.chip_statistics(values, grey, np.zeros_like(grey), np.ones(values.shape, bool))
    assert found["ndvi_mean"][0] == pytest.approx(0.2031, abs=1e-6)


def test_pictures_can_be_compared_in_time() -> None:
    dark = np.full((4, 4), 500.0)
    bright = dark.copy()
    bright[0, 0] = 9000  # one cloud
    pictures = [images.rgb_stretch(band, band, band, limits=(0, 3000)) for band in (dark, bright)]
    assert (pictures[0][1:] == pictures[1][1:]).all()


def test_dark_is_not_masked_and_partly_masked_is_counted() -> None:
    values = np.full((1, 50, 50), 0.1, np.float32)
    grey = np.zeros((1, 50, 50), np.uint8)  # wholly black, and seen
    seen = np.ones((1, 50, 50), bool)
    assert ndvi.chip_statistics(values, grey, grey, seen)["valid_fraction"][0] == 1
    seen[0, :20] = False
    assert ndvi.chip_statistics(values, grey, grey, seen)["valid_fraction"][0] == 0.6
