"""The outline of a region as a mask of pixels, for rasters in metres and in degrees."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.warp import transform as reproject

from pyveg.core.errors import DataError
from pyveg.formats import Raster
from pyveg.modules.outline import inside, keep_inside


def _outline(*rings: list[list[float]]) -> str:
    return json.dumps({"type": "MultiPolygon", "coordinates": [[list(ring)] for ring in rings]})


def _box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _utm(
    longitude: float, latitude: float, zone: int, size: int = 60, south: bool = False
) -> Raster:
    """A raster of 10 m whose middle is at a point."""
    crs = CRS.from_epsg((32700 if south else 32600) + zone).to_string()
    (x,), (y,) = reproject("EPSG:4326", crs, [longitude], [latitude])
    array = np.full((size, size), 1000, np.uint16)
    return Raster(array, crs, (10.0, 0.0, x - size * 5, 0.0, -10.0, y + size * 5), 0)


def _centres(raster: Raster) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of all pixels, worked out one by one."""
    assert raster.crs is not None
    assert raster.transform is not None
    a, b, c, d, e, f = raster.transform
    rows, columns = np.indices(raster.array.shape) + 0.5
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    found = reproject(raster.crs, "EPSG:4326", x.ravel().tolist(), y.ravel().tolist())
    return tuple(np.array(part).reshape(raster.array.shape) for part in found)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("longitude", "latitude", "zone", "south"),
    [
        (27.95, 11.57, 35, False),
        (-67.5, -54.8, 19, True),
        (17.99, 70.0, 33, False),  # beside the border of two zones, far north
        (179.999, -16.8, 60, True),  # across 180 degrees
    ],
)
def test_pixels_are_inside_where_gdal_says_that_they_are(
    longitude: float, latitude: float, zone: int, south: bool
) -> None:
    raster = _utm(longitude, latitude, zone, south=south)
    x, y = _centres(raster)
    box = (longitude - 0.002, latitude - 0.0015, longitude + 0.0025, latitude + 0.001)
    found = inside(raster, _outline(_box(*box)))
    across = (x - longitude + 180) % 360 - 180
    expected = (across > -0.002) & (across < 0.0025) & (y > box[1]) & (y < box[3])
    # The edges of the outline are straight in one system and bent in the other by far less.
    assert (found != expected).sum() <= 2
    assert 0 < found.sum() < found.size


def test_rasters_in_degrees_on_either_side_of_180() -> None:
    array = np.ones((40, 40), np.float32)
    east = Raster(array, "EPSG:4326", (0.001, 0, 179.98, 0, -0.001, -16.98))
    west = Raster(array, "EPSG:4326", (0.001, 0, -180.02, 0, -0.001, -16.98))
    cut = _outline(_box(179.99, -17, 180, -16.99), _box(-180, -17, -179.99, -16.99))
    drawn = _outline(_box(179.99, -17, 180.01, -16.99))
    for raster in (east, west):
        for outline in (cut, drawn):
            mask = inside(raster, outline)
            assert mask.sum() == 20 * 10
            assert mask[10:20, 10:30].all()


def test_holes_are_outside() -> None:
    raster = _utm(27.95, 11.57, 35)
    outer, hole = _box(27.94, 11.56, 27.96, 11.58), _box(27.949, 11.569, 27.951, 11.571)
    whole = inside(raster, json.dumps({"type": "Polygon", "coordinates": [outer]}))
    holed = inside(raster, json.dumps({"type": "Polygon", "coordinates": [outer, hole]}))
    assert whole.all()
    assert not holed[30, 30]
    assert holed[0, 0]


def test_what_is_outside_is_no_measurement_of_either_kind() -> None:
    raster = _utm(27.95, 11.57, 35)
    floats = Raster(raster.array / np.float32(10_000), raster.crs, raster.transform)
    outline = _outline(_box(27.95, 11.5, 28.0, 11.6))
    kept, share = keep_inside({"B4": raster, "NDVI": floats}, outline)
    mask = inside(raster, outline)
    assert share == pytest.approx(mask.mean())
    assert kept["B4"].array.dtype == np.uint16
    assert kept["NDVI"].array.dtype == np.float32
    assert (kept["B4"].array == np.where(mask, 1000, 0)).all()
    assert (np.isnan(kept["NDVI"].array) == ~mask).all()
    assert keep_inside({"B4": raster}, "") == ({"B4": raster}, 1.0)


def test_an_outline_that_is_elsewhere_names_both_places() -> None:
    with pytest.raises(DataError, match="is outside of the image") as caught:
        inside(_utm(27.95, 11.57, 35), _outline(_box(14.5, 45.8, 14.6, 45.9)))
    assert "longitude 14.55, latitude 45.85" in caught.value.wrong
    assert "longitude 27.9472 to 27.9528" in caught.value.wrong
    with pytest.raises(DataError, match="no georeferencing"):
        inside(Raster(np.ones((4, 4))), _outline(_box(0, 0, 1, 1)))
