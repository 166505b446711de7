"""The zoo: generators that do what their names say, and runs that go on where they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.settings import AnalysisSettings
from pyveg.calibration.zoo import LOSING, SITUATIONS, STEADY, Record, judge, zoo_series
from pyveg.calibration.zoo_runs import Cell, rates, run_cells, zoo_cells

SHORT = Record(5, 0.1, 2)


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_gives_chips_with_gaps(name: str) -> None:
    series = zoo_series(name, SHORT, 3)
    assert series.shape == (2, 60)
    assert 0 < np.isnan(series).sum() < 30
    np.testing.assert_array_equal(series, zoo_series(name, SHORT, 3))
    assert not np.array_equal(series, zoo_series(name, SHORT, 4), equal_nan=True)


def test_situations_are_as_many_as_wanted() -> None:
    assert len(STEADY) >= 25
    assert len(LOSING) >= 6
    assert not set(STEADY) & set(LOSING)


def _lag(x: np.ndarray) -> float:  # type: ignore[type-arg]
    centred = x - x.mean(axis=1, keepdims=True)
    return float((centred[:, 1:] * centred[:, :-1]).sum() / (centred**2).sum())


@pytest.mark.parametrize("name", [".3 to .7", ".5 to .9", ".3 to .7, same variance"])
def test_memory_rises_where_it_should(name: str) -> None:
    record = Record(25, 0.0, 40, 0.0)
    season = 2 * np.sin(2 * np.pi * np.arange(record.n) / 12)
    series = zoo_series(name, record, 1) - 10 - season
    assert _lag(series[:, -100:]) - _lag(series[:, :100]) > 0.2
    same = series[:, -60:].std() / series[:, :60].std()
    assert (same < 1.15) == ("same" in name)


def test_the_fold_slows_down() -> None:
    record = Record(25, 0.0, 40, 0.0)
    season = 2 * np.sin(2 * np.pi * np.arange(record.n) / 12)
    series = zoo_series("fold", record, 1) - season
    t = np.arange(record.n)
    rest = series - np.stack([np.polyval(np.polyfit(t, row, 3), t) for row in series])
    assert _lag(rest[:, -80:]) > _lag(rest[:, :80]) + 0.05


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    cells = [Cell("stable .5", Record(5), 25), Cell("noise x 2", Record(5), 21)]
    lines: list[str] = []
    first = run_cells(tmp_path, [Cell("stable .5", Record(5), 20)])
    whole = run_cells(tmp_path, cells, tell=lines.append)
    assert ": 5 new records" in lines[0]
    assert ": 21 new records" in lines[1]
    pd.testing.assert_frame_equal(whole.iloc[:20].reset_index(drop=True), first)
    again = run_cells(tmp_path, cells, tell=lines.append)
    assert ": 0 new records" in lines[2]
    pd.testing.assert_frame_equal(whole, again)
    assert not list(tmp_path.glob("*.part"))


def test_workers_change_nothing(tmp_path: Path) -> None:
    cells = [Cell("stable .5", Record(5), 4), Cell("noise x 2", Record(5), 4)]
    one = run_cells(tmp_path / "one", cells)
    two = run_cells(tmp_path / "two", cells, n_workers=2)
    pd.testing.assert_frame_equal(one, two)


def test_rates_are_counts() -> None:
    states = ["memory_rises"] * 3 + ["nothing"] * 16 + ["abrupt_change"]
    records = pd.DataFrame({"situation": "stable .5", "years": 10.0, "gaps": 0.0, "chips": 1,
                            "state": states})  # fmt: skip
    (row,) = rates(records).to_dict("records")
    assert (row["memory_rises"], row["nothing"], row["abrupt_change"]) == (3, 16, 1)
    assert row["series"] == 20
    assert not row["losing"]
    assert row["rises_low"] == pytest.approx(0.0321, abs=1e-4)
    assert row["rises_high"] == pytest.approx(0.3789, abs=1e-4)


def test_cells_cover_what_is_promised() -> None:
    cells = zoo_cells()
    assert sum(cell.series == 400 for cell in cells) == 2 * len(SITUATIONS)
    kinds = {(cell.record.years, cell.record.gaps, cell.record.chips) for cell in cells}
    assert {(5, 0.2, 1), (10, 0.0, 1), (10, 0.4, 1), (10, 0.2, 25)} <= kinds
    assert len({cell.name for cell in cells}) == len(cells)


def test_a_record_without_values_is_untested() -> None:
    nothing = judge(np.full((1, 60), np.nan), AnalysisSettings(surrogates=19), 1)
    assert nothing.state == "untested"
