"""Other indices than NDVI, and collections that are an index alone, through a whole run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyveg
from pyveg import formats
from pyveg.core.errors import ConfigError
from pyveg.jobs.resolve import resolve
from pyveg.sources.collections import data_collections

VEGETATION = [
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
]
DATE = "2020-01-16"
PLACED = ("EPSG:32633", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0))


def _bands(seed: int = 0) -> dict[str, np.ndarray]:
    """Reflectance x 10,000 of 100 x 100 pixels, patchy; B11 too."""
    dice = np.random.default_rng(seed)
    plants = np.kron(dice.random((20, 20)), np.ones((5, 5)))
    noise = {band: dice.normal(0, 30, (100, 100)) for band in ("B2", "B3", "B4", "B8", "B11")}
    soil = {"B2": 1200, "B3": 1600, "B4": 2200, "B8": 2900, "B11": 3500}
    green = {"B2": 250, "B3": 600, "B4": 350, "B8": 3900, "B11": 1700}
    mixed = {b: soil[b] + (green[b] - soil[b]) * plants + noise[b] for b in soil}
    return {band: np.round(array).astype(np.uint16) for band, array in mixed.items()}


def _write(folder: Path, arrays: dict[str, np.ndarray], date: str = DATE) -> None:
    raw = folder / date / "RAW"
    raw.mkdir(parents=True)
    for band, array in arrays.items():
        file = formats.encode_geotiff(formats.Raster(array, *PLACED))
        (raw / f"download.{band}.tif").write_bytes(file)


def _job(folder: Path, record: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    bands = {"RGB_bands": ["B4", "B3", "B2"], "NIR_band": "B8"}
    source = {"data_type": "vegetation", "source": "folder", "path": str(folder / "in")}
    return {
        "output_location": str(folder / "job"),
        "coordinates": (15.0064, 45.149),
        "date_range": ["2020-01-01", "2021-01-01"],
        "data_collections": {"S2": {**source, **(bands if record is None else record)}},
        "collections_to_use": ["S2"],
        "modules_to_use": {"S2": VEGETATION},
        "runner": "serial",
        **more,
    }


def _run(job: dict[str, Any]) -> tuple[Any, pyveg.Run]:
    report = pyveg.run_pipeline(resolve(job))
    return report, pyveg.open_run(report.url)


def _by_chip(array: np.ndarray) -> np.ndarray:
    """Mean of each of the four chips, column by column from the north-west."""
    parts = [array[50 * r : 50 * r + 50, 50 * c : 50 * c + 50] for c in (0, 1) for r in (0, 1)]
    return np.array([np.nanmean(part) for part in parts])


def _msavi(n: np.ndarray, r: np.ndarray) -> np.ndarray:
    return (2 * n + 1 - np.sqrt((2 * n + 1) ** 2 - 8 * (n - r))) / 2


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("MSAVI", _msavi),
        ("EVI2", lambda n, r: 2.5 * (n - r) / (n + 2.4 * r + 1)),
        ("kNDVI", lambda n, r: np.tanh(((n - r) / (n + r)) ** 2)),
    ],
)
def test_an_index_takes_the_place_of_ndvi(tmp_path: Path, name: str, by_hand: Any) -> None:
    bands = _bands()
    _write(tmp_path / "in", bands)
    report, run = _run(_job(tmp_path, special_config={"S2": {"index": name}}))
    assert report.exit_code == 0
    expected = by_hand(bands["B8"] / 1e4, bands["B4"] / 1e4)
    chips = run.results().chips
    column = f"{name.lower()}_mean"
    assert chips[column].to_numpy() == pytest.approx(_by_chip(expected), abs=1e-6)
    assert not [one for one in chips if one.startswith("ndvi")]
    assert chips["offset50"].notna().all()
    # Each number says which index it was measured on, and how that was made.
    summary = json.loads(run.store.read(run.summary_key or ""))
    declared = {one["name"]: one for one in summary["S2"]["metrics"]}
    for metric in (column, "cover", "offset50"):
        assert declared[metric]["index"] == name
        assert "N" in declared[metric]["formula"]
        assert declared[metric]["formula"] in declared[metric]["meaning"]
    assert declared[column]["label"] == name
    # Files have its name too, and a Run finds them by it.
    (date,) = run.dates()
    kept = run.raster(date, name).array
    assert kept == pytest.approx(expected.astype(np.float32), abs=1e-6)
    assert not [key for key in run.store.list() if "_NDVI." in key or ".NDVI." in key]
    (cut,) = run.chips()
    assert cut.ndvi[0] == pytest.approx(expected[:50, :50], abs=1e-6)
    series = run.series()
    assert series is not None
    assert column in series


@pytest.mark.parametrize("alone", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_analysis_says_which_index_it_looked_at(tmp_path: Path, alone: bool) -> None:
    for month in range(1, 13):
        bands = _bands(month)
        n, r = bands["B8"] / 1e4, bands["B4"] / 1e4
        given = {"MSAVI": _msavi(n, r).astype(np.float32)} if alone else bands
        _write(tmp_path / "in", given, f"2020-{month:02d}-15")
    _, run = _run(_job(tmp_path, {} if alone else None, index="MSAVI"))
    analysis = pyveg.analyse(run, settings=pyveg.AnalysisSettings(surrogates=19, n_threads=1))
    assert analysis.metrics[0] == "msavi_mean"
    assert analysis.snapshots.index == "MSAVI"
    assert analysis.snapshots.pictures
    spatial = analysis.agreement[analysis.agreement["family"] == "spatial"]
    assert set(spatial["metric"]) == {"msavi"}
    assert not [one for one in analysis.series.metrics if one.startswith("ndvi")]


def test_an_index_at_the_top_is_that_of_all_imagery(tmp_path: Path) -> None:
    _write(tmp_path / "in", _bands())
    pipeline = resolve(_job(tmp_path, index="MSAVI"))
    for one in pipeline.sequences[0].modules:
        assert one.settings.index == "MSAVI"  # type: ignore[attr-defined]
    own = resolve(_job(tmp_path, index="Mine", index_formula="N - R"))
    assert own.sequences[0].modules[-1].settings.index_formula == "N - R"  # type: ignore[attr-defined]
    special = {"S2": {"index": "EVI2"}}
    closer = resolve(_job(tmp_path, index="MSAVI", special_config=special))
    assert closer.sequences[0].modules[0].settings.index == "EVI2"  # type: ignore[attr-defined]


def test_results_of_ndvi_are_as_before(tmp_path: Path) -> None:
    bands = _bands()
    _write(tmp_path / "in", bands)
    _, run = _run(_job(tmp_path))
    n, r = bands["B8"].astype(float), bands["B4"].astype(float)
    chips = run.results().chips
    assert chips["ndvi_mean"].to_numpy() == pytest.approx(_by_chip((n - r) / (n + r)), abs=1e-6)
    summary = json.loads(run.store.read(run.summary_key or ""))
    assert not [one for one in summary["S2"]["metrics"] if "index" in one or "formula" in one]
    assert {"ndvi", "ndvi_veg", "ndvi_std"} <= {*chips}


def test_a_formula_of_ones_own_with_a_band_of_its_own(tmp_path: Path) -> None:
    bands = _bands()
    _write(tmp_path / "in", bands)
    own = {
        "index": "Wet",
        "index_formula": "(N - S1) / (N + S1 + c)",
        "index_bands": {"S1": "B11"},
        "index_constants": {"c": 0.1},
    }
    _, run = _run(_job(tmp_path, special_config={"S2": own}))
    n, s = bands["B8"] / 1e4, bands["B11"] / 1e4
    found = run.results().chips["wet_mean"].to_numpy()
    assert found == pytest.approx(_by_chip((n - s) / (n + s + 0.1)), abs=1e-6)
    assert run.results().metrics["wet_mean"].formula == "(N - S1) / (N + S1 + 0.1)"


@pytest.mark.parametrize("name", ["NDVI", "EVI"])
def test_a_folder_of_an_index_alone(tmp_path: Path, name: str) -> None:
    bands = _bands()
    n, r = bands["B8"].astype(float), bands["B4"].astype(float)
    values = ((n - r) / (n + r)).astype(np.float32)
    values[10:14, 10:14] = np.nan
    _write(tmp_path / "in", {name: values})
    record = {} if name == "NDVI" else {"index": name}
    report, run = _run(_job(tmp_path, record))
    assert report.exit_code == 0
    chips = run.results().chips
    found = chips[f"{name.lower()}_mean"].to_numpy()
    assert found == pytest.approx(_by_chip(values), abs=1e-6)
    assert chips["valid_fraction"].iloc[0] == pytest.approx(1 - 16 / 2500)
    (date,) = run.dates()
    assert not [key for key in run.store.list() if key.endswith("_RGB.png")]
    assert run.picture(date, f"BW{name}").shape == (100, 100)
    metric = run.results().metrics[f"{name.lower()}_mean"]
    # Nobody knows how it was made.
    assert metric.formula == ""
    assert ("as the collection gives it" in metric.meaning) == (name != "NDVI")


def test_an_index_in_another_scale_fails_with_its_cure(tmp_path: Path) -> None:
    bands = _bands()
    n, r = bands["B8"].astype(float), bands["B4"].astype(float)
    whole = np.round(1e4 * (n - r) / (n + r)).astype(np.int16)
    _write(tmp_path / "in", {"EVI": whole})
    report, _ = _run(_job(tmp_path, {"index": "EVI"}))
    assert report.exit_code == 1
    reason = next(one.reason for one in report.results.values() if one.state == "failed")
    assert "EVI" in reason
    cured = _job(tmp_path, {"index": "EVI", "scale": {"EVI": 0.0001}})
    _, run = _run({**cured, "output_location": str(tmp_path / "again")})
    found = run.results().chips["evi_mean"].to_numpy()
    assert found == pytest.approx(_by_chip(whole / 1e4), abs=1e-6)


def test_reflectance_in_another_unit_is_no_index_that_needs_it(tmp_path: Path) -> None:
    _write(tmp_path / "in", {b: (a / 1e4).astype(np.float32) for b, a in _bands().items()})
    special = {"S2": {"index": "MSAVI"}}
    report, run = _run(_job(tmp_path, special_config=special))
    if report.exit_code == 0:  # the folder may have told the unit by itself
        bands = _bands()
        expected = _by_chip(_msavi(bands["B8"] / 1e4, bands["B4"] / 1e4))
        assert run.results().chips["msavi_mean"].to_numpy() == pytest.approx(expected, abs=1e-4)
    else:
        reason = next(one.reason for one in report.results.values() if one.state == "failed")
        assert "units" in reason
    record = {"RGB_bands": ["B4", "B3", "B2"], "NIR_band": "B8", "units": "reflectance"}
    job = _job(tmp_path, record, special_config=special)
    _, run = _run({**job, "output_location": str(tmp_path / "again")})
    bands = _bands()
    expected = _by_chip(_msavi(bands["B8"] / 1e4, bands["B4"] / 1e4))
    assert run.results().chips["msavi_mean"].to_numpy() == pytest.approx(expected, abs=1e-4)


def test_an_index_of_a_wider_range(tmp_path: Path) -> None:
    bands = _bands()
    _write(tmp_path / "in", bands)
    report, _ = _run(_job(tmp_path, special_config={"S2": {"index": "CIG"}}))
    assert report.exit_code == 1
    reason = next(one.reason for one in report.results.values() if one.state == "failed")
    assert "lie beyond -1 to 1" in reason
    wide = {"S2": {"index": "CIG", "index_range": (-1, 12)}}
    job = _job(tmp_path, special_config=wide, output_location=str(tmp_path / "again"))
    report, run = _run(job)
    assert report.exit_code == 0
    expected = _by_chip(bands["B8"] / bands["B3"].astype(float) - 1)
    assert run.results().chips["cig_mean"].to_numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("special", "words"),
    [
        ({"index": "NDMI"}, 'needs "S1", and no band is named for it'),
        ({"index": "MSAWI"}, 'did you mean "MSAVI"'),
        ({"index": "Mine", "index_formula": "N -"}, "is none"),
    ],
)
def test_an_index_that_cannot_be_is_told_in_the_plan(
    tmp_path: Path, special: dict[str, Any], words: str
) -> None:
    _write(tmp_path / "in", _bands())
    with pytest.raises(ConfigError, match=words):
        resolve(_job(tmp_path, special_config={"S2": special}))


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"NIR_band": "B8"}, '"RGB_bands" must be given'),
        ({"RGB_bands": ["B4", "B3", "B2"]}, '"NIR_band" must be given'),
        ({"RGB_bands": ["B4"], "NIR_band": "B8"}, "are not three bands"),
    ],
)
def test_bands_that_are_missing_are_told(
    tmp_path: Path, record: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        resolve(_job(tmp_path, record))


def test_a_source_of_bands_has_no_index_alone(tmp_path: Path) -> None:
    known = dict(data_collections)
    known["S2"] = {"data_type": "vegetation", "source": "simulated"}
    pipeline = resolve({**_job(tmp_path), "data_collections": known})
    with pytest.raises(ConfigError, match='"RGB_bands" must be given'):
        pipeline.plan()
