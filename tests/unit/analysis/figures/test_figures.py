from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from pyveg.analysis import figures
from pyveg.analysis.analyse import Analysis
from pyveg.analysis.data.columns import MEMORY
from pyveg.analysis.data.series import site_table
from pyveg.analysis.figures.maps import chip_places, memory_map, slope_map, tau_map
from pyveg.analysis.figures.over_time import chip_parts, middle_chip
from pyveg.analysis.figures.parts import keys_of, panels_of
from pyveg.analysis.figures.response import autocorrelation, rain_lags
from pyveg.analysis.figures.space import year_spectra
from pyveg.analysis.figures.style import dated, line, p_text, panels, shade_gaps, signed
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.testing.analyses import made_analysis, made_series

QUICK = AnalysisSettings(surrogates=19, indicators=("ar1", "variance", "sd"))
NAMES = [
    *("series", "season", "decomposition", "indicators_ndvi_mean", "indicators_offset50"),
    *("sensitivity", "correlations", "spatial", "spectrum", "patches", "climate", "maps"),
]


@pytest.fixture(scope="module")
def analysis(made_place: Any) -> Analysis:
    found: Analysis = made_place.analysis
    return found


@pytest.fixture(scope="module")
def made(made_place: Any) -> dict[str, Figure]:
    found: dict[str, Figure] = made_place.figures
    return found


@pytest.fixture(scope="module")
def bare() -> Analysis:
    """One chip, no weather, no images, no coordinates, two years."""
    series = made_series(
        chips=1, months=30, weather=False, places=False, metrics=("ndvi_mean",), missing=()
    )
    return made_analysis(series, settings=QUICK)


def _labelled(axis: Axes, label: str) -> Any:
    return next(one for one in axis.lines if one.get_label() == label)


def _titles(figure: Figure) -> list[str]:
    return [axis.get_title(loc="left") for axis in figure.axes]


def test_all_figures_are_made(made: dict[str, Figure]) -> None:
    assert list(made) == NAMES
    assert all(isinstance(one, Figure) for one in made.values())


def test_every_panel_says_what_it_shows(made: dict[str, Figure]) -> None:
    for name, figure in made.items():
        for axis in figure.axes:
            words = axis.get_title(loc="left") or axis.get_ylabel() or axis.get_xlabel()
            assert words, name


def test_lines_break_at_gaps(made: dict[str, Figure], analysis: Analysis) -> None:
    axis = made["series"].axes[0]
    values = _labelled(axis, "ndvi_mean").get_ydata()
    assert np.flatnonzero(np.isnan(values)).tolist() == [7, 8, 30]
    np.testing.assert_allclose(
        values, site_table(analysis.series, "ndvi_mean")["middle"].to_numpy()
    )
    band = next(one for one in axis.collections if isinstance(one, PolyCollection))
    pieces = [path.vertices[:, 0] for path in band.get_paths()]
    dates = mpl.dates.date2num(analysis.series.axis.dates)  # type: ignore[union-attr]
    assert len(pieces) == 3
    for step in (7, 8, 30):
        assert not any(piece.min() < dates[step] < piece.max() for piece in pieces)
    shaded = [patch.get_x() for patch in axis.patches]  # type: ignore[attr-defined]
    assert len(shaded) == 2  # two gaps, one of two steps


def test_outliers_are_marked_where_they_are(made: dict[str, Figure], analysis: Analysis) -> None:
    marks = _labelled(made["series"].axes[0], "outliers")
    flagged = analysis.temporal.parts.query("metric == 'ndvi_mean' and outlier")
    assert len(flagged) >= 1
    np.testing.assert_array_equal(marks.get_ydata(), flagged["value"].to_numpy(float))


def test_weather_has_its_units(made: dict[str, Figure], analysis: Analysis) -> None:
    titles = _titles(made["series"])
    assert titles[-2:] == ["Rain (mm per step)", "Temperature (°C)"]
    bars = made["series"].axes[-2].patches
    heights = [bar.get_height() for bar in bars if bar.get_height() < 1000]  # type: ignore[attr-defined]
    rain = analysis.series.weather()
    assert rain is not None
    assert max(heights) == pytest.approx(1000 * rain.max())


def test_a_long_record_shows_both_halves_of_it(made: dict[str, Figure], bare: Analysis) -> None:
    assert _labelled(made["season"].axes[0], "median, first half").get_linestyle() == "--"
    short = figures.season_cycle(bare)
    assert short is not None
    assert _labelled(short.axes[0], "median, whole record").get_linestyle() == "-"


def test_the_year_is_the_median_of_each_month(bare: Analysis) -> None:
    figure = figures.season_cycle(bare)
    assert figure is not None
    shown = _labelled(figure.axes[0], "median, whole record").get_ydata()
    values = bare.series.matrix("ndvi_mean")[0]
    expected = [np.median(values[month::12]) for month in range(12)]
    np.testing.assert_allclose(shown, expected)


DAYS = ["2015-07-11", "2015-07-31", "2015-08-20", "2015-08-30", "2015-09-09"]


@pytest.mark.parametrize(
    ("dates", "form"),
    [
        (pd.DatetimeIndex(DAYS), r"\d\d [A-Z][a-z]{2}"),
        (pd.DatetimeIndex(["2016-03-01"]), r"01 Mar"),
        (pd.date_range("2016-12-28", periods=3, freq="5D"), r"\d\d [A-Z][a-z]{2}"),
        (pd.date_range("2016-01-16", periods=12, freq="MS"), r"201\d-\d\d"),
        (pd.date_range("2016-01-16", periods=29, freq="MS"), r"201\d-\d\d"),
        (pd.date_range("2016-01-16", periods=60, freq="MS"), r"20\d\d"),
        (pd.date_range("1985-01-16", periods=480, freq="MS"), r"(19|20)\d\d"),
    ],
    ids=["five days", "one day", "new year", "a year", "two years", "five years", "forty years"],
)
def test_axes_of_time_can_be_read(dates: pd.DatetimeIndex, form: str) -> None:
    """Labels differ from one another, do not overlap, and lie within the axis."""
    figure, axes = panels(1, 2, bottom=0.6)
    axis = axes[0, 0]
    axis.plot(dates, range(len(dates)))
    dated(axis, dates)
    figure.draw_without_rendering()
    low, high = axis.get_xlim()
    shown = [one for one, place in zip(axis.get_xticklabels(), axis.get_xticks(), strict=True)
             if low <= place <= high]  # fmt: skip
    texts = [one.get_text() for one in shown]
    assert 1 <= len(set(texts)) == len(texts) <= 6
    assert all(re.fullmatch(form, one) for one in texts)
    if len(dates) > 1:
        assert len(texts) >= 2
    boxes = [one.get_window_extent() for one in shown]
    assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


def test_parts_add_up(made: dict[str, Figure], analysis: Analysis) -> None:
    chip = middle_chip(analysis, "ndvi_mean")
    assert chip is not None
    table = chip_parts(analysis, "ndvi_mean", chip)
    whole = table["season"] + table["trend"] + table["residual"]
    known = table["residual"].notna()
    np.testing.assert_allclose(whole[known], table.loc[known, "value"])
    drawn = [made["decomposition"].axes[2 * row].lines[0].get_ydata() for row in range(4)]
    for name, values in zip(("value", "season", "trend", "residual"), drawn, strict=True):
        np.testing.assert_array_equal(values, table[name].to_numpy(float))


def test_indicators_stand_beside_their_surrogates(
    made: dict[str, Figure], analysis: Analysis
) -> None:
    figure = made["indicators_ndvi_mean"]
    titles = _titles(figure)
    rows = analysis.temporal.trends.query("chip == @SITE and metric == 'ndvi_mean'")
    q = analysis.agreement.query("family == 'temporal'").set_index("indicator")["q"]
    row = rows.set_index("indicator").loc["ar1"]
    assert titles[0] == (
        f"AR(1)\ntau {signed(row['tau'])}, p {p_text(row['p'])}, q {p_text(q['ar1'])}"
    )
    curve = analysis.temporal.indicators.query(
        "chip == @SITE and metric == 'ndvi_mean' and indicator == 'ar1'"
    )
    axis = figure.axes[0]
    np.testing.assert_array_equal(_labelled(axis, "site").get_ydata(), curve["value"])
    np.testing.assert_array_equal(_labelled(axis, "surrogates").get_ydata(), curve["null_middle"])
    assert SITE == -1


def test_surrogates_of_variance_are_drawn_at_the_level_of_the_site(
    made: dict[str, Figure],
) -> None:
    axis = made["indicators_ndvi_mean"].axes[1]
    site, null = (_labelled(axis, name).get_ydata() for name in ("site", "surrogates"))
    assert np.nanmean(null) == pytest.approx(np.nanmean(site))


def test_climate_stands_left_and_right(made: dict[str, Figure]) -> None:
    titles = _titles(made["climate"])
    assert titles[0].startswith("NDVI, as it is\nAR(1): tau ")
    assert titles[1].startswith("NDVI, without the weather\nAR(1): tau ")
    left, right = made["climate"].axes[:2]
    assert left.get_ylim() == right.get_ylim()


def test_the_surface_has_every_setting(made: dict[str, Figure], analysis: Analysis) -> None:
    axis = made["sensitivity"].axes[0]
    table = analysis.sensitivity.query("metric == 'ndvi_mean' and indicator == 'ar1'")
    numbers = [float(text.get_text()) for text in axis.texts]
    assert numbers == pytest.approx(table["tau"].dropna().tolist(), abs=0.051)
    framed = int((table["p"] <= QUICK.alpha).sum())
    assert len(axis.patches) == framed
    assert "sd" not in " ".join(_titles(made["sensitivity"])).lower()  # a twin of variance


def test_autocorrelation_is_the_textbook_one(analysis: Analysis) -> None:
    table = autocorrelation(analysis, "ndvi_mean")
    parts = analysis.temporal.parts.query("metric == 'ndvi_mean'")
    wide = parts.pivot(index="step", columns="chip", values="residual")
    expected = [np.nanmedian([wide[chip].autocorr(lag) for chip in wide]) for lag in (1, 2, 5)]
    assert table.set_index("lag")["middle"][[1, 2, 5]].tolist() == pytest.approx(expected)
    assert (table["null_low"] == -table["null_high"]).all()


def test_rain_lags_are_medians_over_chips(analysis: Analysis, bare: Analysis) -> None:
    table = rain_lags(analysis, "ndvi_mean")
    rows = analysis.rain.query("metric == 'ndvi_mean' and lag == 2")
    assert table.set_index("lag")["middle"][2] == pytest.approx(rows["correlation"].median())
    assert rain_lags(bare, "ndvi_mean").empty
    figure = figures.correlations(bare)
    assert figure is not None
    assert _titles(figure) == ["NDVI with itself"]


def test_maps_put_chips_in_their_places(made: dict[str, Figure], analysis: Analysis) -> None:
    squares = made["maps"].axes[0].collections[1]
    centres = [path.vertices[:4].mean(axis=0) for path in squares.get_paths()]
    np.testing.assert_allclose(centres, chip_places(analysis).to_numpy(), atol=1e-9)
    values = slope_map(analysis, "ndvi_mean")["value"]
    np.testing.assert_allclose(np.asarray(squares.get_array()), values)
    limits = squares.get_clim()
    assert limits[0] == -limits[1] == -values.abs().max()


def test_maps_mark_what_stands_up_to_the_number_of_chips(analysis: Analysis) -> None:
    memory = analysis.temporal.memory.copy()
    memory.loc[memory["chip"] >= 0, "q"] = 0.5
    memory.loc[(memory["chip"] == 2) & (memory["metric"] == "ndvi_mean"), "q"] = 0.01
    changed = replace(analysis, temporal=replace(analysis.temporal, memory=memory))
    figure = figures.chip_maps(changed)
    assert figure is not None
    marks = _labelled(figure.axes[1], "small corrected p")
    place = memory_map(changed, "ndvi_mean").loc[2]
    assert marks.get_xydata().tolist() == [[place["longitude"], place["latitude"]]]


def test_maps_of_earlier_versions_show_tau(analysis: Analysis) -> None:
    earlier = replace(analysis, temporal=replace(analysis.temporal, memory=MEMORY.frame()))
    pd.testing.assert_frame_equal(memory_map(earlier, "ndvi_mean"), tau_map(earlier, "ndvi_mean"))
    assert not memory_map(analysis, "ndvi_mean").equals(tau_map(analysis, "ndvi_mean"))
    assert figures.chip_maps(earlier) is not None


def test_signals_that_must_not_be_used_are_grey(
    made: dict[str, Figure], analysis: Analysis
) -> None:
    values = analysis.snapshots.values.query("indicator == 'morans_i'")
    axis = made["spatial"].axes[0]
    allowed = values["valid"].astype(bool)
    assert len(_labelled(axis, "valid").get_ydata()) == allowed.sum() > 0
    grey = _labelled(axis, "not valid")
    assert len(grey.get_ydata()) == (~allowed).sum() > 0
    assert grey.get_fillstyle() == "none"
    assert _titles(made["spatial"])[4].endswith("does not apply")  # the wavelength


def test_spectra_of_first_and_last_year(analysis: Analysis) -> None:
    table = year_spectra(analysis)
    spectra = analysis.snapshots.spectra
    first = spectra[spectra["date"] < spectra["date"].min() + pd.Timedelta(days=365)]
    assert table["first year"][3] == pytest.approx(
        first.loc[first["wavenumber"] == 3, "power"].median()
    )
    early = replace(analysis.snapshots, spectra=first)
    assert list(year_spectra(replace(analysis, snapshots=early))) == ["all dates"]


def test_laws_of_patches_show_their_weights(made: dict[str, Figure]) -> None:
    axis = made["patches"].axes[0]
    assert sorted({text.get_text() for text in axis.texts}) == ["0.10", "0.20", "0.60"]
    assert next(one.get_text() for one in axis.get_yticklabels()) == "Power law"


def test_nothing_to_show_is_no_figure(bare: Analysis) -> None:
    found = figures.all_figures(bare)
    assert set(found) == set(NAMES[:7]) - {"indicators_offset50"}
    assert figures.chip_maps(bare) is None
    assert figures.climate_panels(bare) is None
    assert figures.spatial_signals(bare) is None
    assert figures.radial_spectra(bare) is None
    assert figures.patch_weights(bare) is None


@pytest.mark.parametrize(
    ("series", "names"),
    [
        (made_series(metrics=()), []),
        (made_series(chips=2, months=12, missing=()), ["series"]),
        (made_series(chips=1, months=1, missing=()), ["series"]),
        (made_series(chips=2, months=3, missing=()), ["series"]),
    ],
    ids=["no metrics", "a year", "one date", "three dates"],
)
def test_too_little_to_test(series: Any, names: list[str]) -> None:
    found = figures.all_figures(made_analysis(series, settings=QUICK))
    assert list(found) == names
    for figure in found.values():
        assert figures.figure_svg(figure).startswith(b"<?xml")


def test_files_are_the_same_each_time(analysis: Analysis) -> None:
    first, second = (figures.season_cycle(analysis) for _ in range(2))
    assert first is not None
    assert second is not None
    saved = figures.save_figure(first)
    assert saved == figures.save_figure(first) == figures.save_figure(second)
    assert saved.png.startswith(b"\x89PNG")
    assert b"<dc:date>" not in saved.svg
    assert not re.search(rb"""(href|src)\s*=\s*["']?(?!#|"#)\w+:""", saved.svg)


def test_the_users_settings_of_matplotlib_stay(analysis: Analysis) -> None:
    before = dict(mpl.rcParams)
    figures.season_cycle(analysis)
    assert dict(mpl.rcParams) == before


def test_names_with_dollars_are_no_formulas(bare: Analysis) -> None:
    name = "$\\frac{"
    table = bare.series.table.rename(columns={"ndvi_mean": name})
    series = replace(bare.series, table=table)
    parts = {
        kind: getattr(bare.temporal, kind).assign(metric=name)
        for kind in ("trends", "indicators", "parts")
    }
    changed = replace(bare, series=series, temporal=replace(bare.temporal, **parts))
    found = figures.all_figures(changed)
    assert figures.indicators_of(name) == "indicators___frac_"
    assert figures.figure_svg(found["indicators___frac_"]).startswith(b"<?xml")
    assert _titles(found["series"]) == [name]


def test_names_may_be_of_any_script() -> None:
    """The font of figures has no Chinese letters; that is no warning (which would be an error)."""
    figure, axes = panels(1)
    axes[0, 0].set_title("植被")
    assert figures.save_figure(figure).png.startswith(b"\x89PNG")
    (one,) = panels_of(figure, largest=1000)
    assert one.png


def test_a_legend_becomes_marks_and_text(made: dict[str, Figure]) -> None:
    title, keys = keys_of(made["sensitivity"])
    assert title.startswith("Kendall's tau")
    assert [one.label for one in keys] == ["framed: p at most 0.05", "could not be tested"]
    marks = [str(one.mark) for one in keys_of(made["series"])[1]]
    assert all(mark.startswith('<svg class="key"') for mark in marks)
    assert [("<line" in mark, "<path" in mark, "<rect" in mark) for mark in marks] == [
        (True, False, False), (False, False, True), (False, True, False), (False, False, True),
    ]  # fmt: skip
    figure, _ = panels(1)
    assert keys_of(figure) == ("", [])


def test_panels_are_as_many_as_their_axes_and_as_large_as_one_another(
    made: dict[str, Figure],
) -> None:
    seen = [axis.get_visible() for axis in made["climate"].axes]
    found = panels_of(made["climate"], largest=250_000)
    assert len(found) == len(made["climate"].axes)
    assert len({(round(one.width, 3), round(one.height, 3)) for one in found}) == 1
    assert [axis.get_visible() for axis in made["climate"].axes] == seen
    assert panels_of(made["climate"], largest=250_000) == found
    assert len(panels_of(made["decomposition"], largest=250_000)) == 2  # one for each metric


@given(st.lists(st.booleans(), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_lines_bridge_no_gap(known: list[bool]) -> None:
    """Every drawn piece joins neighbours that both have a value; single ones are dots."""
    figure, axes = panels(1)
    values = np.where(known, np.arange(len(known)), np.nan)
    line(axes[0, 0], np.arange(len(known)), values, color="black")
    drawn = axes[0, 0].lines
    np.testing.assert_array_equal(drawn[0].get_ydata(), values)
    alone = [
        step
        for step, here in enumerate(known)
        if here and not any(known[max(0, step - 1) : step]) and not any(known[step + 1 : step + 2])
    ]
    dots = drawn[1].get_xdata().tolist() if len(drawn) > 1 else []
    assert dots == alone
    assert len(figure.axes) == 1


@given(st.lists(st.booleans(), min_size=2, max_size=30))
@settings(max_examples=25, deadline=None)
def test_shades_cover_gaps_and_nothing_else(missing: list[bool]) -> None:
    dates = pd.date_range("2020-01-01", periods=len(missing), freq="10D")
    _, axes = panels(1)
    axis = axes[0, 0]
    dated(axis, dates)
    shade_gaps(axis, dates, np.array(missing))
    spans = [(one.get_x(), one.get_x() + one.get_width()) for one in axis.patches]
    places = mpl.dates.date2num(dates)
    inside = [any(low < place < high for low, high in spans) for place in places]
    assert inside == missing
