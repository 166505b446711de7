"""The outline of a region as a mask: pixels outside of it are no measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import geometry_mask
from rasterio.transform import Affine, array_bounds
from rasterio.warp import transform_bounds, transform_geom

from pyveg.core.errors import DataError
from pyveg.core.values import read_json
from pyveg.earth import geojson
from pyveg.formats import Raster

_DEGREES = "EPSG:4326"


def inside(raster: Raster, outline: str) -> NDArray[np.bool_]:
    """Which pixels lie inside an outline, by their centres.

    Parameters
    ----------
    raster : Raster
    outline : str
        A GeoJSON geometry, degrees of WGS 84.

    Returns
    -------
    ndarray of bool, shape (H, W)

    Raises
    ------
    DataError
        If it has no georeferencing, or none of its pixels is inside.
    """
    if not raster.crs or not raster.transform:
        raise DataError(
            "the image has no georeferencing, so the region cannot be found in it",
            "give georeferenced images, or leave out region",
        )
    affine = Affine(*raster.transform)
    height, width = raster.array.shape
    bounds = array_bounds(height, width, affine)
    shape = transform_geom(_DEGREES, raster.crs, _beside(outline, raster.crs, bounds))
    mask: NDArray[np.bool_] = geometry_mask([shape], (height, width), affine, invert=True)
    if not mask.any():
        square = geojson.parse(outline, "the region").square
        west, south, east, north = transform_bounds(raster.crs, _DEGREES, *bounds)
        raise DataError(
            f"the region, {square.size:g} degrees around longitude {square.longitude:g}, latitude "
            f"{square.latitude:g}, is outside of the image, longitude {west:.4f} to {east:.4f}, "
            f"latitude {south:.4f} to {north:.4f}, or smaller than its pixels",
            "give the region of these images, or images of that region",
        )
    return mask


def _beside(outline: str, crs: str, bounds: tuple[float, ...]) -> dict[str, object]:
    """The outline on that side of 180 degrees where an image in degrees is."""
    shape: dict[str, object] = read_json(outline)
    if not CRS.from_user_input(crs).is_geographic:
        return shape
    middle = (bounds[0] + bounds[2]) / 2

    def moved(part: object) -> object:
        if isinstance(part, list) and part and isinstance(part[0], int | float):
            return [part[0] + 360 * math.floor((middle - part[0] + 180) / 360), *part[1:]]
        return [moved(one) for one in part] if isinstance(part, list) else part

    return {**shape, "coordinates": moved(shape["coordinates"])}


def keep_inside(rasters: Mapping[str, Raster], outline: str) -> tuple[dict[str, Raster], float]:
    """Rasters of one grid without what is outside of an outline.

    Parameters
    ----------
    rasters : mapping of str to Raster
        By name.
    outline : str
        A GeoJSON geometry, degrees of WGS 84; everything is inside where empty.

    Returns
    -------
    rasters : dict of str to Raster
        Pixels outside are 0 in integers and NaN in floats.
    share : float
        Share of pixels that are inside.

    Raises
    ------
    DataError
        As `inside` does.
    """
    if not outline:
        return dict(rasters), 1.0
    masks: dict[object, NDArray[np.bool_]] = {}
    kept = {}
    for name, raster in rasters.items():
        grid = (raster.crs, raster.transform, raster.array.shape)
        if grid not in masks:
            masks[grid] = inside(raster, outline)
        blank = np.nan if raster.array.dtype.kind == "f" else 0
        array = np.where(masks[grid], raster.array, blank).astype(raster.array.dtype)
        kept[name] = Raster(array, raster.crs, raster.transform, raster.nodata)
    first = next(iter(masks.values()))
    return kept, float(first.mean())
