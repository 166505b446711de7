from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.agreement import agreement_table
from pyveg.analysis.data.columns import AGREEMENT, BREAKS, MEMORY, TRENDS
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.over_time import Snapshots
from pyveg.analysis.states import decides_beside
from pyveg.analysis.temporal.changes import changes_table
from pyveg.analysis.temporal.climate import Climate
from pyveg.analysis.temporal.indicators import (
    Temporal,
    correct_site,
    corrected_memory,
    temporal_indicators,
)
from pyveg.analysis.temporal.level_trends import level_trends
from pyveg.analysis.temporal.significance import q_values
from pyveg.earth.metrics import Metric
from pyveg.testing.analyses import made_series

NOTHING = pd.DataFrame()
NO_WEATHER = Climate(pd.DataFrame(columns=["metric", "indicator", "p_without"]), None, (), "none")
NO_IMAGES = Snapshots(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, reason="none")


def _temporal(rows: list[dict[str, Any]], **memory: Any) -> Temporal:
    start = {"metric": "ndvi_mean", "chip": -1, "direction": "rise", "reason": ""}
    table = TRENDS.frame({**TRENDS.blank(), **start, "n": 0, "surrogates": 0, "seed": 0, **row}
                         for row in rows)  # fmt: skip
    correct_site(table, "bh")
    known = {**MEMORY.blank(), "metric": "ndvi_mean", "chip": -1, "chips": 1, "surrogates": 1,
             "seed": 0, "reason": ""}  # fmt: skip
    made = [{**known, **memory}] if memory else []
    found = corrected_memory(made, AnalysisSettings())
    nothing = {one.name: 0 for one in BREAKS.columns if one.dtype in {"int64", "bool"}}
    breaks = BREAKS.frame(
        [{**nothing, "metric": "ndvi_mean", "step": 7, "z": -5.0, "p": memory["break_p"],
          "chips": 1, "found": memory["break_p"] <= 0.01}]
        if "break_p" in memory else []
    )  # fmt: skip
    return Temporal(table, NOTHING, NOTHING, AnalysisSettings(), found, breaks)


def _levels(*p: float) -> pd.DataFrame:
    rows = [{"metric": f"m{number}", "chip": -1, "tau": -0.5, "p": one, "reason": ""}
            for number, one in enumerate(p)]  # fmt: skip
    return pd.DataFrame(rows).assign(q=q_values(np.array(p)))


def test_twins_are_no_tests_of_their_own() -> None:
    temporal = _temporal(
        [
            {"indicator": "ar1", "tau": 0.8, "p": 0.01},
            {"indicator": "variance", "tau": 0.8, "p": 0.2},
            {"indicator": "restoring_rate", "tau": -0.8, "p": 0.01, "direction": "fall"},
            {"indicator": "sd", "tau": 0.8, "p": 0.2},
        ]
    )
    table = agreement_table(temporal, _levels(0.6), NO_WEATHER, NO_IMAGES)
    assert list(table.columns) == AGREEMENT.names
    by_name = table.set_index("indicator")
    np.testing.assert_allclose(
        by_name.loc[["ar1", "variance"], "q"], q_values(np.array([0.01, 0.2]))
    )
    assert by_name.loc["restoring_rate", "q"] == by_name.loc["ar1", "q"]
    assert by_name.loc["sd", "q"] == by_name.loc["variance", "q"]
    assert by_name.loc["sd", "reason"] == "says the same as variance"


def test_one_test_has_one_q() -> None:
    """Tables of the single tests and the table of all of them say the same."""
    cover = Metric("cover", "1", "share of plants", "Cover", test="level")
    series, settings = made_series(more=[cover]), AnalysisSettings(surrogates=19)
    metrics = ["ndvi_mean", "offset50"]
    temporal = temporal_indicators(series, metrics, settings)
    every = level_trends(series, [*metrics, "cover"], settings)
    levels = every[every["metric"].isin(metrics)]
    table = agreement_table(temporal, levels, NO_WEATHER, NO_IMAGES)
    changes = changes_table(series, every, settings).set_index("metric")["q"]
    q = table.set_index(["metric", "indicator"])["q"].to_dict()
    site = temporal.trends[temporal.trends["chip"] == -1]
    for row in site.to_dict("records"):
        np.testing.assert_equal(q[row["metric"], row["indicator"]], row["q"])
    memory = temporal.memory.query("chip == -1 and metric in @metrics")
    for row in memory.to_dict("records"):
        beside = "_beside" if decides_beside(row) else ""
        assert q[row["metric"], "phi_trend"] == row[f"q{beside}"]
        assert q[row["metric"], "noise_trend"] == row["noise_q"]
    for row in levels[levels["chip"] == -1].to_dict("records"):
        assert q[row["metric"], "level"] == row["q"] == changes[row["metric"]]


def test_levels_do_not_help_memory() -> None:
    """Six levels that change do not make a memory significant that is not."""
    temporal = _temporal([{"indicator": "ar1", "tau": 0.8, "p": 0.04}], t=2.0, p=0.2, noise=1.0,
                         noise_p=0.5)  # fmt: skip
    alone = agreement_table(temporal, _levels(0.9), NO_WEATHER, NO_IMAGES)
    beside = agreement_table(temporal, _levels(*[0.001] * 6), NO_WEATHER, NO_IMAGES)
    for name in ("phi_trend", "ar1"):
        q = [one.set_index("indicator").loc[name, "q"] for one in (alone, beside)]
        assert q[0] == q[1]


def test_what_each_row_says() -> None:
    temporal = _temporal(
        [
            {"indicator": "ar1", "tau": 0.9, "p": 0.001},
            {"indicator": "skewness", "tau": -0.9, "p": 0.001, "direction": "either"},
            {"indicator": "variance", "tau": 0.9, "p": 0.045},
            {"indicator": "kurtosis", "tau": 0.1, "p": 0.7, "direction": "either"},
            {"indicator": "cv", "reason": "its mean is negative"},
        ],
        t=3.0, p=0.001, noise=1.8, noise_p=0.001, break_p=0.02,
    )  # fmt: skip
    table = agreement_table(temporal, _levels(0.9), NO_WEATHER, NO_IMAGES).set_index("indicator")
    assert table["says"].to_dict() == {
        "phi_trend": "warning",
        "noise_trend": "change",
        "break": "no sign",
        "ar1": "warning",
        "skewness": "change",
        "variance": "weak",
        "kurtosis": "no sign",
        "cv": "cannot tell",
        "level": "no sign",
    }
    sure = _temporal([], t=3.0, p=0.001, noise=1.8, noise_p=0.001, break_p=0.005)
    table = agreement_table(sure, _levels(0.9), NO_WEATHER, NO_IMAGES).set_index("indicator")
    assert table.loc["break", "says"] == "change"
    assert math.isnan(table.loc["break", "q"])


def test_a_signal_in_space_that_rises_is_a_change() -> None:
    trends = pd.DataFrame(
        {"indicator": ["morans_i"], "tau": 0.9, "p": 0.001, "valid": True, "reason": ""}
    )
    images = Snapshots(NOTHING, trends, NOTHING, NOTHING, NOTHING)
    temporal = _temporal([{"indicator": "ar1", "tau": 0.1, "p": 0.5}])
    table = agreement_table(temporal, _levels(0.9), NO_WEATHER, images)
    assert table.set_index("indicator").loc["morans_i", "says"] == "change"


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
