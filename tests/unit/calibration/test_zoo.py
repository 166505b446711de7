"""The zoo: generators that do what their names say, and runs that go on where they were."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from pyveg.analysis.data.columns import ZOO
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.states import decides_beside, states_of
from pyveg.analysis.temporal.indicators import temporal_indicators
from pyveg.analysis.temporal.significance import share_interval
from pyveg.analysis.temporal.surrogate_tests import SITE
from pyveg.calibration.operating_characteristics import area_under_roc
from pyveg.calibration.zoo import (
    LOSING,
    SITUATIONS,
    STEADY,
    Record,
    judge,
    zoo_place,
    zoo_series,
)
from pyveg.calibration.zoo.cells import Cell, batches, zoo_cells
from pyveg.calibration.zoo.judge import METRIC, zoo_as_series
from pyveg.calibration.zoo.rainy import RAINY
from pyveg.calibration.zoo.rates import STATES, rates, scores, together
from pyveg.calibration.zoo.runs import kept_records, run_zoo
from pyveg.core.errors import ConfigError
from pyveg.scripts.calibrate import main

SHORT = Record(3, 0.1, 2)
QUICK = AnalysisSettings(surrogates=19)
SEASON = 10 + 2 * np.sin(2 * np.pi * np.arange(300) / 12)


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_gives_chips_with_gaps(name: str) -> None:
    chips, rain = zoo_place(name, SHORT, 3)
    assert chips.shape == (2, 36)
    assert 0 < np.isnan(chips).sum() < 20
    assert (rain is not None) == (name in RAINY)
    if rain is not None:
        assert rain.shape == (36,)
        assert (rain >= 0).all()
    if not name.startswith("simulator"):  # which takes longer
        np.testing.assert_array_equal(chips, zoo_series(name, SHORT, 3))
        assert not np.array_equal(chips, zoo_series(name, SHORT, 4), equal_nan=True)


def test_situations_are_as_many_as_wanted() -> None:
    assert len(STEADY) >= 25
    assert len(LOSING) >= 6
    assert not set(STEADY) & set(LOSING)


def _many(name: str, chips: int = 40) -> Any:
    return zoo_series(name, Record(25, 0.0, chips, 0.0), 1) - SEASON


def _lag(x: Any) -> float:
    centred = x - x.mean(axis=1, keepdims=True)
    return float((centred[:, 1:] * centred[:, :-1]).sum() / (centred**2).sum())


@pytest.mark.parametrize("name", [".3 to .7", ".5 to .9", ".3 to .7, same variance"])
def test_memory_rises_where_it_should(name: str) -> None:
    series = _many(name)
    assert _lag(series[:, -100:]) - _lag(series[:, :100]) > 0.2
    same = series[:, -60:].std() / series[:, :60].std()
    assert (same < 1.15) == ("same" in name)


@pytest.mark.parametrize("name", ["noise x 2", "noise x 0.5", "stable .8", "heavy tails"])
def test_memory_stays_where_it_should(name: str) -> None:
    series = _many(name)
    assert abs(_lag(series[:, -100:]) - _lag(series[:, :100])) < 0.07
    factor = {"noise x 2": 2.0, "noise x 0.5": 0.5}.get(name, 1.0)
    spread = series[:, -30:].std() / series[:, :30].std()
    assert spread == pytest.approx(factor, rel=0.2)


def test_the_fold_slows_down() -> None:
    series, t = _many("fold"), np.arange(300)
    rest = series - np.stack([np.polyval(np.polyfit(t, row, 3), t) for row in series])
    assert _lag(rest[:, -80:]) > _lag(rest[:, :80]) + 0.05


def test_one_clearing_is_of_all_chips_or_of_one() -> None:
    drops = {}
    for name in ("one clearing", "one clearing, in one of the chips"):
        series = _many(name, 8)
        drops[name] = (series[:, :80].mean(axis=1) - series[:, -80:].mean(axis=1)) > 4
    assert drops["one clearing"].all()
    assert drops["one clearing, in one of the chips"].tolist() == [True] + 7 * [False]


def test_rain_that_remembers_and_rain_that_varies() -> None:
    rains = [zoo_place("memory of the rain rises", Record(25), seed).rain for seed in range(20)]
    remembered = np.log(np.stack([rain for rain in rains if rain is not None]))
    assert abs(_lag(remembered[:, :40])) < 0.2
    assert _lag(remembered[:, -80:]) > 0.6
    rains = [zoo_place("rain varies ever more", Record(25), seed).rain for seed in range(20)]
    varied = np.stack([rain for rain in rains if rain is not None])
    cv = varied.std(axis=0) / varied.mean(axis=0)
    assert cv[-60:].mean() > 2 * cv[:60].mean()


def test_simulated_vegetation_thins_out_and_dies() -> None:
    lost = {
        name: float(np.ptp(np.nanmean(series.reshape(-1, 12), axis=1)[[0, -1]]))
        for name in ("simulator, stable rain", "simulator, decline", "simulator, collapse")
        for series in [zoo_series(name, Record(5), 0) - SEASON[:60]]
    }
    stable, decline, collapse = lost.values()
    assert stable < 2
    assert decline > 2 * stable
    assert collapse > 2 * decline


def test_a_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyveg.calibration.zoo.cells.BATCH", 2)
    told: list[tuple[int, int, str]] = []
    first = run_zoo(tmp_path, [[Cell("stable .5", Record(3), 2)]])
    (tmp_path / "records/3y-0g-1c/stable--5/0002.csv").write_text("damaged\n1\n")
    cells = [Cell("stable .5", Record(3), 5), Cell("noise x 2", Record(3), 1)]
    whole = run_zoo(tmp_path, [cells], progress=lambda *done: told.append(done))
    assert told[0] == (2, 6, "")
    assert told[-1][:2] == (6, 6)
    assert sorted(zip(whole["situation"], whole["seed"], strict=True)) == [
        ("noise x 2", 0), *(("stable .5", seed) for seed in range(5))
    ]  # fmt: skip
    pd.testing.assert_frame_equal(whole.iloc[:2].reset_index(drop=True), first)
    more = [replace(cell, series=8) for cell in cells]
    assert [cell.series for cell in kept_records(tmp_path, [more])[0]] == [5, 1]
    again = run_zoo(tmp_path, [cells], progress=lambda *done: told.append(done))
    assert told[-1] == (6, 6, "")
    pd.testing.assert_frame_equal(whole, again)


def test_workers_change_nothing(tmp_path: Path) -> None:
    cells = [[Cell("stable .5", Record(3), 2), Cell("noise x 2", Record(3), 2)]]
    one = run_zoo(tmp_path / "one", cells)
    two = run_zoo(tmp_path / "two", cells, n_workers=2)
    pd.testing.assert_frame_equal(one, two)


def test_records_of_other_tests_are_not_mixed_in(tmp_path: Path) -> None:
    about = tmp_path / "zoo.json"
    about.write_text(json.dumps({"surrogates": 199, "tests": "others"}))
    with pytest.raises(ConfigError, match="judged by other tests"):
        run_zoo(tmp_path, [])
    about.write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        run_zoo(tmp_path, [])


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def few(series: int) -> list[list[Cell]]:
        return [[Cell(name, Record(3), series) for name in ("stable .5", ".3 to .7")]]

    monkeypatch.setattr("pyveg.calibration.zoo.cells.zoo_cells", few)
    asked = ["--zoo", "--output_dir", str(tmp_path / "zoo"), "--n_places", "2", "--n_workers", "1"]
    first = CliRunner().invoke(main, asked)
    assert first.exit_code == 0, first.output
    assert "4/4 records" in first.output
    assert "3 years, 0 % gaps, one chip, % of records:" in first.output
    assert ".3 to .7 *" in first.output
    assert "of 2 records without a loss of resilience" in first.output
    assert {path.name for path in (tmp_path / "zoo").iterdir() if path.is_file()} >= {
        "zoo.csv", "zoo_rates.csv", "zoo_scores.csv", "zoo_columns.csv", "zoo.png", "zoo.svg",
    }  # fmt: skip
    again = CliRunner().invoke(main, asked)
    assert again.output.partition("\n\n")[2] == first.output.partition("\n\n")[2]
    (tmp_path / "zoo/zoo.json").write_text("{}")
    refused = CliRunner().invoke(main, asked)
    assert refused.exit_code == 2
    assert "take another folder" in refused.output


def _records(situation: str, states: dict[str, int], **more: Any) -> pd.DataFrame:
    named = [state for state, count in states.items() for _ in range(count)]
    kind = {"situation": situation, "years": 10.0, "gaps": 0.0, "chips": 1, "shared": 0.0}
    rest = {"seed": 0, "break_step": -1}
    return ZOO.frame(pd.DataFrame({**kind, **rest, "state": named, **more}))


def test_rates_are_counts() -> None:
    states = {"memory_rises": 3, "nothing": 16, "abrupt_change": 1}
    records = pd.concat(
        [_records("stable .5", states), _records("noise x 2", {"spread_grows": 20}),
         _records(".3 to .7", {"memory_rises": 20})], ignore_index=True,
    )  # fmt: skip
    found = rates(records)
    row = found.iloc[0]
    assert (row["memory_rises"], row["nothing"], row["abrupt_change"]) == (3, 16, 1)
    assert found["losing"].tolist() == [False, False, True]
    assert (found[list(STATES)].sum(axis=1) == found["series"]).all()
    assert (row["rises_low"], row["rises_high"]) == share_interval(3, 20)
    assert (row["corrected_low"], row["corrected_high"]) == share_interval(3, 20, 0.975)
    assert together(found)[:2] == (3, 40)
    with pytest.raises(ValueError, match="nobody counts"):
        rates(_records("stable .5", {"a new state": 1}))


def test_scores_part_loss_from_what_is_none() -> None:
    alike = {"decides_tau": 0.1, "rolling_p": 0.5}

    def some(name: str, state: str, *p: float) -> pd.DataFrame:
        return _records(name, {state: len(p)}, p=list(p), decides_p=list(p), **alike)

    null = some("stable .5", "nothing", 0.2, 0.4, 0.6, 0.8)
    lost, refused = some("fold", "nothing", 0.01, 0.3), some("fold", "abrupt_change", 0.01)
    found = scores(pd.concat([null, lost, refused], ignore_index=True))
    area = found.set_index(["situation", "score"])["auc"]
    assert area["fold", "trend of memory"] == pytest.approx((4 + 3 + 4) / 12)
    assert area["fold", "verdict"] == pytest.approx((4 + 3 + 0) / 12)
    assert area["all", "rolling AR(1)"] == 0.5
    assert area_under_roc(np.array([1.0, 1.0]), np.array([0.5]))["auc"] == 1.0


def test_cells_cover_what_is_promised() -> None:
    cells = [cell for group in zoo_cells() for cell in group]
    kinds = {(cell.record.years, cell.record.gaps, cell.record.chips) for cell in cells}
    for years in (10, 25):
        many = [cell for cell in cells if cell.record == Record(years, 0.2)]
        assert {cell.situation for cell in many} == set(SITUATIONS)
        assert {cell.series for cell in many} == {400}
    for kind in ((5, 0.2, 1), (10, 0.0, 1), (10, 0.4, 1), (10, 0.2, 25)):
        some = [cell for cell in cells if (cell.record.years, cell.record.gaps,
                                           cell.record.chips) == kind]  # fmt: skip
        assert {cell.situation for cell in some} == set(SITUATIONS)
    assert (25, 0.2, 25) in kinds
    assert len({cell.key for cell in cells}) == len(cells)
    assert {cell.record.years for group in zoo_cells(5, [25]) for cell in group} == {25}


def test_batches_take_the_cells_of_a_group_side_by_side() -> None:
    groups = [[Cell("a", Record(), 30), Cell("b", Record(), 10)], [Cell("c", Record(), 1)]]
    made = list(batches(groups))
    assert [(one.cell.situation, one.first) for one in made] == [
        ("a", 0), ("b", 0), ("a", 20), ("c", 0),
    ]  # fmt: skip
    assert [len(one.seeds) for one in made] == [20, 10, 10, 1]


def test_a_record_without_values_is_untested() -> None:
    assert judge(np.full((1, 60), np.nan), QUICK, 1).state == "untested"


@pytest.mark.parametrize(
    ("name", "chips"),
    [("noise x 2", 1), (".5 to .9", 3), ("step of 12 SD at 70 %", 3), ("stable .8", 2),
     ("memory of the rain rises", 2)],
)  # fmt: skip
def test_the_short_way_says_what_the_analysis_says(name: str, chips: int) -> None:
    place = zoo_place(name, Record(8, 0.2, chips), 5)
    short = judge(place.chips, QUICK, 7, rain=place.rain)
    series = zoo_as_series(place.chips, place.rain)
    settings = replace(QUICK, seed=7, indicators=("ar1", "variance"))
    whole = temporal_indicators(series, [METRIC], settings)
    assert states_of(whole) == {METRIC: short.state}
    memory = whole.memory[(whole.memory["chip"] == SITE) & (whole.memory["metric"] == METRIC)]
    row, broken, trend = (table.iloc[0] for table in (memory, whole.breaks, whole.trends))
    columns = ["t", "p", "q", "p_beside", "q_beside", "variance_tau", "noise_q"]
    same = [short.memory[name] for name in columns]
    np.testing.assert_array_equal(row[columns].to_numpy(np.float64), same)
    assert decides_beside(row) == decides_beside(short.memory)
    assert (broken["p"], broken["step"]) == (short.broken["p"], short.broken["step"])
    assert (trend["indicator"], trend["p"]) == ("ar1", short.rolling_p)
