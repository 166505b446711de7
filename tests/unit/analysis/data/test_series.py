from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.axis import make_axis
from pyveg.analysis.data.series import (
    load_series,
    older_pyveg_filled,
    site_table,
    tidy,
)
from pyveg.core.errors import DataError


def _dates(n: int, start: str = "2015-01-16") -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.Timestamp(start) + pd.DateOffset(months=k) for k in range(n)])


def _records(n: int = 24, chips: int = 2, **more: Any) -> pd.DataFrame:
    rows = [
        {"date": date, "collection": "S2", "chip": chip, "ndvi_mean": 0.1 * chip + 0.01 * step}
        for step, date in enumerate(_dates(n))
        for chip in range(chips)
    ]
    return pd.DataFrame(rows).assign(**more)


def _weather(dates: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame({"date": dates, "collection": "E", "total_precipitation": 0.1})


@pytest.mark.parametrize(
    ("dates", "step", "months", "days", "count"),
    [
        (_dates(24), "", 1, 30.44, 24),
        (_dates(24)[[0, 1, 2, 9, 10, 23]], "", 1, 30.44, 24),
        (pd.date_range("2015-01-08", periods=30, freq="15D"), "", 0, 15, 30),
        (pd.date_range("2015-01-08", periods=60, freq="30D"), "", 0, 30, 60),
        (pd.date_range("2015-01-08", periods=60, freq="30D"), "30d", 0, 30, 60),
        (_dates(24)[::3], "3m", 3, 91.3, 8),
        (_dates(1), "", 1, 30.44, 1),
    ],
    ids=["months", "gaps", "15 days", "30 days", "30d", "quarters", "one"],
)
def test_axes(dates: Any, step: str, months: int, days: float, count: int) -> None:
    axis, steps = make_axis(pd.Series(dates), step)
    assert (axis.months, len(axis)) == (months, count)
    assert axis.days == pytest.approx(days, abs=0.02)
    assert axis.dates[steps].tolist() == list(dates)
    assert axis.dates.is_monotonic_increasing
    assert axis.period == pytest.approx(365.25 / axis.days, rel=0.01)


def test_gaps_stay_gaps() -> None:
    records = _records()
    series = tidy(records[~records["date"].isin(_dates(24)[[5, 6]])])
    matrix = series.matrix("ndvi_mean")
    assert matrix.shape == (2, 24)
    assert np.flatnonzero(np.isnan(matrix[0])).tolist() == [5, 6]
    assert series.table["date"].is_monotonic_increasing
    assert "2 of 24 steps (1 month) have no data: they stay gaps" in series.notes


def test_older_defect_a_date_of_one_chip_is_no_missing_date() -> None:
    records = _records()
    records = records[(records["date"] != _dates(24)[5]) | (records["chip"] == 1)]
    matrix = tidy(records).matrix("ndvi_mean")
    assert np.isnan(matrix[0, 5])
    assert matrix[1, 5] == pytest.approx(0.15)


def test_order_does_not_matter() -> None:
    records = _records()
    shuffled = records.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(tidy(records).table, tidy(shuffled).table)


def test_doubled_records_are_averaged_and_told() -> None:
    records = _records()
    double = records.iloc[[4]].assign(ndvi_mean=1.0)
    series = tidy(pd.concat([records, double]))
    assert "1 records share a step and chip with another: they were averaged" in series.notes
    assert series.matrix("ndvi_mean")[0, 2] == pytest.approx((0.02 + 1.0) / 2)


def test_what_is_no_measurement_is_missing_and_told() -> None:
    records = _records(offset50=-500.0, signal_cover=0.7, valid_fraction=1.0)
    records.loc[3, "valid_fraction"] = 0.4
    records.loc[6, "signal_cover"] = 0.0
    series = tidy(records)
    assert np.isnan(series.matrix("ndvi_mean")[1, 1])
    assert np.isnan(series.matrix("offset50")[0, 3])
    assert series.matrix("ndvi_mean")[0, 3] == pytest.approx(0.03)
    notes = " ".join(series.notes)
    assert "1 records with under 0.5 valid" in notes
    assert "1 records have 0 nodes (signal_cover): their zeros of offset50 are no" in notes


def test_weather_is_joined_by_step() -> None:
    weather = _weather(_dates(24, "2015-01-20")).assign(total_precipitation=np.arange(24.0))
    series = tidy(_records(), weather)
    rain = series.weather()
    assert rain is not None
    np.testing.assert_array_equal(rain, np.arange(24.0))
    assert "total_precipitation" not in series.metrics
    without = tidy(_records())
    assert without.weather() is None
    assert "there is no weather" in without.notes


def test_chips_of_older_results_are_told_by_their_place() -> None:
    records = _records().drop(columns="chip")
    records["latitude"] = 11.5
    records["longitude"] = [27.9, 27.8] * 24
    series = tidy(records)
    assert series.chips == [0, 1]
    assert series.matrix("ndvi_mean")[0, 0] == pytest.approx(0.1)  # the western one


@pytest.mark.parametrize("n", [0, 1, 3, 11, 12])
def test_short_records(n: int) -> None:
    series = tidy(_records(n) if n else pd.DataFrame())
    assert (0 if series.axis is None else len(series.axis)) == n
    assert series.matrix("ndvi_mean").shape[-1] == n


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(DataError, match='there is no "offest50" in these results'):
        tidy(_records()).matrix("offest50")


def test_the_site_has_a_band() -> None:
    table = site_table(tidy(_records(chips=5)), "ndvi_mean")
    assert list(table.columns) == ["step", "date", "chips", "middle", "low", "high"]
    np.testing.assert_allclose(table["middle"], 0.2 + 0.01 * table["step"])
    np.testing.assert_allclose(table["high"] - table["low"], 0.2)


def test_what_the_older_pyveg_filled_is_named_so() -> None:
    records = _records(36, chips=1)
    records.loc[[5, 20], "ndvi_mean"] = [np.nan, 99.0]
    series = tidy(records)
    filled = older_pyveg_filled(series, "ndvi_mean")
    assert list(filled.columns) == ["step", "date", "chip", "older_pyveg_filled"]
    assert filled["older_pyveg_filled"].iloc[5] == pytest.approx((0.17 + 0.29) / 2)
    assert filled["older_pyveg_filled"].iloc[20] == pytest.approx((0.08 + 0.32) / 2)
    assert np.isnan(series.matrix("ndvi_mean")[0, 5])
    assert series.matrix("ndvi_mean")[0, 20] == 99.0


def test_real_results_of_the_older_pyveg(shared_data: Path) -> None:
    path = shared_data / "results" / "labyrinths_niger_2017_results_summary.json"
    (series,) = load_series(path)
    assert series.matrix("offset50").shape == (10, 12)
    assert series.axis is not None
    assert series.axis.period == 12
    assert series.weather() is not None
