from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyveg.kernels.common_innovations import common_steps
from pyveg.kernels.decomposition import Steps, outliers, prepare
from pyveg.kernels.noise import (
    Noise,
    corrected_ar1,
    fit_noise,
    theoretical_autocorrelation,
)
from pyveg.kernels.rolling import ar1
from pyveg.kernels.surrogates import METHODS, ar_process, draw, normals, surrogates

N = 120


def _ar(phi: list[float], seed: int = 0, n: int = N, gaps: float = 0.0) -> Any:
    rng = np.random.default_rng(seed)
    x = ar_process(rng.normal(size=(1, n + 200)), np.array(phi))[0, -n:]
    x[rng.random(n) < gaps] = np.nan
    return x


def test_memory_of_one_coefficient_is_the_correlation_of_the_pairs() -> None:
    x = _ar([0.7], 1, gaps=0.3)
    off = x - np.nanmean(x)
    both = np.isfinite(x[1:]) & np.isfinite(x[:-1])
    one, other = off[:-1][both], off[1:][both]
    expected = np.sum(one * other) / np.sqrt(np.sum(one**2) * np.sum(other**2))
    noise = fit_noise(x, max_order=1)
    np.testing.assert_allclose(noise.coefficients, [expected])
    assert noise.sigma == pytest.approx(np.nanstd(x) * np.sqrt(1 - expected**2))
    assert np.nanstd(noise.innovations) == pytest.approx(noise.sigma)


def test_gaps_limit_the_order() -> None:
    orders = [fit_noise(_ar([0.6], seed, gaps=0.4)).coefficients.size for seed in range(60)]
    assert max(orders) <= 2


@pytest.mark.parametrize("phi", [[], [0.6], [0.5, -0.3], [0.2, 0.1, 0.4]])
def test_theoretical_autocorrelation_is_that_of_statsmodels(phi: list[float]) -> None:
    arma = pytest.importorskip("statsmodels.tsa.arima_process")
    expected = arma.ArmaProcess(np.r_[1, -np.array(phi)], [1]).acf(20)
    np.testing.assert_allclose(theoretical_autocorrelation(np.array(phi), 19), expected, atol=1e-10)


def test_processes_are_run_as_scipy_runs_them() -> None:
    from scipy.signal import lfilter

    drive = np.random.default_rng(0).normal(size=(3, 50))
    expected = lfilter([1.0], [1.0, -0.5, 0.3], drive, axis=1)
    np.testing.assert_allclose(ar_process(drive, np.array([0.5, -0.3])), expected, atol=1e-12)
    changing = np.linspace(0, 0.9, 50)[:, None]
    found = ar_process(drive, changing)
    np.testing.assert_allclose(found[:, 1:], drive[:, 1:] + changing[1:, 0] * found[:, :-1])


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_memory_is_found_through_the_detrending(gaps: float) -> None:
    """Without the operator the fit is much too low; with it, less than half as far off."""
    plain, matched = [], []
    for seed in range(150):
        done = prepare(_ar([0.7], seed, gaps=gaps), Steps(bandwidth=0.3))
        plain.append(fit_noise(done.residual, max_order=1).coefficients.sum())
        matched.append(fit_noise(done.residual, done.operator, max_order=1).coefficients.sum())
    assert 0.7 - np.mean(plain) > 0.12
    assert abs(0.7 - np.mean(matched)) < 0.06


@pytest.mark.parametrize("phi", [0.3, 0.5, 0.8])
def test_gaps_do_not_bias_the_memory(phi: float) -> None:
    """Behind the whole chain; AR(1) of the residuals falls by 0.02 to 0.04."""
    means = {}
    for gaps in (0.0, 0.2):
        found = []
        for seed in range(400):
            done = prepare(_ar([phi], seed, gaps=gaps), Steps())
            found.append(corrected_ar1(done.residual, done.operator))
        means[gaps] = np.mean(found)
    assert abs(means[0.2] - means[0.0]) < 0.02
    assert abs(means[0.0] - phi) < 0.03


def test_memory_of_what_has_none() -> None:
    done = prepare(np.full(N, 0.3), Steps())
    assert np.isnan(corrected_ar1(done.residual, done.operator))
    assert np.isnan(corrected_ar1(np.full(N, np.nan), done.operator))


def test_order_by_akaike() -> None:
    orders = [fit_noise(_ar([0.0, 0.6], seed, 300)).coefficients.size for seed in range(40)]
    assert np.mean(np.array(orders) >= 2) > 0.9
    white = [fit_noise(_ar([], seed, 300)).coefficients.size for seed in range(40)]
    assert np.median(white) == 0


def test_what_has_no_noise_is_told() -> None:
    with pytest.raises(ValueError, match="11 values are too few"):
        fit_noise(np.arange(11.0))
    with pytest.raises(ValueError, match="constant"):
        fit_noise(np.ones(50))


def test_wild_gaps_give_a_stationary_model() -> None:
    for seed in range(50):
        x = _ar([0.9], seed, 60, gaps=0.6)
        if np.isfinite(x).sum() < 12:
            continue
        noise = fit_noise(x)
        roots = np.roots(np.r_[1, -noise.coefficients])
        assert (np.abs(roots) < 1).all()
        assert noise.sigma > 0


def test_the_same_seed_gives_the_same_numbers_on_every_machine() -> None:
    draws = draw(3, 2, [7, 1])
    assert draws.words[0, :3].tolist() == WORDS
    again = draw(3, 5, [7, 1])
    np.testing.assert_array_equal(again.words[:2], draws.words)
    np.testing.assert_array_equal(again.part(1, 2).own, draws.own[1:])
    assert not np.array_equal(draw(3, 2, [7, 2]).words, draws.words)
    noise = Noise(np.array([0.5]), 1.0, np.arange(40.0) - 19.5)
    found = surrogates(np.zeros(40), noise, draw(40, 1, 3))
    assert found[0, :4].tolist() == VALUES  # bit for bit


WORDS = [15726550606777476398, 7444883432361683333, 14092825244082508904]
VALUES = [-5.687874003948825, 2.6560629980255874, -9.171968500987207, 7.9140157495063965]


def test_words_become_normal_numbers() -> None:
    from scipy import stats

    found = normals(draw(1000, 5, 1).words).ravel()
    assert stats.kstest(found, "norm").pvalue > 0.01
    assert np.isfinite(normals(np.array([0, 2**64 - 1], dtype=np.uint64))).all()


@pytest.mark.parametrize("gaps", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("method", METHODS)
def test_surrogates_remember_as_much_as_the_series(method: str, gaps: float) -> None:
    x = _ar([0.6], 4, 400, gaps)
    made = surrogates(x, fit_noise(x), draw(400, 300, 1), method)
    assert made.shape == (300, 400)
    assert np.isfinite(made).all()
    assert np.mean([ar1(row) for row in made]) == pytest.approx(ar1(x), abs=0.1)
    assert np.mean(made.std(axis=1)) == pytest.approx(np.nanstd(x), rel=0.12)
    assert abs(made.mean()) < 0.2


def test_phases_keep_the_spectrum_of_a_complete_series() -> None:
    x = _ar([0.6], 4, 121)
    made = surrogates(x, fit_noise(x), draw(121, 5, 1), "phase")
    expected = np.abs(np.fft.rfft(x - x.mean()))
    np.testing.assert_allclose(
        np.abs(np.fft.rfft(made, axis=1)), np.tile(expected, (5, 1)), atol=1e-9
    )
    assert np.abs(made[0] - made[1]).max() > 0.5


def test_what_is_filled_for_phases_is_only_what_is_missing() -> None:
    from pyveg.kernels.surrogates import _filled

    x = _ar([0.9], 1, 200, 0.3)
    known = np.isfinite(x)
    filled = _filled(x, fit_noise(x), draw(200, 400, 1))
    np.testing.assert_array_equal(filled[:, known], np.tile((x - x[known].mean())[known], (400, 1)))
    spread = filled[:, ~known].std(axis=0)
    assert spread.min() > 0.1  # anew for each
    assert spread.max() < 1.2 * np.nanstd(x)


@pytest.mark.parametrize("method", METHODS)
def test_series_drawn_together_keep_their_correlation(method: str) -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=300)
    pair = [0.8 * common + 0.6 * rng.normal(size=300) for _ in range(2)]
    noises = [fit_noise(one) for one in pair]
    steps = common_steps(np.stack([one.innovations for one in noises]))
    draws = draw(300, 100, 1, steps)
    made = [surrogates(x, noise, draws, method) for x, noise in zip(pair, noises, strict=True)]
    found = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(*made, strict=True)])
    assert found == pytest.approx(np.corrcoef(pair)[0, 1], abs=0.1)


def test_few_innovations_are_drawn_from_a_normal_distribution() -> None:
    noise = Noise(np.array([0.3]), 2.0, np.full(50, np.nan))
    made = surrogates(np.zeros(50), noise, draw(50, 400, 1))
    assert made.std() == pytest.approx(2.0 / np.sqrt(1 - 0.09), rel=0.05)


def test_an_unknown_null_model() -> None:
    x = _ar([0.5])
    with pytest.raises(ValueError, match='unknown null model "arima"; known: ar, phase, block'):
        surrogates(x, fit_noise(x), draw(N, 2, 1), "arima")


@pytest.mark.parametrize("season", ["harmonic", "stl", "none"])
@pytest.mark.parametrize("trend", ["loess", "gaussian", "quadratic", "none"])
def test_surrogates_go_through_the_same_chain(season: str, trend: str) -> None:
    """A series sent as its own surrogate comes back as its own residual."""
    x = _ar([0.5], 2, gaps=0.15) + 3 * np.sin(np.arange(N) * np.pi / 6)
    x[50] = 40.0
    done = prepare(x, Steps(season=season, trend=trend))
    assert done.flagged[50]
    found = done.residuals(np.nan_to_num(x)[np.newaxis])[0]
    again = done.valid & np.isfinite(found)
    np.testing.assert_allclose(found[again], done.residual[again], atol=1e-9)
    np.testing.assert_allclose((done.fixed + done.residual)[again], x[again], atol=1e-9)
    assert np.isnan(found[np.isnan(x)]).all()


def test_older_defect_surrogates_are_detrended() -> None:
    x = _ar([0.5], 2)
    done = prepare(x, Steps(season="none"))
    slope = np.linspace(0, 50, N)
    plain, tilted = done.residuals(np.stack([x, x + slope]))
    np.testing.assert_allclose(plain, tilted, atol=1e-9)


def test_older_defect_the_season_is_taken_for_any_step() -> None:
    t = np.arange(200)
    for period in (12.0, 24.35, 36.525):
        x = _ar([0.5], 3, 200)
        waves = 4 * np.sin(2 * np.pi * t / period)
        with_season, without = (
            prepare(series, Steps(period=period)).residual for series in (x + waves, x)
        )
        np.testing.assert_allclose(with_season, without, atol=1e-9)


def test_older_defect_stl_feeds_the_indicators() -> None:
    pytest.importorskip("statsmodels")
    x = _ar([0.5], 3) + 3 * np.sin(np.arange(N) * np.pi / 6)
    stl = prepare(x, Steps(season="stl", trend="stl"))
    np.testing.assert_allclose(stl.season + stl.trend + stl.residual, x)
    assert stl.season.std() > 1.5


def test_a_surrogate_with_outliers_is_fitted_again_without_them() -> None:
    x = _ar([0.5], 2)
    done = prepare(x, Steps())
    spoilt = x.copy()
    spoilt[60] += 30
    found = done.residuals(spoilt[np.newaxis])[0]
    expected = prepare(spoilt, Steps())
    assert expected.flagged[60]
    np.testing.assert_allclose(found, expected.residual, atol=1e-9)


def test_outliers_by_a_robust_scale() -> None:
    from scipy.stats import median_abs_deviation

    rng = np.random.default_rng(0)
    data = rng.standard_t(2, size=(4, 80))
    data[rng.random(data.shape) < 0.2] = np.nan
    data[3, 10:] = np.nan  # too few
    expected = np.zeros(data.shape, np.bool_)
    for row in range(3):
        scale = median_abs_deviation(data[row], nan_policy="omit", scale="normal")
        expected[row] = np.abs(data[row] - np.nanmedian(data[row])) > 4 * scale
    found = outliers(data, 4.0)
    assert found.sum() > 3
    different = np.flatnonzero((found != expected).any(axis=1))
    assert different.size == 0
    assert not outliers(np.zeros((1, 50)), 4.0).any()


def test_older_defect_outliers_are_not_judged_by_the_raw_season() -> None:
    """A missed cloud in the dry season lies well inside 3 SD of the raw series."""
    t = np.arange(N)
    x = 10 * np.sin(2 * np.pi * t / 12) + np.random.default_rng(0).normal(size=N)
    x[39] += 9  # lowest month
    assert abs(x[39] - x.mean()) < 3 * x.std(ddof=1)
    done = prepare(x, Steps())
    assert np.flatnonzero(done.flagged).tolist() == [39]
    assert np.isnan(done.residual[39])


def test_constant_series_have_a_zero_residual() -> None:
    done = prepare(np.full(N, 0.3), Steps())
    assert (done.residual == 0).all()


def test_unknown_steps() -> None:
    with pytest.raises(ValueError, match='unknown season "year"'):
        Steps(season="year")
    with pytest.raises(ValueError, match='unknown trend "lowess"'):
        Steps(trend="lowess")
    with pytest.raises(ValueError, match="goes with season"):
        Steps(trend="stl")
    with pytest.raises(ValueError, match=r"whole number of steps in a year, not 24\.35"):
        prepare(_ar([0.5]), Steps(season="stl", period=24.35))


@pytest.mark.parametrize("memory", [0.3, 0.9])
def test_surrogates_vary_as_the_series_does_behind_the_chain(memory: float) -> None:
    """Detrending takes most of what a long memory does, and its surrogates make that good."""
    ratios = []
    for seed in range(20):
        done = prepare(_ar([memory], seed, gaps=0.1), Steps(bandwidth=0.3))
        noise = fit_noise(done.residual, done.operator)
        made = surrogates(done.residual, noise, draw(N, 100, seed))
        ratios.append(np.nanvar(done.residuals(made)) / np.nanvar(done.residual))
    assert np.median(ratios) == pytest.approx(1.0, abs=0.15)
