"""Requests within the limit: every pixel once, and the whole is what it would have been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError, ServiceError
from pyveg.earth.types import Place
from pyveg.sources.earth_engine.cache import Cache, key_of
from pyveg.sources.earth_engine.tiles import MAX_BYTES, bytes_per_pixel, join, split
from pyveg.sources.grid import Grid
from pyveg.sources.utm import utm_grid
from pyveg.testing.earth_engine import Call, Fault, StandIn
from pyveg.testing.scenes import assert_same_scene

TRANSFORM = (10.0, 0.0, 500_000.0, 0.0, -10.0, 1_000_000.0)


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    pixel=st.integers(1, 20),
    limit=st.integers(20, 5000),
)
def test_every_pixel_is_in_one_tile(width: int, height: int, pixel: int, limit: int) -> None:
    grid = Grid("EPSG:32635", TRANSFORM, width, height)
    tiles = split(grid, pixel, limit)
    seen = np.zeros(grid.shape, dtype=int)
    for tile in tiles:
        rows, columns = tile.grid.shape
        assert rows * columns * pixel <= limit
        seen[tile.row : tile.row + rows, tile.column : tile.column + columns] += 1
        assert tile.grid.transform == (
            10.0,
            0.0,
            500_000.0 + 10 * tile.column,
            0.0,
            -10.0,
            1_000_000.0 - 10 * tile.row,
        )
    assert (seen == 1).all()
    assert (len(tiles) == 1) == (width * height * pixel <= limit)


@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    limit=st.integers(20, 3000),
    seed=st.integers(0, 99),
)
def test_joined_tiles_are_the_whole(width: int, height: int, limit: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = np.zeros((height, width), dtype=[("B4", "u2"), ("B8", "f4")])
    whole["B4"] = rng.integers(0, 65536, whole.shape)
    whole["B8"] = rng.random(whole.shape)
    tiles = split(Grid("EPSG:32635", TRANSFORM, width, height), 8, limit)
    parts = [
        whole[t.row : t.row + t.grid.height, t.column : t.column + t.grid.width] for t in tiles
    ]
    assert join(whole.shape, tiles, parts).tobytes() == whole.tobytes()


def test_bytes_as_the_service_counts_them() -> None:
    """The facts: four float32 bands cost 20 bytes a pixel, so at most 1,586 x 1,586 pixels."""
    pixel = bytes_per_pixel(["float32"] * 4)
    assert pixel == 20
    for side, tiles in ((1586, 1), (1587, 2)):
        assert len(split(Grid("EPSG:32635", TRANSFORM, side, side), pixel, MAX_BYTES)) == tiles


def test_long_sides_are_cut() -> None:
    tiles = split(Grid("EPSG:32635", TRANSFORM, 70_000, 3), 1)
    assert [tile.grid.width for tile in tiles] == [23_333, 23_333, 23_334]


def test_a_limit_below_one_pixel() -> None:
    with pytest.raises(ConfigError, match="less than one pixel"):
        split(Grid("EPSG:32635", TRANSFORM, 2, 2), 65, 64)


def test_a_tiled_region_equals_the_whole(sentinel2: Any, source: Any, request_of: Any) -> None:
    shape = utm_grid(Place(27.95, 11.57, 0.004), 10).shape
    rng = np.random.default_rng(1)
    scenes = [
        part
        for i in range(3)
        for part in sentinel2(
            f"{i}",
            f"2020-01-{i + 3:02d}",
            rng.integers(1, 9999, shape),
            rng.integers(1, 9999, shape),
            score=rng.random(shape),
        )
    ]
    limit = -(-shape[0] * shape[1] * 6 // 3)  # a third of what it takes
    service = StandIn(scenes)
    with service.instead():
        whole = source(cache="none").fetch(request_of())
        assert service.count("pixels") == 1
        tiled = source(cache="none", max_request_bytes=limit).fetch(request_of())
    assert service.count("pixels") == 1 + 3
    assert_same_scene(tiled, whole)


@pytest.mark.slow
def test_three_times_the_true_limit(sentinel2: Any, source: Any, request_of: Any) -> None:
    """The stand-in refuses more than 48 MiB, as the service does."""
    place = Place(27.95, 0.0, 0.45)  # 5010 x 5010 pixels of 6 bytes: 151 MB
    shape = utm_grid(place, 10).shape
    assert 2.9 < shape[0] * shape[1] * 6 / MAX_BYTES < 3.1
    rng = np.random.default_rng(1)
    red, nir = rng.integers(1, 9999, (2, *shape))
    service = StandIn(sentinel2("a", "2020-01-03", red, nir, place=place))
    with service.instead():
        scene = source(cache="none").fetch(request_of(place=place))
    assert service.count("pixels") in {3, 4}
    np.testing.assert_array_equal(scene.rasters["B4"].array, red)
    np.testing.assert_array_equal(scene.rasters["B8"].array, nir)


def test_tiles_that_came_are_not_asked_again(sentinel2: Any, source: Any, request_of: Any) -> None:
    """A request that fails half way goes on where it was."""
    scenes = sentinel2("a", "2020-01-03", 1000, 5000)
    settings = {"max_request_bytes": 2000}

    def third(call: Call, number: int) -> Fault | None:
        heavy = (call.kind, number) == ("pixels", 3)
        return Fault(400, "User memory limit exceeded.") if heavy else None

    first, second = StandIn(scenes, faults=third), StandIn(scenes)
    with first.instead(), pytest.raises(ServiceError, match="smaller tiles"):
        source(**settings).fetch(request_of())
    with second.instead():
        source(**settings).fetch(request_of())
    tiles = len(split(utm_grid(Place(27.95, 11.57, 0.004), 10), 6, 2000))
    assert (first.count("pixels"), second.count("pixels")) == (2, tiles - 1)


def test_what_was_asked_once_is_not_asked_again(
    sentinel2: Any, source: Any, request_of: Any
) -> None:
    service, nobody = StandIn(sentinel2("a", "2020-01-03", 1000, 5000)), StandIn()
    with service.instead():
        first = source().fetch(request_of())
    with nobody.instead(fresh=True):
        again = source().fetch(request_of())
    assert nobody.calls == [], "not even to start the client"
    assert_same_scene(again, first)


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": 20.0},
        {"bands": {"B4": "B4"}},
        {"place": Place(27.9501, 11.57, 0.004)},
        {"mask_cloud": False},
    ],
    ids=str,
)
def test_another_request_is_another_question(
    sentinel2: Any, source: Any, request_of: Any, changes: Any
) -> None:
    service = StandIn(sentinel2("a", "2020-01-03", 1000, 5000))
    with service.instead():
        source().fetch(request_of())
        source().fetch(request_of(**changes))
    assert service.count("pixels") == 2


def test_a_recent_period_is_asked_again_after_a_day(
    sentinel2: Any, source: Any, request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scenes may still come; the pixels are asked again only if some have."""
    from datetime import timedelta

    from pyveg.sources.earth_engine import source as module

    monkeypatch.setattr(module, "SETTLED", timedelta(days=36_500))
    service = StandIn(sentinel2("a", "2020-01-03", 1000, 5000))
    with service.instead():
        source().fetch(request_of())
        source().fetch(request_of())
        assert service.count("value") == 1
        monkeypatch.setattr(module, "FRESH", timedelta(0))
        source().fetch(request_of())
        assert (service.count("value"), service.count("pixels")) == (2, 1)
        service.scenes += sentinel2("b", "2020-01-09", 3000, 5000)
        assert source().fetch(request_of()).record["n_scenes"] == 2
        assert (service.count("value"), service.count("pixels")) == (3, 2)


def test_a_damaged_answer_counts_as_missing(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    array = np.zeros((2, 3), dtype=[("B4", "u2")])
    cache.write_array("k1", array)
    cache.write_json("k2", {"a": 1})
    found = cache.read_array("k1")
    assert found is not None
    assert found.dtype == array.dtype
    assert cache.read_json("k2") == {"a": 1}
    for file in tmp_path.glob("*/k*"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert cache.read_array("k1") is None
    assert cache.read_json("k2") is None
    assert cache.read_json("k3") is None


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = Cache(str(tmp_path / "file"))
    cache.write_json("k", 1)
    assert cache.read_json("k") is None
    assert Cache("").read_array("k") is None


def test_keys_do_not_depend_on_the_order_of_names() -> None:
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})
