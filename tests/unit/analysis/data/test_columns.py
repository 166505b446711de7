"""Every table is as `columns` declares it: made, written, and read back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.data.columns import ANALYSIS, CALIBRATION, CAMPAIGN, SERIES, series_table
from pyveg.analysis.data.series import tidy
from pyveg.analysis.data.table import Table
from pyveg.analysis.folder import read_analysis, write_analysis
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.sites import compare_sites, read_site, sites_table
from pyveg.calibration.operating_characteristics import STABLE, summarise
from pyveg.earth.metrics import Metric
from pyveg.storage.memory import MemoryStore
from pyveg.testing.analyses import made_analysis, made_series, made_snapshots

BRIGHTNESS = Metric("brightness", "1", "mean of the red band", "Brightness")
HAZE = Metric("haze", "%", "share of the sky under haze", "Haze", support="place")
QUICK = AnalysisSettings(surrogates=19, indicators=("ar1", "variance"))


def _whole() -> Analysis:
    series = made_series(more=(BRIGHTNESS, HAZE))
    return made_analysis(series, snapshots=made_snapshots(series), settings=QUICK)


def _of_region() -> Analysis:
    return made_analysis(made_series(metrics=(), more=(HAZE,)), settings=QUICK)


def _short() -> Analysis:
    return made_analysis(made_series(chips=1, months=12, weather=False, places=False))


def _nothing() -> Analysis:
    return made_analysis(tidy(pd.DataFrame()), settings=QUICK)


CASES = {"whole": _whole, "of the region": _of_region, "short": _short, "no dates": _nothing}


@pytest.fixture(scope="module", params=CASES)
def analysis(request: pytest.FixtureRequest) -> Analysis:
    return CASES[request.param]()


def _check(table: pd.DataFrame, declared: Table) -> None:
    assert list(table.columns) == declared.names
    expected = {column.name: pd.Series(dtype=column.dtype).dtype for column in declared.columns}
    assert table.dtypes.to_dict() == expected


def _declared(analysis: Analysis) -> Mapping[str, Table]:
    series = analysis.series
    return {**ANALYSIS, "series": series_table(series.table.columns, series.declared)}


def test_every_table_of_an_analysis_is_as_declared(analysis: Analysis) -> None:
    tables = analysis.tables()
    assert list(tables) == list(ANALYSIS)
    for name, declared in _declared(analysis).items():
        _check(tables[name], declared)


def test_they_are_read_back_as_they_were(analysis: Analysis) -> None:
    store = MemoryStore()
    again = read_analysis(store, write_analysis(analysis, store))
    for name, table in analysis.tables().items():
        pd.testing.assert_frame_equal(again.tables()[name], table, check_exact=True, obj=name)
    assert again.series.declared == analysis.series.declared
    assert again.verdict == analysis.verdict


def test_parquet_files_hold_the_same(analysis: Analysis) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    store = MemoryStore()
    folder = write_analysis(analysis, store)
    for name, declared in _declared(analysis).items():
        key = f"{folder}/tables/{name}.parquet"
        with store.open_read(key) as file:
            found = parquet.read_table(file).to_pandas()
        pd.testing.assert_frame_equal(declared.frame(found), analysis.tables()[name])


def test_metrics_of_the_series_are_those_that_were_declared() -> None:
    series = made_series(more=(BRIGHTNESS, HAZE))
    table = series_table(series.table.columns, series.declared)
    units = {column.name: column.unit for column in table.columns}
    assert (units["brightness"], units["haze"], units["offset50"]) == ("1", "%", "pixels")
    assert units["total_precipitation"] == "m per period"
    assert table.names[: len(SERIES.names)] == SERIES.names
    known = [name for name in table.names if name not in SERIES.names]
    assert set(known) == {*series.metrics, "total_precipitation", "mean_2m_air_temperature"}
    unknown = series_table(["step", "green less red"], {}).columns[-1]
    assert (unknown.name, unknown.meaning) == ("green less red", "not declared by any Module")


def test_tables_of_many_places_are_as_declared() -> None:
    store = MemoryStore()
    folders = [
        write_analysis(make(), store, name) for name, make in CASES.items() if name != "no dates"
    ]
    found = compare_sites(read_site(store, folder) for folder in folders)
    _check(found.sites, sites_table(found.means, found.trends))
    _check(found.tests, CAMPAIGN["tests"])
    _check(found.shares, CAMPAIGN["shares"])
    nowhere = compare_sites([])
    _check(nowhere.sites, CAMPAIGN["sites"])
    _check(nowhere.tests, CAMPAIGN["tests"])
    _check(nowhere.shares, CAMPAIGN["shares"])


def test_the_summary_of_a_calibration_is_as_declared() -> None:
    rows = [
        {"scenario": scenario, "gaps": 0.2, "metric": "ndvi_mean", "indicator": "ar1",
         "direction": "rise", "p": p}
        for scenario in (STABLE, "declining")
        for p in (0.01, 0.5, np.nan)
    ]  # fmt: skip
    _check(summarise(pd.DataFrame(rows)), CALIBRATION["calibration_summary"])


@pytest.mark.parametrize("tables", [ANALYSIS, CAMPAIGN, CALIBRATION], ids=len)
def test_declarations_are_complete(tables: Mapping[str, Table]) -> None:
    for name, table in tables.items():
        assert len(set(table.names)) == len(table.names), name
        assert table.row, name
        assert table.holds, name
        for column in table.columns:
            assert column.meaning.strip(), (name, column.name)
            assert not column.meaning.endswith("."), (name, column.name)
            assert "|" not in column.meaning, (name, column.name)
