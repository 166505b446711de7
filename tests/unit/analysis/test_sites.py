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
from pyveg.earth.metrics import Metric, installed
from pyveg.storage.memory import MemoryStore


def _site(number: int, p: float, *, rain: float | None = 400.0, **about: Any) -> Any:
    record = {
        "collection": "S2",
        "metadata": {"latitude": 10 + number, "longitude": 20, **about},
        "overview": {"rain_mm_per_year": rain, "means": {"ndvi_mean": 0.2, "offset50": -700.0}},
        "power": [{"power": 0.4}, {"power": None}],
        "verdict": {"level": "no_sign", "headline": "No sign."},
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
    assert found.sites["headline"].tolist() == ["No sign."] * 3


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


def test_memory_and_noise_have_panels_of_their_own() -> None:
    record, table = _site(0, 0.5)
    rows = [{"family": family, "metric": "ndvi_mean", "indicator": name, "statistic": statistic,
             "p": 0.001, "effect": effect, "valid": True, "says": says}
            for family, name, statistic, effect, says in (
                ("memory", "phi_trend", "t", 3.1, "warning"),
                ("spread", "noise_trend", "factor", 1.9, "change"))]  # fmt: skip
    found = compare_sites([(record, AGREEMENT.joined([table, AGREEMENT.frame(rows)]))])
    figure = site_figures(found)["memory_along_rainfall"]
    assert [one.get_ylabel() for one in figure.axes] == ["t", "factor"]
    assert [one.lines[-1].get_ydata().tolist() for one in figure.axes] == [[3.1], [1.9]]
    old = site_figures(compare_sites([_site(0, 0.5)]))  # of an earlier version
    assert "memory_along_rainfall" not in old


def test_damaged_analyses_are_named() -> None:
    store = MemoryStore()
    store.write("a/analysis.json", b"{half")
    with pytest.raises(DataError, match=r"analysis\.json is damaged"):
        read_site(store, "a")
    for text, why in (
        (b"[" * 100_000, "too many brackets"),
        (b"[]", "no object"),
        (b"7", "no object"),
        (b"{}", "agreement"),
    ):
        store.write("a/analysis.json", text)
        with pytest.raises(DataError, match=why):
            read_site(store, "a")


def test_what_was_written_is_read() -> None:
    store = MemoryStore()
    record, table = _site(3, 0.2)
    store.write("a/analysis.json", json.dumps(record).encode())
    store.write("a/tables/agreement.csv", table.to_csv(index=False).encode())
    found = compare_sites([read_site(store, "a")])
    assert found.sites["site"].tolist() == ["13N 20E"]
    assert found.tests["p"].tolist() == [0.2, 0.5, 0.01]


def _with(metric: Metric, tau: float, mean: float) -> Any:
    """A place where a metric of another package was tested beside NDVI."""
    record, table = _site(5, 0.3)
    record["overview"]["means"][metric.name] = mean
    record["metrics"] = [one.to_json() for one in (*installed().values(), metric)]
    more = {"family": "state", "metric": metric.name, "indicator": "level", "p": 0.2,
            "effect": tau, "statistic": "tau", "valid": True, "says": "no sign"}  # fmt: skip
    return record, AGREEMENT.joined([table, AGREEMENT.frame([more])])


def test_every_metric_that_was_tested_has_columns() -> None:
    brightness = Metric("brightness", "1", "mean of the red band", "Brightness")
    power = Metric("power", "W", "of the sun", "Sunshine")
    found = compare_sites([_site(0, 0.5), _with(brightness, 0.7, 3.0), _with(power, -0.2, 9.0)])
    names = found.sites.columns.tolist()
    assert names[names.index("temperature_c") + 1 : names.index("verdict")] == [
        "ndvi_mean", "offset50", "brightness", "power_mean",
        "ndvi_trend", "brightness_trend", "power_trend",
    ]  # fmt: skip
    row = found.sites[found.sites["brightness"].notna()].iloc[0]
    assert (row["brightness"], row["brightness_trend"], row["power"]) == (3.0, 0.7, 0.4)
    assert found.sites["power_mean"].max() == 9.0
    assert found.sites["ndvi_trend"].tolist() == [-0.6] * 3
    labels = [axis.get_ylabel() for axis in site_figures(found)["state_along_rainfall"].axes]
    assert labels == ["NDVI", "Network centrality\n(offset50)", "Brightness", "Sunshine",
                      "Trend of NDVI\n(Kendall's tau)", "Trend of Brightness\n(Kendall's tau)",
                      "Trend of Sunshine\n(Kendall's tau)"]  # fmt: skip


def test_the_ndvi_of_older_results_is_beside_that_of_newer_ones() -> None:
    record, table = _site(0, 0.5)
    record["overview"]["means"] = {"ndvi": 150.0, "offset50": -700.0}
    older = table.assign(metric=table["metric"].replace("ndvi_mean", "ndvi"))
    found = compare_sites([(record, older), _site(1, 0.5)])
    assert sorted(found.sites["ndvi_mean"]) == [0.2, 150.0]
    assert found.sites["ndvi_trend"].tolist() == [-0.6, -0.6]
    assert "ndvi" not in found.sites.columns
    assert set(found.tests["metric"]) == {"ndvi", "ndvi_mean"}


def test_two_metrics_of_one_stem_keep_their_trends() -> None:
    record, table = _site(0, 0.5)
    record["overview"]["means"] = {"ndvi": 150.0, "ndvi_mean": 0.2}
    both = AGREEMENT.joined([table, table.assign(metric="ndvi", effect=0.3)])
    found = compare_sites([(record, both)])
    assert found.sites[["ndvi_mean", "ndvi", "ndvi_mean_trend", "ndvi_trend"]].iloc[0].tolist() == [
        0.2,
        150.0,
        -0.6,
        0.3,
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"power": [{}]},
        {"verdict": 3},
        {"metadata": [1]},
        {"metadata": {"latitude": [[]]}},
        {"metrics": [{"name": "x", "unit": []}]},
    ],
)
def test_a_record_with_other_parts_is_one_sentence(change: dict[str, Any]) -> None:
    whole = {"source": "a/b", "power": [], "verdict": {"level": "x"}, "collection": "S2"}
    with pytest.raises(DataError, match="the analysis of a/b is damaged"):
        compare_sites([({**whole, **change}, AGREEMENT.frame())])
