"""Names of files as people, ESA, USGS, NASA and Planet write them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyveg.core.errors import ConfigError, DataError, UnknownNameError
from pyveg.core.types import Item
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.kernels.ndvi import ndvi
from pyveg.sources.folder import FolderSettings, FolderSource, dates
from pyveg.testing.own_images import BANDS, HERE, bands, ndvi_of, write, write_date

PLACE = Place(14.5578, 45.8705)
S2 = Collection("S2", "S2", "vegetation", "folder")
EVER = DateRange(date(1900, 1, 1), date(2100, 1, 1))
DAYS = (date(2015, 7, 11), date(2015, 8, 30))


def source(root: Path, **settings: Any) -> FolderSource:
    return FolderSource(FolderSettings(path=str(root), **settings))


def names(made: FolderSource) -> list[str]:
    return [item.name for item in made.items(S2, PLACE, EVER)]


def fetch(made: FolderSource, wanted: Any = BANDS, day: str = "2015-08-30") -> Scene:
    wanted = wanted if isinstance(wanted, dict) else {band: band for band in wanted}
    return made.fetch(Request(PLACE, S2, Item(day), wanted))


def survey(made: FolderSource, wanted: Any = BANDS) -> list[str]:
    told: list[str] = []
    requests = [Request(PLACE, S2, i, {b: b for b in wanted}) for i in made.items(S2, PLACE, EVER)]
    made.survey(requests, told.append)
    return told


def fill(root: Path, pattern: str, form: str) -> dict[str, Any]:
    images = bands()
    for day in DAYS:
        write_date(root, day.strftime(form), images, pattern)
    return images


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        ("{date}/RAW/download.{band}.tif", "%Y%m%d"),
        ("{date}/RAW/download.{band}.tif", "%Y-%m-%d"),
        ("{date}_{band}.tif", "%Y_%m_%d"),
        ("{band}.{date}.tif", "%Y.%m.%d"),
        ("{band}{date}.tif", "%Y%m%d"),
        ("S2_{date}T100016_{band}_10m.tif", "%Y%m%d"),
        ("HLS.S30.T33TVL.{date}T100016.v2.0.{band}.tif", "%Y%j"),
        ("x{date}/{band}.tif", "%Y-%j"),
        ("{date:%d.%m.%Y}/{band}.tif", "%d.%m.%Y"),
        ("{date:%d%b%y}_{band}.tif", "%d%b%y"),
        ("{date:%Y}/**/{date:%Y%m%d}_{band}.tif", None),
        ("a/**/{band}_{date}.tif", "%Y%m%d"),
    ],
)
def test_dates_in_patterns(tmp_path: Path, pattern: str, form: str | None) -> None:
    if form is None:
        with pytest.raises(ConfigError, match="it states no day of a year"):
            source(tmp_path, pattern=pattern)
        return
    written = pattern.replace("a/**/", "a/b/c/").replace("{date:%d.%m.%Y}", "{date}")
    images = fill(tmp_path, written.replace("{date:%d%b%y}", "{date}"), form)
    made = source(tmp_path, pattern=pattern)
    assert names(made) == ["2015-07-11", "2015-08-30"]
    assert np.array_equal(fetch(made).rasters["B8"].array, images["B8"])


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20150830", "2015-08-30"), ("2015242", "2015-08-30"), ("2015-242", "2015-08-30"),
        ("2015-08-30", "2015-08-30"), ("2015_08_30", "2015-08-30"), ("2015.08.30", "2015-08-30"),
        ("20150230", None), ("2015366", None), ("30082015", None), ("2015-8-30", None), ("", None),
    ],
)  # fmt: skip
def test_forms_of_dates(text: str, day: str | None) -> None:
    read = dates.read(text)
    assert (None if read is None else str(read[0])) == day


SAFE = (
    "S2A_MSIL2A_{d}T100006_N0204_R122_T33TVL_{d}T100008.SAFE/GRANULE/L2A_T33TVL_A1_{d}T100008/"
    "IMG_DATA/R{r}m/T33TVL_{d}T100006_{b}_{r}m.jp2"
)
CONVENTIONS = {
    "sentinel2": ("T33TVL_{d}T100016_{b:02}_10m.jp2", "%Y%m%d", "B{:02}"),
    "landsat": ("{p}/{p}_SR_{b}.TIF", "%Y%m%d", "B{}"),
    "hls": ("HLS.S30.T33TVL.{d}T100016.v2.0.{b}.tif", "%Y%j", "B{:02}"),
}


def jp2() -> dict[str, Any]:
    """GDAL's settings for JPEG 2000 without loss."""
    return {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}


def safe(root: Path, day: date, images: Any, text: str = "") -> Path:
    """A SAFE folder: all bands at 10 and 20 m, and its metadata."""
    stamp = day.strftime("%Y%m%d")
    for band, array in images.items():
        name = "SCL" if band == "SCL" else f"B{int(band[1:]):02}"
        for r in (20,) if band == "SCL" else (10, 20):
            step = r // 10
            path = root / SAFE.format(d=stamp, r=r, b=name)
            transform = (10.0 * step, 0, HERE[2], 0, -10.0 * step, HERE[5])
            write(path, array[::step, ::step], transform=transform, **jp2())
    product = root / SAFE.format(d=stamp, r=10, b="x").split("/")[0]
    if text:
        (product / "MTD_MSIL2A.xml").write_text(text)
    return product


def test_a_safe_folder(tmp_path: Path) -> None:
    """Bands are the finest of each; the scene classification of 20 m is the mask."""
    images = bands()
    classes = np.full((100, 100), 4, "uint8")
    classes[:20] = 9
    for day in DAYS:
        safe(tmp_path, day, {**images, "SCL": classes})
    made = source(tmp_path, mask_band="SCL")
    assert names(made) == ["2015-07-11", "2015-08-30"]
    for wanted in (BANDS, {"B2": "B02", "B3": "B03", "B4": "B04", "B8": "B08"}):
        scene = fetch(made, wanted)
        assert np.array_equal(scene.rasters["B8"].array[20:], images["B8"][20:])
        assert not scene.rasters["B8"].array[:20].any()
    assert made.finder.way == "sentinel2"
    assert all("R10m" in path for path in scene.record["files"].values())


def test_the_cloud_probability_of_a_safe_folder(tmp_path: Path) -> None:
    """Its name has neither date nor tile; below 40 % is clear."""
    images = bands((120, 120))
    for day in DAYS:
        product = safe(tmp_path, day, images)
        (granule,) = (product / "GRANULE").iterdir()
        for metres, step in ((20, 2), (60, 6)):
            percent = np.zeros((120 // step, 120 // step), "uint8")
            if metres == 20:
                percent[:10] = 40
            path = granule / f"QI_DATA/MSK_CLDPRB_{metres}m.jp2"
            write(path, percent, transform=(metres, 0, HERE[2], 0, -metres, HERE[5]), **jp2())
    scene = fetch(source(tmp_path, mask_band="MSK_CLDPRB"))
    assert not scene.rasters["B8"].array[:20].any()
    assert np.array_equal(scene.rasters["B8"].array[20:], images["B8"][20:])


METADATA = """<?xml version="1.0"?>
<n1:Level-2A_User_Product xmlns:n1="x"><Image>
<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST><BOA_ADD_OFFSET_VALUES_LIST>
<BOA_ADD_OFFSET band_id="3">-1000</BOA_ADD_OFFSET><BOA_ADD_OFFSET band_id="7">-1000</BOA_ADD_OFFSET>
<BOA_ADD_OFFSET band_id="1">-1000</BOA_ADD_OFFSET><BOA_ADD_OFFSET band_id="2">-1000</BOA_ADD_OFFSET>
</BOA_ADD_OFFSET_VALUES_LIST>
<Spectral_Information bandId="3" physicalBand="B4"/>
<Spectral_Information bandId="7" physicalBand="B8"/>
</Image></n1:Level-2A_User_Product>"""


def test_the_offset_of_newer_sentinel2_products(tmp_path: Path) -> None:
    images = bands()
    product = safe(tmp_path, DAYS[1], {b: a + 1000 for b, a in images.items()}, METADATA)
    scene = fetch(source(tmp_path))
    assert np.allclose(scene.rasters["B4"].array, images["B4"], atol=0.01)
    with pytest.raises(
        DataError, match=r"the metadata beside it says offset -0\.1 and the config 0"
    ):
        fetch(source(tmp_path, offset=0.0))
    before = source(tmp_path).fingerprint(Request(PLACE, S2, Item("2015-08-30"), {"B4": "B4"}))
    for text in ("<broken", METADATA.replace("<Image>", "<!DOCTYPE x><Image>")):
        (product / "MTD_MSIL2A.xml").write_text(text)
        with pytest.raises(DataError, match=r"MTD_MSIL2A\.xml cannot be read"):
            fetch(source(tmp_path))
    after = source(tmp_path).fingerprint(Request(PLACE, S2, Item("2015-08-30"), {"B4": "B4"}))
    assert before != after


def test_newer_products_without_metadata_are_told(tmp_path: Path) -> None:
    """Their numbers are taken as they stand, and the run says what that may mean."""
    product = safe(tmp_path, DAYS[1], bands())
    assert not any("baseline" in text for text in survey(source(tmp_path)))
    product.rename(product.with_name(product.name.replace("N0204", "N0511")))
    (told,) = (text for text in survey(source(tmp_path)) if "baseline 04.00" in text)
    assert "offset = -0.1" in told
    assert not any("baseline" in text for text in survey(source(tmp_path, offset=0.0)))


def landsat(root: Path, images: Any, *, text: str = "", level: str = "L2SP") -> None:
    for day in DAYS:
        name = f"LC08_{level}_190028_{day:%Y%m%d}_20200908_02_T1"
        for band, array in images.items():
            infix = "" if band == "QA_PIXEL" or level == "L1TP" else "SR_"
            write(root / name / f"{name}_{infix}{band}.TIF", array)
        if text:
            (root / name / f"{name}_MTL.txt").write_text(text)


MTL = """GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS
  REFLECTANCE_MULT_BAND_4 = 2.75e-05
  REFLECTANCE_MULT_BAND_5 = 2.75e-05
  REFLECTANCE_ADD_BAND_4 = -0.2
  REFLECTANCE_ADD_BAND_5 = -0.2
END_GROUP"""


@pytest.mark.parametrize("text", ["", MTL])
def test_a_landsat_folder(tmp_path: Path, text: str) -> None:
    """Scale, offset and fill are those of the collection; QA_PIXEL is the mask."""
    made = bands()
    images = {"B4": made["B4"], "B5": made["B8"], "B3": made["B3"], "B2": made["B2"]}
    numbers: dict[str, Any] = {
        b: np.rint((a / 1e4 + 0.2) / 2.75e-5).astype("uint16") for b, a in images.items()
    }
    quality = np.full((100, 100), 21824, "uint16")
    quality[:, :30] = 22280
    for array in numbers.values():
        array[90:] = 0
    landsat(tmp_path, {**numbers, "QA_PIXEL": quality}, text=text)
    folder = source(tmp_path, mask_band="QA_PIXEL")
    assert names(folder) == ["2015-07-11", "2015-08-30"]
    for red, nir in (("B4", "B5"), ("SR_B4", "SR_B5")):
        scene = fetch(folder, (red, nir))
        index = ndvi(scene.rasters[nir].array, scene.rasters[red].array)
        assert np.allclose(index[:90, 30:], ndvi_of(made)[:90, 30:], atol=2e-3)
        assert np.isnan(index[:, :30]).all()
        assert np.isnan(index[90:]).all()


def test_a_hls_folder(tmp_path: Path) -> None:
    """200 px at 30 m, Landsat and Sentinel-2 in one series, clouds by the bits of Fmask."""
    images = bands((200, 200))
    grid = (30.0, 0.0, 465_180.0, 0.0, -30.0, 5_080_260.0)
    flags = np.zeros((200, 200), "uint8")
    flags[:60] = 0b0000_0010
    flags[60:80, :50] = 0b1100_1000
    flags[60:, 150:] = 0b0110_0000  # water and aerosol: clear
    flags[199] = 255
    products = {"S30": (DAYS[0], {"B2": "B02", "B3": "B03", "B4": "B04", "B8": "B8A"}),
                "L30": (DAYS[1], {"B2": "B02", "B3": "B03", "B4": "B04", "B8": "B05"})}  # fmt: skip
    for product, (day, called) in products.items():
        stem = f"HLS.{product}.T33TVL.{day:%Y%j}T100016.v2.0"
        for band, name in called.items():
            write(tmp_path / stem / f"{stem}.{name}.tif", images[band].astype("int16"),
                  transform=grid, nodata=-9999, scale=1e-4)  # fmt: skip
        write(tmp_path / stem / f"{stem}.Fmask.tif", flags, transform=grid, nodata=255)
    made = source(tmp_path, mask_band="Fmask")
    assert names(made) == ["2015-07-11", "2015-08-30"]
    clear = (flags & 0b11111 == 0) & (flags != 255)
    for day in DAYS:
        scene = fetch(made, ("B4", "B8A"), str(day))
        index = ndvi(scene.rasters["B8A"].array, scene.rasters["B4"].array)
        assert np.array_equal(np.isfinite(index), clear)
        assert np.allclose(index[clear], ndvi_of(images)[clear])
        assert scene.record["mask"]["masked_fraction"] == pytest.approx(1 - clear.mean())


def test_both_satellites_of_hls_on_one_day(tmp_path: Path) -> None:
    """The first valid pixel of them; names that mean two bands are refused."""
    images = bands()
    for product, nir in (("L30", "B05"), ("S30", "B8A")):
        for band, name in {"B4": "B04", "B8": nir, "x": "B06"}.items():
            array = images.get(band, images["B4"]).astype("int16")
            if product == "L30":
                array[:, :40] = -9999
            path = tmp_path / f"HLS.{product}.T33TVL.2015242T100016.v2.0.{name}.tif"
            write(path, array, nodata=-9999)
    made = source(tmp_path)
    scene = fetch(made, ("B4", "B8A"))
    assert np.array_equal(scene.rasters["B8A"].array, images["B8"])
    assert scene.record["joined"] == "2 tiles, first valid pixel"
    with pytest.raises(DataError, match=r'"B05" is near infrared \(L30\) and red edge \(S30\)'):
        fetch(made, ("B4", "B05"))
    for path in tmp_path.glob("*S30*"):
        path.unlink()
    assert fetch(source(tmp_path), ("B4", "B05")).rasters


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("AnalyticMS_SR", ("blue", "green", "red", "nir")),
        ("AnalyticMS_SR_8b_harmonized_clip",
         ("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir")),
    ],
)  # fmt: skip
def test_a_planet_folder(tmp_path: Path, kind: str, order: tuple[str, ...]) -> None:
    images = bands()
    by_name = {
        "blue": images["B2"],
        "green": images["B3"],
        "red": images["B4"],
        "nir": images["B8"],
    }
    clear = np.ones((100, 100), "uint8")
    clear[:, 70:] = 0
    for day in DAYS:
        stem = tmp_path / f"{day:%Y%m%d}_094137_1008_3B_"
        other = np.full((100, 100), 77, "uint16")
        write(Path(f"{stem}{kind}.tif"), [by_name.get(name, other) for name in order])
        write(Path(f"{stem}udm2.tif"), [clear, *[np.zeros_like(clear)] * 7])
    made = source(tmp_path, mask_band="UDM2")
    scene = fetch(made, ("red", "green", "blue", "nir"))
    assert names(made) == ["2015-07-11", "2015-08-30"]
    assert np.array_equal(scene.rasters["nir"].array[:, :70], images["B8"][:, :70])
    assert not scene.rasters["red"].array[:, 70:].any()


@pytest.mark.parametrize(
    "pattern",
    [
        "{date}/{band}.tif",
        "{band}_{date}.tif",
        "S2-{date}-{band}-site.tif",
        "2020/x/{date}.{band}.TIF",
    ],
)
@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y%m%d", "%Y%j"])
def test_any_names_with_a_date_and_a_band(tmp_path: Path, pattern: str, form: str) -> None:
    images = fill(tmp_path, pattern, form)
    made = source(tmp_path)
    assert names(made) == ["2015-07-11", "2015-08-30"]
    assert np.array_equal(fetch(made).rasters["B4"].array, images["B4"])


def test_several_bands_in_a_file(tmp_path: Path) -> None:
    images = bands()
    for day in DAYS:
        write(tmp_path / f"site_{day}.tif", list(images.values()), descriptions=BANDS)
    assert np.array_equal(fetch(source(tmp_path)).rasters["B4"].array, images["B4"])
    numbered = source(tmp_path, bands={"near": 4, "seen": "B4"})
    scene = fetch(numbered, ("near", "seen"))
    assert np.array_equal(scene.rasters["near"].array, images["B8"])
    assert np.array_equal(scene.rasters["seen"].array, images["B4"])
    with pytest.raises(ConfigError, match='has no band "B9"; its bands are 1 B2, 2 B3, 3 B4, 4 B8'):
        survey(source(tmp_path), ("B9",))
    with pytest.raises(ConfigError, match='has no band "B9"'):
        survey(source(tmp_path, bands={"B9": 5}), ("B9",))


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    write_date(tmp_path, "2015-07-11", bands())
    write_date(tmp_path, "2015-08-30", bands())
    for other in ("20150909", "2015-02-30", "notes", "2015-9-9"):
        (tmp_path / other).mkdir()
    told = survey(source(tmp_path))
    (left,) = (text for text in told if "left out" in text)
    assert left.endswith("2015-02-30, 2015-9-9, 20150909")


def test_dates_outside_of_the_range_are_named(tmp_path: Path) -> None:
    fill(tmp_path, "{date}/RAW/download.{band}.tif", "%Y-%m-%d")
    made = source(tmp_path)
    summer = made.items(S2, PLACE, DateRange(date(2015, 8, 1), date(2015, 9, 1)))
    told: list[str] = []
    made.survey([Request(PLACE, S2, item, {"B4": "B4"}) for item in summer], told.append)
    assert '"S2": left out, as they are outside of the date range: 2015-07-11' in told


def test_no_date_shows_names_and_what_a_date_is(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / f"scene{number}.tif", bands()["B4"])
    with pytest.raises(ConfigError, match=r"it has no date; there are scene\d\.tif, ") as caught:
        names(source(tmp_path))
    assert caught.value.wrong.count("scene") == 3
    assert "YYYY-MM-DD" in caught.value.cure
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="it has no date"):
        names(source(tmp_path / "empty"))


def test_a_layout_by_its_name(tmp_path: Path) -> None:
    fill(tmp_path, "{date}_{band}.tif", "%Y%m%d")
    assert names(source(tmp_path)) == ["2015-07-11", "2015-08-30"]
    with pytest.raises(ConfigError, match="it has no date"):
        names(source(tmp_path, layout="hls"))
    with pytest.raises(UnknownNameError, match='unknown layout "HLS"; did you mean "hls"'):
        names(source(tmp_path, layout="HLS"))


def test_jpeg_2000(tmp_path: Path) -> None:
    images = bands()
    write_date(tmp_path, "2015-08-30", images, "{date}/{band}.jp2", **jp2())
    scene = fetch(source(tmp_path, pattern="{date}/{band}.jp2"))
    assert np.array_equal(scene.rasters["B8"].array, images["B8"])
    assert scene.rasters["B8"].encoded is None  # runs keep GeoTIFFs
