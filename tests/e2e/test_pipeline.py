"""The main job through the commands: from imagery to results_summary.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import pyveg
from pyveg import formats
from pyveg.core.execute import run_task
from pyveg.core.tasks import State
from pyveg.runs.results import read_series
from pyveg.scripts.run_module import main as run_module
from pyveg.scripts.run_pipeline import main as run_command
from pyveg.storage.memory import MemoryStore

VEGETATION = [
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
]


def _run(*arguments: str) -> Result:
    result = CliRunner().invoke(run_command, list(arguments))
    assert not result.exception or isinstance(result.exception, SystemExit), result.output
    return result


def _folder_config(write_config: Any, place: Path, **special: Any) -> Path:
    path: Path = write_config(
        date_range=["2020-01-01", "2020-12-31"],
        collections_to_use=["Mine"],
        modules_to_use={"Mine": VEGETATION},
        special_config=special,
        runner="serial",
    )
    record = {
        "data_type": "vegetation",
        "source": "folder",
        "path": str(place),
        "RGB_bands": ["B4", "B3", "B2"],
        "NIR_band": "B8",
    }
    path.write_text(path.read_text() + f"data_collections = {{'Mine': {record!r}}}\n")
    return path


def _summary(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("gee_*_combine/results_summary.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_summary_has_the_old_schema(small_run: Any) -> None:
    summary = _summary(small_run.folder)
    assert list(summary) == ["SimulatedWeather", "SimulatedSentinel2", "metadata", "missing"]
    vegetation = summary["SimulatedSentinel2"]
    assert vegetation["type"] == "vegetation"
    dates = ["2016-01-16", "2016-02-15", "2016-03-16", "2016-04-16"]
    assert list(vegetation["time-series-data"]) == dates
    weather = summary["SimulatedWeather"]
    assert weather["type"] == "weather"
    assert set(weather["time-series-data"]["2016-01-16"]) == {
        "total_precipitation",
        "mean_2m_air_temperature",
    }
    found = [records for records in vegetation["time-series-data"].values() if records]
    assert found
    for record in found[0]:
        assert {"slope", "offset", "offset50", "mean", "std", "feature_vec"} <= set(record)
        assert {"date", "latitude", "longitude", "ndvi", "ndvi_veg"} <= set(record)
        assert {"ndvi_mean", "ndvi_std", "ndvi_veg_mean", "cover"} <= set(record)
        assert {"signal", "signal_cover", "valid_fraction", "chip"} <= set(record)
        assert len(record["feature_vec"]) == 20
        assert record["feature_vec"][0] == 0
        assert record["signal"] == "bare_soil"
        assert 0 < record["signal_cover"] < 1
    assert summary["metadata"] | {"tag": ""} == {
        "start_date": "2016-01-01",
        "end_date": "2016-05-01",
        "time_per_point": "1m",
        "longitude": 27.95,
        "latitude": 11.57,
        "region_size": 0.011,
        "collection": "SimulatedSentinel2",
        "num_data_points": len(found),
        "config_filename": "config.py",
        "tag": "",
    }


def test_the_series_are_medians_over_chips(small_run: Any) -> None:
    """Equal to what pandas makes of the summary."""
    (path,) = small_run.folder.glob("gee_*_combine/series.csv")
    series = read_series(path.read_bytes())
    chips = pyveg.load_results(small_run.folder)
    rows = series[series["collection"] == "SimulatedSentinel2"].set_index("date")
    assert rows["chips"].tolist() == chips.groupby("date").size().tolist()
    for metric in ("offset50", "ndvi_mean", "cover"):
        by_date = chips.groupby("date")[metric]
        assert np.allclose(rows[metric], by_date.median(), atol=1e-6)
        assert np.allclose(rows[f"{metric}_q25"], by_date.quantile(0.25), atol=1e-6)
    weather = series[series["collection"] == "SimulatedWeather"]
    expected = pyveg.load_weather(small_run.folder)["total_precipitation"]
    assert np.allclose(weather["total_precipitation"], expected)


def test_chips_lie_where_the_raster_says(small_run: Any) -> None:
    table = pyveg.load_results(small_run.folder)
    assert table["longitude"].between(27.944, 27.956).all()
    assert table["latitude"].between(11.564, 11.576).all()
    first = table[table["date"] == table["date"].iloc[0]].set_index("chip")
    assert first.loc[0, "latitude"] > first.loc[1, "latitude"]
    assert first.loc[0, "longitude"] == pytest.approx(first.loc[1, "longitude"], abs=2e-4)
    degrees = 500 / 111_320
    assert first.loc[0, "latitude"] - first.loc[1, "latitude"] == pytest.approx(degrees, rel=0.05)


def test_the_ndvi_of_the_truth_is_found(small_run: Any) -> None:
    """Dates with more simulated biomass are greener."""
    folder = small_run.folder
    table = pyveg.load_results(folder).groupby("date")["ndvi_mean"].mean()
    truth = {
        path.parent.parent.name: json.loads(path.read_text())["truth"]
        for path in folder.glob("*SimulatedSentinel2/*/RAW/download.json")
    }
    biomass = [truth[str(date.date())]["mean_biomass"] for date in table.index]
    assert np.corrcoef(biomass, table)[0, 1] > 0.9


def test_what_is_printed_and_drawn(small_run: Any) -> None:
    folder, output = small_run.folder, small_run.output
    (figure,) = folder.glob("gee_*_combine/series.png")
    assert f"picture: {figure}" in output
    picture = formats.decode_png(figure.read_bytes())
    assert picture.shape[0] > 400
    assert picture.std() > 10
    assert "SimulatedSentinel2/NDVICalculator" in output
    assert (folder / "_pyveg/config.py").read_text().startswith("from pyveg.configs")
    assert "217 tasks" not in (folder / "_pyveg/run.log").read_text()


@pytest.mark.parametrize("runner", ["serial", "threads"])
def test_engines_agree_byte_for_byte(small_run: Any, write_config: Any, runner: str) -> None:
    result = _run("--config_file", str(write_config(runner=runner)), "--n_workers", "3")
    assert result.exit_code == 0
    (folder,) = write_config.runs()
    for path in sorted(small_run.folder.glob("gee_*/**/*")):
        if path.is_file():
            other = folder / path.relative_to(small_run.folder)
            assert other.read_bytes() == path.read_bytes(), path


def test_a_dry_run_writes_nothing(write_config: Any, tmp_path: Path) -> None:
    path = write_config()
    before = sorted(tmp_path.rglob("*"))
    result = _run("--config_file", str(path), "--dry_run")
    assert result.exit_code == 0
    assert "SimulatedSentinel2/NDVICalculator" in result.output
    assert "25 tasks; nothing was run or written" in result.output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_of_a_resume_tells_what_is_done(small_run: Any) -> None:
    result = _run("--from_cache", str(small_run.folder), "--dry_run")
    assert result.exit_code == 0
    rows = [line.split() for line in result.output.splitlines() if line.startswith("Simulated")]
    assert rows
    assert all(row[3] == "0" for row in rows), result.output


def test_warnings_are_told(write_config: Any) -> None:
    path = write_config(
        date_range=["2016-01-01", "2016-03-10"],
        special_config={
            "VegetationDownloader": {"num_files_per_point": 4},
            "WeatherDownloader": {"num_files_per_point": 2, "scale": 10},
            "NDVICalculator": {"n_batch_tasks": 3},
        },
        runner="serial",
    )
    result = _run("--config_file", str(path), "--dry_run")
    assert result.exit_code == 0
    assert result.output.count('warning: "num_files_per_point" has no effect any more') == 1
    assert 'warning: "scale" has no effect any more' in result.output
    assert '"n_batch_tasks" has no effect with run_mode = "local"' in result.output
    assert "2016-03-01..2016-03-10 is less than 1m and left out" in result.output


def test_a_folder_of_images(write_config: Any, make_place: Callable[..., Path]) -> None:
    """160 x 110 pixels: 3 x 2 chips; the dates are those of the folders; no weather at all."""
    place = make_place()
    result = _run("--config_file", str(_folder_config(write_config, place)))
    assert result.exit_code == 0, result.output
    (folder,) = write_config.runs()
    summary = _summary(folder)
    assert list(summary["Mine"]["time-series-data"]) == ["2020-01-16", "2020-02-15", "2020-03-16"]
    records = summary["Mine"]["time-series-data"]["2020-01-16"]
    assert [record["chip"] for record in records] == [0, 1, 2, 3, 4, 5]
    assert len({(record["latitude"], record["longitude"]) for record in records}) == 6
    assert summary["metadata"]["num_data_points"] == 3
    raw = folder / "gee_27.95_11.57_Mine/2020-01-16/RAW/download.NDVI.tif"
    ndvi = formats.decode_geotiff(raw.read_bytes())
    assert ndvi.array.dtype == np.float32
    assert ndvi.crs == "EPSG:32635"
    assert ndvi.transform == (10.0, 0.0, 603_200.0, 0.0, -10.0, 1_279_500.0)
    original = place / "2020-01-16/RAW/download.B4.tif"
    assert raw.with_name("download.B4.tif").read_bytes() == original.read_bytes()


def test_a_folder_without_georeferencing(
    write_config: Any, make_place: Callable[..., Path], bands: Any
) -> None:
    """Chips then divide the region that the config names."""
    place = make_place(dates=["2020-01-16"])
    found = bands.random(np.random.default_rng(1), (100, 150))
    bands.write(place / "2020-01-16/RAW", found, georeferenced=False)
    result = _run("--config_file", str(_folder_config(write_config, place)))
    assert result.exit_code == 0, result.output
    table = pyveg.load_results(write_config.runs()[0])
    west, size = 27.95 - 0.0055, 0.011
    assert table["longitude"].tolist() == pytest.approx(
        [west + size * (x + 0.5) / 3 for x in (0, 0, 1, 1, 2, 2)], abs=1e-4
    )
    assert table["latitude"].tolist() == pytest.approx(
        [11.57 + 0.00275, 11.57 - 0.00275] * 3, abs=1e-4
    )


def _spoil(place: Path, bands: Any) -> None:
    """One fault per date."""
    good = bands.random(np.random.default_rng(5), (110, 160))
    (place / "2020-02-15/RAW/download.B8.tif").write_bytes(b"not a picture")
    bands.write(place / "2020-03-16/RAW", {"B3": good["B3"][:100]}, georeferenced=False)
    bands.write(place / "2020-04-16/RAW", {k: np.zeros_like(v) for k, v in good.items()})
    nothing = np.full((110, 160), np.nan, np.float32)
    bands.write(place / "2020-05-16/RAW", dict.fromkeys(good, nothing))
    bands.write(place / "2020-06-16/RAW", {k: np.full_like(v, 2000) for k, v in good.items()})
    (place / "2020-07-16/RAW/download.B2.tif").unlink()
    data = (place / "2020-08-16/RAW/download.B4.tif").read_bytes()
    (place / "2020-08-16/RAW/download.B4.tif").write_bytes(data[: len(data) // 2])


def test_bad_dates_leave_the_others_alone(
    write_config: Any, make_place: Callable[..., Path], bands: Any
) -> None:
    place = make_place(
        dates=[f"2020-{month:02}-{15 if month == 2 else 16}" for month in range(1, 9)]
    )
    _spoil(place, bands)
    result = _run("--config_file", str(_folder_config(write_config, place)))
    assert result.exit_code == 1
    summary = _summary(write_config.runs()[0])
    series = summary["Mine"]["time-series-data"]
    assert [date for date, records in series.items() if records] == ["2020-01-16", "2020-06-16"]
    missing = summary["missing"]["Mine"]
    assert sorted(missing) == [date for date, records in series.items() if not records]
    assert "failed" in missing["2020-02-15"]
    assert "download.B8.tif" in missing["2020-02-15"]
    assert "failed" in missing["2020-03-16"]
    assert "B3" in missing["2020-03-16"]
    assert missing["2020-04-16"].startswith("skipped")
    assert missing["2020-05-16"].startswith("skipped")
    assert "B2" in missing["2020-07-16"]
    assert "download.B4.tif" in missing["2020-08-16"]
    assert series["2020-06-16"][0]["ndvi_mean"] == 0
    for date in ("2020-02-15", "2020-03-16"):
        assert f"{date} failed" in result.output


def test_mending_a_file_redoes_its_date_only(
    write_config: Any, make_place: Callable[..., Path], bands: Any
) -> None:
    place = make_place()
    good = (place / "2020-02-15/RAW/download.B8.tif").read_bytes()
    (place / "2020-02-15/RAW/download.B8.tif").write_bytes(good[:100])
    assert _run("--config_file", str(_folder_config(write_config, place))).exit_code == 1
    (folder,) = write_config.runs()
    (place / "2020-02-15/RAW/download.B8.tif").write_bytes(good)
    report = pyveg.run_pipeline(from_cache=folder)
    done = {id_ for id_, r in report.results.items() if r.state is State.SUCCEEDED}
    assert done == {
        *(f"Mine/{name}/2020-02-15" for name in VEGETATION),
        *[list(report.results)[-1]],
    }
    assert report.exit_code == 0
    bands.write(place / "2020-03-16/RAW", bands.random(np.random.default_rng(9), (110, 160)))
    report = pyveg.run_pipeline(from_cache=folder)
    changed = {id_ for id_, r in report.results.items() if r.state is State.SUCCEEDED}
    assert changed >= {f"Mine/{name}/2020-03-16" for name in VEGETATION}
    assert len(changed) == 5


def test_a_failed_task_is_run_again_by_hand(
    write_config: Any, make_place: Callable[..., Path]
) -> None:
    place = make_place()
    path = place / "2020-02-15/RAW/download.B8.tif"
    good = path.read_bytes()
    path.write_bytes(b"")
    _run("--config_file", str(_folder_config(write_config, place)))
    (folder,) = write_config.runs()
    task = folder / "_pyveg/failed/Mine/VegetationDownloader/2020-02-15.json"
    result = CliRunner().invoke(run_module, ["--config_file", str(task)])
    assert result.exit_code == 1
    assert "download.B8.tif" in result.output
    path.write_bytes(good)
    result = CliRunner().invoke(run_module, ["--config_file", str(task)])
    assert result.exit_code == 0
    assert "Mine/VegetationDownloader/2020-02-15 succeeded" in result.output
    assert (folder / "gee_27.95_11.57_Mine/2020-02-15/RAW/download.NDVI.tif").is_file()


_OTHERS = b'{"tasks": [{"step": {}}], "store": {}}'  # as another version wrote them
_BROKEN = b'{"format": 2, "steps": [], "tasks": [{"step": 7}], "store": {}}'


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b'{"task": 3, "store": {}}', b"\xff", _OTHERS, _BROKEN],
)
def test_what_is_no_task_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "task.json"
    path.write_bytes(content)
    for name in (path, tmp_path / "missing.json"):
        result = CliRunner().invoke(run_module, ["--config_file", str(name)])
        assert result.exit_code == 2
        assert result.output.startswith("Error: ")
        assert str(name) in result.output


def test_settings_act(write_config: Any, make_place: Callable[..., Path]) -> None:
    place = make_place(dates=["2020-01-16"])
    special = {
        "NetworkCentralityCalculator": {
            "n_sub_images": 4,
            "signal": "vegetation",
            "num_quantiles": 10,
            "use_diagonal_neighbours": True,
            "n_threads": 2,
        },
        "NDVICalculator": {"n_sub_images": 2},
        "VegetationImageProcessor": {"split_RGB_images": True, "RGB_limits": [0, 5000]},
    }
    result = _run("--config_file", str(_folder_config(write_config, place, **special)))
    assert result.exit_code == 0, result.output
    (folder,) = write_config.runs()
    records = _summary(folder)["Mine"]["time-series-data"]["2020-01-16"]
    assert len(records) == 4
    assert ["ndvi" in record for record in records] == [True, True, False, False]
    assert len(records[0]["feature_vec"]) == 10
    assert records[0]["signal"] == "vegetation"
    assert records[0]["signal_cover"] == pytest.approx(records[0]["cover"], abs=1e-6)
    chips = sorted((folder / "gee_27.95_11.57_Mine/2020-01-16/SPLIT").iterdir())
    assert len(chips) == 18
    assert chips[0].name.startswith("sub0_27.9")
    assert formats.decode_png(chips[0].read_bytes()).shape[:2] == (50, 50)


def test_masked_chips_are_left_out(
    write_config: Any, make_place: Callable[..., Path], bands: Any
) -> None:
    """124 masked pixels of 2,500 pass and 125 do not, as in the older pyveg."""
    place = make_place(dates=["2020-01-16"])
    found = bands.random(np.random.default_rng(3), (50, 150))
    for values in found.values():
        values.reshape(-1)[:0] = 0
        values[0, :50] = values[1, :50] = 0
        values[2, :24] = 0  # 124 in the first chip
        values[0, 50:100] = values[1, 50:100] = 0
        values[2, 50:75] = 0  # 125 in the second
    bands.write(place / "2020-01-16/RAW", found)
    result = _run("--config_file", str(_folder_config(write_config, place)))
    assert result.exit_code == 0, result.output
    records = _summary(write_config.runs()[0])["Mine"]["time-series-data"]["2020-01-16"]
    assert [record["chip"] for record in records] == [0, 2]
    assert records[0]["valid_fraction"] == pytest.approx(1 - 124 / 2500)


def test_a_mark_for_no_data_is_heeded(
    write_config: Any, make_place: Callable[..., Path], bands: Any
) -> None:
    """Bands with 65535 outside the scene: those pixels are masked, and do not darken the rest."""
    place = make_place(dates=["2020-01-16"])
    found = bands.random(np.random.default_rng(3), (50, 100))
    for name, values in found.items():
        values[:, :50] = 65535
        raster = formats.Raster(values, nodata=65535)
        path = place / f"2020-01-16/RAW/download.{name}.tif"
        path.write_bytes(formats.encode_geotiff(raster))
    result = _run("--config_file", str(_folder_config(write_config, place)))
    assert result.exit_code == 0, result.output
    table = pyveg.load_results(write_config.runs()[0])
    assert table["chip"].tolist() == [1]
    (path,) = write_config.runs()[0].glob("gee_*/2020-01-16/PROCESSED/*_RGB.png")
    picture = formats.decode_png(path.read_bytes())
    assert picture[:, :50].max() == 0
    assert picture.max() == 254


def test_images_smaller_than_a_chip_are_told_in_the_plan(
    write_config: Any, make_place: Callable[..., Path]
) -> None:
    place = make_place(dates=["2020-01-16"], shape=(49, 80))
    result = _run("--config_file", str(_folder_config(write_config, place)))
    assert result.exit_code == 2
    assert "80 x 49 pixels, smaller than a chip" in result.output
    assert not write_config.runs()


def test_real_imagery(write_config: Any, shared_data: Path) -> None:
    """Five real Sentinel-2 dates: four chips each, as the older pyveg made them."""
    place = shared_data / "sentinel2_slovenia"
    path = _folder_config(write_config, place)
    text = path.read_text().replace("2020-01-01", "2015-01-01").replace("2020-12-31", "2016-01-01")
    path.write_text(text.replace("(27.95, 11.57)", "(14.5578, 45.8705)"))
    result = _run("--config_file", str(path))
    assert result.exit_code == 0, result.output
    (folder,) = write_config.runs()
    table = pyveg.load_results(folder)
    assert len(table) == 20
    assert table["date"].nunique() == 5
    assert table[["offset50", "ndvi", "cover", "signal_cover"]].notna().all().all()
    for date in ("2015-07-11", "2015-07-31", "2015-08-20"):
        _compare_with_old(folder, shared_data / "old_pyveg_slovenia" / date, date)


def _compare_with_old(folder: Path, old: Path, date: str) -> None:
    processed = folder / f"gee_14.5578_45.8705_Mine/{date}/PROCESSED"
    for kind in ("NDVI", "BWNDVI"):
        ours = formats.decode_png((processed / f"{date}_14.5578_45.8705_{kind}.png").read_bytes())
        assert np.array_equal(ours, formats.decode_png((old / f"{kind}.png").read_bytes()))
    ours_ndvi = json.loads((processed.parent / "JSON/NDVI/ndvi_values.json").read_text())
    theirs = json.loads((old / "ndvi_values.json").read_text())
    key = "ndvi"
    assert sorted(r[key] for r in ours_ndvi) == sorted(r[key] for r in theirs)
    assert sorted(r["ndvi_veg"] for r in ours_ndvi) == sorted(r["ndvi_veg"] for r in theirs)
    ours_nc = json.loads((processed.parent / "JSON/NC/network_centralities.json").read_text())
    theirs = json.loads((old / "network_centralities.json").read_text())
    for record in theirs:
        vector = np.array(record["feature_vec"])
        distances = [np.abs(vector - np.array(r["feature_vec"])).max() for r in ours_nc]
        assert min(distances) <= 8  # elements that lie in a group of ties


@pytest.mark.parametrize("seed", [1, 2])
def test_results_do_not_depend_on_the_order_of_tasks(
    small_run: Any, write_config: Any, seed: int
) -> None:
    """Any order in which nothing runs before what it waits for, here drawn by lot."""
    tasks = list(pyveg.load_pipeline(write_config()).plan().graph)
    rng, store, done = np.random.default_rng(seed), MemoryStore(), set[str]()
    order = []
    while tasks:
        ready = [task for task in tasks if done.issuperset((*task.after, *task.after_any))]
        task = ready[rng.integers(len(ready))]
        assert run_task(task, store).state in (State.SUCCEEDED, State.SKIPPED)
        tasks.remove(task)
        done.add(task.id)
        order.append(task.id)
    assert order != sorted(order)
    for key in store.list("gee_"):
        assert store.read(key) == (small_run.folder / key).read_bytes(), key
