"""Chips that need more surrogates get them: p is valid, and q has no floor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.indicators import temporal_indicators
from pyveg.analysis.temporal.sequential import ChipTests, chip_tests
from pyveg.analysis.temporal.significance import p_value, q_values
from pyveg.testing.analyses import made_series


def _tests(
    observed: Any, *, seed: int = 0, first: int = 199, direction: str = "rise"
) -> tuple[ChipTests, dict[int, int]]:
    """Of statistics whose surrogates are standard normal; and how many more each chip got."""
    rng = np.random.default_rng(seed)
    seen = np.asarray(observed, dtype=float)[:, np.newaxis]
    more: dict[int, int] = {}

    def draw(place: int, start: int, count: int) -> Any:
        assert start == more.get(place, 0)
        more[place] = start + count
        return np.random.default_rng([seed, place, start]).standard_normal((count, 1))

    null = rng.standard_normal((first, *seen.shape))
    found = chip_tests(
        seen, null, [direction], more=draw, alpha=0.05,
        spread=lambda work, places: [work(place) for place in places],
    )  # fmt: skip
    return found, more


def test_one_chip_of_289_is_told_from_chance() -> None:
    """With 199 surrogates its q could not be below 1."""
    observed = np.random.default_rng(1).standard_normal(289)
    observed[7] = 6.0
    found, more = _tests(observed)
    q = q_values(found.p[:, 0])
    assert np.flatnonzero(q <= 0.05).tolist() == [7]
    assert found.p[7, 0] == 1 / (1 + found.counted[7, 0])
    assert len(more) < 30  # others have stopped at once
    assert sum(more.values()) < 40_000


def test_many_chips_with_a_sign_need_no_more() -> None:
    observed = np.random.default_rng(1).standard_normal(289)
    observed[:100] = 6.0
    found, more = _tests(observed)
    assert not set(range(100)) & set(more)
    assert (q_values(found.p[:, 0])[:100] <= 0.05).all()


@pytest.mark.parametrize("direction", ["rise", "fall", "either"])
def test_p_of_chips_without_a_sign_are_uniform(direction: str) -> None:
    rng = np.random.default_rng(3)
    p = np.concatenate([
        _tests(rng.standard_normal(60), seed=seed, direction=direction, first=39)[0].p[:, 0]
        for seed in range(50)
    ])  # fmt: skip
    for alpha in (0.002, 0.01, 0.05, 0.2):
        error = np.sqrt(alpha * (1 - alpha) / p.size)
        assert (p <= alpha).mean() <= alpha + 3 * error
    assert (p <= 0.05).mean() >= 0.03


def test_a_chip_that_stops_has_the_p_of_its_first_surrogates() -> None:
    observed = np.array([0.1, np.nan, -2.0])
    found, more = _tests(observed)
    null = np.random.default_rng(0).standard_normal((199, 3, 1))
    assert more == {}
    assert np.isnan(found.p[1, 0])
    for chip in (0, 2):
        assert found.p[chip, 0] == p_value(observed[chip], null[:, chip, 0], "rise")


def test_threads_change_no_p_of_a_chip() -> None:
    """Chips that go on draw surrogates of their own, in whatever order they are worked on."""
    series = made_series(chips=3, months=72, metrics=("ndvi_mean",), weather=False)
    found = []
    for n_threads in (1, 3):
        settings = AnalysisSettings(
            surrogates=39, chip_surrogates=19, indicators=("ar1", "skewness"), n_threads=n_threads
        )
        found.append(temporal_indicators(series, ["ndvi_mean"], settings))
    pd.testing.assert_frame_equal(found[0].trends, found[1].trends)
    pd.testing.assert_frame_equal(found[0].memory, found[1].memory)
    chips = found[0].trends.query("chip >= 0")
    assert chips["surrogates"].max() > 39
    assert chips["surrogates"].min() == 19
