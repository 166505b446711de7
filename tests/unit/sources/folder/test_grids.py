"""One grid for all dates: windows, resolutions, warping, tiles, and where images are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.control import GroundControlPoint
from rasterio.transform import Affine
from rasterio.warp import transform as reproject

from pyveg import formats
from pyveg.core.errors import ConfigError, DataError
from pyveg.core.types import Item
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, Place
from pyveg.sources.folder import FolderSettings, FolderSource
from pyveg.testing.own_images import BANDS, HERE, UTM33, bands, write, write_date

DAYS = ("2015-07-11", "2015-08-30", "2015-09-09")
PLACE = Place(14.5578, 45.8705)
S2 = Collection("S2", "S2", "vegetation", "folder")


def moved(columns: float = 0, rows: float = 0, scale: float = 1) -> tuple[float, ...]:
    """The transform of an image that begins elsewhere."""
    made = Affine(*HERE) * Affine.translation(columns, rows) * Affine.scale(scale)
    return tuple(made[:6])


def survey(
    root: Path, days: tuple[str, ...] = DAYS, place: Place = PLACE, **settings: Any
) -> tuple[FolderSource, list[Request], list[str]]:
    """What the plan makes of a folder, and what it tells."""
    source = FolderSource(FolderSettings(path=str(root), **settings))
    told: list[str] = []
    wanted = {b: b for b in BANDS}
    requests = [Request(place, S2, Item(day), wanted) for day in days]
    items = source.survey(requests, told.append)
    return source, [Request(place, S2, item, wanted) for item in items], told


def scenes(root: Path, days: tuple[str, ...] = DAYS, **settings: Any) -> tuple[list[Scene], str]:
    source, requests, told = survey(root, days, **settings)
    return [source.fetch(request) for request in requests], " | ".join(told)


def grids(made: list[Scene]) -> set[Any]:
    return {(r.crs, r.transform, r.array.shape) for s in made for r in s.rasters.values()}


def test_images_of_one_grid_say_nothing(tmp_path: Path) -> None:
    for day in DAYS:
        write_date(tmp_path, day, bands())
    made, told = scenes(tmp_path)
    assert grids(made) == {(UTM33, HERE, (100, 100))}
    assert "no mask band" in told
    assert "window" not in told
    assert all(raster.encoded for raster in made[0].rasters.values())


def test_the_common_window(tmp_path: Path) -> None:
    """Each pixel is the same ground on all dates."""
    images = bands((100, 100))
    write_date(tmp_path, DAYS[0], images)
    east = {b: a[:, 30:] for b, a in images.items()}
    write_date(tmp_path, DAYS[1], east, transform=moved(30))
    south = {b: a[20:] for b, a in images.items()}
    write_date(tmp_path, DAYS[2], south, transform=moved(0, 20))
    made, told = scenes(tmp_path)
    assert grids(made) == {(UTM33, moved(30, 20), (80, 70))}
    for scene in made:
        for band in BANDS:
            assert np.array_equal(scene.rasters[band].array, images[band][20:, 30:])
    assert told.count("common window of 70 x 80 pixels") == 1
    assert "2015-07-11" in told


def test_another_date_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    """What is done already need not be done again, unless the window changes."""
    for day in DAYS[1:]:
        write_date(tmp_path, day, bands())
    before = [request.item for request in survey(tmp_path, DAYS[1:])[1]]
    write_date(tmp_path, DAYS[0], bands())
    assert [request.item for request in survey(tmp_path)[1]][1:] == before
    write_date(tmp_path, DAYS[0], {b: a[:90] for b, a in bands().items()})
    assert [request.item for request in survey(tmp_path)[1]][1:] != before


@pytest.mark.parametrize(
    "transform",
    [
        (1e-300, 0, 0, 0, -1e-300, 0),
        (1e300, 0, HERE[2], 0, -1e300, HERE[5]),
        (10, 0, 1e12, 0, -10, 1e12),
        (10, 10, HERE[2], 10, 10, HERE[5]),
        (float("nan"), 0, HERE[2], 0, -10, HERE[5]),
    ],
)
@pytest.mark.parametrize("regrid", [True, False])
def test_georeferencing_that_cannot_be(tmp_path: Path, transform: Any, regrid: bool) -> None:
    for day in DAYS:
        write_date(tmp_path, day, bands())
    write_date(tmp_path, DAYS[0], {"B4": bands()["B4"]}, transform=transform)
    source, requests, _ = survey(tmp_path, regrid=regrid)
    with pytest.raises(DataError, match=r"B4\.tif cannot be used: its georeferencing"):
        source.fetch(requests[0])
    assert source.fetch(requests[1]).rasters


def test_a_date_of_little_common_ground(tmp_path: Path) -> None:
    """It shrinks no window: what it does not show is missing. Two places are refused."""
    for day in DAYS[1:]:
        write_date(tmp_path, day, bands())
    write_date(tmp_path, DAYS[0], {b: a[:, 70:] for b, a in bands().items()}, transform=moved(70))
    made, told = scenes(tmp_path)
    assert "share less ground than a chip of 50 x 50 pixels: the rest of it is missing" in told
    assert grids(made) == {(UTM33, HERE, (100, 100))}
    assert not made[0].rasters["B8"].array[:, :70].any()
    assert np.array_equal(made[0].rasters["B8"].array[:, 70:], bands()["B8"][:, 70:])
    write_date(tmp_path, DAYS[0], bands(), transform=moved(5000))
    with pytest.raises(ConfigError, match="share less ground than a chip") as caught:
        survey(tmp_path, DAYS[:2])
    assert "folder of its own" in caught.value.cure


def test_a_band_that_covers_other_ground(tmp_path: Path) -> None:
    images = bands()
    for band, array in images.items():
        far = band == "B8"
        cut = array[:, 10:] if far else array[:, :-10]
        write_date(tmp_path, DAYS[0], {band: cut}, transform=moved(10) if far else HERE)
    (scene,), told = scenes(tmp_path, DAYS[:1])
    for band in BANDS:
        assert np.array_equal(scene.rasters[band].array, images[band][:, 10:-10])
    assert "B2" in told or "B4" in told
    assert "B8" in told


@pytest.mark.parametrize(
    ("crs", "transform", "difference"),
    [
        ("EPSG:32634", HERE, "they are in EPSG:32634 and EPSG:32633"),
        (UTM33, moved(0.5, 0), "pixels are 0.50 of a pixel apart"),
        (UTM33, moved(scale=1.5), "their pixels are 15 x 15 and 10 x 10"),
        (UTM33, (10, 0, HERE[2], 0, 10, HERE[5] - 1000), "their rows run north and south"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, crs: str, transform: Any, difference: str
) -> None:
    """A date among many fails, and is told before; where it is one of two, nothing begins."""
    for day in DAYS[:1]:
        write_date(tmp_path, day, bands())
    write_date(tmp_path, DAYS[1], bands(), crs=crs, transform=transform)
    with pytest.raises(ConfigError, match=difference) as caught:
        survey(tmp_path, DAYS[:2])
    assert f"{DAYS[1]}/RAW/download.B2.tif and " in caught.value.wrong
    assert f"{DAYS[0]}/RAW/download.B2.tif" in caught.value.wrong
    assert "regrid = True" in caught.value.cure
    write_date(tmp_path, DAYS[2], bands())
    source, requests, told = survey(tmp_path)
    assert any(f"{DAYS[1]} will fail: " in text and difference in text for text in told)
    with pytest.raises(DataError, match=difference):
        source.fetch(requests[1])
    assert source.fetch(requests[2]).rasters


@pytest.mark.parametrize("band", ["B8", "B4"])
def test_a_band_of_another_zone(tmp_path: Path, band: str) -> None:
    for name, array in bands().items():
        crs = "EPSG:32634" if name == band else UTM33
        write_date(tmp_path, DAYS[0], {name: array}, crs=crs)
    with pytest.raises(ConfigError, match=f"download.{band}.tif and .*EPSG:32634 and EPSG:32633"):
        survey(tmp_path, DAYS[:1])


def smooth(shape: tuple[int, int], transform: Any, crs: str) -> dict[str, np.ndarray[Any, Any]]:
    """Reflectance that depends on longitude and latitude alone, so that warping can be checked."""
    rows, columns = np.indices(shape)
    x, y = Affine(*transform) * (columns + 0.5, rows + 0.5)
    lon, lat = reproject(crs, "EPSG:4326", x.ravel().tolist(), y.ravel().tolist())
    wave = np.sin(np.array(lon) * 500) + np.cos(np.array(lat) * 750)
    return {
        band: np.rint(1500 * (i + 1) + 300 * wave).reshape(shape).astype("uint16")
        for i, band in enumerate(BANDS)
    }


def test_other_pixels_are_warped_when_asked_for(tmp_path: Path) -> None:
    shape = (120, 120)
    for day in DAYS[:2]:
        write_date(tmp_path, day, smooth(shape, HERE, UTM33), transform=HERE)
    (x,), (y,) = reproject(UTM33, "EPSG:32634", [HERE[2]], [HERE[5]])
    other = (10.0, 0.0, round(x) - 300.0, 0.0, -10.0, round(y) + 300.0)
    write_date(
        tmp_path, DAYS[2], smooth((200, 200), other, "EPSG:32634"),
        crs="EPSG:32634", transform=other,
    )  # fmt: skip
    made, told = scenes(tmp_path, regrid=True)
    assert len(grids(made)) == 1
    assert "are warped to those of" in told
    first, _, last = (scene.rasters["B8"].array.astype(float) for scene in made)
    assert np.isfinite(last).mean() > 0.99
    # The wave climbs by up to 30 from one pixel to the next: a tenth of a pixel.
    assert np.nanpercentile(np.abs(first - last), 99) < 3


def test_masks_are_warped_with_their_images(tmp_path: Path) -> None:
    """By nearest neighbour: what is hidden on one date is hidden where it is on the other."""
    for day in DAYS[:2]:
        write_date(tmp_path, day, {**bands((200, 200)), "SCL": np.full((200, 200), 4, "uint8")})
    (x,), (y,) = reproject(UTM33, "EPSG:32634", [HERE[2]], [HERE[5]])
    other = (10.0, 0.0, round(x) - 300.0, 0.0, -10.0, round(y) + 300.0)
    classes = np.full((300, 300), 4, "uint8")
    classes[100:200, 100:200] = 9
    write_date(tmp_path, DAYS[2], {**bands((300, 300)), "SCL": classes},
               crs="EPSG:32634", transform=other)  # fmt: skip
    made, _ = scenes(tmp_path, regrid=True, mask_band="SCL")
    raster = made[2].rasters["B8"]
    hidden = ~(raster.array > 0)
    rows, columns = np.nonzero(hidden)
    assert raster.transform
    xs, ys = Affine(*raster.transform) * (columns + 0.5, rows + 0.5)
    there = np.array(reproject(UTM33, "EPSG:32634", xs.tolist(), ys.tolist()))
    inside = ~Affine(*other) * (there[0], there[1])
    assert hidden.sum() == pytest.approx(100 * 100, rel=0.02)
    assert np.abs(inside[0] - 150).max() < 51.5
    assert np.abs(inside[1] - 150).max() < 51.5


def test_flipped_rows(tmp_path: Path) -> None:
    """South-up files among others are refused, or turned exactly; alone they are turned."""
    images = bands()
    south_up = (10.0, 0.0, HERE[2], 0.0, 10.0, HERE[5] - 1000)
    turned = {b: a[::-1] for b, a in images.items()}
    write_date(tmp_path, DAYS[0], images)
    write_date(tmp_path, DAYS[1], turned, transform=south_up)
    made, _ = scenes(tmp_path, DAYS[:2], regrid=True)
    alone, _ = scenes(tmp_path, DAYS[1:2])
    for scene in (*made, *alone):
        assert grids([scene]) == {(UTM33, HERE, (100, 100))}
        assert np.array_equal(scene.rasters["B8"].array, images["B8"])


@pytest.mark.parametrize("factor", [2, 6])
def test_larger_pixels_are_repeated(tmp_path: Path, factor: int) -> None:
    images = bands((120, 120))
    coarse = images["B4"][::factor, ::factor]
    write_date(tmp_path, DAYS[0], {b: a for b, a in images.items() if b != "B4"})
    write_date(tmp_path, DAYS[0], {"B4": coarse}, transform=moved(scale=factor))
    (scene,), told = scenes(tmp_path, DAYS[:1])
    repeated = coarse.repeat(factor, axis=0).repeat(factor, axis=1)
    assert np.array_equal(scene.rasters["B4"].array, repeated)
    assert np.array_equal(scene.rasters["B8"].array, images["B8"])
    assert "by repeating each pixel (nearest neighbour)" in told


@pytest.mark.parametrize("factor", [0.5, 2])
def test_masks_of_other_pixels(tmp_path: Path, factor: float) -> None:
    """A finer mask hides a pixel where any of it is hidden."""
    write_date(tmp_path, DAYS[0], bands())
    side = int(100 / factor)
    classes = np.full((side, side), 4, "uint8")
    classes[: side // 2, 0] = 9
    write_date(tmp_path, DAYS[0], {"SCL": classes}, transform=moved(scale=factor))
    (scene,), _ = scenes(tmp_path, DAYS[:1], mask_band="SCL")
    hidden = scene.rasters["B8"].array == 0
    assert hidden[:50, : max(1, int(factor))].all()
    assert hidden.sum() == 50 * max(1, int(factor))


def test_no_georeferencing(tmp_path: Path) -> None:
    for day in DAYS:
        write_date(tmp_path, day, bands(), crs=None, transform=None)
    made, told = scenes(tmp_path)
    assert grids(made) == {(None, None, (100, 100))}
    assert told.count("have no georeferencing") == 1
    write_date(tmp_path, DAYS[2], bands((60, 60)), crs=None, transform=None)
    with pytest.raises(DataError, match=r"has 60 x 60 and .* 100 x 100 pixels, and no georef"):
        scenes(tmp_path)
    write_date(tmp_path, DAYS[1], bands((60, 60)), crs=None, transform=None)
    write_date(tmp_path, DAYS[0], bands())
    with pytest.raises(ConfigError, match="no georeferencing says how they lie"):
        survey(tmp_path)


def centre(raster: formats.Raster) -> tuple[float, float]:
    assert raster.crs
    assert raster.transform
    height, width = raster.array.shape
    ((lon, lat),) = formats.lonlat(
        raster.crs, raster.transform, np.array([width / 2]), np.array([height / 2])
    )
    return float(lon), float(lat)


def where(transform: Any = HERE, crs: str = UTM33) -> tuple[float, float]:
    """The centre of an image of 100 x 100 pixels, by GDAL."""
    x, y = Affine(*transform) * (50, 50)
    (lon,), (lat,) = reproject(crs, "EPSG:4326", [x], [y])
    return lon, lat


@pytest.mark.parametrize("form", ["tfw and aux", "tfw and prj", "tfw and crs", "gcps", "aux"])
def test_georeferencing_beside_the_pixels(tmp_path: Path, form: str) -> None:
    from rasterio.crs import CRS

    gcps = [
        GroundControlPoint(row, column, *(Affine(*HERE) * (column, row)))
        for row, column in ((0, 0), (0, 100), (100, 0), (100, 100))
    ]
    a, b, c, d, e, f = HERE
    for band, array in bands().items():
        points = gcps if form == "gcps" else ()
        crs = UTM33 if points else None
        path = tmp_path / DAYS[0] / f"RAW/download.{band}.tif"
        write(path, array, crs=crs, transform=None, gcps=points)
        if form.startswith("tfw"):
            world = "\n".join(map(str, (a, d, b, e, c + a / 2, f + e / 2)))
            path.with_suffix(".tfw").write_text(world)
        wkt = CRS.from_string(UTM33).to_wkt()
        if form == "tfw and prj":
            path.with_suffix(".prj").write_text(wkt)
        if "aux" in form:
            transform = f"<GeoTransform>{c},{a},{b},{f},{d},{e}</GeoTransform>"
            inner = f"<SRS>EPSG:32633</SRS>{'' if 'tfw' in form else transform}"
            text = f"<PAMDataset>{inner}</PAMDataset>"
            path.with_name(f"{path.name}.aux.xml").write_text(text)
    settings = {"crs": UTM33} if form == "tfw and crs" else {}
    (scene,), told = scenes(tmp_path, DAYS[:1], **settings)
    assert centre(scene.rasters["B8"]) == pytest.approx(where(), abs=1e-6)
    assert "georeferencing" not in told
    kept = formats.decode_geotiff(formats.encode_geotiff(scene.rasters["B8"]))
    assert centre(kept) == pytest.approx(where(), abs=1e-6)


def test_a_transform_without_a_reference_system(tmp_path: Path) -> None:
    """It is said; the config can name one, and a wrong one is refused by the place."""
    write_date(tmp_path, DAYS[0], bands(), crs=None)
    _, told = scenes(tmp_path, DAYS[:1])
    assert "no georeferencing" in told
    with pytest.raises(ConfigError, match=r"images lie around longitude 20\.5"):
        survey(tmp_path, DAYS[:1], crs="EPSG:32634")


def test_points_that_no_affine_transform_fits(tmp_path: Path) -> None:
    gcps = [GroundControlPoint(r, c, *(Affine(*HERE) * (c + r * c / 500, r)))
            for r, c in ((0, 0), (0, 100), (100, 0), (100, 100))]  # fmt: skip
    for band, array in bands().items():
        write(tmp_path / DAYS[0] / f"RAW/download.{band}.tif", array, transform=None, gcps=gcps)
    with pytest.raises(ConfigError, match=r"ground control points are up to .* pixels from any"):
        survey(tmp_path, DAYS[:1])


def test_points_that_lie_on_one_another(tmp_path: Path) -> None:
    gcps = [GroundControlPoint(r, c, HERE[2], HERE[5]) for r, c in ((0, 0), (0, 9), (9, 0), (9, 9))]
    for band, array in bands().items():
        write(tmp_path / DAYS[0] / f"RAW/download.{band}.tif", array, transform=None, gcps=gcps)
    with pytest.raises(ConfigError, match="ground control points cannot be used"):
        survey(tmp_path, DAYS[:1])


FAR = {
    "southern hemisphere": ("EPSG:32721", (10.0, 0.0, 300_000.0, 0.0, -10.0, 8_600_000.0)),
    "across 180 degrees": ("EPSG:32660", (10.0, 0.0, 833_500.0, 0.0, -10.0, 200_000.0)),
    "across a UTM border": ("EPSG:32633", (10.0, 0.0, 767_500.0, 0.0, -10.0, 5_080_000.0)),
    "70 degrees north": ("EPSG:32635", (10.0, 0.0, 450_000.0, 0.0, -10.0, 7_770_000.0)),
    "in degrees": ("EPSG:4326", (1e-4, 0.0, 27.9, 0.0, -1e-4, 11.6)),
    "polar": ("EPSG:3995", (10.0, 0.0, -1_000_000.0, 0.0, -10.0, 1_000_000.0)),
}


@pytest.mark.parametrize("name", FAR)
def test_places_all_over_the_earth(tmp_path: Path, name: str) -> None:
    crs, transform = FAR[name]
    write_date(tmp_path, DAYS[0], bands(), crs=crs, transform=transform)
    lon, lat = where(transform, crs)
    source = FolderSource(FolderSettings(path=str(tmp_path)))
    place = source.place()
    assert place is not None
    assert (place.longitude, place.latitude) == pytest.approx((lon, lat), abs=1e-4)
    assert 0.008 < place.region_size < 0.06
    for shift in (0, 360):  # 180.01 and -179.99 are one meridian
        here = Place(lon - shift if lon > 0 else lon + shift, lat, 0.001)
        _, requests, _ = survey(tmp_path, DAYS[:1], here)
        assert centre(source.fetch(requests[0]).rasters["B8"]) == pytest.approx((lon, lat))
    with pytest.raises(ConfigError) as caught:
        survey(tmp_path, DAYS[:1], Place(-lon / 2, -lat, 0.08))
    assert f"longitude {lon:.4f}, latitude {lat:.4f}" in caught.value.wrong
    assert f"{-lon / 2}, {-lat}" in caught.value.wrong
    assert "leave them out" in caught.value.cure


def test_the_square_of_the_place(tmp_path: Path) -> None:
    write_date(tmp_path, DAYS[0], bands((300, 300)))
    lon, lat = where(moved(100, 100))
    place = Place(lon, lat, 0.01)
    source, requests, _ = survey(tmp_path, DAYS[:1], place, crop=True)
    raster = source.fetch(requests[0]).rasters["B8"]
    assert centre(raster) == pytest.approx((lon, lat), abs=2e-4)
    height, width = raster.array.shape
    assert height == pytest.approx(0.01 * 111_200 / 10, abs=3)
    assert width == pytest.approx(0.01 * 111_320 * np.cos(np.radians(lat)) / 10, abs=3)


def halves(root: Path, pattern: str, overlap: int = 20) -> dict[str, Any]:
    """One image as two tiles that overlap; the second one is darker."""
    images = bands((100, 160))
    west = {b: a[:, : 80 + overlap // 2] for b, a in images.items()}
    east = {b: a[:, 80 - overlap // 2 :] - 10 for b, a in images.items()}
    for tile, part, start in (("T33TVL", west, 0), ("T33TWL", east, 80 - overlap // 2)):
        name = pattern.replace("{tile}", tile)
        write_date(root, DAYS[0], part, name, transform=moved(start))
    return images


def test_tiles_of_one_day_are_joined(tmp_path: Path) -> None:
    pattern = "{date}/{tile}_{band}.tif"
    images = halves(tmp_path, pattern)
    how = {"pattern": "{date}/*_{band}.tif"}
    (scene,), told = scenes(tmp_path, DAYS[:1], **how)
    assert "several tiles of one day, on 1 dates: the first valid pixel" in told
    joined = scene.rasters["B8"].array
    assert joined.shape == (100, 160)
    assert np.array_equal(joined[:, :90], images["B8"][:, :90])
    assert np.array_equal(joined[:, 90:], images["B8"][:, 90:] - 10)
    assert joined.dtype == np.uint16
    assert scene.record["joined"] == "2 tiles, first valid pixel"
    assert len(scene.record["files"]["B8"]) == 2
    (scene,), _ = scenes(tmp_path, DAYS[:1], join="median", **how)
    middle = scene.rasters["B8"].array[:, 70:90]
    assert np.array_equal(middle, images["B8"][:, 70:90] - 5)


def test_a_tile_gives_what_another_did_not_see(tmp_path: Path) -> None:
    """And a pixel comes from one tile in all bands."""
    halves(tmp_path, "{date}/{tile}_{band}.tif")
    dark = bands((100, 160))["B4"][:, :90].copy()
    dark[:50, 80:] = 65535
    west = {"B4": dark}
    write_date(tmp_path, DAYS[0], west, "{date}/T33TVL_{band}.tif", transform=HERE, nodata=65535)
    (scene,), _ = scenes(tmp_path, DAYS[:1], pattern="{date}/*_{band}.tif")
    expected = bands((100, 160))
    for band in BANDS:
        got = scene.rasters[band].array
        assert np.array_equal(got[:50, 80:90], expected[band][:50, 80:90] - 10)
        assert np.array_equal(got[50:, 80:90], expected[band][50:, 80:90])


def test_tiles_of_two_zones(tmp_path: Path) -> None:
    """They are warped to one when that is asked for."""
    write_date(tmp_path, DAYS[0], smooth((150, 100), HERE, UTM33), "{date}/T33_{band}.tif")
    (x,), (y,) = reproject(UTM33, "EPSG:32634", [HERE[2] + 800], [HERE[5]])
    other = (10.0, 0.0, round(x), 0.0, -10.0, round(y) + 200.0)
    write_date(tmp_path, DAYS[0], smooth((200, 100), other, "EPSG:32634"), "{date}/T34_{band}.tif",
               crs="EPSG:32634", transform=other)  # fmt: skip
    with pytest.raises(ConfigError, match="EPSG:32634 and EPSG:32633"):
        survey(tmp_path, DAYS[:1], pattern="{date}/*_{band}.tif")
    (scene,), _ = scenes(tmp_path, DAYS[:1], pattern="{date}/*_{band}.tif", regrid=True)
    raster = scene.rasters["B8"]
    assert raster.array.shape[1] > 150
    expected = smooth(raster.array.shape, raster.transform, UTM33)["B8"]
    known = np.isfinite(raster.array) & (raster.array > 0)
    assert known.mean() > 0.75
    assert np.percentile(np.abs(raster.array[known] - expected[known].astype(float)), 99) < 3
