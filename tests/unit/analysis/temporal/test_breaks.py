"""Abrupt changes: how sure their p is, their dates, and the sides of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.axis import Axis
from pyveg.analysis.data.series import tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.statement import _process_claims
from pyveg.analysis.states import NOTHING, metric_state
from pyveg.analysis.temporal.breaks import BREAK_ALPHA, Break, compared, find_break
from pyveg.analysis.temporal.process import process_row
from pyveg.analysis.temporal.sides import side_row
from pyveg.analysis.temporal.surrogate_tests import prepare_chips
from pyveg.calibration.false_alarms import stable_places
from pyveg.kernels.breaks import break_dates, break_templates, scan_breaks
from pyveg.kernels.decomposition import prepare
from pyveg.kernels.surrogates import ar_process

QUICK = AnalysisSettings(surrogates=59)
COMMON = {"collection": "S2", "metric": "level"}


def _axis(n: int) -> Axis:
    dates = pd.date_range("2010-01-15", periods=n, freq="MS")
    axis = tidy(pd.DataFrame({"date": dates, "level": np.arange(n)}), time_per_point="1m").axis
    assert axis is not None
    return axis


def _found(matrix: Any, settings: AnalysisSettings = QUICK) -> Break:
    ready = [chip.ready for chip in prepare_chips(matrix, 12.0, settings) if chip.ready]
    return find_break(ready, 12.0, settings, [1])


def _uniform(count: int, seed: Sequence[int]) -> Any:
    return np.random.default_rng(list(seed)).random((count, 1))


@pytest.mark.parametrize("true", [0.006, 0.016])
@pytest.mark.parametrize("first", [59, 199, 999])
def test_a_p_near_its_limit_does_not_hang_on_the_surrogates(first: int, true: float) -> None:
    """With 199 alone every fourth seed would say the contrary."""
    for seed in range(20):
        (p,), _ = compared(np.array([1 - true]), _uniform, first, [seed])
        assert (p <= BREAK_ALPHA) == (true <= BREAK_ALPHA)


def test_a_p_far_from_its_limit_costs_no_more() -> None:
    (p,), made = compared(np.array([0.5]), _uniform, 199, [1])
    assert made == 199
    assert p == pytest.approx(0.5, abs=0.15)
    (p,), made = compared(np.array([2.0]), _uniform, 199, [1])
    assert p == 1 / (1 + made)
    assert made < 2500
    (p,), made = compared(np.array([np.nan]), _uniform, 199, [1])
    assert np.isnan(p)
    assert made == 199


def test_a_date_has_an_interval() -> None:
    held, wide = 0, []
    for seed in range(30):
        matrix = stable_places(1, 120, memory=0.5, gaps=0.1, seed=seed)[0]
        matrix[:, 70:] -= 4.0
        done = prepare(matrix[0], QUICK.steps(12.0))
        templates = break_templates(done.operator, 6.0)
        place = int(scan_breaks(done.residual[np.newaxis], templates, 0.5).place[0])
        first, last = break_dates(done.residual, templates, 0.5, place)
        after = 70 + int(np.flatnonzero(np.isfinite(done.residual[70:]))[0])
        held += first <= after <= last
        wide.append(last - first)
        assert first <= place % 120 <= last
    assert held >= 25
    assert np.median(wide) <= 12


def test_an_abrupt_change_of_the_spread_is_one_of_its_own() -> None:
    matrix = np.random.default_rng(4).standard_normal((1, 180))
    matrix[:, 90:] *= 3.0
    found = _found(matrix)
    assert found.scale.found
    assert abs(found.scale.step - 90) < 12
    assert found.scale.ratio > 1.7


def test_growing_spread_needs_no_straight_line() -> None:
    memory = {"p": 0.5, "q": 0.5, "noise_q": 0.3, "variance_tau": 0.5, "p_difference": np.nan}
    grown = {"found": False, "scale_p": 0.004, "scale": 2.0}
    assert metric_state(memory, grown, 0.05) == "spread_grows"
    assert metric_state(memory, {**grown, "scale": 0.5}, 0.05) == NOTHING
    assert metric_state(memory, {**grown, "scale_p": 0.04}, 0.05) == NOTHING


def test_the_longer_side_is_judged_by_itself() -> None:
    matrix = stable_places(1, 120, memory=0.4, gaps=0.0, chips=2, seed=2)[0]
    matrix[:, 80:] -= 8.0
    broken = _found(matrix)
    row = side_row(matrix, broken, _axis(120), QUICK, COMMON)
    assert (row["side"], row["steps"], row["reason"]) == ("before", broken.step, "")
    assert abs(row["steps"] - 80) <= 1
    assert row["metric"] == "level"
    assert 0 < row["p"] <= 1
    assert 0 < row["variance_p"] <= 1
    assert row["first_date"] < row["last_date"] < _axis(120).dates[broken.step]


@pytest.mark.parametrize(
    ("n", "at", "told"), [(100, 50, "the longer side has 4.2 years; 5 are needed")]
)
def test_short_sides_are_refused_with_the_reason(n: int, at: int, told: str) -> None:
    matrix = stable_places(1, n, memory=0.4, gaps=0.0, seed=2)[0]
    row = side_row(matrix, Break(step=at, p=0.001), _axis(n), QUICK, COMMON)
    assert row["reason"] == told
    assert "p" not in row


def test_a_side_with_a_jump_of_its_own_is_refused() -> None:
    matrix = stable_places(1, 160, memory=0.3, gaps=0.0, seed=2)[0]
    matrix[:, 60:] -= 9.0
    matrix[:, 120:] += 25.0
    row = side_row(matrix, Break(step=120, p=0.001), _axis(160), QUICK, COMMON)
    assert row["reason"] == "the longer side has an abrupt change of its own"


def test_the_process_has_a_row_with_the_noise_of_its_observation() -> None:
    rng = np.random.default_rng(5)
    slow = ar_process(rng.standard_normal((3, 500)), np.array([0.85]))[:, -240:]
    matrix = slow + 1.2 * rng.standard_normal(slow.shape)
    dates = pd.date_range("2000-01-15", periods=240, freq="MS")
    rows = [
        {"date": date, "chip": chip, "level": matrix[chip, step], "valid_fraction": share}
        for step, (date, share) in enumerate(zip(dates, rng.uniform(0.6, 1, 240), strict=True))
        for chip in range(3)
    ]
    series = tidy(pd.DataFrame(rows), time_per_point="1m")
    row = process_row(series, "level", Break(), QUICK, COMMON)
    assert row["chips"] == 3
    assert row["informed"]
    assert row["low"] < 0.85 < row["high"]
    assert row["plain"] < row["memory"]
    told = _process_claims({**row, "observed": 0.95}, "greenness")
    assert f"without it AR(1) is {row['memory']:.2f}" in told[0].text
    assert not _process_claims({**row, "observed": 0.5}, "greenness")
    short = process_row(tidy(pd.DataFrame(rows[:30])), "level", Break(), QUICK, COMMON)
    assert short["reason"] == "too few values for a model of the noise"
