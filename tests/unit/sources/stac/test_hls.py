"""Harmonized Landsat Sentinel-2: two collections, one series, through the real client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from pyveg.core import params
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.tasks import digest
from pyveg.earth.source import Scene
from pyveg.earth.types import DateRange
from pyveg.sources import hls
from pyveg.sources.stac.source import VERSION
from pyveg.sources.stac.times import may_be_in, within
from pyveg.testing.stac_world import StacWorld

Decode = Callable[[Scene], dict[str, np.ndarray]]
HLS = {
    "stac_collection": "hls2-l30",
    "with_collections": ("hls2-s30",),
    "mask": "fmask",
    "mask_band": "Fmask",
}
BANDS = ("B04", "B03", "B02", "B8A")
CLOUD, NEXT, SHADOW, SNOW, WATER, AEROSOL = (1 << bit for bit in (1, 2, 3, 4, 5, 7))


@pytest.fixture
def hls_world(world: StacWorld) -> StacWorld:
    """A world of 30 m, 200 pixels wide with the room around."""
    from pyveg.earth.types import Place

    world.scale, world.collection, world.empty = 30.0, "hls2-l30", ("hls2-s30",)
    world.place = Place(27.95, 11.57, 0.0432)
    return world


def _shape(world: StacWorld) -> tuple[int, int]:
    return world._extent("whole")[1]


def ndvi(bands: dict[str, np.ndarray], nir: str) -> np.ndarray:
    red = bands.get("B04", bands.get("red"))
    return np.asarray((bands[nir] - red) / (bands[nir] + red))


def _month(asker: Any, where: str, world: StacWorld, month: str, **settings: Any) -> Scene:
    asked = asker(where, **{**HLS, **settings})
    scene: Scene = asked.month(month, bands=BANDS, place=world.place, scale=30.0)
    return scene


def test_both_satellites_in_one_series(hls_world: StacWorld, asker: Any, decode: Decode) -> None:
    """Near infrared is band 5 of the one and 8A of the other; the truth comes out of either."""
    hls_world.add_hls("2021-12-05", code="L30")
    hls_world.add_hls("2022-01-05", code="S30")
    hls_world.add_hls("2022-02-05", code="L30", shift=-0.01)
    hls_world.add_hls("2022-02-15", code="S30", shift=0.01)
    assert max(_shape(hls_world)) == pytest.approx(200, abs=6)
    true, path = ndvi(hls_world.truth(), "nir"), str(hls_world.write_static())
    with hls_world.serve() as server:
        for where in (server.url, path):
            for month in ("2021-12", "2022-01"):
                found = decode(_month(asker, where, hls_world, month))
                np.testing.assert_allclose(ndvi(found, "B8A"), true, atol=1e-9)
            scene = _month(asker, where, hls_world, "2022-02")
            np.testing.assert_allclose(decode(scene)["B04"], hls_world.truth()["red"], atol=1e-9)
            assert scene.record["platforms"] == ["landsat-8", "sentinel-2a"]
            assert scene.record["collection"] == "hls2-l30, hls2-s30"
            assert {part["rule"] for part in scene.record["scenes"]} == {"product"}


def test_fmask_says_what_is_clear(hls_world: StacWorld, asker: Any, decode: Decode) -> None:
    shape = _shape(hls_world)
    bits = np.full(shape, WATER | AEROSOL, np.uint8)
    rows = dict(zip((CLOUD, NEXT, SHADOW, SNOW, 255), range(40, 140, 20), strict=True))
    for value, row in rows.items():
        bits[row : row + 20] = value
    hls_world.add_hls("2021-12-05", code="S30", bits=bits)
    with hls_world.serve() as server:
        found = decode(_month(asker, server.url, hls_world, "2021-12"))
        unmasked = asker(server.url, **HLS).month(
            "2021-12", bands=BANDS, place=hls_world.place, scale=30.0, mask_cloud=False
        )
    seen = np.isfinite(found["B04"])
    assert not seen[20:120].any()
    assert seen[:20].all()
    assert seen[120:].all()
    true = ndvi(hls_world.truth(), "nir")
    np.testing.assert_allclose(ndvi(found, "B8A")[seen], true[seen], atol=1e-9)
    # Without a mask clouds stay, and what was not seen is still missing.
    bare = np.isfinite(decode(unmasked)["B04"])
    assert bare[20:100].all()
    assert not bare[100:120].any()


def test_a_dark_pixel_is_no_missing_one(hls_world: StacWorld, asker: Any) -> None:
    """0 is a number of HLS; -9999 is none."""
    hls_world.add_hls("2021-12-05", shift=-0.1)  # blue of plants becomes 0 and less
    with hls_world.serve() as server:
        scene = _month(asker, server.url, hls_world, "2021-12")
    assert scene.record["valid_fraction"] == 1
    assert scene.record["clipped_fraction"] > 0


def test_a_name_with_two_meanings_is_refused(hls_world: StacWorld, asker: Any) -> None:
    hls_world.add_hls("2021-12-05", code="L30")
    hls_world.add_hls("2021-12-10", code="S30")
    with (
        hls_world.serve() as server,
        pytest.raises(ConfigError, match=r'"B05" is infrared .* write "B8A" for the infrared'),
    ):
        asker(server.url, **HLS).month(
            "2021-12", bands=("B04", "B05"), place=hls_world.place, scale=30.0
        )


def test_red_edge_of_sentinel2_alone(hls_world: StacWorld, asker: Any) -> None:
    hls_world.add_hls("2021-12-10", code="S30")
    alone = {**HLS, "stac_collection": "hls2-s30", "with_collections": ()}
    with hls_world.serve() as server:
        scene = asker(server.url, **alone).month(
            "2021-12", bands=("B04", "B05"), place=hls_world.place, scale=30.0
        )
    red, edge = (scene.rasters[name].array.astype(float) for name in ("B04", "B05"))
    truth = hls_world.truth()
    np.testing.assert_allclose(edge, (red + 1e4 * truth["nir"]) // 2, atol=1)


@pytest.mark.parametrize("other", ["sentinel-2-l2a", "landsat-c2-l2"])
def test_other_collections_are_not_joined(asker: Any, other: str) -> None:
    with pytest.raises(ConfigError, match=f'"{other}" cannot be in one series'):
        asker("https://stac.test", **{**HLS, "with_collections": (other,)})


def test_a_collection_that_is_not_there(hls_world: StacWorld, asker: Any) -> None:
    """Scenes of the first one must not hide that the second one has a wrong name."""
    hls_world.add_hls("2021-12-05")
    path = str(hls_world.write_static())
    with hls_world.serve() as server:
        for where in (server.url, path):
            with pytest.raises(ConfigError, match='has no collection "hls2-s300"'):
                _month(asker, where, hls_world, "2021-12", with_collections=("hls2-s300",))


def test_answers_of_one_collection_are_still_known(asker: Any) -> None:
    """The setting is no part of what an answer depends on, unless it is used."""
    given = {**HLS, "with_collections": ()}
    alone, both = (asker("https://stac.test", **chosen) for chosen in (given, HLS))
    plain = params.to_json(alone.source.settings, results_only=True)
    del plain["with_collections"]
    assert alone.fingerprint("2021-12") == digest([VERSION, plain, ""])
    assert both.fingerprint("2021-12") != alone.fingerprint("2021-12")


def _ranged(item: dict[str, Any], start: str | None, end: str | None) -> None:
    item["properties"]["datetime"] = None
    if start and end:
        item["properties"] |= {"start_datetime": start, "end_datetime": end}


def test_a_range_instead_of_a_moment(world: StacWorld, asker: Any) -> None:
    _ranged(world.add("2021-12-05"), "2021-12-05T08:30:00Z", "2021-12-05T08:30:15Z")
    _ranged(world.add("2021-12-10"), "2021-12-01T00:00:00Z", "2021-12-31T23:59:59Z")
    _ranged(world.add("2021-12-20"), "2021-12-20T00:00:00Z", "2022-01-04T00:00:00Z")
    _ranged(world.add("2021-12-25"), "2021-10-01T00:00:00Z", "2021-10-02T00:00:00Z")
    path = str(world.write_static())
    _ranged(world.add("2021-12-28"), None, None)
    with world.serve() as server:
        scene = asker(server.url).month("2021-12", bands=("red",))
        with pytest.raises(
            SkipItem, match=r"2 scenes .*, 1 without a time, 1 of a time that is lon"
        ):
            asker(server.url).month("2022-01", bands=("red",))
    walked = asker(path).month("2021-12", bands=("red",))
    for found in (scene, walked):
        assert [part["id"][-10:] for part in found.record["scenes"]] == ["2021-12-10", "2021-12-05"]
    assert scene.record["scenes"][1]["datetime"] == "2021-12-05T08:30:00Z/2021-12-05T08:30:15Z"
    longer = {"of a time that is longer than the period": ["S2A_whole_2021-12-20"]}
    assert walked.record["left_out"] == longer
    assert scene.record["left_out"] == {"without a time": ["S2A_whole_2021-12-28"], **longer}


def test_a_static_item_without_any_time_is_counted(world: StacWorld, asker: Any) -> None:
    """The client refuses to read it, which must not take the others away."""
    import json

    world.add("2021-12-05")
    world.add("2021-12-06")
    path = world.write_static()
    (file,) = path.parent.rglob("S2A_whole_2021-12-06.json")
    item = json.loads(file.read_text())
    item["properties"]["datetime"] = None
    file.write_text(json.dumps(item))
    scene = asker(str(path)).month("2021-12", bands=("red",))
    assert [part["id"] for part in scene.record["scenes"]] == ["S2A_whole_2021-12-05"]
    assert scene.record["left_out"] == {"without a time": ["S2A_whole_2021-12-06"]}


@pytest.mark.parametrize(
    ("start", "end", "inside", "maybe"),
    [
        ("2021-12-31T23:59:50Z", "2022-01-01T00:00:20Z", False, False),  # its middle is in January
        ("2021-12-31T23:59:30Z", "2022-01-01T00:00:20Z", True, True),
        ("2021-12-01T00:00:00Z", "2021-12-31T23:59:59Z", True, True),
        ("2021-11-30T00:00:00Z", "2021-12-02T00:00:00Z", False, True),
        ("2021-12-09T00:00:00Z", "2021-12-02T00:00:00Z", False, True),  # ends before it begins
        ("2022-01-01T00:00:00Z", "2022-02-02T00:00:00Z", False, False),
    ],
)
def test_ranges_at_the_edges_of_a_period(start: str, end: str, inside: bool, maybe: bool) -> None:
    scene = {"properties": {"datetime": None, "start_datetime": start, "end_datetime": end}}
    december = DateRange(date(2021, 12, 1), date(2022, 1, 1))
    assert (within(scene, december), may_be_in(scene, december)) == (inside, maybe)


def test_bands_of_landsat_are_called_as_those_of_sentinel2() -> None:
    scene = {
        "id": "HLS.L30.T35PNN.2021339T083000.v2.0",
        "assets": {name: {} for name in ["B04", "B05", "B06", "B07", "B09", "B10", "B11", "Fmask"]},
    }
    assert set(hls.renamed(scene)["assets"]) == {
        "B04",
        "B8A",
        "B11",
        "B12",
        "L30_B09",
        "L30_B10",
        "L30_B11",
        "Fmask",
    }
    other = {**scene, "id": "HLS.S30.T35PNN.2021339T083000.v2.0"}
    assert hls.renamed(other) is other


def test_sensors_of_other_products_stay_apart(world: StacWorld, asker: Any) -> None:
    world.add("2021-12-05")
    world.add("2021-12-06", properties={"platform": "landsat-8"}, name="other")
    with world.serve() as server, pytest.raises(DataError, match="of several platforms"):
        asker(server.url).month("2021-12")
