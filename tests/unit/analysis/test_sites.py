from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.columns import AGREEMENT
from pyveg.analysis.figures.sites import site_figures
from pyveg.analysis.sites import compare_sites, read_site
from pyveg.analysis.temporal.significance import q_values
from pyveg.core.errors import DataError
from pyveg.storage.memory import MemoryStore


def _site(number: int, p: float, *, rain: float | None = 400.0, **about: Any) -> Any:
    record = {
        "collection": "S2",
        "metadata": {"latitude": 10 + number, "longitude": 20, **about},
        "overview": {"rain_mm_per_year": rain, "means": {"ndvi_mean": 0.2, "offset50": -700.0}},
        "power": [{"power": 0.4}, {"power": None}],
        "verdict": {"level": "no_sign"},
        "source": f"run{number}",
    }
    rows = [
        {"family": "temporal", "metric": "ndvi_mean", "indicator": "ar1", "p": p, "effect": 0.4},
        {"family": "temporal", "metric": "ndvi_mean", "indicator": "restoring_rate", "p": p},
        {"family": "temporal", "metric": "ndvi_mean", "indicator": "variance", "p": 0.5,
         "effect": -0.2},
        {"family": "state", "metric": "ndvi_mean", "indicator": "level", "p": 0.01, "effect": -0.6},
    ]  # fmt: skip
    table = pd.DataFrame(
        [
            {**AGREEMENT.blank(), "statistic": "tau", "valid": True, "low": 0.1,
             "high": 0.2, "says": "warning" if row["p"] <= 0.05 else "no sign", "reason": "", **row}
            for row in rows
        ]
    )  # fmt: skip
    return record, table


def test_tests_are_corrected_over_places() -> None:
    p = [0.001, 0.03, 0.2, 0.6, 0.9]
    found = compare_sites([_site(number, one) for number, one in enumerate(p)])
    ar1 = found.tests[found.tests["indicator"] == "ar1"]
    np.testing.assert_allclose(ar1["q"], q_values(np.array(p)))
    assert "restoring_rate" not in set(found.tests["indicator"])
    share = found.shares.set_index("indicator").loc["ar1"]
    assert share["small_p"] == 2
    assert share["expected_by_chance"] == pytest.approx(0.25)
    assert share["p_of_count"] == pytest.approx(0.0226, abs=1e-4)  # binomial(5, 0.05), 2 or more
    assert share["found"] == 1


def test_one_row_for_each_place_in_order_of_rain() -> None:
    found = compare_sites(
        [
            _site(0, 0.5, rain=600.0, coords_id="wet"),
            _site(1, 0.5, rain=200.0),
            _site(2, 0.5, rain=None),
        ]
    )
    assert found.sites["site"].tolist() == ["11N 20E", "wet", "12N 20E"]
    assert found.sites["ndvi_trend"].tolist() == [-0.6] * 3
    assert found.sites["power"].tolist() == [0.4] * 3
    assert found.sites["warnings"].tolist() == [1] * 3


def test_places_of_one_name_stay_apart() -> None:
    found = compare_sites([_site(0, 0.5), _site(0, 0.6)])
    assert found.sites["site"].tolist() == ["10N 20E", "10N 20E (2)"]
    assert found.tests["site"].nunique() == 2


def test_nothing_gives_empty_tables_and_no_figure() -> None:
    found = compare_sites([])
    assert found.sites.empty
    assert found.tests.empty
    assert site_figures(found) == {}


def test_figures_show_every_place() -> None:
    p = [0.0001, 0.04, 0.3, 0.7]
    rain = [300.0, 400.0, None, 500.0]
    found = compare_sites(
        [_site(number, one, rain=r) for number, (one, r) in enumerate(zip(p, rain, strict=True))]
    )
    figures = site_figures(found)
    panel = figures["trends_along_rainfall"].axes[0]
    marks = {line.get_label(): len(line.get_xdata()) for line in panel.lines[1:]}
    assert marks == {"p > 0.05": 2, "p ≤ 0.05": 1, "q ≤ 0.05 over places": 1}
    state = figures["state_along_rainfall"]
    assert len(state.axes) == 3
    assert len(state.axes[0].lines[0].get_xdata()) == 4


def test_damaged_analyses_are_named() -> None:
    store = MemoryStore()
    store.write("a/analysis.json", b"{half")
    with pytest.raises(DataError, match=r"analysis\.json is damaged"):
        read_site(store, "a")


def test_what_was_written_is_read() -> None:
    store = MemoryStore()
    record, table = _site(3, 0.2)
    store.write("a/analysis.json", json.dumps(record).encode())
    store.write("a/tables/agreement.csv", table.to_csv(index=False).encode())
    found = compare_sites([read_site(store, "a")])
    assert found.sites["site"].tolist() == ["13N 20E"]
    assert found.tests["p"].tolist() == [0.2, 0.5, 0.01]
