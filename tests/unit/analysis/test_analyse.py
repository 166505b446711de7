from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyveg
from pyveg.analysis.analyse import STEPS, Analysis, analyse
from pyveg.analysis.data.series import make_series
from pyveg.analysis.folder import RECORD, analyses_in, folder_name, read_analysis, write_analysis
from pyveg.analysis.settings import AnalysisSettings
from pyveg.calibration.false_alarms import stable_places
from pyveg.core.errors import ConfigError, DataError, NotARunError
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.runs.load import load_summary
from pyveg.runs.results import Results
from pyveg.storage.memory import MemoryStore

QUICK = AnalysisSettings(surrogates=19, indicators=("ar1", "variance"))


def _results(
    matrix: Any, *, weather: bool = True, collection: str = "COPERNICUS/S2", **metadata: Any
) -> Results:
    chips, n = np.shape(matrix)
    dates = [pd.Timestamp("2010-01-16") + pd.DateOffset(months=k) for k in range(n)]
    rows = pd.DataFrame(
        {
            "date": np.tile(np.array(dates, dtype="datetime64[ns]"), chips),
            "collection": collection,
            "latitude": np.repeat(10 + np.arange(chips) // 2 / 100, n),
            "longitude": np.repeat(20 + np.arange(chips) % 2 / 100, n),
            "ndvi_mean": np.ravel(matrix).astype(float),
        }
    )
    rain = np.random.default_rng(1).gamma(2, 0.02, n)
    sky = pd.DataFrame(
        {"date": dates, "collection": "ERA5", PRECIPITATION: rain, TEMPERATURE: 300.0 + rain}
    )
    return Results(rows, sky if weather else sky.iloc[:0], {"time_per_point": "1m", **metadata})


def _stable(chips: int = 2, n: int = 60, gaps: float = 0.1) -> Any:
    return stable_places(1, n, memory=0.5, gaps=gaps, chips=chips, shared=0.5, seed=1)[0]


@pytest.fixture(scope="module")
def whole() -> Analysis:
    return analyse(_results(_stable(), latitude=10.0, longitude=20.0), settings=QUICK)


def test_every_part_is_there(whole: Analysis) -> None:
    assert whole.metrics == ["ndvi_mean"]
    tables = whole.tables()
    for name in ("series", "site", "parts", "indicators", "trends", "levels", "climate",
                 "sensitivity", "rain_response", "drought_recovery", "agreement"):  # fmt: skip
        assert len(tables[name]), name
    assert whole.verdict.headline
    assert whole.power[0].n == 60
    assert whole.record()["settings"]["seed"] == 0
    assert {"python", "pyveg", "numpy"} <= set(whole.versions)
    site = tables["site"]
    assert (site["low"].dropna() <= site["high"].dropna()).all()


def test_public_names() -> None:
    assert pyveg.analyse is analyse
    assert pyveg.Analysis is Analysis
    assert pyveg.AnalysisSettings is AnalysisSettings


def test_the_same_seed_gives_the_same_numbers(whole: Analysis) -> None:
    again = analyse(
        _results(_stable(), latitude=10.0, longitude=20.0),
        settings=AnalysisSettings(surrogates=19, indicators=("ar1", "variance"), n_threads=2),
    )
    for name, table in whole.tables().items():
        pd.testing.assert_frame_equal(table, again.tables()[name], obj=name)


def test_progress_names_every_step() -> None:
    seen: list[tuple[str, int, int]] = []
    analyse(_results(_stable(1, 24)), settings=QUICK, progress=lambda *step: seen.append(step))
    assert [name for name, _, _ in seen] == list(STEPS)
    assert [number for _, number, _ in seen] == list(range(len(STEPS)))


@pytest.mark.parametrize("n", [0, 1, 3, 11, 12, 23])
@pytest.mark.parametrize("weather", [True, False])
def test_short_series_cannot_tell(n: int, *, weather: bool) -> None:
    found = analyse(_results(_stable(2, 60)[:, :n], weather=weather), settings=QUICK)
    assert found.verdict.level == "cannot_tell"
    assert found.temporal.trends["p"].isna().all()
    assert (found.temporal.trends["reason"] != "").all()
    assert found.agreement["p"].isna().all()
    assert all(math.isnan(one.power) for one in found.power)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full((2, 60), np.nan), "0 values"),
        (np.full((2, 60), 0.25), "equal"),
        (np.zeros((1, 60)), "equal"),
    ],
)
def test_series_without_information_cannot_tell(values: Any, reason: str) -> None:
    found = analyse(_results(values), settings=QUICK, metrics=["ndvi_mean"])
    assert found.verdict.level == "cannot_tell"
    assert found.temporal.trends["tau"].isna().all()
    assert found.temporal.trends["reason"].str.contains(reason).all()


def test_nothing_at_all() -> None:
    nothing = Results(pd.DataFrame(columns=["date", "collection"]), pd.DataFrame(), {})
    found = analyse(nothing, settings=QUICK)
    assert found.verdict.level == "cannot_tell"
    assert found.agreement.empty
    assert found.series.notes == ("there is no vegetation in these results",)


def test_order_and_doubles_of_records_do_not_matter(whole: Analysis) -> None:
    given = _results(_stable(), latitude=10.0, longitude=20.0)
    mixed = pd.concat([given.chips, given.chips.iloc[::3]]).sample(frac=1, random_state=3)
    found = analyse(Results(mixed, given.weather, given.metadata), settings=QUICK)
    assert any("averaged" in note for note in found.series.notes)
    pd.testing.assert_frame_equal(found.temporal.trends, whole.temporal.trends)


def test_several_collections_need_a_name() -> None:
    one, two = _results(_stable()), _results(_stable(), collection="LANDSAT")
    both = Results(pd.concat([one.chips, two.chips]), one.weather, one.metadata)
    with pytest.raises(ConfigError, match=r"2 collections: COPERNICUS/S2, LANDSAT"):
        analyse(both)
    chosen = analyse(both, collection="LANDSAT", settings=QUICK)
    assert chosen.series.collection == "LANDSAT"
    assert set(chosen.beside["collection"]) == {one.chips["collection"].iloc[0]}, "the other"
    with pytest.raises(ConfigError, match='no collection "MODIS"'):
        analyse(both, collection="MODIS")


def test_an_unknown_metric_names_the_known_ones() -> None:
    with pytest.raises(DataError, match="ndvi_mean"):
        analyse(_results(_stable()), metrics=["greenness"], settings=QUICK)


def test_round_trip_through_a_folder(whole: Analysis) -> None:
    store = MemoryStore()
    folder = write_analysis(whole, store)
    assert folder == "analysis/COPERNICUS-S2"
    assert analyses_in(store) == [folder]
    again = read_analysis(store, folder)
    assert again.record() == whole.record()
    for name, table in whole.tables().items():
        expected = table.reset_index(drop=True)
        pd.testing.assert_frame_equal(again.tables()[name], expected, check_dtype=False, obj=name)


@pytest.mark.parametrize("values", [np.full((1, 5), 0.2), np.empty((1, 0))])
def test_round_trip_of_an_analysis_that_cannot_tell(values: Any) -> None:
    store = MemoryStore()
    first = analyse(_results(values), settings=QUICK)
    again = read_analysis(store, write_analysis(first, store))
    assert again.verdict == first.verdict
    assert again.series.axis is None or len(again.series.axis) == 5


def test_damaged_and_missing_analyses_are_named(whole: Analysis) -> None:
    store = MemoryStore()
    with pytest.raises(NotARunError, match="pyveg_gee_analysis"):
        read_analysis(store, "nothing")
    folder = write_analysis(whole, store)
    record = json.loads(store.read(f"{folder}/{RECORD}"))
    store.write(f"{folder}/{RECORD}", json.dumps({**record, "format": 99}).encode())
    with pytest.raises(DataError, match="another version"):
        read_analysis(store, folder)
    store.write(f"{folder}/{RECORD}", b"{half")
    with pytest.raises(DataError, match="damaged"):
        read_analysis(store, folder)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("COPERNICUS/S2_SR", "COPERNICUS-S2_SR"),
        ("../x", "x"),
        ("", "no-collection"),
        ("Grün", "Grün"),
    ],
)
def test_names_of_folders(name: str, folder: str) -> None:
    assert folder_name(name) == folder


def test_a_real_year_of_the_older_pyveg(shared_data: Any) -> None:
    path = shared_data / "results" / "labyrinths_niger_2017_results_summary.json"
    found = analyse(path, swap_coordinates=True, settings=QUICK)
    assert found.metrics == ["offset50"]
    assert found.verdict.level == "cannot_tell"
    assert "12 values of 12 steps" in found.verdict.because[0]
    latitude = found.series.table["latitude"]
    assert latitude.between(11, 12).all()
    (same,) = make_series(load_summary(path))
    np.testing.assert_array_equal(
        found.series.matrix("offset50").sum(), same.matrix("offset50").sum()
    )
