"""Scale and offset of scenes, as catalogues state them rightly, wrongly and not at all."""

from __future__ import annotations

from typing import Any

import pytest

from pyveg.core.errors import ConfigError
from pyveg.sources.stac.radiometry import (
    DoubtError,
    Radiometry,
    band_metadata,
    band_number,
    baseline_text,
    platform,
    radiometry,
)
from pyveg.sources.stac.settings import StacSettings, check

AUTO = StacSettings(stac_collection="x")
EARTH_SEARCH = StacSettings(stac_collection="x", offset_rule="earth_search")


def sentinel(
    baseline: str | None, stated: float | None = None, applied: bool | None = None, **more: Any
) -> dict[str, Any]:
    about: dict[str, Any] = {"platform": "sentinel-2b", **more}
    if baseline:
        about["s2:processing_baseline"] = baseline
    if applied is not None:
        about["earthsearch:boa_offset_applied"] = applied
    asset: dict[str, Any] = {"href": "B04.tif"}
    if stated is not None:
        asset["raster:bands"] = [{"scale": 0.0001, "offset": stated}]
    return {"id": "S2B_35PNN_20220201_0_L2A", "properties": about, "assets": {"red": asset}}


@pytest.mark.parametrize(
    ("item", "offset", "rule"),
    [
        # Planetary Computer: nothing is stated
        (sentinel("02.12"), 0.0, "baseline"),
        (sentinel("03.01"), 0.0, "baseline"),
        (sentinel("04.00"), -0.1, "baseline"),
        (sentinel("05.10"), -0.1, "baseline"),
        # Earth Search, collection 1: stated, and not applied
        (sentinel("05.00", -0.1, applied=False), -0.1, "stated"),
        # Earth Search: applied, whatever is stated beside it
        (sentinel("04.00", -0.1, applied=True), 0.0, "flag"),
        (sentinel("05.11", 0.0, applied=True), 0.0, "flag"),
        (sentinel(None, -0.1), -0.1, "stated"),
        (
            sentinel(None, None, None, **{"s2:product_uri": "S2B_MSIL2A_X_N0510_R1"}),
            -0.1,
            "baseline",
        ),
    ],
)
def test_sentinel2(item: dict[str, Any], offset: float, rule: str) -> None:
    assert radiometry(item, "red", AUTO) == Radiometry(1e-4, offset, rule)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (sentinel(None), "no processing baseline"),
        (sentinel("04.00", 0.0), "states no offset, which its baseline has"),
        (sentinel("03.01", -0.1), "states the offset -0.1, which its baseline has not"),
    ],
)
def test_a_contradiction_is_no_answer(item: dict[str, Any], words: str) -> None:
    with pytest.raises(DoubtError, match=words):
        radiometry(item, "red", AUTO)


@pytest.mark.parametrize(
    ("item", "offset", "rule"),
    [
        (sentinel("04.00", -0.1, applied=True), 0.0, "flag"),
        (sentinel("03.01", -0.1, applied=False), 0.0, "baseline"),
        (sentinel("03.01", 0.0), 0.0, "baseline"),
    ],
)
def test_earth_search(item: dict[str, Any], offset: float, rule: str) -> None:
    assert radiometry(item, "red", EARTH_SEARCH) == Radiometry(1e-4, offset, rule)


def test_earth_search_is_known_by_any_name() -> None:
    address = "https://earth-search.aws.element84.com/v1/"
    for catalogue in ("earth_search", address):
        settings = StacSettings(catalogue=catalogue, stac_collection="sentinel-2-l2a")
        with pytest.raises(DoubtError, match="denies"):
            radiometry(sentinel("05.11", -0.1, applied=False), "red", settings)
        settings = StacSettings(catalogue=catalogue, stac_collection="sentinel-2-c1-l2a")
        assert radiometry(sentinel("05.11", -0.1, applied=False), "red", settings).offset == -0.1


@pytest.mark.parametrize(
    ("settings", "signed"),
    [
        ({"catalogue": "planetary_computer"}, True),
        ({"catalogue": "https://planetarycomputer.microsoft.com/api/stac/v1"}, True),
        ({"catalogue": "planetary_computer", "path": "catalog.json"}, False),
        ({"catalogue": "earth_search"}, False),
        ({"catalogue": "https://host/v1"}, False),
        ({"catalogue": "https://host/v1", "sign_url": "https://host/token"}, True),
    ],
)
def test_who_wants_signatures(settings: dict[str, str], signed: bool) -> None:
    assert bool(StacSettings(stac_collection="x", **settings).signing) == signed


@pytest.mark.parametrize("applied", [False, None])
def test_earth_search_is_not_believed_when_it_denies(applied: bool | None) -> None:
    with pytest.raises(DoubtError, match="denies that the offset is applied"):
        radiometry(sentinel("05.11", -0.1, applied), "red", EARTH_SEARCH)
    with pytest.raises(DoubtError, match="no processing baseline"):
        radiometry(sentinel(None, -0.1, applied), "red", EARTH_SEARCH)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Sentinel-2B", "sentinel-2b"), ("LANDSAT_8", "landsat-8"), (None, "unknown")],
)
def test_platforms_are_written_in_several_ways(written: str | None, meant: str) -> None:
    assert platform({"id": "x", "properties": {"platform": written}}) == meant


def test_landsat_states_its_own() -> None:
    asset = {"href": "x", "raster:bands": [{"scale": 2.75e-05, "offset": -0.2}]}
    item = {"id": "LC08", "properties": {"platform": "landsat-8"}, "assets": {"red": asset}}
    assert radiometry(item, "red", AUTO) == Radiometry(2.75e-5, -0.2, "stated")


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("any", {"landsat:collection_number": "02"}),
        ("LC08_L2SP_186053_20200101_02_T1", {}),
        ("LC08_L2SP_186053_20200101_20200823_02_T1", {}),
    ],
)
def test_landsat_collection_2_is_known(name: str, about: dict[str, Any]) -> None:
    item = {"id": name, "properties": about, "assets": {"red": {"href": "x"}}}
    assert radiometry(item, "red", AUTO) == Radiometry(2.75e-5, -0.2, "product")


def test_landsat_collection_1_is_not_known() -> None:
    about = {"landsat:collection_number": "01"}
    item = {"id": "x", "properties": about, "assets": {"red": {"href": "x"}}}
    with pytest.raises(DoubtError, match='no scale for "red"; give offset_rule = "fixed"'):
        radiometry(item, "red", AUTO)


def test_fixed_by_the_user() -> None:
    settings = StacSettings(
        stac_collection="x", offset_rule="fixed", value_scale=0.01, value_offset=0.5
    )
    check(settings)
    assert radiometry(sentinel("04.00"), "red", settings) == Radiometry(0.01, 0.5, "fixed")


@pytest.mark.parametrize(
    "asset",
    [
        {"raster:bands": [{"scale": 2, "offset": 3, "nodata": 4}]},
        {"bands": [{"raster:scale": 2, "raster:offset": 3, "nodata": 4}]},
        {"raster:scale": 2, "raster:offset": 3, "nodata": 4},
    ],
)
def test_both_generations_of_stac(asset: dict[str, Any]) -> None:
    item = {"id": "x", "properties": {}, "assets": {"red": asset}}
    assert band_metadata(item, "red") == {"scale": 2, "offset": 3, "nodata": 4}


def test_baselines_are_written_as_esa_does() -> None:
    assert baseline_text(sentinel("04.00")) == "04.00"
    assert baseline_text(sentinel(None)) is None
    assert baseline_text(sentinel(None, **{"processing:version": "5.9"})) is None
    assert baseline_text(sentinel(None, **{"processing:version": "05.09"})) == "05.09"


@pytest.mark.parametrize(
    ("asset", "number"),
    [
        ({"href": "x", "eo:bands": [{"name": "OLI_B4"}]}, 4),
        ({"href": "x", "bands": [{"name": "TM_B3"}]}, 3),
        ({"href": "https://host/LE07_SR_B3.TIF?sig=1"}, 3),
        ({"href": "x"}, None),
    ],
)
def test_numbers_of_landsat_bands(asset: dict[str, Any], number: int | None) -> None:
    item = {"id": "x", "properties": {}, "assets": {"red": asset}}
    assert band_number(item, "red") == number


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"catalogue": "earthsearch"}, '"earthsearch" is unknown; write "earth_search"'),
        (
            {"offset_rule": "fixed", "value_scale": 1.0},
            "lacks the numbers; give value_scale and value_offset",
        ),
        ({"value_offset": 0.1}, 'act with offset_rule = "fixed" only'),
        (
            {"mask_band": ""},
            'mask = "scl" needs a band; set mask_band to its name, or set mask = "none"',
        ),
        ({"platforms": ("landsat-5", "landsat-8")}, r"mix the sensors \['OLI', 'TM'\]"),
        ({"mask": "qa_pixel"}, "platforms is empty, and Landsat"),
    ],
)
def test_settings_that_cannot_work(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check(StacSettings(stac_collection="x", **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"platforms": ("landsat-8", "landsat-9"), "mask": "qa_pixel"},
        {"platforms": ("landsat-5", "landsat-8"), "mixed_sensors": True},
        {"mask": "qa_pixel", "mixed_sensors": True},
        {"catalogue": "https://host/stac"},
        {"mask": "none", "mask_band": ""},
    ],
)
def test_settings_that_work(changes: dict[str, Any]) -> None:
    check(StacSettings(stac_collection="x", **changes))
