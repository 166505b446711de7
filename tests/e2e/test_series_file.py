"""A CSV of dates and values through the analysis: the command, and the same from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import pyveg
from pyveg.core.errors import ConfigError, DataError
from pyveg.scripts.gee_analysis import main as analyse

MONTHS = 120
QUICK = pyveg.AnalysisSettings(surrogates=19)


def _frame(months: int = MONTHS) -> pd.DataFrame:
    """A season, red noise and rain, from a seed."""
    noise = np.random.default_rng(7)
    year = np.arange(months) / 12 * 2 * np.pi
    memory = np.zeros(months)
    for i in range(1, months):
        memory[i] = 0.6 * memory[i - 1] + noise.normal(0, 0.02)
    rain = np.clip(60 + 50 * np.sin(year) + noise.normal(0, 9, months), 0, None)
    days = pd.date_range("2006-01-01", periods=months, freq="MS")
    values = 0.4 + 0.1 * np.sin(year) + memory
    return pd.DataFrame({"date": days, "NDVI": values, "rain (mm)": rain})


def _command(*options: str) -> Result:
    quick = ["--surrogates", "19", "--no_report", "--n_threads", "1"]
    result = CliRunner().invoke(analyse, [*options, *quick])
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def test_a_csv_goes_straight_to_the_analysis(tmp_path: Path) -> None:
    frame = _frame()
    path = tmp_path / "oasis.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",", date_format="%d.%m.%Y")
    result = _command("--input_file", str(path))
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "analysis" / "oasis" / "tables" / "series.csv")
    assert len(table) == MONTHS
    assert table["ndvi"].to_numpy() == pytest.approx(frame["NDVI"].to_numpy(), abs=0)
    assert table["total_precipitation"].to_numpy() == pytest.approx(frame["rain (mm)"] / 1000)
    trends = pd.read_csv(tmp_path / "analysis" / "oasis" / "tables" / "trends.csv")
    assert set(trends["metric"]) == {"ndvi"}
    # The same numbers from Python, and the same whatever they come in.
    again = pyveg.analyse(frame, settings=QUICK).temporal.trends
    known = trends.set_index("indicator")["tau"]
    found = again.set_index("indicator")["tau"]
    assert found.to_numpy() == pytest.approx(known.loc[found.index].to_numpy(), nan_ok=True)


def test_numbers_of_unknown_units_are_told_without_one(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    _frame().rename(columns={"NDVI": "value"}).to_csv(path, index=False)
    result = _command("--input_file", str(path))
    assert result.exit_code == 0, result.output
    assert "Value was 0.393 in the first year and 0.397 in the last" in result.output
    assert "Rain was 669 mm a year in the first year" in result.output
    assert " ? in the last" not in result.output


def test_gaps_stay_gaps_and_the_season_is_a_year() -> None:
    frame = _frame().drop(index=[5, 17, 18])
    analysis = pyveg.analyse(frame, settings=QUICK)
    assert analysis.series.axis is not None
    assert len(analysis.series.axis) == MONTHS
    assert analysis.series.axis.period == 12
    assert np.isnan(analysis.series.matrix("ndvi")).sum() == 3
    assert any("3 of 120 steps" in note for note in analysis.series.notes)


def test_what_was_told_of_the_table_is_a_condition_of_the_verdict() -> None:
    frame = _frame().rename(columns={"rain (mm)": "rain"})
    analysis = pyveg.analyse(frame, settings=QUICK)
    assert analysis.series.notes[0].startswith("rain was taken as mm by its range")
    rain = analysis.series.weather()
    assert rain is not None
    assert rain == pytest.approx(frame["rain"].to_numpy() / 1000)


def test_places_are_analysed_one_by_one(tmp_path: Path) -> None:
    frame = pd.concat([_frame(40).assign(place=name) for name in ("A", "B")])
    path = tmp_path / "two.csv"
    frame.to_csv(path, index=False)
    result = _command("--input_file", str(path), "--output_dir", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert sorted(one.parent.name for one in (tmp_path / "out").glob("*/tables")) == ["A", "B"]
    with pytest.raises(ConfigError, match="these results hold 2 collections: A, B"):
        pyveg.analyse(path, settings=QUICK)
    assert pyveg.analyse(path, collection="B", settings=QUICK).series.collection == "B"


def test_two_places_are_not_written_to_one_folder(tmp_path: Path) -> None:
    frame = pd.concat([_frame(24).assign(place=name) for name in ("A/B", "A-B")])
    path = tmp_path / "two.csv"
    frame.to_csv(path, index=False)
    result = _command("--input_file", str(path), "--output_dir", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert '"A-B" and "A/B" would be written to one folder' in result.output
    assert not list((tmp_path / "out").rglob("*.csv"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("date,when,value\n2016-01-01,2016-01-01,1\n", "2 columns of dates"),
        ("date,value\n01/02/2016,1\n02/03/2016,2\n", "can be read in two ways"),
        ("date,value\n2016-01-01,0.5 units\n2016-01-02,1\n", "'0.5 units' is no number"),
        ("date,value\n2016-01-01,bad\n", "has no numbers"),
        ("", "is empty"),
    ],
)
def test_a_bad_table_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "series.csv"
    path.write_text(text)
    result = _command("--input_file", str(path))
    assert result.exit_code == 2
    assert words in result.output
    assert str(path) in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DataError, match=words):
        pyveg.analyse(path)


def test_one_input_is_named() -> None:
    result = _command("--input_file", "a.csv", "--input_dir", "b")
    assert result.exit_code == 2
    assert "give one of" in result.output
