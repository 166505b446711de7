"""Folders of GeoTIFFs, good and bad."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from pyveg import formats
from pyveg.core import params
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.types import Item
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources.folder import FolderSettings, FolderSource, opening
from pyveg.testing.scenes import assert_same_rasters

IMAGES = Collection("Mine", "Mine", "vegetation", "folder")
WEATHER = Collection("MineW", "MineW", "weather", "folder")
PLACE = Place(27.95, 11.57)
YEAR = DateRange(date(2018, 1, 1), date(2019, 1, 1))
TRANSFORM = (10.0, 0.0, 500_000.0, 0.0, -10.0, 1_280_000.0)
RAW = "{date}/RAW/download.{band}.tif"


def tif(array: Any, nodata: float | None = None) -> bytes:
    return formats.encode_geotiff(formats.Raster(np.array(array), "EPSG:32635", TRANSFORM, nodata))


def image(number: int = 1000, shape: tuple[int, int] = (4, 6)) -> bytes:
    return tif(np.full(shape, number, np.uint16))


def fill(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def dated(
    *days: str, bands: tuple[str, ...] = ("B4", "B8"), pattern: str = RAW
) -> dict[str, bytes]:
    return {
        pattern.replace("{date}", day).replace("{band}", band): image(1000 + number)
        for number, day in enumerate(days)
        for band in bands
    }


def source(folder: Path, pattern: str = RAW) -> FolderSource:
    return FolderSource(FolderSettings(path=str(folder), pattern=pattern))


def names(folder: Path, pattern: str = RAW, dates: DateRange = YEAR) -> list[str]:
    return [item.name for item in source(folder, pattern).items(IMAGES, PLACE, dates)]


def ask(
    day: str,
    bands: tuple[str, ...] = ("B4", "B8"),
    collection: Collection = IMAGES,
    optional: tuple[str, ...] = (),
) -> Request:
    return Request(PLACE, collection, Item(day), {band: band for band in bands}, optional)


def written(scene: Scene) -> dict[str, bytes]:
    """Files as a run keeps them; what they hold must be what the scene has."""
    files = {name: formats.encode_geotiff(raster) for name, raster in scene.rasters.items()}
    read = {name: formats.decode_geotiff(data) for name, data in files.items()}
    assert_same_rasters(scene.rasters, read)
    return files


def test_items_are_the_dated_folders_in_the_range(tmp_path: Path) -> None:
    days = ("2018-03-16", "2018-01-01", "2018-12-31", "2019-01-01", "2017-12-31")
    fill(tmp_path, dated(*days))
    for other in ("2018-02-30", "2018-1-5", "notes", "x2018-05-05", "2018-05-05b", "20180606"):
        (tmp_path / other / "RAW").mkdir(parents=True)
    (tmp_path / "2018-06-06").write_text("a file, not a folder")
    assert names(tmp_path) == ["2018-01-01", "2018-03-16", "2018-12-31"]
    (first, *_) = source(tmp_path).items(IMAGES, PLACE, YEAR)
    assert period_of(first) == DateRange(date(2018, 1, 1), date(2018, 1, 2))


@pytest.mark.parametrize(
    "pattern",
    [
        "{band}_{date}.tif",
        "{date}.{band}.tif",
        "{band}/{date}.tif",
        "{date}/{date}_{band}.tif",
        "S2_{date}_L2A/IMG/{band}_10m.tif",
        "a/b/{date}/{band}.tif",
        "{date}{band}.tif",
        "scene [1] {date}+({band}).tif",
    ],
)
def test_patterns(tmp_path: Path, pattern: str) -> None:
    fill(tmp_path, dated("2018-01-16", "2018-02-15", pattern=pattern))
    assert names(tmp_path, pattern) == ["2018-01-16", "2018-02-15"]
    scene = source(tmp_path, pattern).fetch(ask("2018-02-15"))
    assert written(scene) == {"B4": image(1001), "B8": image(1001)}


def test_a_wildcard_stands_for_any_text(tmp_path: Path) -> None:
    rain, heat = tif(np.float32([[0.01]])), tif(np.float32([[300.0]]))
    folder = "2018-01-16/RAW/"
    fill(tmp_path, {f"{folder}4f2c1.total_precipitation.tif": rain, f"{folder}4f2c1.t2m.tif": heat})
    made = source(tmp_path, "{date}/RAW/*.{band}.tif")
    scene = made.fetch(ask("2018-01-16", ("total_precipitation", "t2m"), WEATHER))
    assert written(scene) == {"total_precipitation": rain, "t2m": heat}
    assert scene.record["files"]["t2m"] == f"{folder}4f2c1.t2m.tif"
    deep = fill(tmp_path / "deep", dated("2018-01-16", pattern="T33/x_{date}_y/{band}.tif"))
    assert names(deep, "*/*_{date}_*/{band}.tif") == ["2018-01-16"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{band}.tif", r"does not say where \{date\} stands; write \{date\} in its place"),
        ("{date}/{Band}.tif", r"\{Band\} is unknown"),
        ("{date}/{band", r"\{band is unknown"),
        ("/{date}/{band}.tif", "below the folder"),
        ("../{date}/{band}.tif", "below the folder"),
        ("{date}//{band}.tif", "below the folder"),
    ],
)
def test_impossible_patterns(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        source(Path("anywhere"), pattern)


def test_a_pattern_without_bands_is_of_files_of_several(tmp_path: Path) -> None:
    """They are found by description or by number; else the file's bands are listed."""
    fill(tmp_path, {"2018-01-16/x.tif": bands_in_one("red", "B8")})
    made = source(tmp_path, "{date}/x.tif")
    assert made.fetch(ask("2018-01-16", ("red", "B8"))).rasters["B8"].array[0, 0] == 2
    with pytest.raises(DataError, match=r'x\.tif has no band "B4"; its bands are 1 red, 2 B8; say'):
        made.fetch(ask("2018-01-16"))
    numbered = FolderSettings(path=str(tmp_path), pattern="{date}/x.tif", bands={"B4": 1, "B8": 2})
    scene = FolderSource(numbered).fetch(ask("2018-01-16"))
    assert {name: r.array[0, 0] for name, r in scene.rasters.items()} == {"B4": 1, "B8": 2}


def bands_in_one(*descriptions: str, **profile: Any) -> bytes:
    """Bands that hold 1, 2, 3 ..., each with its description."""
    from rasterio.io import MemoryFile
    from rasterio.transform import Affine

    given = {"crs": "EPSG:32635", "transform": Affine(*TRANSFORM), "dtype": "uint16", **profile}
    with MemoryFile() as file:
        with file.open(driver="GTiff", height=4, width=6, count=len(descriptions), **given) as made:
            for number, text in enumerate(descriptions, start=1):
                made.write(np.full((4, 6), number, given["dtype"]), number)
                made.set_band_description(number, text)
        return bytes(file.read())


def test_nothing_is_opened_when_it_is_made() -> None:
    made = source(Path("/no/such/folder"))
    with pytest.raises(ConfigError, match='"Mine": the path /no/such/folder does not exist'):
        made.items(IMAGES, PLACE, YEAR)
    assert FolderSource.by_period is False


def test_the_path_must_be_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ConfigError, match="is no folder"):
        source(path).items(IMAGES, PLACE, YEAR)


def test_home_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    fill(tmp_path / "mine", dated("2018-01-16"))
    assert names(Path("~/mine")) == ["2018-01-16"]


def test_no_date_in_the_range(tmp_path: Path) -> None:
    fill(tmp_path, dated(*(f"2017-01-{day:02}" for day in range(1, 13))))
    message = r"has no date in 2018-01-01\.\.2019-01-01.*it has 2017-01-01, .* and 4 more"
    with pytest.raises(ConfigError, match=message) as caught:
        source(tmp_path).items(IMAGES, PLACE, YEAR)
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(ConfigError, match="it has no date"):
        source(tmp_path, "{band}-{date}.tif").items(IMAGES, PLACE, YEAR)


def test_files_come_back_unchanged(tmp_path: Path) -> None:
    fill(tmp_path, dated("2018-01-16", bands=("B4", "B8", "B2")))
    (tmp_path / "2018-01-16/RAW/download.B2.tif").write_bytes(b"not asked for")
    scene = source(tmp_path).fetch(ask("2018-01-16"))
    assert written(scene) == {"B4": image(), "B8": image()}
    assert scene.record["valid_fraction"] == 1.0
    assert scene.record["files"] == {
        "B4": "2018-01-16/RAW/download.B4.tif",
        "B8": "2018-01-16/RAW/download.B8.tif",
    }


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not compressed again, unless its pixels were changed."""
    marked = tif(np.array([[5, 65535]], np.uint16), 65535)
    files = {"B4": marked, "B8": tif(np.array([[6, 0]], np.uint16))}
    fill(tmp_path, {f"2018-01-16/RAW/download.{b}.tif": data for b, data in files.items()})
    read, encode = Mock(wraps=opening.pixels), Mock(wraps=formats.encode_geotiff)
    monkeypatch.setattr(opening, "pixels", read)
    monkeypatch.setattr(formats, "encode_geotiff", encode)
    scene = source(tmp_path).fetch(ask("2018-01-16"))
    assert (read.call_count, encode.call_count) == (2, 0)
    assert {name: raster.encoded for name, raster in scene.rasters.items()} == {
        "B4": None,
        "B8": files["B8"],
    }


def test_a_pixel_that_is_missing_in_one_band_is_missing_in_all(tmp_path: Path) -> None:
    """A red band without a measurement would make NDVI 1."""
    red, nir = tif(np.array([[5, 65535]], np.uint16), 65535), tif(np.array([[6, 7]], np.uint16))
    fill(tmp_path, {"2018-01-16/RAW/download.B4.tif": red, "2018-01-16/RAW/download.B8.tif": nir})
    scene = source(tmp_path).fetch(ask("2018-01-16"))
    assert {n: r.array.tolist() for n, r in scene.rasters.items()} == {
        "B4": [[5, 0]],
        "B8": [[6, 0]],
    }
    assert scene.record["valid_fraction"] == 0.5


def test_files_without_georeference_are_fine(tmp_path: Path) -> None:
    plain = formats.encode_geotiff(formats.Raster(np.full((3, 3), 7, np.uint16), None, None, None))
    fill(tmp_path, {"2018-01-16/RAW/download.B4.tif": plain})
    assert written(source(tmp_path).fetch(ask("2018-01-16", ("B4",)))) == {"B4": plain}


def test_links_are_followed(tmp_path: Path) -> None:
    real = fill(tmp_path / "real", dated("2018-01-16"))
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "2018-03-16").symlink_to(real / "2018-01-16")
    assert names(tmp_path / "linked") == ["2018-03-16"]
    assert written(source(tmp_path / "linked").fetch(ask("2018-03-16")))["B4"] == image()


def test_a_missing_band_names_the_file_and_what_there_is(tmp_path: Path) -> None:
    fill(tmp_path, dated("2018-01-16", bands=("B3", "B4")))
    with pytest.raises(DataError) as caught:
        source(tmp_path).fetch(ask("2018-01-16"))
    text = str(caught.value)
    assert f"there is no file {tmp_path}/2018-01-16/RAW/download.B8.tif" in text
    assert "2018-01-16/RAW/download.B3.tif, 2018-01-16/RAW/download.B4.tif" in text
    assert "B4" in source(tmp_path).fetch(ask("2018-01-16", ("B4", "B8"), optional=("B8",))).rasters


def test_files_by_other_names_are_named(tmp_path: Path) -> None:
    fill(tmp_path, dated("2018-01-16", pattern="{date}/RAW/other.{band}.tif"))
    with pytest.raises(DataError, match=r"there are 2018-01-16/RAW/other\.B4\.tif"):
        source(tmp_path).fetch(ask("2018-01-16"))


def test_an_empty_date_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "2018-01-16" / "RAW").mkdir(parents=True)
    assert names(tmp_path) == ["2018-01-16"]
    with pytest.raises(SkipItem, match=r"no image: .* has no file for 2018-01-16"):
        source(tmp_path).fetch(ask("2018-01-16"))
    assert source(tmp_path).fingerprint(ask("2018-01-16"))


def test_two_files_for_one_band(tmp_path: Path) -> None:
    fill(tmp_path, {"2018-01-16/a.B4.tif": image(), "2018-01-16/b.B4.tif": image()})
    with pytest.raises(DataError, match=r'2 files match the band "B4": .*a\.B4\.tif, .*b\.B4\.tif'):
        source(tmp_path, "{date}/*.{band}.tif").fetch(ask("2018-01-16", ("B4",)))


@pytest.mark.parametrize("damage", [b"", b"no tiff", b"II*\0", "truncated", "three bands"])
def test_damaged_files_are_named(tmp_path: Path, damage: Any) -> None:
    rng = np.random.default_rng(1)
    whole = tif(rng.integers(1, 9999, (60, 60)).astype(np.uint16))
    if damage == "truncated":
        damage = whole[: len(whole) // 2]
    elif damage == "three bands":
        damage = three_bands()
    fill(tmp_path, {**dated("2018-01-16"), "2018-01-16/RAW/download.B8.tif": damage})
    with pytest.raises(DataError, match=r"download\.B8\.tif cannot be used: "):
        source(tmp_path).fetch(ask("2018-01-16"))


def three_bands() -> bytes:
    from rasterio.io import MemoryFile
    from rasterio.transform import Affine

    with MemoryFile() as file:
        with file.open(
            driver="GTiff",
            height=4,
            width=6,
            count=3,
            dtype="uint16",
            crs="EPSG:32635",
            transform=Affine(*TRANSFORM),
        ) as dataset:
            dataset.write(np.ones((3, 4, 6), np.uint16))
        return bytes(file.read())


def test_unreadable_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, dated("2018-01-16"))

    def refuse(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"download\.B4\.tif cannot be read: Permission denied"):
        source(tmp_path).fetch(ask("2018-01-16"))
    assert source(tmp_path).fingerprint(ask("2018-01-16"))


def test_bands_of_different_shape_are_both_named(tmp_path: Path) -> None:
    """Where nothing says how they lie on each other; else they are cut to what both cover."""
    plain = {
        f"2018-01-16/RAW/download.{band}.tif": formats.encode_geotiff(
            formats.Raster(np.ones(shape, np.uint16))
        )
        for band, shape in (("B4", (4, 6)), ("B8", (5, 7)))
    }
    fill(tmp_path / "plain", plain)
    with pytest.raises(DataError, match=r"download\.B4\.tif has 6 x 4 and .*B8\.tif 7 x 5 pixels"):
        source(tmp_path / "plain").fetch(ask("2018-01-16"))
    fill(tmp_path, {**dated("2018-01-16"), "2018-01-16/RAW/download.B8.tif": image(1, (5, 7))})
    scene = source(tmp_path).fetch(ask("2018-01-16"))
    assert {raster.array.shape for raster in scene.rasters.values()} == {(4, 6)}
    assert {raster.transform for raster in scene.rasters.values()} == {TRANSFORM}


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 6), np.uint16),
        np.full((4, 6), np.nan, np.float32),
        np.array([[0, np.nan]], np.float32),
    ],
)
def test_bands_that_hold_nothing_are_skipped(tmp_path: Path, array: Any) -> None:
    fill(tmp_path, {"2018-01-16/RAW/download.B4.tif": tif(array)})
    with pytest.raises(SkipItem, match=r"no image: .*download\.B4\.tif has nothing but zeros"):
        source(tmp_path).fetch(ask("2018-01-16", ("B4",)))


def test_a_month_without_rain_is_a_value(tmp_path: Path) -> None:
    pattern = "{date}.{band}.tif"
    fill(
        tmp_path,
        {
            "2018-01-16.rain.tif": tif(np.zeros((2, 2), np.float32)),
            "2018-02-15.rain.tif": tif(np.full((2, 2), np.nan, np.float32)),
        },
    )
    assert source(tmp_path, pattern).fetch(ask("2018-01-16", ("rain",), WEATHER)).rasters
    with pytest.raises(SkipItem, match="no value"):
        source(tmp_path, pattern).fetch(ask("2018-02-15", ("rain",), WEATHER))


def test_an_optional_band_may_hold_nothing(tmp_path: Path) -> None:
    zeros = tif(np.zeros((4, 6), np.float32))
    fill(tmp_path, {**dated("2018-01-16"), "2018-01-16/RAW/download.NDVI.tif": zeros})
    scene = source(tmp_path).fetch(ask("2018-01-16", ("B4", "B8", "NDVI"), optional=("NDVI",)))
    assert written(scene)["NDVI"] == zeros
    assert scene.record["valid_fraction"] == 1.0


def test_valid_fraction(tmp_path: Path) -> None:
    red, nir = np.full((2, 4), 100, np.uint16), np.full((2, 4), 100, np.uint16)
    red[0, :2] = 0
    nir[0, 1:3] = 0
    raw = "2018-01-16/RAW/download"
    fill(tmp_path, {f"{raw}.B4.tif": tif(red), f"{raw}.B8.tif": tif(nir)})
    assert source(tmp_path).fetch(ask("2018-01-16")).record["valid_fraction"] == 7 / 8


@pytest.mark.parametrize(
    ("collection", "kind", "nodata", "expected"),
    [
        (IMAGES, np.uint16, 65535, [[5, 0, 7]]),
        (IMAGES, np.int16, -9999, [[5, 0, 7]]),
        (IMAGES, np.float32, -9999, [[5, np.nan, 7]]),
        (WEATHER, np.float32, -9999, [[5, np.nan, 7]]),
        (WEATHER, np.int16, -9999, [[5, np.nan, 7]]),
        (WEATHER, np.float64, 0, [[5, np.nan, 7]]),
    ],
)
def test_other_marks_of_missing_pixels_become_ours(
    tmp_path: Path, collection: Collection, kind: Any, nodata: float, expected: Any
) -> None:
    array = np.array([[5, nodata, 7]]).astype(kind)
    fill(tmp_path, {"2018-01-16/RAW/download.B4.tif": tif(array, nodata)})
    scene = source(tmp_path).fetch(ask("2018-01-16", ("B4",), collection))
    raster = scene.rasters["B4"]
    np.testing.assert_array_equal(raster.array, expected)
    assert (raster.crs, raster.transform) == ("EPSG:32635", TRANSFORM)
    assert scene.record["valid_fraction"] == pytest.approx(2 / 3)


def test_the_fingerprint_is_of_the_contents(tmp_path: Path) -> None:
    fill(tmp_path, dated("2018-01-16", bands=("B3", "B4", "B8")))
    request = ask("2018-01-16")
    before = source(tmp_path).fingerprint(request)
    fill(tmp_path, {"2018-01-16/RAW/download.B3.tif": image(7)})
    assert source(tmp_path).fingerprint(request) == before
    fill(tmp_path, {"2018-01-16/RAW/download.B8.tif": image(7)})
    after = source(tmp_path).fingerprint(request)
    assert after != before
    (tmp_path / "2018-01-16/RAW/download.B8.tif").unlink()
    assert source(tmp_path).fingerprint(request) not in (before, after)


def test_settings_travel_and_are_checked(tmp_path: Path) -> None:
    made = params.build(FolderSettings, {"path": str(tmp_path)}, "x")
    assert pickle.loads(pickle.dumps(made)) == made
    with pytest.raises(ConfigError, match='"path" must be given'):
        params.build(FolderSettings, {}, "x")


def test_real_scenes(shared_data: Path) -> None:
    folder = shared_data / "sentinel2_slovenia"
    made = source(folder)
    summer = DateRange(date(2015, 7, 1), date(2015, 9, 1))
    found = [item.name for item in made.items(IMAGES, PLACE, summer)]
    assert found == ["2015-07-11", "2015-07-31", "2015-08-20", "2015-08-30"]
    bands = ("B4", "B3", "B2", "B8", "NDVI")
    for day in found:
        scene = made.fetch(ask(day, bands, optional=("NDVI",)))
        assert set(scene.rasters) == set(bands)
        for band in bands:
            file = (folder / day / f"RAW/download.{band}.tif").read_bytes()
            assert_same_rasters({"": scene.rasters[band]}, {"": formats.decode_geotiff(file)})
            assert formats.encode_geotiff(scene.rasters[band]) == file
        assert scene.record["valid_fraction"] > 0.9
