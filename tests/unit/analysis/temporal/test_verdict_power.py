"""The power of the verdict is read from the nearest simulated record that knows no more."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.columns import VERDICT_POWER
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal import verdict_power as module
from pyveg.analysis.temporal.significance import share_interval
from pyveg.analysis.temporal.verdict_power import power_table, shared_noise, verdict_power

USUAL = AnalysisSettings()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with round numbers."""
    rows = [
        {"years": years, "gaps": gaps, "chips": chips, "rise": rise, "series": 100, "found": found}
        for (years, gaps, chips, found) in [
            (5, 0.0, 1, 8), (5, 0.4, 1, 2), (10, 0.0, 1, 20), (10, 0.4, 1, 6), (25, 0.0, 1, 55),
            (25, 0.4, 1, 20), (10, 0.4, 9, 40), (25, 0.4, 9, 80),
        ]
        for rise in module.RISES
    ]  # fmt: skip
    table = VERDICT_POWER.frame(rows)
    monkeypatch.setattr(module, "power_table", lambda: table)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("years", "gaps", "chips", "shared", "found"),
    [
        (10, 0.0, 1, 0.0, 20),
        (9.6, 0.0, 1, 0.0, 20),  # half a year is no matter
        (12, 0.0, 1, 0.0, 20),
        (24, 0.0, 1, 0.0, 20),
        (30, 0.03, 1, 0.0, 55),
        (10, 0.1, 1, 0.0, 6),
        (10, 0.1, 12, 0.4, 40),
        (10, 0.1, 12, 0.9, 6),  # chips that are alike count as one
        (10, 0.0, 4, 0.4, 20),
        (25, 0.2, 289, 0.5, 80),
    ],
)
def test_the_nearest_record_that_knows_no_more(
    years: float, gaps: float, chips: int, shared: float, found: int
) -> None:
    read = verdict_power(years, gaps, chips, shared, USUAL)
    assert read is not None
    assert read.power == found / 100
    assert (read.low, read.high) == share_interval(found, 100)
    assert read.years <= years + 0.5
    assert not read.beyond


@pytest.mark.usefixtures("small")
def test_what_lies_beyond_the_table_has_less() -> None:
    short = verdict_power(3, 0.0, 1, 0.0, USUAL)
    assert short is not None
    assert (short.beyond, short.power, short.share) == (True, 0.08, "less than 8 %")
    assert short.text.startswith("Even in 100 simulated records of 5 years without gaps")
    empty = verdict_power(10, 0.7, 1, 0.0, USUAL)
    assert empty is not None
    assert (empty.beyond, empty.power) == (True, 0.06)


@pytest.mark.usefixtures("small")
def test_what_would_be_enough_is_told() -> None:
    alone = verdict_power(10, 0.0, 1, 0.0, USUAL)
    gappy = verdict_power(10, 0.4, 1, 0.0, USUAL)
    many = verdict_power(25, 0.4, 9, 0.4, USUAL)
    assert alone is not None
    assert gappy is not None
    assert many is not None
    assert alone.text.endswith("25 years like these would find half of them.")
    assert gappy.text.endswith("25 years like these would still miss more than half of them.")
    assert many.text.endswith("and 80 % of those from 0.5 to 0.9.")
    assert math.isnan(gappy.enough_years)


def test_other_settings_have_no_power_that_is_known() -> None:
    for changed in ({"trend": "gaussian"}, {"null": "phase"}, {"alpha": 0.01}, {"bandwidth": 0.2}):
        assert verdict_power(10, 0.0, 1, 0.0, AnalysisSettings(**changed)) is None
    assert verdict_power(10, 0.0, 1, 0.0, AnalysisSettings(seed=3, surrogates=199)) is not None


def test_the_table_that_is_shipped() -> None:
    table = power_table()
    assert set(table["rise"]) == set(module.RISES)
    assert (table["found"] <= table["series"]).all()
    assert (table["series"] >= 60).all()
    cells = table.groupby(["years", "gaps", "chips"]).size()
    assert (cells == len(module.RISES)).all()
    # What the verdict must find, of 60 records each: it cannot be kept honest by silence.
    found = table.set_index(["years", "gaps", "chips", "rise"])["found"]
    assert found.loc[(25, 0.0, 1, ".3 to .7")] >= 0.35 * 60
    assert found.loc[(25, 0.2, 25, ".3 to .7")] >= 0.6 * 60


def test_noise_that_chips_share() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=300)
    rows = np.sqrt(0.5) * common + np.sqrt(0.5) * rng.normal(size=(8, 300))
    rows[rng.random(rows.shape) < 0.2] = np.nan
    assert shared_noise(rows) == pytest.approx(0.5, abs=0.1)
    assert shared_noise(rows[:1]) == 0
    assert shared_noise(np.full((3, 40), np.nan)) == 0
    assert isinstance(shared_noise(pd.DataFrame(rows).to_numpy()), float)
