"""Composites: the right scenes, masks, scales and medians, from the true client."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.earth.periods import item_of
from pyveg.earth.source import Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.kernels.ndvi import ndvi
from pyveg.sources.products import CLOUD_SCORE
from pyveg.sources.utm import utm_grid
from pyveg.testing.earth_engine import StandIn
from pyveg.testing.ee_graphs import write_scene

S2 = "COPERNICUS/S2_SR_HARMONIZED"
L8, L9, L7 = (f"LANDSAT/{code}/C02/T1_L2" for code in ("LC08", "LC09", "LE07"))
PLACE = Place(27.95, 11.57, 0.004)
SHAPE = utm_grid(PLACE, 10).shape


def _arrays(scene: Scene) -> dict[str, Any]:
    return {name: raster.array for name, raster in scene.rasters.items()}


def test_the_median_of_clear_scenes(sentinel2: Any, source: Any, request_of: Any) -> None:
    """By hand: of 1000, 1400 and 3000 it is 1400; one cloudy pixel leaves 1000 and 3000: 2000."""
    score = np.ones(SHAPE)
    score[0, 0] = 0.59
    scenes = [
        *sentinel2("a", "2020-01-03", 1000, 5000),
        *sentinel2("b", "2020-01-13", 1400, 4000, score=score),
        *sentinel2("c", "2020-01-23", 3000, 3500),
        *sentinel2("before", "2019-12-31", 9, 9),
        *sentinel2("after", "2020-02-01", 9, 9),
    ]
    service = StandIn(scenes)
    with service.instead():
        scene = source().fetch(request_of())
    found = _arrays(scene)
    assert found["B4"].dtype == np.uint16
    assert found["B4"][0, 0] == 2000
    assert (found["B4"].flat[1:] == 1400).all()
    assert found["B8"][0, 0] == 4250
    assert scene.record["n_scenes"] == 3
    assert [part["id"] for part in scene.record["scenes"]] == [f"{S2}/{i}" for i in "abc"]
    assert scene.record["valid_fraction"] == 1
    assert scene.record["baselines"] == ["05.09"]
    assert (service.count("value"), service.count("pixels")) == (1, 1)


def test_the_grid_of_the_request_is_ours(sentinel2: Any, source: Any, request_of: Any) -> None:
    service = StandIn(sentinel2("a", "2020-01-03", 1000, 5000))
    with service.instead():
        scene = source().fetch(request_of())
    (asked,) = service.bodies("pixels")
    grid = utm_grid(PLACE, 10)
    assert asked["grid"] == {
        "crsCode": "EPSG:32635",
        "dimensions": {"width": grid.width, "height": grid.height},
        "affineTransform": {
            "scaleX": 10.0,
            "shearX": 0.0,
            "translateX": grid.transform[2],
            "shearY": 0.0,
            "scaleY": -10.0,
            "translateY": grid.transform[5],
        },
    }
    assert asked["fileFormat"] == "NPY"
    assert asked["workloadTag"] == "pyveg"
    assert service.bodies("value")[0]["workloadTag"] == "pyveg"
    raster = scene.rasters["B4"]
    assert (raster.crs, raster.transform) == (grid.crs, grid.transform)
    assert raster.nodata == 0


def test_masked_pixels_are_0_and_counted(sentinel2: Any, source: Any, request_of: Any) -> None:
    score = np.ones(SHAPE)
    score[:10] = 0.0
    with StandIn(sentinel2("a", "2020-01-03", 1000, 5000, score=score)).instead():
        scene = source().fetch(request_of())
    found = _arrays(scene)["B4"]
    assert (found[:10] == 0).all()
    assert (found[10:] == 1000).all()
    assert scene.record["valid_fraction"] == pytest.approx(1 - 10 / SHAPE[0])


def test_no_cloud_mask_when_none_is_wanted(sentinel2: Any, source: Any, request_of: Any) -> None:
    with StandIn(sentinel2("a", "2020-01-03", 1000, 5000, score=0.0)).instead():
        found = _arrays(source().fetch(request_of(mask_cloud=False)))
    assert (found["B4"] == 1000).all()


def test_dark_pixels_are_not_missing(sentinel2: Any, source: Any, request_of: Any) -> None:
    with StandIn(sentinel2("a", "2020-01-03", 0, 5000)).instead():
        scene = source().fetch(request_of())
    assert (_arrays(scene)["B4"] == 1).all()
    assert scene.record["valid_fraction"] == 1


def test_a_scene_without_a_score_is_masked_and_counted(
    sentinel2: Any, source: Any, request_of: Any
) -> None:
    scenes = [
        *sentinel2("a", "2020-01-03", 1000, 5000),
        *sentinel2("b", "2020-01-13", 9000, 9000, score=None),
    ]
    with StandIn(scenes).instead():
        scene = source().fetch(request_of())
    assert (_arrays(scene)["B4"] == 1000).all()
    assert scene.record["n_scenes_without_score"] == 1
    assert scene.record["scenes"][1]["scored"] is False


def test_cloudy_scenes_are_left_out(sentinel2: Any, source: Any, request_of: Any) -> None:
    scenes = [
        *sentinel2("a", "2020-01-03", 1000, 5000, cloud=49.9),
        *sentinel2("b", "2020-01-13", 9000, 9000, cloud=50.0),
        *sentinel2("c", "2020-01-14", 1000, 5000, cloud=None),
    ]
    with StandIn(scenes).instead():
        scene = source().fetch(request_of())
    assert scene.record["n_scenes"] == 2
    assert scene.record["n_cloudy_scenes"] == 1
    assert [part["cloud"] for part in scene.record["scenes"]] == [49.9, None]


def test_a_misspelt_flag_is_told(sentinel2: Any, source: Any, request_of: Any) -> None:
    with (
        StandIn(sentinel2("a", "2020-01-03", 1000, 5000, cloud=90.0)).instead(),
        pytest.raises(DataError, match='"CLOUDY" is no property of the 1 scenes'),
    ):
        source().fetch(request_of(cloudy_pix_flag="CLOUDY"))


def test_another_flag(sentinel2: Any, source: Any, request_of: Any) -> None:
    """Any property will do, here one of the facts."""
    scenes = sentinel2("a", "2020-01-03", 1000, 5000, cloud=90.0)
    scenes[0] = replace(scenes[0], properties={**scenes[0].properties, "HAZE": 60.0})
    with StandIn(scenes).instead():
        request = request_of(cloudy_pix_flag="HAZE", cloudy_pix_frac=70.0)
        assert source().fetch(request).record["scenes"][0]["cloud"] == 60.0
        with pytest.raises(SkipItem, match="50 % cloud or more"):
            source().fetch(request_of(cloudy_pix_flag="HAZE"))


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ([], "no scene was taken in 2020-01-01..2020-02-01"),
        ([{"cloud": 90.0}], "1 scenes have 50 % cloud or more"),
        ([{"score": None}], "none of 1 scenes has a cloud score yet"),
        ([{"score": 0.1}], "clouds mask every pixel of 1 scenes"),
    ],
)
def test_dates_without_an_image_say_why(
    sentinel2: Any, source: Any, request_of: Any, made: list[Any], reason: str
) -> None:
    scenes = [s for i, how in enumerate(made) for s in sentinel2(f"{i}", "2020-01-03", 1, 1, **how)]
    service = StandIn(scenes)
    with service.instead():
        for _ in range(2):
            with pytest.raises(SkipItem, match=reason):
                source().fetch(request_of())
    assert service.count("value") == 1, "that there is nothing is an answer, and kept"


def test_tiles_of_one_overpass_count_once(sentinel2: Any, source: Any, request_of: Any) -> None:
    """Of 1000 twice on one day and 3000 on another the median is 2000, not 1000; where one tile is
    masked the other one counts."""
    score = np.ones(SHAPE)
    score[0, 0] = 0.0
    scenes = [
        *sentinel2("a", "2020-01-03T08:33:31", 1000, 5000),
        *sentinel2("b", "2020-01-03T08:33:45", 1000, 5000, score=score),
        *sentinel2("c", "2020-01-13T08:33:31", 3000, 5000),
    ]
    with StandIn(scenes).instead():
        scene = source().fetch(request_of())
    assert (_arrays(scene)["B4"] == 2000).all()
    assert (scene.record["n_scenes"], scene.record["n_days"]) == (3, 2)
    assert scene.record["scenes"][0]["taken"] == "2020-01-03T08:33:31+00:00"


def test_a_day_is_that_of_the_place(sentinel2: Any, source: Any, request_of: Any) -> None:
    """Far in the east, midnight of UTC falls into the morning overpass."""
    east = Place(172.6, -43.5, 0.004)
    scenes = [
        *sentinel2("a", "2020-01-03T23:59:50", 1000, 5000, place=east),
        *sentinel2("b", "2020-01-04T00:00:05", 1000, 5000, place=east),
    ]
    with StandIn(scenes).instead():
        scene = source().fetch(request_of(place=east))
    assert (scene.record["n_scenes"], scene.record["n_days"]) == (2, 1)


def test_scenes_are_found_by_the_region_not_its_centre(
    sentinel2: Any, source: Any, request_of: Any
) -> None:
    """A scene over a neighbouring place that covers only a corner of ours counts."""
    beside = Place(27.9535, 11.57, 0.004)
    far = Place(28.1, 11.57, 0.004)
    scenes = [
        *sentinel2("beside", "2020-01-03", 1000, 5000, place=beside),
        *sentinel2("far", "2020-01-03", 1000, 5000, place=far),
    ]
    with StandIn(scenes).instead():
        scene = source().fetch(request_of())
    assert scene.record["n_scenes"] == 1
    assert 0 < scene.record["valid_fraction"] < 0.5


def _landsat(
    folder: Any, collection: str, index: str, red: float, nir: float, **qa: Any
) -> list[Any]:
    """A scene whose reflectance is known; numbers by the scale and offset of the catalogue."""
    first = 4 if "LC" in collection else 3
    grid = utm_grid(PLACE, 10)
    values = {f"SR_B{first}": red, f"SR_B{first + 1}": nir}
    bands: dict[str, Any] = {
        name: np.full(grid.shape, round((value + 0.2) / 2.75e-5), np.uint16)
        for name, value in values.items()
    }
    bands["QA_PIXEL"] = np.broadcast_to(np.asarray(qa.get("pixel", 1 << 6), np.uint16), grid.shape)
    bands["QA_RADSAT"] = np.broadcast_to(np.asarray(qa.get("radsat", 0), np.uint16), grid.shape)
    bands = {name: array.copy() for name, array in bands.items()}
    day = f"2020-01-{3 + len(index):02d}"
    return [write_scene(folder, collection, index, day, bands, grid, CLOUD_COVER=5.0)]


def _collection(name: str) -> Collection:
    return Collection("L", name, "vegetation", "earth_engine")


@pytest.mark.parametrize(
    ("name", "bands"),
    [(L8, ("SR_B4", "SR_B5")), (L9, ("SR_B4", "SR_B5")), (L7, ("SR_B3", "SR_B4"))],
)
def test_landsat_ndvi_is_that_of_reflectance(
    tmp_path: Any, source: Any, request_of: Any, name: str, bands: tuple[str, str]
) -> None:
    red, nir = 0.05, 0.35
    with StandIn(_landsat(tmp_path, name, "a", red, nir)).instead():
        scene = source().fetch(request_of(_collection(name), bands={b: b for b in bands}))
    found = _arrays(scene)
    assert found[bands[0]] == pytest.approx(1e4 * red, abs=1)
    values = ndvi(found[bands[1]], found[bands[0]])
    np.testing.assert_allclose(values, (nir - red) / (nir + red), atol=1e-3)


@pytest.mark.parametrize(
    ("qa", "kept"),
    [
        ({"pixel": 1 << 6}, True),
        ({"pixel": 1 << 7}, True),
        ({"pixel": 1 << 5}, True),
        *[({"pixel": 1 << bit}, False) for bit in range(5)],
        ({"radsat": 1 << 3}, False),
        ({"radsat": 1 << 4}, False),
        ({"radsat": 1 << 2}, True),
    ],
)
def test_landsat_masks(tmp_path: Any, source: Any, request_of: Any, qa: Any, kept: bool) -> None:
    grid = utm_grid(PLACE, 10)
    values = {name: np.full(grid.shape, value) for name, value in qa.items()}
    for name, value in values.items():
        value[1:] = 1 << 6 if name == "pixel" else 0
    with StandIn(_landsat(tmp_path, L8, "a", 0.05, 0.35, **values)).instead():
        scene = source().fetch(request_of(_collection(L8), bands={"SR_B4": "SR_B4"}))
    found = _arrays(scene)["SR_B4"]
    assert (found[0] > 0).all() == kept
    assert (found[1:] > 0).all()


def test_two_satellites_of_one_sensor_may_be_joined(
    tmp_path: Any, source: Any, request_of: Any
) -> None:
    scenes = [
        *_landsat(tmp_path, L8, "a", 0.05, 0.35),
        *_landsat(tmp_path, L9, "bb", 0.15, 0.45),
    ]
    bands = {"SR_B4": "SR_B4", "SR_B5": "SR_B5"}
    with StandIn(scenes).instead():
        scene = source(with_collections=(L9,)).fetch(request_of(_collection(L8), bands=bands))
    found = _arrays(scene)
    assert found["SR_B4"] == pytest.approx(1000, abs=1)
    assert found["SR_B5"] == pytest.approx(4000, abs=1)
    assert scene.record["collections"] == {L8: 1, L9: 1}


def test_other_sensors_are_refused_unless_asked_for(
    tmp_path: Any, source: Any, request_of: Any
) -> None:
    scenes = [
        *_landsat(tmp_path, L8, "a", 0.05, 0.35),
        *_landsat(tmp_path, L7, "bb", 0.15, 0.45),
    ]
    request = request_of(_collection(L8), bands={"SR_B4": "SR_B4", "SR_B5": "SR_B5"})
    dates = DateRange(date(2020, 1, 1), date(2020, 2, 1))
    with pytest.raises(ConfigError, match="set mixed_sensors = True"):
        source(with_collections=(L7,)).items(request.collection, PLACE, dates)
    with StandIn(scenes).instead():
        scene = source(with_collections=(L7,), mixed_sensors=True).fetch(request)
    assert _arrays(scene)["SR_B4"] == pytest.approx(1000, abs=1)
    assert scene.record["collections"] == {L8: 1, L7: 1}
    assert {part["id"] for part in scene.record["scenes"]} == {f"{L8}/a", f"{L7}/bb"}


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ((S2,), "are not of one sensor and level"),
        ((L8,), "cannot have"),
        (("ECMWF/ERA5_LAND/DAILY_AGGR",), "cannot have"),
        (("LANDSAT/LC09/C02/T1_L3",), 'did you mean "LANDSAT/LC09/C02/T1_L2"'),
        (("COPERNICUS/S2",), "deprecated"),
    ],
)
def test_impossible_mixtures(source: Any, request_of: Any, others: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        source(with_collections=others).fingerprint(request_of(_collection(L8)))


def test_a_band_that_the_other_sensor_has_not(source: Any, request_of: Any, sentinel2: Any) -> None:
    mixed = {"with_collections": (L8,), "mixed_sensors": True}
    with (
        StandIn(sentinel2("a", "2020-01-03", 1, 1)).instead(),
        pytest.raises(ConfigError, match='no band that matches "B5"'),
    ):
        source(**mixed).fetch(request_of(bands={"B5": "B5"}))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("COPERNICUS/S2", '"COPERNICUS/S2" is deprecated; use "COPERNICUS/S2_SR_HARMONIZED"'),
        ("COPERNICUS/S2_SR", "not harmonised"),
        ("LANDSAT/LC08/C01/T1_SR", 'removed; use "LANDSAT/LC08/C02/T1_L2"'),
        ("ECMWF/ERA5/DAILY", 'frozen in 2020; use "ECMWF/ERA5_LAND/DAILY_AGGR"'),
        ("LANDSAT/LC08/C02/T1_L", 'did you mean "LANDSAT/LC08/C02/T1_L2"'),
    ],
)
def test_retired_and_unknown_ids(source: Any, name: str, message: str) -> None:
    dates = DateRange(date(2020, 1, 1), date(2020, 2, 1))
    with pytest.raises(ConfigError, match=message):
        source().items(_collection(name), PLACE, dates)


def test_items_keep_to_the_life_of_the_collection(source: Any) -> None:
    dates = DateRange(date(2011, 1, 1), date(2013, 1, 1))
    items = source().items(_collection("LANDSAT/LT05/C02/T1_L2"), PLACE, dates)
    assert items[-1] == item_of(DateRange(date(2012, 4, 1), date(2012, 5, 1)))
    assert len(items) == 16


def test_results_depend_on_settings_that_matter_only(source: Any, request_of: Any) -> None:
    request = request_of()
    plain = source().fingerprint(request)
    assert plain == source(max_requests=3, cache="none", project="x").fingerprint(request)
    assert plain != source(cloud_score=0.5).fingerprint(request)
    assert plain != source().fingerprint(request_of(_collection(L8)))


def test_a_workload_tag_that_would_be_refused(source: Any) -> None:
    with pytest.raises(ConfigError, match="lower-case letters"):
        source(workload_tag="My Tag")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_stack_of_scenes(
    tmp_path_factory: pytest.TempPathFactory, source: Any, request_of: Any, data: st.DataObject
) -> None:
    """Against a loop over pixels."""
    folder = tmp_path_factory.mktemp("stack")
    place = Place(27.95, 11.57, 0.0002)
    grid = utm_grid(place, 10)
    count = data.draw(st.integers(1, 5))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 12_000, (count, *grid.shape)).astype(np.uint16)
    scores = rng.choice([0.0, 0.55, 0.6, 0.65, 1.0], (count, *grid.shape)).astype(np.float32)
    clouds = rng.choice([0.0, 49.0, 50.0, 99.0], count)
    threshold = data.draw(st.sampled_from([0.0, 0.5, 0.6, 0.625, 1.0]))
    scenes = []
    for i in range(count):
        day = f"2020-01-{i + 1:02d}"
        facts = {"CLOUDY_PIXEL_PERCENTAGE": float(clouds[i])}
        scenes.append(write_scene(folder, S2, f"s{i}", day, {"B4": counts[i]}, grid, **facts))
        scenes.append(write_scene(folder, CLOUD_SCORE, f"s{i}", day, {"cs_cdf": scores[i]}, grid))
    expected = np.zeros(grid.shape, np.uint16)
    for pixel in np.ndindex(grid.shape):
        seen = sorted(
            int(counts[i][pixel])
            for i in range(count)
            if clouds[i] < 50 and float(scores[i][pixel]) >= threshold
        )
        if seen:
            middle = (seen[(len(seen) - 1) // 2] + seen[len(seen) // 2]) / 2
            expected[pixel] = max(1, math.floor(middle + 0.5))
    with StandIn(scenes).instead():
        made = source(cache="none", cloud_score=threshold)
        request = request_of(place=place, bands={"B4": "B4"})
        if not expected.any():
            with pytest.raises(SkipItem):
                made.fetch(request)
            return
        found = _arrays(made.fetch(request))["B4"]
    np.testing.assert_allclose(found, expected, atol=1)  # 1.0e-4 has no exact float
    assert ((found == 0) == (expected == 0)).all()
