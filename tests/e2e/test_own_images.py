"""A folder of one's own images through the command: right numbers, or one clear word."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from click.testing import CliRunner, Result

import pyveg
from pyveg.analysis.data.inputs import read_input
from pyveg.scripts.generate_config import main as generate
from pyveg.scripts.run_pipeline import main
from pyveg.testing.own_images import BANDS, HERE, bands, ndvi_of, write, write_date

DAYS = ("2015-07-11", "2015-07-31", "2015-08-20", "2015-08-30", "2015-09-09")
CLOUDY = ("2015-07-31", "2015-08-20")
MODULES = ["VegetationDownloader", "VegetationImageProcessor", "NDVICalculator"]
WHERE = {"coordinates": (14.5578, 45.8705)}


def config(record: dict[str, Any], **top: Any) -> Path:
    data_type = record.get("data_type", "vegetation")
    names = MODULES if data_type == "vegetation" else ["WeatherDownloader", "WeatherImageToJSON"]
    lines = {
        "name": "job",
        "output_location": "job",
        "date_range": ["2015-07-01", "2015-10-01"],
        "data_collections": {"Mine": {"data_type": data_type, "source": "folder", "path": "in",
                                      "RGB_bands": ["B4", "B3", "B2"], "NIR_band": "B8", **record}},
        "collections_to_use": ["Mine"],
        "modules_to_use": {"Mine": names},
        "runner": "serial",
        **top,
    }  # fmt: skip
    path = Path("job.py")
    path.write_text("".join(f"{name} = {value!r}\n" for name, value in lines.items()))
    return path


def run(record: dict[str, Any] | None = None, **top: Any) -> tuple[Result, Path | None]:
    """The command's end, and the run that it left."""
    path = config(record or {}, **(top or WHERE))
    before = set(Path().glob("job_20*"))
    result = CliRunner().invoke(main, ["--config_file", str(path)])
    assert "Traceback" not in result.output
    assert result.exit_code in (0, 1, 2), result.output
    made = set(Path().glob("job_20*")) - before
    assert len(made) == (0 if result.exit_code == 2 else 1)
    return result, next(iter(made), None)


def chips(folder: Path | None) -> pd.Series[float]:
    assert folder is not None
    table = pyveg.load_results(str(folder))
    table["day"] = table["date"].dt.strftime("%Y-%m-%d")
    return table.set_index(["day", "chip"])["ndvi_mean"]


def expected(seed: int) -> list[float]:
    """Of the four chips of a date, column by column."""
    index = ndvi_of(bands(seed=seed))
    corners = [(0, 0), (50, 0), (0, 50), (50, 50)]
    return [float(index[r : r + 50, c : c + 50].mean()) for r, c in corners]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plain() -> dict[str, Any]:
    for seed, day in enumerate(DAYS):
        write_date(Path("in"), day, bands(seed=seed))
    return {}


def compact_dates() -> dict[str, Any]:
    for seed, day in enumerate(DAYS):
        write_date(Path("in"), day.replace("-", ""), bands(seed=seed), "S2_{date}_{band}.tif")
    return {}


def one_file_per_date() -> dict[str, Any]:
    for seed, day in enumerate(DAYS):
        write(Path("in") / f"{day}.tif", list(bands(seed=seed).values()))
    return {"pattern": "{date}.tif", "bands": {"B2": 1, "B3": 2, "B4": 3, "B8": 4}}


def jpeg_2000() -> dict[str, Any]:
    how = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
    for seed, day in enumerate(DAYS):
        stamp = day.replace("-", "")
        product = f"S2A_MSIL2A_{stamp}T100006_N0204_R122_T33TVL_{stamp}T100008.SAFE"
        for band, array in bands(seed=seed).items():
            for metres, step in ((10, 1), (20, 2)):
                folder = Path("in") / product / f"GRANULE/L2A_T33TVL/IMG_DATA/R{metres}m"
                name = f"T33TVL_{stamp}T100006_B0{band[1:]}_{metres}m.jp2"
                transform = (metres, 0, HERE[2], 0, -metres, HERE[5])
                write(folder / name, array[::step, ::step], transform=transform, **how)
    return {}


def scale_and_offset() -> dict[str, Any]:
    for seed, day in enumerate(DAYS):
        packed = {b: (a + 1000).astype("int16") for b, a in bands(seed=seed).items()}
        write_date(Path("in"), day, packed, scale=1e-4, offset=-0.1, nodata=-32768)
    return {}


def masked() -> dict[str, Any]:
    for seed, day in enumerate(DAYS):
        classes = np.full((100, 100), 9 if day in CLOUDY else 4, "uint8")
        write_date(Path("in"), day, {**bands(seed=seed), "SCL": classes})
    return {"mask_band": "SCL"}


FORMS = (plain, compact_dates, one_file_per_date, jpeg_2000, scale_and_offset, masked)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_five_scenes_in_six_forms(form: Callable[[], dict[str, Any]]) -> None:
    result, folder = run(form())
    assert result.exit_code == 0, result.output
    found = chips(folder)
    for seed, day in enumerate(DAYS):
        if form is masked and day in CLOUDY:
            assert day not in found.index
            continue
        assert found.loc[day].tolist() == pytest.approx(expected(seed), abs=1e-3)
    said = "no mask band" in result.output
    assert said is (form is not masked)
    if form is masked:
        assert f"{CLOUDY[0]} and 1 more skipped: no clear pixel" in result.output


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_real_scenes_in_six_forms(
    form: Callable[[], dict[str, Any]], shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentinel-2 over Slovenia, of which two dates are cloud."""
    import rasterio

    def real(seed: int = 0) -> dict[str, Any]:
        images = {}
        for band in BANDS:
            name = shared_data / f"sentinel2_slovenia/{DAYS[seed]}/RAW/download.{band}.tif"
            with rasterio.open(name) as file:
                images[band] = file.read(1)[:100]
        return images

    monkeypatch.setitem(globals(), "bands", real)
    test_five_scenes_in_six_forms(form)


def test_the_same_chip_is_the_same_ground() -> None:
    for seed, day in enumerate(DAYS):
        images = bands(seed=seed)
        start = 50 * (seed % 2)
        transform = (10, 0, HERE[2] + 10 * start, 0, -10, HERE[5])
        cut = {b: a[:, start:] for b, a in images.items()}
        write_date(Path("in"), day, cut, transform=transform)
    result, folder = run()
    assert result.output.count("common window of 50 x 100 pixels") == 1
    found = chips(folder)
    for seed, day in enumerate(DAYS):
        assert found.loc[day].tolist() == pytest.approx(expected(seed)[2:], abs=1e-6)


def test_doubts_are_told_and_kept() -> None:
    for seed, day in enumerate(DAYS):
        images: dict[str, Any] = dict(bands(seed=seed))
        if day in CLOUDY:
            images = {b: np.full((100, 100), 4000 + 100 * i, "uint16") for i, b in enumerate(BANDS)}
        write_date(Path("in"), day, images)
    result, folder = run()
    assert result.exit_code == 0
    assert "doubtful: NDVI is 0.012 in all pixels, so all chips are equal" in result.output
    assert (
        "2015-07-31 and 1 more doubtful: 100% of the pixels are as bright in blue" in result.output
    )
    assert folder is not None
    (record,) = folder.glob(f"gee_*_Mine/{CLOUDY[0]}/RAW/download.json")
    assert len(json.loads(record.read_text())["doubts"]) == 2
    found = pyveg.open_run(folder).doubts()
    assert list(found) == list(CLOUDY)
    assert "all chips are equal" in found[CLOUDY[0]][0]
    (note,) = (n for n in read_input(folder).series[0].notes if "doubtful" in n)
    assert note.startswith("2 dates are doubtful, such as 2015-07-31: NDVI is 0.012 in all pixels")


def two_units() -> dict[str, Any]:
    for seed, day in enumerate(DAYS):
        images: dict[str, Any] = dict(bands(seed=seed))
        images["B8"] = (images["B8"] / 1e4).astype("float32")
        write_date(Path("in"), day, images)
    return {}


def test_two_units_refuse_each_date() -> None:
    result, folder = run(two_units())
    assert result.exit_code == 1
    assert "the bands are not in one unit: " in result.output
    assert "RAW/download.B8.tif" in result.output
    assert folder is not None
    assert not list(folder.glob("gee_*_Mine/*/RAW/*"))


def test_coordinates_come_from_the_images() -> None:
    plain()
    result, folder = run(name="found")
    assert result.exit_code == 0, result.output
    assert 'coordinates are those of the images of "Mine": (14.5' in result.output
    assert folder is not None
    (summary,) = folder.glob("gee_*_combine/results_summary.json")
    about = json.loads(summary.read_text())["metadata"]
    assert about["longitude"] == pytest.approx(14.557, abs=2e-3)
    assert about["latitude"] == pytest.approx(45.872, abs=2e-3)
    assert 0.012 < about["region_size"] < 0.014


def elsewhere() -> dict[str, Any]:
    plain()
    return {"coordinates": (-70.5, -12.5)}


def no_date() -> dict[str, Any]:
    write(Path("in/one.tif"), bands()["B4"])
    return {}


def two_zones() -> dict[str, Any]:
    write_date(Path("in"), DAYS[0], bands())
    write_date(Path("in"), DAYS[1], bands(), crs="EPSG:32634")
    return {}


def no_mask_band() -> dict[str, Any]:
    plain()
    return {"mask_band": "SCL"}


def contradicting_scale() -> dict[str, Any]:
    scale_and_offset()
    return {"scale": 0.001}


def contradicting_units() -> dict[str, Any]:
    plain()
    return {"units": "kelvin"}


def millimetres() -> dict[str, Any]:
    for number, day in enumerate(DAYS):
        write(Path("in") / day / "RAW/download.rain.tif", np.full((2, 2), 9.0 * number, "float32"))
    return {"data_type": "weather", "precipitation_band": "rain", "temperature_band": None}


REFUSED = {
    elsewhere: ("lie around longitude 14.5", "place at -70.5, -12.5", "leave them out"),
    no_date: ("it has no date; there are one.tif", "YYYY-MM-DD"),
    two_zones: ("download.B4.tif and ", "EPSG:32634 and EPSG:32633", "regrid = True"),
    no_mask_band: ('download.SCL.tif for the band "SCL"',),
    contradicting_scale: ("the file says scale 0.0001 and the config 0.001",),
    contradicting_units: ('"kelvin" is no unit of', "reflectance"),
    millimetres: ("on average falls nowhere", "download.rain.tif", 'units = {"rain": "mm"}'),
}


@pytest.mark.parametrize("form", REFUSED, ids=lambda form: form.__name__)
def test_what_cannot_be_is_refused_before_anything_is_written(
    form: Callable[[], dict[str, Any]],
) -> None:
    record = form()
    where = {"coordinates": record.pop("coordinates", WHERE["coordinates"])}
    result, folder = run(record, **where)
    assert (result.exit_code, folder) == (2, None), result.output
    assert sum(line.startswith("Error: ") for line in result.output.splitlines()) == 1
    for words in REFUSED[form]:
        assert words in result.output


def test_one_bad_date_does_not_stop_the_others() -> None:
    plain()
    write_date(Path("in"), DAYS[1], bands(), crs="EPSG:32634")
    Path(f"in/{DAYS[2]}/RAW/download.B8.tif").write_bytes(b"II*\0 no image")
    result, folder = run()
    assert result.exit_code == 1
    assert f"{DAYS[1]} will fail: " in result.output
    assert "download.B8.tif cannot be used: " in result.output
    assert sorted(set(chips(folder).index.get_level_values("day"))) == [DAYS[0], *DAYS[3:]]


def test_weather_in_other_units() -> None:
    record = {**millimetres(), "units": {"rain": "mm"}}
    result, folder = run(record, **WHERE)
    assert result.exit_code == 0, result.output
    assert folder is not None
    rain = pyveg.load_weather(str(folder))["total_precipitation"]
    assert rain.tolist() == pytest.approx([0, 0.009, 0.018, 0.027, 0.036])


@pytest.mark.parametrize(
    "form", [plain, compact_dates, jpeg_2000, masked], ids=lambda f: f.__name__
)
def test_a_config_is_written_by_looking(form: Callable[[], dict[str, Any]]) -> None:
    """It runs as it is, and gives the same numbers as one by hand."""
    form()
    made = CliRunner().invoke(generate, ["--source", "folder", "--path", "in"])
    assert made.exit_code == 0, made.output
    assert "found: 5 dates from 2015-07-11 to 2015-09-09" in made.output
    text = Path("config_in.py").read_text()
    assert ("SCL" in text) is (form is masked)
    shorter = text.replace('        "NetworkCentralityCalculator",\n', "")
    Path("config_in.py").write_text(f'{shorter}\nrunner = "serial"\n')
    result = CliRunner().invoke(main, ["--config_file", "config_in.py"])
    assert result.exit_code == 0, result.output
    (folder,) = Path().glob("config_in_20*")
    found = chips(folder)
    for seed, day in enumerate(DAYS):
        if form is not masked or day not in CLOUDY:
            assert found.loc[day].tolist() == pytest.approx(expected(seed), abs=1e-3)
    again = CliRunner().invoke(generate, ["--source", "folder", "--path", "in"])
    assert again.exit_code == 2
    assert "is there already" in again.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--path", "in"], "--source and --path go together"),
        (["--source", "folder"], "--source and --path go together"),
        (["--source", "folder", "--path", "nowhere"], "nowhere does not exist"),
        (
            ["--source", "folder", "--path", "in"],
            "cannot be told from names such as 2015-07-11.tif",
        ),
    ],
)
def test_what_a_folder_does_not_say(arguments: list[str], words: str) -> None:
    for day in DAYS:
        write(Path("in") / f"{day}.tif", list(bands().values()))
    made = CliRunner().invoke(generate, arguments)
    assert made.exit_code == 2
    assert words in made.output
    assert not list(Path().glob("config*"))


def test_bands_that_may_be_a_mask_are_named() -> None:
    """Bands of a file tell their names; one that nobody asked for may say what is clear."""
    named = dict(zip(("blue", "green", "red", "nir"), bands().values(), strict=True))
    for day in DAYS:
        whole = {**named, "clouds": np.zeros_like(named["red"])}
        write(Path("in") / f"{day}.tif", list(whole.values()))
        with rasterio.open(Path("in") / f"{day}.tif", "r+") as dataset:
            dataset.descriptions = tuple(whole)
    made = CliRunner().invoke(generate, ["--source", "folder", "--path", "in"])
    assert made.exit_code == 0, made.output
    assert "bands that are not used: clouds; if one says what is clear" in made.output


def test_images_that_do_not_say_where_they_are_need_coordinates() -> None:
    write_date(Path("in"), DAYS[0], bands(), crs=None, transform=None)
    arguments = ["--source", "folder", "--path", "in"]
    made = CliRunner().invoke(generate, arguments)
    assert made.exit_code == 2
    assert "no georeferencing; give --latitude and --longitude" in made.output
    made = CliRunner().invoke(generate, [*arguments, "--latitude", "45.87", "--longitude", "14.56"])
    assert made.exit_code == 0
    assert "coordinates = (14.56, 45.87)" in Path("config_in.py").read_text()


@pytest.mark.parametrize("number", range(6))
def test_damaged_and_odd_files(number: int) -> None:
    """A few runs of the driver, which looks at each date's end."""
    path = Path(__file__).parents[1] / "drivers/fuzz_files.py"
    spec = importlib.util.spec_from_file_location("fuzz_files", path)
    assert spec is not None
    assert spec.loader is not None
    driver = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(driver)
    _, states = driver.one_run(number, seed=3)
    assert states["succeeded"] >= 4 or states["refused"] == 1
