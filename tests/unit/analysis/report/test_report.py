from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pyveg.analysis.analyse import Analysis, analyse, beside_table
from pyveg.analysis.figures import others_beside, season_cycle
from pyveg.analysis.figures.parts import panels_of
from pyveg.analysis.folder import read_analysis, write_analysis
from pyveg.analysis.report import SECTIONS, VERDICTS, in_words, report_html, tables
from pyveg.analysis.report.gallery import gallery, picture
from pyveg.analysis.report.methods import PAPERS, methods
from pyveg.analysis.report.terms import terms
from pyveg.analysis.report.words import (
    coordinates,
    ends,
    number,
    place_name,
    plain,
    sentence,
    visible,
)
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.over_time import no_snapshots
from pyveg.analysis.verdict import LEVELS, OLD_LEVELS
from pyveg.core.errors import DataError
from pyveg.earth.lattice import Lattice
from pyveg.earth.metrics import Metric
from pyveg.earth.periods import Cadence
from pyveg.storage.memory import MemoryStore
from pyveg.testing.analyses import made_analysis, made_series

QUICK = AnalysisSettings(surrogates=19, indicators=("ar1", "variance", "sd"))
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=https://example.org/x.png onerror=alert(2)>&{{ 7*7 }}"
)
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """What a page is made of; refuses tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        if self.open:
            raise DataError(f"not closed: {self.open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise DataError(f"</{tag}> closes nothing, line {self.getpos()[0]}")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def analysis(made_place: Any) -> Analysis:
    found: Analysis = made_place.analysis
    return found


@pytest.fixture(scope="module")
def page(made_place: Any) -> Page:
    return Page(made_place.html)


@pytest.fixture(scope="module")
def bare() -> Analysis:
    """One chip, no weather, no images, no coordinates."""
    series = made_series(
        chips=1, months=30, weather=False, places=False, metrics=("ndvi_mean",), missing=()
    )
    return made_analysis(series, settings=QUICK)


@pytest.fixture(scope="module")
def bare_html(bare: Analysis) -> str:
    return report_html(bare)


def _loaded(page: Page) -> list[str]:
    """Every address that a browser would fetch by itself."""
    found = [str(attrs["src"]) for _, attrs in page.tags if "src" in attrs]
    found += [str(attrs["href"]) for attrs in page.named("link")]
    return found


def test_everything_is_there(page: Page, analysis: Analysis) -> None:
    headings = [name for name, _ in page.tags if re.fullmatch(r"h[1-6]", name)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    assert headings.count("h2") == len(SECTIONS) - 1 + 2  # nothing is missing; series, resilience
    for before, after in pairwise(headings):
        assert int(after[1]) <= int(before[1]) + 1
    figures = [one for one in page.named("div") if one.get("role") == "img"]
    assert len(figures) == 12
    plots = [one for one in page.named("img") if one.get("class") == "plot"]
    assert len(plots) > 40  # each panel by itself
    assert all(int(str(one["width"])) > 150 and int(str(one["height"])) > 100 for one in plots)
    assert len(page.named("img")) == len(plots) + 3  # and the pictures
    assert "missing" not in [one["id"] for one in page.named("h2")]
    assert analysis.verdict.headline in page.text
    assert "11.57° S, 27.95° E" in page.text
    assert "2015-01-16 to 2019-12-16, 60 steps of 1 month, 4 chips" in page.text
    assert "name = 'a & b'" in page.text


def test_sections_come_in_order(page: Page) -> None:
    ids = [attrs["id"] for attrs in page.named("h2")]
    assert ids == ["summary", "resilience", "series", *list(SECTIONS)[1:-1]]
    links = [str(one["href"]).removeprefix("#") for one in page.named("a")]
    every = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert {one for one in links if "://" not in one} <= set(every)
    assert len(every) == len(set(every))


def test_other_collections_of_the_place_stand_beside(bare: Analysis, bare_html: str) -> None:
    """Also in a report that is made anew; where there is no other, there is no word of it."""
    title = "Other collections of this place"
    assert title not in bare_html
    camera = Metric("gcc_90", "1", "green", "Camera greenness", "place")
    other = replace(
        made_series(months=30, weather=False, metrics=(), more=(camera,), missing=(3,)),
        collection="Camera",
    )
    both = replace(bare, beside=beside_table([other]))
    html = report_html(both)
    text = Page(html).text
    assert title in text
    assert "Camera, Camera greenness, whole region: from 2015-01-16 to 2017-06-16 it lies" in text
    assert "1 of 30 steps have no data" in text
    store = MemoryStore()
    assert report_html(read_analysis(store, write_analysis(both, store))) == html
    figure = others_beside(both)
    assert figure is not None
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        "Sentinel2: NDVI",
        "Camera: Camera greenness, whole region",
    ]
    low, high = {axis.get_xlim() for axis in figure.axes}.pop()
    assert high - low > 365 * 2.4, "one axis of time"


def test_it_can_be_read_by_all(page: Page) -> None:
    assert page.named("html") == [{"lang": "en"}]
    assert all(attrs.get("scope") in {"col", "row"} for attrs in page.named("th"))
    assert len(page.named("caption")) == len(page.named("table")) >= 4
    assert page.named("a")[0] == {"class": "skip", "href": "#main"}
    for attrs in page.named("img"):  # a panel is part of its figure, which has a name and words
        assert (attrs["alt"] == "") == (attrs.get("class") == "plot")
    for attrs in page.named("div"):
        if attrs.get("role") == "img":
            assert str(attrs["aria-label"]).startswith("Figure: ")
    assert page.text.count("In words") == 12
    for attrs in page.named("div"):
        if attrs.get("class") == "scroll":
            assert attrs["tabindex"] == "0"
            assert attrs["role"] == "region"
            assert attrs["aria-label"]


def test_nothing_is_loaded(page: Page) -> None:
    addresses = _loaded(page)
    assert len(addresses) == 1 + len(page.named("img"))
    assert all(one.startswith("data:") for one in addresses)
    assert not page.named("script")
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_the_same_analysis_gives_the_same_text(bare: Analysis, bare_html: str) -> None:
    assert report_html(bare) == bare_html


def test_every_doi_is_one_of_the_list(page: Page) -> None:
    cited = [str(one["href"]) for one in page.named("a") if "doi.org" in str(one["href"])]
    known = {f"https://doi.org/{doi}" for doi in PAPERS.values()}
    assert cited
    assert set(cited) <= known


def test_each_figure_is_told_in_words(analysis: Analysis, page: Page) -> None:
    words = {one.name: " ".join(one.words) for one in gallery(analysis, {}).values()}
    assert not any(words.values())  # nothing is told of what is not drawn
    assert "3 of 60 steps have no data" in " ".join(in_words.series(analysis))
    assert "Rain: " in page.text
    row = analysis.temporal.trends.iloc[0]
    assert f"tau {row['tau']:+.2f}" in in_words.indicators(analysis, "ndvi_mean")[0]
    assert "it applies at 15 of 20 dates" in page.text
    assert "log-normal (weight 0.60)" in page.text
    assert "white noise" in page.text


TOLD = re.compile(r"\bp (0\.\d+|1\.00)")
FIGURES = re.compile(r"\b(?:p|q|tau) [+-]?\d\.\d")


def _p_of_tables(analysis: Analysis) -> set[str]:
    """Every p and q of every table, as people read it."""
    found: set[str] = set()
    for table in analysis.tables().values():
        for name in table.columns:
            if {"p", "q"} & set(str(name).split("_")):
                values = pd.to_numeric(table[name], errors="coerce").dropna()
                found |= {f"{one:.3f}" if one < 0.1 else f"{one:.2f}" for one in values}
    return found


def test_every_p_of_the_report_has_its_row(analysis: Analysis, page: Page) -> None:
    """No sentence tells of a test that was not made."""
    told = TOLD.findall(page.text)
    assert len(told) > 30
    assert set(told) <= _p_of_tables(analysis)
    tables_with_tau = [one for one in analysis.tables().values() if "tau" in one.columns]
    known = {f"{tau:+.2f}" for one in tables_with_tau for tau in one["tau"].dropna()}
    taus = re.findall(r"\btau ([+-]\d\.\d\d)", page.text)
    assert len(taus) > 10
    assert set(taus) <= known


@pytest.mark.parametrize(("chips", "months"), [(1, 12), (2, 1), (3, 22)])
def test_without_a_test_no_sentence_tells_of_one(chips: int, months: int) -> None:
    """What is too short to be tested has no p, no tau and no "beyond chance" anywhere."""
    series = made_series(chips=chips, months=months, missing=())
    short = made_analysis(series, settings=QUICK)
    assert not any(claim.rests_on != ("reason",) for claim in short.statement.claims)
    html = report_html(short)
    told = _words_before(html, "methods")
    assert not FIGURES.search(told)
    assert "chance" not in told
    assert "flagged as outliers" not in told
    assert "in a mean year" not in told
    assert told.count("a test needs 24") <= 2  # what happened, and memory


def _words_before(html: str, section: str) -> str:
    body = html[html.index("<body>") : html.index(f'<section aria-labelledby="{section}">')]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_agreement_table_says_it_without_colour(analysis: Analysis) -> None:
    table = tables.agreement(analysis)
    assert table is not None
    assert len(table.rows) == len(analysis.agreement)
    for row, says in zip(table.rows, analysis.agreement["says"], strict=True):
        assert len(row) == len(table.columns)
        assert row[2] == f"{tables.MARKS[says]} {says}"
    assert table.rows[0][0] == "Memory (trend of AR(1), noise apart) of NDVI"
    assert "AR(1) of NDVI" in [row[0] for row in table.rows]
    assert table.rows[-1][0].startswith("Pattern beyond")
    assert set(tables.MARKS) == set(tables.SAYS)


def test_long_notes_are_said_once(analysis: Analysis) -> None:
    reason = "a reason that is long enough to be said once only"
    rows = analysis.agreement.assign(reason=reason)
    table = tables.agreement(replace(analysis, agreement=rows))
    assert table is not None
    notes = [row[-1] for row in table.rows]
    assert notes == [sentence(reason), *["As above."] * (len(notes) - 1)]


def test_a_table_without_a_test_is_left_out() -> None:
    analysis = made_analysis(made_series(chips=1, months=12, missing=()), settings=QUICK)
    assert len(analysis.agreement)
    assert tables.agreement(analysis) is None
    text = Page(report_html(analysis, figures={})).text
    assert "All tests side by side" in text[text.index("What is not here, and why") + 30 :]


def test_every_setting_is_explained(analysis: Analysis) -> None:
    assert all(row[2] for row in tables.settings(analysis).rows)
    rows = {row[0]: row[1] for row in tables.settings(analysis).rows}
    assert rows["seed"] == "0"
    assert rows["indicators"] == "ar1, variance, sd"


def test_hostile_names_stay_text(bare: Analysis) -> None:
    series = replace(bare.series, collection=HOSTILE, metadata={"name": HOSTILE, "config": HOSTILE})
    verdict = replace(bare.verdict, headline=HOSTILE, because=(HOSTILE,), conditions=(HOSTILE,))
    changed = replace(
        bare, series=series, verdict=verdict, config=HOSTILE, source=HOSTILE,
        snapshots=no_snapshots(HOSTILE),
    )  # fmt: skip
    page = Page(report_html(changed, figures={}))
    assert not page.named("script")
    assert not page.named("img")
    assert _loaded(page) == ["data:,"]
    assert page.text.count("{{ 7*7 }}") >= 8
    assert page.text.count("<script>alert(1)</script>") >= 8


def test_what_is_missing_says_why(bare_html: str) -> None:
    page = Page(bare_html)
    text = page.text
    assert len([one for one in page.named("div") if one.get("role") == "img"]) == 6
    assert "a place without coordinates" in text
    assert "A map needs two chips with coordinates, and there are 0." in text
    assert "There is no weather, or it never changes: its part cannot be taken away." in text
    assert text.count("There are no images beside the summary.") == 2  # what limits, what misses
    assert "Signals of the images; Size of the pattern; Laws of patch sizes" in text
    assert text.count("There is no weather, or it never changes") <= 2
    assert "These results do not keep it." in text
    assert "1 chip " in text


@pytest.mark.parametrize(
    "series",
    [
        made_series(metrics=()),
        made_series(chips=2, months=12),
        made_series(chips=1, months=1, missing=()),
        replace(made_series(metrics=()), table=pd.DataFrame({"chip": []}), axis=None),
    ],
    ids=["no metrics", "a year", "one date", "no dates"],
)
def test_a_series_that_cannot_tell_says_so(series: Any) -> None:
    page = Page(report_html(made_analysis(series, settings=QUICK)))
    assert "? Cannot tell" in page.text
    assert "cannot tell whether resilience is lost" in page.text
    assert "What is not here, and why" in page.text
    reasons = [text for text in page.words if "a test needs 24" in text]
    assert len(reasons) == len(set(reasons))


def test_levels_of_the_verdict_have_their_marks(bare: Analysis) -> None:
    assert tuple(VERDICTS) == LEVELS + OLD_LEVELS
    assert len({mark for mark, _ in VERDICTS.values()}) == len(VERDICTS)
    for level, (mark, label) in VERDICTS.items():
        changed = replace(bare, verdict=replace(bare.verdict, level=level))
        page = Page(report_html(changed, figures={}))
        assert f"{mark} {label}" in page.text
        assert {"summary", level} in [
            set(str(one.get("class")).split()) for one in page.named("section")
        ]


def test_figures_that_are_there_are_used(bare: Analysis) -> None:
    figure = season_cycle(bare)
    assert figure is not None
    page = Page(report_html(bare, figures={"season": figure}))
    made = [picture(one) for one in panels_of(figure, largest=250_000)]
    assert [one["src"] for one in page.named("img")] == [one.address for one in made]
    assert len(made) == 1


def test_large_panels_become_png(bare: Analysis) -> None:
    figure = season_cycle(bare)
    assert figure is not None
    (small,) = panels_of(figure, largest=250_000)
    (large,) = panels_of(figure, largest=1000)
    assert picture(small).address.startswith("data:image/svg+xml;base64,")
    assert picture(large).address.startswith("data:image/png;base64,")


def test_steps_too_long_for_a_year_have_no_season(bare: Analysis) -> None:
    axis = bare.series.axis
    assert axis is not None
    years = replace(axis, lattice=Lattice(Cadence(12, "m"), axis.lattice.anchor))
    yearly = replace(bare, series=replace(bare.series, axis=years))
    assert season_cycle(yearly) is None
    shown = gallery(yearly, {})["season"]
    assert shown.why == "Steps of 12 months are too long to show a year."


@pytest.mark.parametrize(
    "told",
    [
        AnalysisSettings(null="phase", fdr="by", trend="gaussian", outlier_limit=0),
        AnalysisSettings(null="block", trend="quadratic", season="none"),
        AnalysisSettings(trend="none"),
        AnalysisSettings(season="stl", trend="stl"),
    ],
    ids=["phase", "block", "no trend", "stl"],
)
def test_methods_tell_what_was_done(bare: Analysis, told: AnalysisSettings) -> None:
    steps = {step.title: step for step in methods(replace(bare, settings=told))}
    assert all(name in PAPERS for step in steps.values() for name in step.cites)
    text = steps["Season, trend and outliers"].text
    assert ("robust" in text) == bool(told.outlier_limit)
    assert {"gaussian": "Gaussian", "quadratic": "parabola", "none": "not removed", "stl": "STL"}[
        told.trend
    ] in text
    assert ("Benjamini & Yekutieli 2001" in steps["Test of the indicators"].cites) == (
        told.fdr == "by"
    )
    assert f"{told.surrogates} surrogates" in steps["Test of the indicators"].text


def test_drops_and_returns_are_told(analysis: Analysis) -> None:
    ndvi = {"metric": "ndvi_mean", "fits": True}
    rows = [
        {**ndvi, "chip": 0, "depth": 0.2, "rate": 2.0, "drought": True},
        {**ndvi, "chip": 1, "depth": 0.3, "rate": 4.0, "drought": False},
        {"metric": "ndvi_mean", "chip": 2, "reason": "no drop of 2 robust SD"},
    ]
    changed = replace(analysis, recovery=pd.DataFrame(rows))
    assert tables.recovery_lines(changed) == [
        "NDVI: 2 drops of more than 2 robust standard deviations in 3 chips, 1 of them with little "
        "rain; 2 came back exponentially, at a median rate of 3.0 per year."
    ]


def test_names_cannot_turn_the_text_around_them(bare: Analysis) -> None:
    """A name that ends in U+202E would turn what follows it."""
    turned = "place\u202etxt\u2066"
    series = replace(bare.series, collection=turned, metadata={"name": turned, "a\u202e": "b\x07"})
    html = report_html(replace(bare, series=series, config=turned), figures={})
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x07]", html)
    assert html.count(r"place\u202etxt\u2066") >= 3
    assert r"a\u202e" in html
    assert visible("سلام, naïve\tname") == "سلام, naïve\tname"


def test_words_are_explained_where_they_first_stand(analysis: Analysis, bare: Analysis) -> None:
    known = dict(terms(analysis))
    assert {"NDVI", "Network centrality (offset50)", "Chip", "Memory", "p"} <= set(known)
    assert "Chip" not in dict(terms(bare))
    told = report_html(bare, figures={})
    assert told.index("What the words mean") < told.index('id="limits"')
    assert all(meaning.endswith(".") for meaning in known.values())


def test_words() -> None:
    assert sentence("there is no weather") == "There is no weather."
    assert sentence("Why?") == "Why?"
    assert sentence("") == ""
    assert number(0.123456) == "0.123"
    assert number(-612.3) == "-612"
    assert number(0) == "0.00"
    assert number(2.5e-7) == "2.50e-07"
    assert number(float("nan")) == "unknown"
    assert plain("says the same as ar1") == "says the same as AR(1)"
    dates = pd.date_range("2020-01-01", periods=5, freq="YS")
    assert ends(dates, [1.0, 2.0, 3.0, 4.0, float("nan")]) == (1.0, 4.0)


@pytest.mark.parametrize(
    ("about", "name"),
    [
        ({"latitude": "x", "longitude": 1}, "11.57° N, 27.957° E"),
        ({"latitude": 0, "longitude": -5.25, "coords_id": "12"}, "12, 0° N, 5.25° W"),
        ({"latitude": float("nan"), "longitude": 1, "name": "Gabes"}, "Gabes, 11.57° N, 27.957° E"),
    ],
)
def test_places(analysis: Analysis, about: dict[str, Any], name: str) -> None:
    changed = replace(analysis, series=replace(analysis.series, metadata=about))
    assert place_name(changed) == name


def test_a_place_may_have_no_coordinates(bare: Analysis) -> None:
    assert coordinates(bare) is None
    assert place_name(bare) == "a place without coordinates"


def test_memory_at_its_limit_is_not_told_apart(analysis: Analysis) -> None:
    table = analysis.climate.table.assign(memory=0.98, memory_without=0.5)
    changed = replace(analysis, climate=replace(analysis.climate, table=table))
    lines = tables.memory_lines(changed)
    assert len(lines) == 2
    assert all("is 0.98 or more with and 0.50 without their part." in line for line in lines)


def test_a_real_year_of_the_older_pyveg(shared_data: Path) -> None:
    """12 months of the older program: they cannot tell, and the report says why."""
    path = shared_data / "results/labyrinths_niger_2017_results_summary.json"
    page = Page(report_html(analyse(path, swap_coordinates=True, settings=QUICK)))
    assert "? Cannot tell" in page.text
    assert "11.32° N, 27.942° E" in page.text
    assert "2017-01-16 to 2017-12-14, 12 steps of 1 month, 10 chips" in page.text
    assert len([one for one in page.named("div") if one.get("role") == "img"]) == 1
    assert "12 values of 12 steps; a test needs 24" in page.text
    assert "Rain: 308 mm in the 11 steps that are known." in page.text
