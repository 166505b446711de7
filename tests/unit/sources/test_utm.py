"""The grid that services are asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import ConfigError
from pyveg.earth.types import Place
from pyveg.formats import lonlat
from pyveg.sources.utm import utm_grid


def test_a_known_place() -> None:
    """Central meridian of zone 34 on the equator: x is 500,000 m and y 0 there."""
    grid = utm_grid(Place(21.0, 0.0, 0.01), 10)
    assert grid.crs == "EPSG:32634"
    assert grid.transform == (10.0, 0.0, 499_440.0, 0.0, -10.0, 560.0)
    assert (grid.width, grid.height) == (112, 112)


@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-75, 75),
    size=st.floats(0.001, 0.1),
    scale=st.sampled_from([10.0, 20.0, 30.0, 60.0]),
)
def test_the_centre_is_in_the_middle_and_the_corner_on_whole_pixels(
    longitude: float, latitude: float, size: float, scale: float
) -> None:
    grid = utm_grid(Place(longitude, latitude, size), scale)
    assert grid.transform[2] % scale == 0
    assert grid.transform[5] % scale == 0
    ((lon, lat),) = lonlat(
        grid.crs, grid.transform, np.array([grid.width / 2]), np.array([grid.height / 2])
    )
    pixel = scale / 111_320
    assert abs(lat - latitude) <= pixel
    east = (lon - longitude + 180) % 360 - 180
    assert abs(east) * math.cos(math.radians(latitude)) <= pixel


def test_no_grid_at_the_poles() -> None:
    with pytest.raises(ConfigError, match="not on the map"):
        utm_grid(Place(10, 89), 10)
