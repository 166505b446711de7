"""Finding scenes: by search, page by page, and in static catalogues."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError, ServiceAwayError, ServiceError, SkipItem
from pyveg.earth.types import Place
from pyveg.sources.stac import catalogue
from pyveg.sources.utm import utm_grid
from pyveg.testing.scenes import assert_same_rasters
from pyveg.testing.stac_world import PAGE_LIMIT, StacWorld

DAYS = ("02", "07", "12", "17", "22", "27")


def used(scene: Any) -> list[str]:
    return [found["id"] for found in scene.record["scenes"]]


@pytest.mark.parametrize("methods", [["GET"], ["POST"], ["GET", "POST"]])
def test_all_pages_are_turned(world: StacWorld, asker: Any, methods: list[str]) -> None:
    for day in (*DAYS, "01"):
        world.add(f"2021-12-{day}")
    world.add("2021-11-30", time="23:59:59.5")
    world.add("2022-01-01", time="00:00:00")
    assert len(DAYS) > PAGE_LIMIT
    with world.serve() as server:
        server.methods = methods
        found = used(asker(server.url).month("2021-12", bands=("red",)))
    assert found == [f"S2A_whole_2021-12-{day}" for day in ("01", *DAYS)]


def test_a_static_catalogue_gives_the_same(world: StacWorld, asker: Any) -> None:
    for day, cloud in zip(DAYS, (0.0, 0.2, 0.4, 0.9, 0.0, 0.1), strict=True):
        world.add(f"2021-12-{day}", cloud=cloud, baseline="05.10")
    world.add("2022-01-05")
    path = world.write_static()
    with world.serve() as server:
        searched = asker(server.url).month("2021-12")
    walked = asker(str(path)).month("2021-12")
    assert_same_rasters(walked.rasters, searched.rasters)
    assert used(walked) == used(searched)
    assert walked.record["left_out"] == searched.record["left_out"]


def test_a_static_catalogue_behind_http(world: StacWorld, asker: Any) -> None:
    world.add("2021-12-05")
    world.write_static()
    with world.serve() as server:
        address = f"{server.url}/files/static/catalog.json"
        assert used(asker(address).month("2021-12")) == ["S2A_whole_2021-12-05"]


def test_changes_of_a_static_catalogue_are_seen(world: StacWorld, asker: Any) -> None:
    """New scenes, and new contents of files; other months keep their answers."""
    world.add("2021-12-05")
    world.add("2022-02-05")
    path = world.write_static()
    one = asker(str(path), cache=str(world.folder / "cache"))
    first = one.fingerprint("2021-12"), one.fingerprint("2022-02")
    assert first == (one.fingerprint("2021-12"), one.fingerprint("2022-02"))
    assert used(one.month("2021-12")) == ["S2A_whole_2021-12-05"]
    world.add("2021-12-15")
    world.write_static()
    assert len(used(one.month("2021-12"))) == 2
    assert one.fingerprint("2021-12") != first[0]
    assert one.fingerprint("2022-02") == first[1]
    file = world.folder / "S2A_whole_2022-02-05" / "red.tif"
    os.utime(file, ns=(1, 1))
    assert one.fingerprint("2022-02") != first[1]


def test_another_collection_is_named(world: StacWorld, asker: Any) -> None:
    world.add("2021-12-05")
    path = world.write_static()
    with world.serve() as server:
        for where in (server.url, str(path)):
            with pytest.raises(ConfigError, match='has no collection "sentinel-1"'):
                asker(where, stac_collection="sentinel-1").month("2021-12")
        with pytest.raises(SkipItem):
            asker(server.url).month("2022-12")


def test_no_catalogue(world: StacWorld, asker: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no catalogue .*none\.json; give path as"):
        asker(str(tmp_path / "none.json")).month("2021-12")
    (tmp_path / "bad.json").write_text("[1, 2]")
    with pytest.raises(ConfigError, match=r"bad\.json is no STAC catalogue"):
        asker(str(tmp_path / "bad.json")).month("2021-12")
    with world.serve() as server, pytest.raises(ServiceError, match=r"does not have it .HTTP 404."):
        asker(f"{server.url}/nothing/here").month("2021-12")


def test_a_service_that_is_down(world: StacWorld, asker: Any) -> None:
    with world.serve() as server:
        url = server.url
        assert catalogue.title(asker(url).source.settings) == "test"
    with pytest.raises(ServiceAwayError, match="cannot be reached: it refuses connections"):
        catalogue.title(asker(url, retries=0).source.settings)
    with pytest.raises(ServiceAwayError, match=rf"{url} cannot be reached: .+; check the network"):
        asker(url, retries=1).month("2021-12")


@pytest.mark.parametrize(("status", "words"), [(429, "too many requests"), (502, "in trouble")])
def test_a_service_that_stays_in_trouble(
    world: StacWorld, asker: Any, status: int, words: str
) -> None:
    with (
        world.serve(lambda _, path: status if path == "/search" else None) as server,
        pytest.raises(ServiceError, match=words),
    ):
        asker(server.url, retries=2).month("2021-12")
    assert sum(path == "/search" for _, path, _, _ in server.requests) == 3


@given(st.floats(-180, 180, exclude_max=True), st.floats(-79, 79), st.floats(0.01, 0.3))
def test_the_box_holds_the_place(longitude: float, latitude: float, size: float) -> None:
    west, south, east, north = catalogue.box_of(utm_grid(Place(longitude, latitude, size), 100))
    assert -180 <= west <= 180
    assert -180 <= east <= 180
    assert south < latitude < north
    assert 0 < (longitude - west) % 360 < (east - west) % 360 < 20


@given(
    st.floats(-180, 180, exclude_max=True),
    st.floats(0.01, 3),
    st.floats(-180, 180, exclude_max=True),
    st.floats(0.01, 3),
)
def test_boxes_touch_across_the_edge_of_the_map(
    first: float, first_width: float, second: float, second_width: float
) -> None:
    def box(west: float, width: float) -> tuple[float, float, float, float]:
        return west, 0.0, (west + width + 180) % 360 - 180, 1.0

    distance = (second + second_width / 2 - first - first_width / 2 + 180) % 360 - 180
    reach = (first_width + second_width) / 2
    if abs(abs(distance) - reach) < 1e-6:
        return
    scene = {"bbox": list(box(first, first_width))}
    assert catalogue._touches(scene, box(second, second_width)) == (abs(distance) < reach)


def test_boxes_of_six_numbers() -> None:
    scene = {"bbox": [1, 2, -5, 3, 4, 5]}
    assert catalogue._touches(scene, (2.5, 3.5, 6, 7))
    assert not catalogue._touches(scene, (3.5, 3.5, 6, 7))
    assert not catalogue._touches(scene, (2.5, 4.5, 6, 7))
    assert catalogue._touches({"bbox": None}, (0, 0, 1, 1))
