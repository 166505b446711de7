"""Metrics of other people's Modules, of chips and of the whole region, from results to report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pyveg.analysis.agreement import agreement_table
from pyveg.analysis.analyse import Analysis
from pyveg.analysis.data.columns import ANALYSIS
from pyveg.analysis.data.labels import metric_of, short_label
from pyveg.analysis.data.series import PLACE, make_series, site_table, tidy
from pyveg.analysis.figures import all_figures, run_series
from pyveg.analysis.figures.colours import PALETTE, colours_of
from pyveg.analysis.figures.over_time import middle_chip
from pyveg.analysis.folder import RECORD, read_analysis, write_analysis
from pyveg.analysis.report import report_html
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.indicators import default_metrics
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.analysis.verdict import verdict
from pyveg.calibration.false_alarms import stable_places
from pyveg.core.errors import ConfigError
from pyveg.earth.metrics import Metric, installed
from pyveg.runs.results import Results
from pyveg.storage.memory import MemoryStore
from pyveg.testing.analyses import made_analysis, made_series, made_snapshots

BRIGHTNESS = Metric("brightness", "1", "mean of the red band", "Brightness")
HAZE = Metric(
    "haze", "%", "share of the sky under haze", "Haze (share of the sky)",
    support="place", family="air",
)  # fmt: skip
QUICK = AnalysisSettings(surrogates=19, indicators=("ar1", "variance"))


@pytest.fixture(scope="module")
def mixed() -> Analysis:
    """NDVI, network centrality, brightness of the chips, and haze of the whole region."""
    series = made_series(more=(BRIGHTNESS, HAZE))
    return made_analysis(series, snapshots=made_snapshots(series), settings=QUICK)


@pytest.fixture(scope="module")
def whole_region() -> Analysis:
    """Nothing but haze."""
    return made_analysis(made_series(metrics=(), more=(HAZE,)), settings=QUICK)


def _text(html: str) -> str:
    without = re.sub(r"data:image[^\"]+", "", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without))


@pytest.fixture(scope="module")
def made(mixed: Analysis) -> dict[str, Figure]:
    return all_figures(mixed)


@pytest.fixture(scope="module")
def words(mixed: Analysis, made: dict[str, Figure]) -> str:
    """Of the report."""
    return _text(report_html(mixed, figures=made))


def test_a_metric_of_another_package_is_tested_like_any_other(mixed: Analysis) -> None:
    assert mixed.metrics == ["ndvi_mean", "brightness", "haze", "offset50"]
    trends = mixed.temporal.trends.query("metric == 'brightness'")
    assert sorted(trends["chip"].unique()) == [SITE, 0, 1, 2, 3]
    site = trends[trends["chip"] == SITE]
    assert site["p"].notna().all()
    assert (site["surrogates"] == 19).all()
    rows = mixed.agreement.query("metric == 'brightness'").set_index("indicator")
    assert rows["family"].to_dict() == {
        "phi_trend": "memory", "noise_trend": "spread", "break": "break", "ar1": "temporal",
        "variance": "temporal", "level": "state",
    }  # fmt: skip
    assert rows["q"].drop("break").notna().all()
    assert "brightness" in mixed.tables()["series"].columns
    assert (mixed.site()["metric"] == "brightness").sum() == 60


def test_it_is_in_figures_and_report(made: dict[str, Figure], words: str) -> None:
    assert "indicators_brightness" in made
    titles = {
        name: [axis.get_title(loc="left") for axis in made[name].axes]
        for name in ("series", "maps", "season")
    }
    assert "Brightness" in titles["series"]
    assert "Brightness\nchange of the level" in titles["maps"]
    assert "Brightness" in titles["season"]
    assert "Indicators of Brightness" in words
    assert "AR(1) of Brightness Rolling windows" in words
    assert "Brightness: 57 of 60 steps have a value (median chip)" in words
    assert "ndvi_mean" not in words  # a column, and no name for people
    assert "total_precipitation" not in words


def test_a_metric_of_the_region_has_one_series(mixed: Analysis) -> None:
    series = mixed.series
    assert series.matrix("haze").shape == (1, 60)
    assert series.matrix("brightness").shape == (4, 60)
    assert (series.numbers("haze"), series.numbers("brightness")) == ([PLACE], [0, 1, 2, 3])
    assert np.flatnonzero(np.isnan(series.matrix("haze")[0])).tolist() == [7, 8, 30]
    assert series.chips == [0, 1, 2, 3]
    table = site_table(series, "haze")
    np.testing.assert_array_equal(table["middle"], series.matrix("haze")[0])
    assert table["chips"].tolist() == [int(step not in {7, 8, 30}) for step in range(60)]
    assert table["low"].isna().all()


@pytest.mark.parametrize("name", ["mixed", "whole_region"])
def test_its_tables_have_no_rows_of_chips(name: str, request: pytest.FixtureRequest) -> None:
    analysis: Analysis = request.getfixturevalue(name)
    for table_name, table in analysis.tables().items():
        if {"metric", "chip"} <= set(table.columns):
            mine = table[table["metric"] == "haze"]
            assert len(mine), table_name
            assert set(mine["chip"]) == {PLACE}, table_name
    keys = ["metric", "chip", "indicator"]
    assert not analysis.temporal.trends.duplicated(keys).any()
    assert not analysis.temporal.indicators.duplicated([*keys, "step"]).any()
    assert not analysis.temporal.parts.duplicated(["metric", "chip", "step"]).any()
    sensitivity = analysis.sensitivity.query("metric == 'haze'")
    assert (sensitivity["chips"] == 1).all()
    assert analysis.power


def test_it_gives_what_the_same_series_of_one_chip_gives() -> None:
    """A place with one chip, and a place whose region has that series, are tested alike."""
    values = made_series(metrics=(), more=(HAZE,)).matrix("haze")[0]
    dates = made_series().axis.dates  # type: ignore[union-attr]
    rows = pd.DataFrame({"date": dates, "collection": "S2", "haze": values})
    region = tidy(None, place=rows, time_per_point="1m", declared={"haze": HAZE})
    chip = tidy(rows.assign(chip=0), time_per_point="1m",
                declared={"haze": replace(HAZE, support="chip")})  # fmt: skip
    found = [made_analysis(series, settings=QUICK) for series in (region, chip)]
    one, other = (
        each.temporal.trends.query("chip == -1").drop(columns=["tau_low", "tau_high"])
        for each in found
    )
    pd.testing.assert_frame_equal(one, other.reset_index(drop=True))
    one, other = (each.levels.query("chip == -1")[["slope", "tau", "p"]] for each in found)
    pd.testing.assert_frame_equal(one, other)
    assert found[0].verdict.level == found[1].verdict.level
    one, other = (each.sensitivity for each in found)
    pd.testing.assert_frame_equal(one, other)
    one, other = (each.rain.drop(columns="chip") for each in found)
    pd.testing.assert_frame_equal(one, other)


def test_the_verdict_counts_it() -> None:
    """Its rising memory is a sign, whatever family it declares."""
    analysis = made_analysis(made_series(metrics=(), more=(HAZE,)), settings=QUICK)
    trends = analysis.temporal.trends.assign(tau=0.9, p=0.001, q=0.001)
    memory = analysis.temporal.memory.assign(t=4.0, p=0.001, q=0.001, variance_tau=0.5)
    breaks = analysis.temporal.breaks.assign(p=0.9, found=False)
    temporal = replace(analysis.temporal, trends=trends, memory=memory, breaks=breaks)
    declared = analysis.series.declared
    table = agreement_table(
        temporal, analysis.levels, analysis.climate, analysis.snapshots, declared
    )
    assert table["family"].tolist() == ["memory", "spread", "break", "air", "air", "state"]
    says = dict(zip(table["indicator"], table["says"], strict=True))
    assert says["phi_trend"] == says["ar1"] == says["variance"] == "warning"
    said = verdict(temporal, None, [], declared=declared)
    assert said.level == "memory_rises"
    assert any(line.startswith("The memory of haze rises (AR(1) from") for line in said.because)


def test_figures_draw_it_and_maps_leave_it_out(mixed: Analysis, made: dict[str, Figure]) -> None:
    titles = [axis.get_title(loc="left") for axis in made["series"].axes]
    assert "Haze (share of the sky), whole region, %" in titles
    (line,) = [one for axis in made["series"].axes for one in axis.lines
               if one.get_label() == "haze"]  # fmt: skip
    np.testing.assert_array_equal(line.get_ydata(), mixed.series.matrix("haze")[0])
    panels = made["indicators_haze"].axes
    assert panels[0].get_title(loc="left").startswith("AR(1)\ntau ")
    labels = [text.get_text() for text in made["indicators_haze"].legends[0].get_texts()]
    assert labels[0] == "whole region"
    assert "middle half of the chips" not in labels
    assert middle_chip(mixed, "haze") == PLACE
    parts = [axis.get_title(loc="left") for axis in made["decomposition"].axes]
    assert "Haze (share of the sky), whole region\nValue" in parts
    assert not any("Haze" in axis.get_title(loc="left") for axis in made["maps"].axes)


def test_the_report_says_what_belongs_to_the_whole_region(words: str) -> None:
    assert "Indicators of Haze (share of the sky), whole region" in words
    assert "Haze belongs to the whole region: its line is the value itself." in words
    assert "AR(1) of Haze Air, whole region" in words
    assert "Haze: 57 of 60 steps have a value (whole region)" in words
    assert "Map of Haze It belongs to the whole region, not to chips." in words


def test_a_record_without_chips_has_a_report(whole_region: Analysis) -> None:
    assert whole_region.series.chips == []
    assert whole_region.overview()["chips"] == 0
    made = all_figures(whole_region)
    assert {"series", "season", "decomposition", "indicators_haze", "sensitivity",
            "correlations", "climate"} == set(made)  # fmt: skip
    text = _text(report_html(whole_region, figures=made))
    assert "60 steps of 1 month, measured as a whole" in text
    assert "Where it happens What was tested belongs to the whole region, not to chips." in text
    assert "chip -1" not in text


def test_a_region_measured_under_clouds_keeps_its_dates() -> None:
    """Its first and last dates, and those in between, count although no chip was measured."""
    dates = pd.date_range("2015-01-16", periods=30, freq="MS") + pd.Timedelta(days=15)
    chips = pd.DataFrame({"date": dates[3:27], "collection": "S2", "chip": 0, "ndvi_mean": 0.3})
    place = pd.DataFrame({"date": dates, "collection": "S2", "haze": np.arange(30.0)})
    series = tidy(chips, place=place, time_per_point="1m", declared={"haze": HAZE})
    assert series.axis is not None
    assert len(series.axis) == 30
    np.testing.assert_array_equal(series.matrix("haze")[0], np.arange(30.0))
    assert np.isfinite(series.matrix("ndvi_mean")[0]).tolist() == [3 <= k < 27 for k in range(30)]
    assert not any("no data" in note for note in series.notes)


def test_doubled_and_void_records_of_a_region() -> None:
    void = replace(HAZE, void_without="sky")
    rows = pd.DataFrame(
        {"date": pd.to_datetime(["2015-01-16", "2015-01-17", "2015-02-16"]),
         "haze": [1.0, 3.0, 9.0], "sky": [1.0, 1.0, 0.0]}
    )  # fmt: skip
    series = tidy(None, place=rows, time_per_point="1m", declared={"haze": void})
    np.testing.assert_array_equal(series.matrix("haze"), [[2.0, np.nan]])
    notes = " ".join(series.notes)
    assert "several records of the whole region fall in one step" in notes
    assert "1 records have 0 sky (sky): their zeros of haze are no measurements" in notes
    assert series.of_place("sky")  # nobody declared it, and yet it was measured on the region


def test_from_the_tables_of_a_run() -> None:
    """`Results` with declared metrics, as a run gives them."""
    n = 60
    dates = [pd.Timestamp("2010-01-16") + pd.DateOffset(months=k) for k in range(n)]
    values = stable_places(1, n, memory=0.5, chips=2, shared=0.5, seed=1)[0]
    chips = pd.DataFrame({"date": np.tile(np.array(dates, dtype="datetime64[ns]"), 2),
                          "collection": "S2", "chip": np.repeat([0, 1], n),
                          "brightness": values.ravel()})  # fmt: skip
    place = pd.DataFrame({"date": dates, "collection": "S2", "haze": values[0]})
    nothing = pd.DataFrame({"date": pd.to_datetime([]), "collection": [],
                            "total_precipitation": []})  # fmt: skip
    declared = {"brightness": BRIGHTNESS, "haze": HAZE}
    (series,) = make_series(Results(chips, nothing, {}, place, declared))
    assert default_metrics(series) == ["brightness", "haze"]
    (alone,) = make_series(Results(chips.iloc[:0], nothing, {}, place, declared))
    assert (alone.chips, default_metrics(alone)) == ([], ["haze"])
    (silent,) = make_series(Results(chips.rename(columns={"brightness": "ndvi_mean"}), nothing, {}))
    assert default_metrics(silent) == ["ndvi_mean"]  # declared by no run, but by our Modules


def test_colours_of_the_palette_are_all_different() -> None:
    without = {f"m{number}": replace(BRIGHTNESS, name=f"m{number}") for number in range(7)}
    shown = {**installed(), **without}
    shown = {
        name: one for name, one in shown.items() if name in {"ndvi_mean", "offset50", *without}
    }
    colours = colours_of(shown)
    assert len(set(colours.values())) == len(shown)
    assert colours["ndvi_mean"] == installed()["ndvi_mean"].colour
    taken = {**without, "mine": replace(BRIGHTNESS, name="mine", colour=PALETTE[0].lower())}
    assert [name for name, colour in colours_of(taken).items()
            if colour.upper() == PALETTE[0]] == ["mine"]  # fmt: skip
    many = {f"m{number}": replace(BRIGHTNESS, name=f"m{number}") for number in range(20)}
    assert set(colours_of(many).values()) == set(PALETTE)


# Of Machado, Oliveira & Fernandes 2009, 10.1109/TVCG.2009.113: what readers without one kind of
# cones see, in linear RGB.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def _lab(linear: Any) -> Any:
    """CIELAB of a colour in linear RGB."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    scaled = xyz @ np.clip(linear, 0, 1) / [0.9505, 1.0, 1.089]
    root = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colour_blind_readers_tell_the_first_ones_apart(kind: str) -> None:
    """The first four of the palette differ by more than five just noticeable differences."""
    seen = []
    for colour in PALETTE[:4]:
        rgb = np.array(to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen.append(_lab(np.array(BLINDNESS[kind]) @ linear))
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(one - other) > 5 * 2.3


def test_the_picture_of_a_run_has_a_colour_for_each() -> None:
    dates = pd.date_range("2020-01-01", periods=5, freq="MS")
    second = replace(BRIGHTNESS, name="glow", label="Glow")
    table = pd.DataFrame({"date": dates, "collection": "S2", "brightness": 0.1, "glow": 0.2,
                          "ndvi_mean": 0.3})  # fmt: skip
    known = {**installed(), "brightness": BRIGHTNESS, "glow": second}
    figure = run_series.series_figure(table, metrics=known)
    assert figure is not None
    colours = [axis.lines[0].get_color() for axis in figure.axes]
    assert [axis.get_ylabel() for axis in figure.axes] == ["NDVI", "Brightness", "Glow"]
    assert colours == [installed()["ndvi_mean"].colour, PALETTE[0], PALETTE[1]]


def test_labels_are_those_that_were_declared() -> None:
    known = installed()
    assert short_label(known, "offset50") == "Network centrality"
    assert short_label(known, "ndvi") == "NDVI (8 bit)"  # "NDVI" is another one
    assert short_label({"ndvi": known["ndvi"]}, "ndvi") == "NDVI"
    unknown = metric_of(known, "green less red")
    assert (unknown.label, unknown.test, unknown.support) == ("green less red", "memory", "chip")
    assert made_series(more=(HAZE,)).label("haze") == "Haze (share of the sky), whole region"


@pytest.mark.parametrize("family", ["state", "spatial", "memory", "spread", "break"])
def test_families_of_the_analysis_cannot_be_declared(family: str) -> None:
    with pytest.raises(ConfigError, match=f'family = "{family}"'):
        replace(HAZE, family=family)


def test_labels_and_colours_survive_a_folder(mixed: Analysis) -> None:
    store = MemoryStore()
    folder = write_analysis(mixed, store)
    again = read_analysis(store, folder)
    assert again.series.metric("haze") == HAZE
    assert report_html(again, figures={}) == report_html(mixed, figures={})


def test_an_analysis_of_an_earlier_version_is_read(made_place: Any) -> None:
    """It declares no metrics, names columns in its sentences, and leaves tables without header."""
    store = MemoryStore()
    folder = write_analysis(made_place.analysis, store)
    record = json.loads(store.read(f"{folder}/{RECORD}"))
    del record["metrics"]
    del record["statement"]
    record["verdict"]["level"] = "strong_signs"
    for name in ("changes", "memory", "breaks"):
        record["tables"].remove(name)
    record["verdict"]["because"] = ["AR(1) of ndvi_mean rises (tau +0.90, p 0.001)."]
    record["verdict"]["conditions"] = ["offset50: 57 of 60 steps have a value (median chip)."]
    store.write(f"{folder}/{RECORD}", json.dumps(record).encode())
    store.write(f"{folder}/tables/patch_laws.csv", b"\n")
    old = read_analysis(store, folder)
    assert old.series.declared == installed()
    assert old.verdict.level == "strong_signs"
    assert old.statement.claims == ()
    assert old.temporal.memory.empty
    assert old.verdict.because == ("AR(1) of NDVI rises (tau +0.90, p 0.001).",)
    assert old.verdict.conditions[0].startswith("Network centrality: 57 of 60")
    assert list(old.tables()["patch_laws"].columns) == ANALYSIS["patch_laws"].names
    assert "Indicators of Network centrality (offset50)" in _text(report_html(old, figures={}))
