"""Composites from scenes whose truth is known, through the real clients."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.warp import Resampling, calculate_default_transform, reproject

from pyveg.core import waiting
from pyveg.core.errors import (
    ConfigError,
    DataError,
    ServiceAwayError,
    ServiceError,
    SkipItem,
)
from pyveg.earth.source import Scene
from pyveg.sources.stac import signing
from pyveg.sources.utm import utm_grid
from pyveg.testing.stac_world import BLOB_HOST, StacWorld, truth

Decode = Callable[[Scene], dict[str, np.ndarray]]
HALF = 0.51e-4
"""What rounding to results' unit may change, reflectance."""


def ndvi(bands: dict[str, np.ndarray], nir: str = "nir") -> np.ndarray:
    return (bands[nir] - bands["red"]) / (bands[nir] + bands["red"])


def test_reflectance_is_the_truth(world: StacWorld, asker: Any, decode: Decode) -> None:
    for day, baseline in [("05", "03.01"), ("10", "03.01"), ("15", "03.01")]:
        world.add(f"2021-12-{day}", baseline=baseline)
    with world.serve() as server:
        scene = asker(server.url).month("2021-12")
    found, true = decode(scene), world.truth()
    for band, values in true.items():
        np.testing.assert_allclose(found[band], values, atol=1e-9)
    grid = utm_grid(world.place, 10)
    raster = scene.rasters["red"]
    assert (raster.crs, raster.transform) == (grid.crs, grid.transform)
    assert raster.array.shape == grid.shape
    assert scene.record["n_scenes"] == scene.record["n_days"] == 3
    assert [s["id"] for s in scene.record["scenes"]] == [
        f"S2A_whole_2021-12-{day}" for day in ("05", "10", "15")
    ]
    assert scene.record["valid_fraction"] == 1
    assert scene.record["clipped_fraction"] == 0


@pytest.mark.parametrize("stated", [None, (1e-4, -0.1)], ids=["silent", "stated"])
def test_ndvi_does_not_jump_at_the_new_baseline(
    world: StacWorld, asker: Any, decode: Decode, stated: tuple[float, float] | None
) -> None:
    """One month each side of 2022-01-25, and one that has both."""
    world.add("2021-12-05", baseline="03.01")
    world.add("2022-01-10", baseline="03.01")
    world.add("2022-01-30", baseline="04.00", stated=stated)
    world.add("2022-02-05", baseline="04.00", stated=stated)
    with world.serve() as server:
        one = asker(server.url)
        scenes = {month: one.month(month) for month in ("2021-12", "2022-01", "2022-02")}
    true = ndvi(world.truth())
    for scene in scenes.values():
        np.testing.assert_allclose(ndvi(decode(scene)), true, atol=1e-3)
    records = {month: scene.record for month, scene in scenes.items()}
    assert [records[m]["baselines"] for m in records] == [["03.01"], ["03.01", "04.00"], ["04.00"]]
    assert [records[m]["harmonised"] for m in records] == [False, True, False]
    offsets = [scene["offset"] for scene in records["2022-01"]["scenes"]]
    assert sorted(offsets) == [-0.1, 0.0]


def test_without_the_offset_ndvi_would_jump(world: StacWorld, asker: Any, decode: Decode) -> None:
    """The test above can fail: read as if nothing had been added, NDVI is far off."""
    world.add("2022-02-05", baseline="04.00")
    wrong = {"offset_rule": "fixed", "value_scale": 1e-4, "value_offset": 0.0}
    with world.serve() as server:
        found = decode(asker(server.url, **wrong).month("2022-02"))
    assert np.abs(ndvi(found) - ndvi(world.truth())).max() > 0.05


def test_earth_search_has_subtracted_it_already(
    world: StacWorld, asker: Any, decode: Decode
) -> None:
    applied = {"earthsearch:boa_offset_applied": True}
    stated = (1e-4, -0.1)
    world.add("2022-02-05", baseline="04.00", added=0, stated=stated, properties=applied)
    denied = {"earthsearch:boa_offset_applied": False}
    world.add("2022-02-15", baseline="04.00", added=0, stated=stated, properties=denied)
    with world.serve() as server:
        scene = asker(server.url, offset_rule="earth_search").month("2022-02")
    np.testing.assert_allclose(ndvi(decode(scene)), ndvi(world.truth()), atol=1e-3)
    assert scene.record["n_scenes"] == 1
    assert scene.record["scenes"][0]["rule"] == "flag"
    ((why, ids),) = scene.record["left_out"].items()
    assert "denies that the offset is applied" in why
    assert ids == ["S2A_whole_2022-02-15"]


def test_clouds_are_masked_and_the_rest_kept(world: StacWorld, asker: Any, decode: Decode) -> None:
    world.add("2021-12-05", cloud=0.4)
    with world.serve() as server:
        scene = asker(server.url).month("2021-12")
        unmasked = asker(server.url).month("2021-12", mask_cloud=False)
    found, true = decode(scene)["red"], world.truth()["red"]
    seen = np.isfinite(found)
    np.testing.assert_allclose(found[seen], true[seen], atol=1e-9)
    assert scene.record["valid_fraction"] == pytest.approx(seen.mean())
    assert 0.5 < seen.mean() < 0.8
    bright = decode(unmasked)["red"]
    assert np.isfinite(bright).all()
    assert (bright[~seen] == 0.8).all()


def test_which_pixels_count_as_clear_is_a_setting(
    world: StacWorld, asker: Any, decode: Decode
) -> None:
    world.add("2021-12-05", cloud=0.4)
    world.add("2022-01-05", cloud=0.4, mask=False)
    with world.serve() as server:
        clouds_too = asker(server.url, keep_classes=(5, 9)).month("2021-12")
        only_clouds = asker(server.url, keep_classes=(9,)).month("2021-12")
        no_mask = asker(server.url, mask="none", mask_band="").month("2022-01")
    for scene in (clouds_too, no_mask):
        assert np.isfinite(decode(scene)["red"]).all()
    found = decode(only_clouds)["red"]
    assert (found[np.isfinite(found)] == 0.8).all()


def test_the_composite_is_the_median_of_clear_pixels(
    world: StacWorld, asker: Any, decode: Decode
) -> None:
    shifts = {"05": 0.0, "10": 0.02, "15": 0.03, "20": 0.08}
    clouds = {"05": 0.0, "10": 0.3, "15": 0.45, "20": 0.0}
    for day, shift in shifts.items():
        world.add(f"2021-12-{day}", shift=shift, cloud=clouds[day])
    with world.serve() as server:
        found = decode(asker(server.url).month("2021-12"))["green"]
    above = found - world.truth()["green"]
    rows = np.nanmean(above, axis=1)
    assert rows[0] == pytest.approx(0.04)  # 0.0 and 0.08
    assert rows[-1] == pytest.approx(0.025)  # 0.02 and 0.03 are in the middle
    levels = {round(float(value), 3) for value in rows}
    assert levels == {0.04, 0.02, 0.025}


def test_overlapping_tiles_are_one_image(world: StacWorld, asker: Any, decode: Decode) -> None:
    """The overlap of one day counts once in the median."""
    for tile in ("west", "east"):
        world.add("2021-12-05", tile=tile, shift=0.01)
    world.add("2021-12-15", shift=0.05)
    world.add("2021-12-25", shift=0.06)
    with world.serve() as server:
        scene = asker(server.url).month("2021-12")
    np.testing.assert_allclose(decode(scene)["nir"] - world.truth()["nir"], 0.05, atol=1e-9)
    assert (scene.record["n_scenes"], scene.record["n_days"]) == (4, 3)


def test_half_a_scene_is_no_whole_one(world: StacWorld, asker: Any, decode: Decode) -> None:
    world.add("2021-12-05", tile="west")
    with world.serve() as server:
        scene = asker(server.url).month("2021-12")
    found = decode(scene)["blue"]
    assert np.isfinite(found[:, 0]).all()
    assert np.isnan(found[:, -1]).all()
    assert 0.5 < scene.record["valid_fraction"] < 1


def test_a_scene_without_its_mask_is_left_out(world: StacWorld, asker: Any, decode: Decode) -> None:
    world.add("2021-12-05")
    world.add("2021-12-15", mask=False, shift=0.3)
    world.add("2021-12-25", shift=0.3)
    (world.folder / "S2A_whole_2021-12-25" / "scl.tif").unlink()
    with world.serve() as server:
        scene = asker(server.url).month("2021-12")
    np.testing.assert_allclose(decode(scene)["red"], world.truth()["red"], atol=1e-9)
    assert scene.record["left_out"] == {
        "without its mask": ["S2A_whole_2021-12-15"],
        "without their files": ["S2A_whole_2021-12-25"],
    }


def test_damaged_files_are_named(world: StacWorld, asker: Any) -> None:
    item = world.add("2021-12-05")
    path = world.folder / item["id"] / "nir.tif"
    path.write_bytes(b"<html>" * 100)
    static = str(world.write_static())
    words = "the host of the scene S2A_whole_2021-12-05 gave no image"
    with world.serve() as server, pytest.raises(DataError, match=words):
        asker(server.url).month("2021-12")
    with pytest.raises(DataError, match=r"a file of the scene S2A_whole_2021-12-05 cannot be read"):
        asker(static).month("2021-12")
    path.unlink()
    with pytest.raises(SkipItem, match="1 without their files"):
        asker(static).month("2021-12")


def test_months_without_an_image_say_why(world: StacWorld, asker: Any) -> None:
    world.add("2021-12-05", cloud=0.6)
    world.add("2021-12-15", cloud=0.9)
    world.add("2022-02-05", mask=False)
    world.add("2022-03-05", cloud=1.0, cloud_percent=10)
    world.add("2022-04-05", baseline=None)
    with world.serve() as server:
        one = asker(server.url)
        reasons = {}
        for month in ("2021-12", "2022-01", "2022-02", "2022-03", "2022-04"):
            with pytest.raises(SkipItem) as skipped:
                one.month(month)
            reasons[month] = str(skipped.value)
    assert reasons["2021-12"].startswith("no image: of 2 scenes from http")
    assert reasons["2021-12"].endswith("2 too cloudy (cloudy_pix_frac = 50)")
    assert reasons["2022-01"].startswith("no image: no scene of sentinel-2-l2a here")
    assert reasons["2022-02"].endswith("1 without its mask")
    assert reasons["2022-03"].endswith("1 without a clear pixel here")
    assert reasons["2022-04"].endswith("1 of unknown offset: it has no processing baseline")


def test_the_share_of_cloud_may_have_another_name(world: StacWorld, asker: Any) -> None:
    world.add("2021-12-05", cloud_percent=0, properties={"dust": 80})
    world.add("2021-12-15", cloud_percent=100, properties={"dust": 10})
    with world.serve() as server:
        record = asker(server.url).month("2021-12", cloudy_pix_flag="dust").record
    assert [scene["id"] for scene in record["scenes"]] == ["S2A_whole_2021-12-15"]


def test_scenes_that_were_processed_anew_count_once(
    world: StacWorld, asker: Any, decode: Decode
) -> None:
    tile = {"grid:code": "MGRS-35PNN"}
    world.add("2021-12-05", name="old", baseline="03.01", shift=0.2, properties=tile)
    world.add("2021-12-05", name="new", baseline="05.10", properties=tile)
    with world.serve() as server:
        scene = asker(server.url).month("2021-12")
    np.testing.assert_allclose(decode(scene)["red"], world.truth()["red"], atol=1e-9)
    assert [s["id"] for s in scene.record["scenes"]] == ["new"]
    assert scene.record["left_out"] == {"processed anew since": ["old"]}


def test_landsat(world: StacWorld, asker: Any, decode: Decode) -> None:
    world.collection = "landsat-c2-l2"
    world.add_landsat("2021-12-05", cloud=0.3)
    world.add_landsat("2021-12-13", platform="landsat-9", cloud=0.3, saturated=35)
    world.add_landsat("2021-12-14", platform="landsat-7")
    world.items[0]["properties"]["platform"] = "LANDSAT_8"
    landsat: dict[str, Any] = {
        "stac_collection": "landsat-c2-l2",
        "mask": "qa_pixel",
        "mask_band": "qa_pixel",
        "saturation_band": "qa_radsat",
        "platforms": ("landsat-8", "landsat-9"),
    }
    bands = ("red", "green", "blue", "nir08")
    with world.serve() as server:
        scene = asker(server.url, **landsat).month("2021-12", bands=bands)
        only9 = asker(server.url, **{**landsat, "platforms": ("landsat-9",)})
        saturated = decode(only9.month("2021-12", bands=bands))
        with pytest.raises(SkipItem, match="no scene of landsat-c2-l2 by landsat-4 here"):
            asker(server.url, **{**landsat, "platforms": ("landsat-4",)}).month("2021-12")
    found, true = decode(scene), world.truth()
    seen = np.isfinite(found["red"])
    assert 0.6 < seen.mean() < 1
    np.testing.assert_allclose(found["red"][seen], true["red"][seen], atol=HALF + 2e-5)
    difference = ndvi(found, "nir08")[seen] - ndvi(true)[seen]
    assert np.abs(difference).max() < 1e-3
    assert scene.record["platforms"] == ["landsat-8", "landsat-9"]
    assert {s["offset"] for s in scene.record["scenes"]} == {-0.2}
    assert np.isnan(saturated["red"][-15:]).all()
    assert np.isnan(saturated["nir08"][-15:]).all()


def test_sensors_are_not_mixed(world: StacWorld, asker: Any) -> None:
    world.add("2021-12-05", properties={"platform": "sentinel-2a"})
    world.add("2021-12-10", properties={"platform": "Sentinel-2B"})
    world.add("2022-01-05", properties={"platform": "sentinel-2a"})
    world.add("2022-01-10", properties={"platform": "envisat"})
    with world.serve() as server:
        assert asker(server.url).month("2021-12").record["n_scenes"] == 2
        with pytest.raises(DataError, match=r"several platforms, envisat, sentinel-2a; set plat"):
            asker(server.url).month("2022-01")
        mixed = asker(server.url, mixed_sensors=True).month("2022-01")
    assert mixed.record["platforms"] == ["envisat", "sentinel-2a"]


def test_dark_ground_stays_seen(world: StacWorld, asker: Any, decode: Decode) -> None:
    world.add("2022-02-05", baseline="04.00", shift=-0.1)
    with world.serve() as server:
        scene = asker(server.url).month("2022-02")
    blue = decode(scene)["blue"]
    expected = np.maximum(world.truth()["blue"] - 0.1, 1e-4)
    np.testing.assert_allclose(blue, expected, atol=1e-9)
    assert 0 < scene.record["clipped_fraction"] < 1


def test_a_band_that_no_scene_has(world: StacWorld, asker: Any) -> None:
    world.add("2021-12-05")
    with world.serve() as server, pytest.raises(ConfigError, match='no band "B8"; they have blue'):
        asker(server.url).month("2021-12", bands=("red", "B8"))


def test_a_scene_without_one_of_the_bands_is_left_out(world: StacWorld, asker: Any) -> None:
    world.add("2021-12-05", bands=("red", "nir"))
    world.add("2021-12-15")
    with world.serve() as server:
        record = asker(server.url).month("2021-12").record
    assert record["left_out"] == {"without blue": ["S2A_whole_2021-12-05"]}


def test_a_grid_in_another_zone(world: StacWorld, asker: Any, decode: Decode) -> None:
    """Scenes come in the zone of their tile, which need not be that of the place."""
    item = world.add("2021-12-05")
    assert item["properties"]["proj:code"] == "EPSG:32635"
    grid = utm_grid(world.place, 10)
    for band in item["assets"]:
        path = world.folder / item["id"] / f"{band}.tif"
        with rasterio.open(path) as there:
            values = there.read(1)
            target = "EPSG:32634"
            made = calculate_default_transform(
                there.crs, target, there.width, there.height, *there.bounds, resolution=2
            )
            moved = np.zeros((made[2], made[1]), values.dtype)
            reproject(
                values,
                moved,
                src_transform=there.transform,
                src_crs=there.crs,
                dst_transform=made[0],
                dst_crs=target,
                resampling=Resampling.nearest,
            )
            profile = {**there.profile, "crs": target, "transform": made[0]}
        profile |= {"driver": "GTiff", "width": made[1], "height": made[2]}
        with rasterio.open(path, "w", **profile) as dataset:
            dataset.write(moved, 1)
    item["properties"] = {
        name: value for name, value in item["properties"].items() if "proj:" not in name
    }
    with world.serve() as server:
        found = decode(asker(server.url).month("2021-12"))["red"]
    assert found.shape == grid.shape
    assert np.isfinite(found).all()
    assert np.abs(found - world.truth()["red"]).max() < 0.01  # pixels of 2 m, twice the nearest


def test_links_are_signed_and_signed_anew(
    world: StacWorld, asker: Any, decode: Decode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blobs are reached through the server as a proxy; tokens are refused when they are old."""
    monkeypatch.setattr(signing, "_tokens", {})
    monkeypatch.setenv(signing.KEY, "my-key")
    for month in ("01", "02", "03"):
        world.add(f"2021-{month}-05")
    with world.serve(signed=True) as server:
        monkeypatch.setenv("GDAL_HTTP_PROXY", server.url)
        one = asker(server.url, sign_url=f"{server.url}/token")
        scenes = [one.month("2021-01"), one.month("2021-02")]
        asked = [path for _, path, _, _ in server.requests if path.startswith("/token/")]
        assert asked == ["/token/pyvegtest/scenes"]
        server.tokens.append("sig=other")
        ((url, (token, until)),) = signing._tokens.items()
        signing._tokens[url] = (token, until - timedelta(minutes=30))  # it was made long ago
        scenes.append(one.month("2021-03"))
        assert server.keys == ["my-key", "my-key"]
    for scene in scenes:
        np.testing.assert_allclose(decode(scene)["red"], world.truth()["red"], atol=1e-9)
    text = str([scene.record for scene in scenes])
    assert "sig=" not in text
    assert BLOB_HOST not in text


def test_refused_links_are_told_without_their_token(
    world: StacWorld,
    asker: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(signing, "_tokens", {})
    world.add("2021-01-05")
    with world.serve(signed=True) as server:
        monkeypatch.setenv("GDAL_HTTP_PROXY", server.url)
        with pytest.raises(ServiceError, match="refuses access") as caught:
            asker(server.url).month("2021-01")
        server.refuses = True
        with pytest.raises(ServiceAwayError, match="signed links have expired") as again:
            asker(server.url, sign_url=f"{server.url}/token").month("2021-01")
    assert "Failed to load" in caplog.text
    assert "sig=" not in f"{caught.value}{again.value}{caplog.text}"


def test_waits_of_gdal_are_told(world: StacWorld, asker: Any) -> None:
    world.add("2021-01-05")
    lines: list[str] = []

    def fault(number: int, path: str) -> int | None:
        del number
        return 503 if path.endswith("nir.tif") and not lines else None

    with world.serve(fault) as server, waiting.heard_by(lines.append):
        scene = asker(server.url, retry_wait=1.0).month("2021-01")
    assert scene.record["n_scenes"] == 1
    host = server.url.removeprefix("http://")
    assert lines
    assert all(line.startswith(f"waiting for {host} (HTTP 503, again in ") for line in lines)


def test_truth_is_made_of_whole_counts() -> None:
    x, y = np.meshgrid(np.arange(0.0, 500, 7), np.arange(0.0, 500, 11))
    for values in truth(x, y).values():
        np.testing.assert_allclose(values * 1e4, np.rint(values * 1e4), atol=1e-9)
        assert 0 < values.min() < values.max() < 1
