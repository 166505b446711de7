"""Pixels over a place: metric, snapped, centred, covering."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError
from pyveg.earth.types import Place
from pyveg.formats import lonlat
from pyveg.sources.grid import METRES_PER_DEGREE, Grid, grid_of, utm_zone


@pytest.mark.parametrize(
    ("longitude", "latitude", "crs"),
    [
        (14.5578, 45.8705, "EPSG:32633"),
        (27.95, 11.57, "EPSG:32635"),
        (-70.7, -33.4, "EPSG:32719"),
        (-180, 0, "EPSG:32601"),
        (180, 0, "EPSG:32601"),
        (179.999, -1, "EPSG:32760"),
        (0, 0, "EPSG:32631"),
        (-0.001, -0.001, "EPSG:32730"),
    ],
)
def test_utm_zone(longitude: float, latitude: float, crs: str) -> None:
    assert utm_zone(longitude, latitude) == crs


def test_the_usual_region_at_the_equator() -> None:
    grid = grid_of(Place(11, 0, 0.08), 10)
    assert grid.shape == (891, 891)
    assert grid.scale == 10.0


def test_columns_are_fewer_away_from_the_equator() -> None:
    grid = grid_of(Place(14.5578, 60.0, 0.08), 10)
    assert (grid.height, grid.width) == (891, 446)


@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-79, 83),
    size=st.floats(0.0005, 0.5),
    scale=st.sampled_from([3.0, 10, 21, 30, 500]),
)
def test_any_grid(longitude: float, latitude: float, size: float, scale: float) -> None:
    place = Place(longitude, latitude, size)
    grid = grid_of(place, scale)
    a, b, c, d, e, f = grid.transform
    assert (a, b, d, e) == (scale, 0, 0, -scale)
    assert c % scale == 0
    assert f % scale == 0
    assert grid.height * scale >= size * METRES_PER_DEGREE - 1e-4 * scale
    width = size * METRES_PER_DEGREE * math.cos(math.radians(latitude))
    assert width - 1e-4 * scale <= grid.width * scale < width + scale
    centre = np.array([[grid.width / 2], [grid.height / 2]])
    ((found_lon, found_lat),) = lonlat(grid.crs, grid.transform, centre[0], centre[1])
    metres = METRES_PER_DEGREE * 1.01
    assert abs(found_lat - latitude) * metres <= scale
    east = (found_lon - longitude + 180) % 360 - 180
    assert abs(east) * metres * math.cos(math.radians(latitude)) <= scale
    assert grid == grid_of(place, scale)


def test_corners_lie_where_the_degrees_say() -> None:
    place = Place(27.95, 11.57, 0.08)
    grid = grid_of(place, 10)
    found = lonlat(grid.crs, grid.transform, np.array([0.0]), np.array([0.0]))
    np.testing.assert_allclose(found, [[27.91, 11.61]], atol=0.0007)


def test_neighbours_share_their_pixels() -> None:
    one, other = grid_of(Place(27.95, 11.57, 0.02), 10), grid_of(Place(27.96, 11.57, 0.02), 10)
    assert (other.transform[2] - one.transform[2]) % 10 == 0


def test_a_tiny_place_has_a_pixel() -> None:
    assert grid_of(Place(10.0, 50.0, 1e-6), 30).shape == (1, 1)


@pytest.mark.parametrize(
    ("place", "scale", "message"),
    [
        (Place(10, 89), 10, "not on the map"),
        (Place(181, 0), 10, "not on the map"),
        (Place(float("nan"), 0), 10, "not on the map"),
        (Place(10, 10, 0), 10, "region_size"),
        (Place(10, 10, -1), 10, "region_size"),
        (Place(10, 10, float("inf")), 10, "region_size"),
        (Place(10, 10), 0, "scale"),
        (Place(10, 10), float("nan"), "scale"),
        (
            Place(10, 10, 8.0),
            10,
            "deliver at most 32768 along a side; make it smaller or the scale coarser",
        ),
    ],
)
def test_impossible_places(place: Place, scale: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        grid_of(place, scale)


def test_shape_is_rows_then_columns() -> None:
    assert Grid("EPSG:32633", (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), 3, 2).shape == (2, 3)
