"""The power of the verdict: a table with a smooth surface through it, and what is told of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.columns import VERDICT_POWER
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal import verdict_power as module
from pyveg.analysis.temporal.power_surface import PowerSurface, RecordKind
from pyveg.analysis.temporal.significance import share_interval
from pyveg.analysis.temporal.verdict_power import (
    RISES,
    VerdictPower,
    power_table,
    shared_noise,
    verdict_power,
)

USUAL = AnalysisSettings()


def told(years: float, gaps: float, chips: int, shared: float, tests: int = 1) -> VerdictPower:
    found = verdict_power(RecordKind(years, gaps, chips, shared), USUAL, tests)
    assert found is not None
    return found


def _true(size: float, tests: int) -> PowerSurface:
    coefficients = np.array([-1.5 - 0.3 * tests, math.log(size), 0.7, 1.0, 0.5, 0.5, 0.0])
    return PowerSurface(coefficients, np.zeros((7, 7)), 1.0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A table whose counts rise with the record and fall with the number of metrics."""
    rows: list[dict[str, Any]] = [
        {"years": years, "gaps": gaps, "chips": chips, "shared": shared, "rise": rise,
         "tests": tests, "series": 1000, "broken": 0,
         "found": round(1000 * _true(size, tests).at(RecordKind(years, gaps, chips, shared)))}
        for years in (5, 10, 20) for gaps in (0.0, 0.4)
        for chips, shared in ((1, 0.0), (9, 0.0), (9, 0.5))
        for rise, size in zip(RISES, (0.08, 0.16, 0.2), strict=True)
        for tests in (1, 2)
    ]  # fmt: skip
    table = VERDICT_POWER.frame(rows)
    monkeypatch.setattr(module, "power_table", lambda: table)
    module.surface.cache_clear()
    module.simulated.cache_clear()
    yield
    module.surface.cache_clear()
    module.simulated.cache_clear()


@pytest.mark.usefixtures("small")
def test_power_lies_between_that_of_simulated_records() -> None:
    short, between, long = (told(years, 0.0, 1, 0.0).power for years in (10, 14, 20))
    truth = _true(0.16, 1)
    for power, years in ((short, 10), (between, 14), (long, 20)):
        assert power == pytest.approx(truth.at(RecordKind(years, 0.0, 1, 0.0)), abs=0.01)
    assert short < between < long
    alone, four, nine = (told(10, 0.2, chips, 0.5).power for chips in (1, 4, 9))
    assert alone < four < nine
    assert told(10, 0.2, 9, 0.2).power > nine > told(10, 0.2, 9, 0.8).power


@pytest.mark.usefixtures("small")
def test_more_metrics_are_more_tests() -> None:
    one, two, many = (told(20, 0.0, 9, 0.5, tests) for tests in (1, 2, 7))
    assert one.power > two.power == many.power
    assert (one.tests, two.tests, many.tests) == (1, 2, 2)
    assert "from 0.3 to 0.7 in one of 2 metrics," in two.text
    assert "from 0.3 to 0.7, " in one.text


@pytest.mark.usefixtures("small")
def test_what_lies_beyond_the_table() -> None:
    short = told(3, 0.0, 1, 0.0)
    assert (short.beyond, short.power) == (True, told(5, 0.0, 1, 0.0).power)
    assert short.share.startswith("less than ")
    assert short.text.startswith("Even in simulated records of 5 years without gaps and one chip ")
    assert told(10, 0.7, 1, 0.0).beyond
    assert told(10, 0.7, 1, 0.0).power == told(10, 0.4, 1, 0.0).power
    assert told(50, 0.0, 300, 0.5).power == told(20, 0.0, 9, 0.5).power
    assert not told(50, 0.0, 300, 0.5).beyond


@pytest.mark.usefixtures("small")
def test_what_would_be_enough_is_told() -> None:
    many, alone = told(6, 0.0, 9, 0.5), told(6, 0.4, 1, 0.0)
    assert 6 < many.enough_years < 20
    assert many.text.endswith(f" {many.enough_years:.0f} years like these would find half of the "
                              "first.")  # fmt: skip
    assert told(many.enough_years, 0.0, 9, 0.5).power >= 0.5
    assert told(many.enough_years - 1, 0.0, 9, 0.5).power < 0.5
    assert math.isnan(alone.enough_years)
    assert alone.text.endswith("20 years like these would still miss more than half of the first.")
    enough = told(20, 0.0, 9, 0.5)
    assert enough.power >= 0.5
    assert enough.text.endswith("% of those from 0.3 to 0.5.")
    assert "9 chips with a correlation of 0.5" in enough.text


def test_other_settings_have_no_power_that_is_known() -> None:
    usual = RecordKind(10, 0.0, 1, 0.0)
    for changed in ({"trend": "gaussian"}, {"null": "phase"}, {"alpha": 0.01}, {"bandwidth": 0.2}):
        assert verdict_power(usual, AnalysisSettings(**changed)) is None
    assert verdict_power(usual, AnalysisSettings(seed=3, surrogates=199)) is not None


def test_the_table_that_is_shipped() -> None:
    table = power_table()
    assert set(table["rise"]) == set(RISES)
    assert (table["found"] + table["broken"] <= table["series"]).all()
    cells = table.groupby(["years", "gaps", "chips", "shared", "rise"])["tests"].agg(tuple)
    assert set(cells) == {(1, 2, 4)}
    # What the verdict must find: it cannot be kept honest by silence.
    one = table[(table["tests"] == 1) & (table["rise"] == ".3 to .7")]
    one = one.set_index(["years", "gaps", "chips", "shared"])
    alone, site = one.loc[(25, 0.0, 1, 0.0)], one.loc[(25, 0.2, 25, 0.5)]
    assert alone["found"] >= 0.35 * alone["series"]
    assert site["found"] >= 0.6 * site["series"]


def test_the_surface_goes_through_the_table() -> None:
    """Rates of the table lie about the surface as far as binomial counts do."""
    table = power_table()
    z = []
    for row in table[(table["tests"] == 1) & (table["rise"] == ".3 to .7")].itertuples():
        kind = RecordKind(*(getattr(row, name) for name in RecordKind._fields))
        claimed = module.surface(str(row.rise), 1).at(kind)
        low, high = share_interval(int(row.found), int(row.series), 0.99)
        z.append(low <= claimed <= high)
    assert np.mean(z) > 0.9


def test_noise_that_chips_share() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=300)
    rows = np.sqrt(0.5) * common + np.sqrt(0.5) * rng.normal(size=(8, 300))
    rows[rng.random(rows.shape) < 0.2] = np.nan
    assert shared_noise(rows) == pytest.approx(0.5, abs=0.1)
    assert shared_noise(rows[:1]) == 0
    assert shared_noise(np.full((3, 40), np.nan)) == 0
    assert isinstance(shared_noise(pd.DataFrame(rows).to_numpy()), float)
