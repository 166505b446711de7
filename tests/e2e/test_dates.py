"""Places of values in time, through the commands: a folder's own step, periods, odd dates."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from pyveg.earth.periods import item_of, period_of, split
from pyveg.earth.types import DateRange
from pyveg.jobs.resolve import resolve
from pyveg.scripts.gee_analysis import main as analyse
from pyveg.scripts.run_pipeline import main as run_pipeline

FOLDER = ("2015-07-11", "2015-07-31", "2015-08-20", "2015-08-30", "2015-09-09")


def _job(folder: Path, **more: Any) -> dict[str, Any]:
    record = {"data_type": "vegetation", "source": "folder", "path": str(folder),
              "RGB_bands": ["B4", "B3", "B2"], "NIR_band": "B8"}  # fmt: skip
    return {
        "name": "dates",
        "output_location": str(folder.parent / "job"),
        "coordinates": (27.95, 11.57),
        "date_range": ["2015-07-01", "2015-10-01"],
        "data_collections": {"S2": record},
        "collections_to_use": ["S2"],
        "modules_to_use": {"S2": ["VegetationDownloader", "VegetationImageProcessor",
                                  "NDVICalculator"]},
        "runner": "serial",
        **more,
    }  # fmt: skip


def _analysed(results: Path, folder: Path, *options: str) -> Result:
    return CliRunner().invoke(
        analyse,
        ["--input_dir", str(results), "--output_dir", str(folder), "--no_report", "--no_spatial",
         "--surrogates", "19", "--n_threads", "1", *options],
    )  # fmt: skip


def _table(folder: Path) -> pd.DataFrame:
    (path,) = folder.rglob("series.csv")
    return pd.read_csv(path).drop_duplicates("step").set_index("step")


def test_a_folder_has_the_step_of_its_dates(make_place: Callable[..., Path]) -> None:
    folder = make_place(FOLDER, (50, 50))
    told = resolve(_job(folder)).plan().warnings
    assert '"S2": 5 dates lie on 7 steps of 10 days, by what the dates say' in told
    config = folder.parent / "job.py"
    lines = (f"{name} = {value!r}" for name, value in _job(folder).items())
    config.write_text("\n".join(lines))
    result = CliRunner().invoke(run_pipeline, ["--config_file", str(config)])
    assert result.exit_code == 0, result.output
    assert "5 dates lie on 7 steps of 10 days" in result.output
    (run,) = folder.parent.glob("job_*")
    (path,) = run.glob("*_combine/results_summary.json")
    summary = json.loads(path.read_text())
    assert summary["metadata"]["time_per_point"] == summary["S2"]["time_per_point"] == "10d"
    assert _analysed(run, folder.parent / "out").exit_code == 0
    table = _table(folder.parent / "out")
    assert len(table) == 7
    assert table["ndvi_mean"].dropna().index.tolist() == [0, 2, 4, 5, 6]


def test_a_step_that_is_stated_is_taken_and_what_it_costs_is_told(
    make_place: Callable[..., Path],
) -> None:
    folder = make_place(FOLDER, (50, 50))
    job = _job(folder, special_config={"S2": {"time_per_point": "1m"}})
    (told,) = (one for one in resolve(job).plan().warnings if "dates lie on" in one)
    assert told == (
        '"S2": 5 dates lie on 3 steps of 1 month: 2 share a step with another, and the analysis '
        "averages them; the dates say 10 days"
    )


@pytest.mark.parametrize("day", [1, 15, 16, 31])
def test_complete_months_are_complete_through_the_command(day: int, tmp_path: Path) -> None:
    periods, _ = split(DateRange(date(2010, 1, day), date(2016, 2, 1)), "1m")
    items = [item_of(period) for period in periods[:72]]
    values = 0.35 + 0.1 * np.sin(np.arange(72) * np.pi / 6)
    data = {
        item.name: [{"date": item.name, "chip": 0, "ndvi_mean": value}]
        for item, value in zip(items, values.tolist(), strict=True)
    }
    spans = {one.name: [str(period_of(one).start), str(period_of(one).end)] for one in items}
    summary = {
        "V": {"type": "vegetation", "time-series-data": data, "periods": spans},
        "metadata": {"collection": "V", "time_per_point": "1m"},
    }
    path = tmp_path / "results_summary.json"
    path.write_text(json.dumps(summary))
    result = _analysed(path, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert _table(tmp_path / "out")["ndvi_mean"].tolist() == pytest.approx(values.tolist(), abs=0)


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (["01/02/2005", "03/04/2005"], "can be read in two ways"),
        (["2005-01-15", "autumn"], "'autumn' is no date"),
        (["1905-01-15", "2005-02-15", "2005-03-15"], "the date 1905-01-15 is 100 years away"),
        (["2005-01-15", "9005-02-15"], "'9005-02-15' is not between 1700 and 2200"),
    ],
)
def test_odd_dates_end_with_a_sentence(dates: list[str], said: str, tmp_path: Path) -> None:
    data = {day: [{"date": day, "chip": 0, "ndvi_mean": 0.4}] for day in dates}
    summary = {"V": {"type": "vegetation", "time-series-data": data}, "metadata": {}}
    (tmp_path / "results_summary.json").write_text(json.dumps(summary))
    result = _analysed(tmp_path, tmp_path / "out")
    assert result.exit_code == 2
    assert said in result.output
    assert not (tmp_path / "out").exists()
