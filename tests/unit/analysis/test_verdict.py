from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.columns import AGREEMENT, TRENDS
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.over_time import Snapshots
from pyveg.analysis.temporal.climate import Climate
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.power import Power
from pyveg.analysis.temporal.significance import q_values
from pyveg.analysis.verdict import TWINS, agreement_table, verdict

NOTHING = pd.DataFrame()
NO_WEATHER = Climate(pd.DataFrame(columns=["metric", "indicator", "p_without"]), None, (), "none")
NO_IMAGES = Snapshots(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, reason="none")


def _temporal(rows: list[dict[str, Any]]) -> Temporal:
    table = pd.DataFrame(
        [
            {
                **TRENDS.blank(),
                "metric": "ndvi_mean",
                "chip": -1,
                "direction": "rise",
                "reason": "",
                **row,
            }
            for row in rows
        ]
    )
    return Temporal(table, NOTHING, NOTHING, AnalysisSettings())


def _levels(p: float = math.nan) -> pd.DataFrame:
    row = {"metric": "ndvi_mean", "chip": -1, "tau": -0.5, "p": p, "reason": ""}
    return pd.DataFrame([row])


def _controlled(p: dict[str, float]) -> Climate:
    rows = [{"metric": "ndvi_mean", "indicator": name, "p_without": one} for name, one in p.items()]
    return Climate(pd.DataFrame(rows), _temporal([{"indicator": "ar1"}]), ("rain",))


def _power(share: float) -> Power:
    return Power("ar1", 0.3, 0.7, share, share, share, 0.5, 100, 120, 110, 0.05, 0)


def _table(ar1: float, variance: float, *, tau: float = 0.8, climate: Any = NO_WEATHER) -> Any:
    temporal = _temporal(
        [
            {"indicator": "ar1", "tau": 0.8, "p": ar1},
            {"indicator": "variance", "tau": tau, "p": variance},
            {"indicator": "restoring_rate", "tau": -0.8, "p": ar1, "direction": "fall"},
            {"indicator": "sd", "tau": tau, "p": variance},
        ]
    )
    return agreement_table(temporal, _levels(0.6), climate, NO_IMAGES)


def test_twins_are_no_tests_of_their_own() -> None:
    table = _table(0.01, 0.2)
    assert list(table.columns) == AGREEMENT.names
    counted = table[~table["indicator"].isin(TWINS)]
    expected = q_values(counted["p"].to_numpy(np.float64))
    np.testing.assert_allclose(counted["q"], expected)
    by_name = table.set_index("indicator")
    assert by_name.loc["restoring_rate", "q"] == by_name.loc["ar1", "q"]
    assert by_name.loc["sd", "q"] == by_name.loc["variance", "q"]
    assert by_name.loc["sd", "reason"] == "says the same as variance"


def test_what_each_row_says() -> None:
    temporal = _temporal(
        [
            {"indicator": "ar1", "tau": 0.9, "p": 0.001},
            {"indicator": "skewness", "tau": -0.9, "p": 0.001, "direction": "either"},
            {"indicator": "variance", "tau": 0.9, "p": 0.045},
            {"indicator": "kurtosis", "tau": 0.1, "p": 0.7, "direction": "either"},
            {"indicator": "cv", "reason": "its mean is negative"},
        ]
    )
    table = agreement_table(temporal, _levels(0.9), NO_WEATHER, NO_IMAGES).set_index("indicator")
    assert table["says"].to_dict() == {
        "ar1": "warning",
        "skewness": "change",
        "variance": "weak",
        "kurtosis": "no sign",
        "cv": "cannot tell",
        "level": "no sign",
    }


def test_a_signal_in_space_that_rises_is_a_change() -> None:
    trends = pd.DataFrame(
        {"indicator": ["morans_i"], "tau": 0.9, "p": 0.001, "valid": True, "reason": ""}
    )
    images = Snapshots(NOTHING, trends, NOTHING, NOTHING, NOTHING)
    temporal = _temporal([{"indicator": "ar1", "tau": 0.1, "p": 0.5}])
    table = agreement_table(temporal, _levels(0.9), NO_WEATHER, images)
    assert table.set_index("indicator").loc["morans_i", "says"] == "change"
    said = verdict(table, [_power(0.8)], NO_WEATHER, NOTHING, [])
    assert said.level == "no_sign"
    assert any("Moran's I in space rises" in line for line in said.because)


def test_signals_that_the_pattern_forbids_do_not_count() -> None:
    trends = pd.DataFrame(
        {
            "indicator": ["morans_i", "wavelength"],
            "tau": [0.9, 0.5],
            "p": [0.001, 0.3],
            "slope": 0.0,
            "n_valid": 50,
            "valid": [False, True],
            "reason": "",
        }
    )
    tests = pd.DataFrame(
        {
            "indicator": "offset50",
            "null": ["permutation"] * 3 + ["binarisation"] * 3,
            "z": [-20.0, -15.0, -12.0, 0.1, -0.5, 1.0],
        }
    )
    images = Snapshots(NOTHING, trends, tests, NOTHING, NOTHING)
    temporal = _temporal([{"indicator": "ar1", "tau": 0.1, "p": 0.5}])
    table = agreement_table(temporal, _levels(0.9), NO_WEATHER, images).set_index("indicator")
    assert table.loc["morans_i", "says"] == "not valid"
    assert math.isnan(table.loc["morans_i", "q"])
    assert table.loc["wavelength", "says"] == "no sign"
    assert table.loc["pattern beyond its cover", "says"] == "pattern"
    assert table.loc["pattern beyond what binarising noise makes", "says"] == "no pattern"


def _level(table: Any, *, power: float = 0.8, climate: Any = NO_WEATHER, share: float = 1.0) -> str:
    summary = pd.DataFrame(
        {"metric": "ndvi_mean", "indicator": ["ar1", "variance"], "share_below_alpha": share}
    )
    return verdict(table, [_power(power)], climate, summary, []).level


def test_the_rules_of_the_verdict() -> None:
    assert _level(_table(0.001, 0.001)) == "signs"
    assert _level(_table(0.001, 0.3)) == "signs"  # variance rises too
    assert _level(_table(0.001, 0.9, tau=-0.5)) == "mixed"
    assert _level(_table(0.001, 0.001), share=0.3) == "mixed"
    assert _level(_table(0.4, 0.3), power=0.8) == "no_sign"
    assert _level(_table(0.4, 0.3), power=0.3) == "cannot_tell"
    assert _level(_table(0.4, 0.3), power=math.nan) == "cannot_tell"


def test_a_level_that_changes_is_told_and_is_no_warning() -> None:
    temporal = _temporal([{"indicator": "ar1", "tau": 0.1, "p": 0.5}])
    table = agreement_table(temporal, _levels(0.001), NO_WEATHER, NO_IMAGES)
    said = verdict(table, [_power(0.8)], NO_WEATHER, NOTHING, [])
    assert said.level == "no_sign"
    assert said.headline.endswith("The state itself changes: NDVI falls.")
    assert any("Level of NDVI falls" in line for line in said.because)


@pytest.mark.parametrize(("p", "level"), [(0.01, "strong_signs"), (0.4, "mixed")])
def test_the_weather_decides(p: float, level: str) -> None:
    climate = _controlled({"ar1": p, "variance": p})
    table = _table(0.001, 0.001, climate=climate)
    assert _level(table, climate=climate) == level


def test_nothing_tested_is_said_with_its_reason() -> None:
    temporal = _temporal([{"indicator": "ar1", "reason": "12 values of 12 steps"}])
    table = agreement_table(temporal, _levels(), NO_WEATHER, NO_IMAGES)
    said = verdict(table, [], NO_WEATHER, NOTHING, ["A condition."])
    assert said.level == "cannot_tell"
    assert said.because == ("12 values of 12 steps.",)
    assert said.conditions == ("A condition.",)


def test_small_p_that_was_corrected_away_is_told() -> None:
    temporal = _temporal(
        [
            {"indicator": "ar1", "tau": 0.7, "p": 0.045},
            *({"indicator": "kurtosis", "metric": f"m{k}", "p": 0.9} for k in range(6)),
        ]
    )
    table = agreement_table(temporal, _levels(0.9), NO_WEATHER, NO_IMAGES)
    said = verdict(table, [_power(0.7)], NO_WEATHER, NOTHING, [])
    assert said.level == "no_sign"
    assert any("AR(1) of NDVI" in line and "number of tests" in line for line in said.because)
