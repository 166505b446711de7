"""What a run left, for the packages of `pyveg[geo]`: xarray and GeoPandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyveg import formats
from pyveg.core.errors import DataError, MissingPackageError
from pyveg.runs.chip_shapes import ChipShape, collection_of_features

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    import xarray

NEEDS = "pyveg[geo]"
DEGREES = "EPSG:4326"


def data_cube(
    rasters: Mapping[pd.Timestamp, Mapping[str, formats.Raster]], name: str
) -> xarray.Dataset:
    """Rasters of several dates as one Dataset, with coordinates and reference system by CF.

    Parameters
    ----------
    rasters : mapping of Timestamp to mapping of str to Raster
        Date -> name -> pixels, all on one grid.
    name : str
        Of the collection, for messages.

    Returns
    -------
    xarray.Dataset
        A variable for each name with dimensions (time, y, x), y and x being centres of pixels, and
        ``spatial_ref`` as GDAL, rioxarray and odc-geo read it. Floats have NaN where there is no
        measurement, reflectance in integers has 0.

    Raises
    ------
    MissingPackageError
        If xarray is not installed.
    DataError
        If the rasters have no georeferencing, are turned, or do not lie on one grid.
    """
    try:
        import xarray
    except ImportError:
        raise MissingPackageError("rasters as xarray", NEEDS) from None
    first = next(raster for bands in rasters.values() for raster in bands.values())
    for date, bands in rasters.items():
        for band, raster in bands.items():
            _check_grid(raster, first, f"{name}, {date:%Y-%m-%d}, {band}")
    a, _, c, _, e, f = first.transform or (0, 0, 0, 0, 0, 0)
    height, width = first.array.shape
    coordinates = {
        "time": np.array([np.datetime64(date, "ns") for date in rasters]),
        "y": f + e * (np.arange(height) + 0.5),
        "x": c + a * (np.arange(width) + 0.5),
    }
    names = list(next(iter(rasters.values())))
    data = {
        band: (("time", "y", "x"), np.stack([bands[band].array for bands in rasters.values()]))
        for band in names
    }
    cube = xarray.Dataset(data, coordinates)
    cube["spatial_ref"] = _reference(first)
    for band in names:
        cube[band].attrs["grid_mapping"] = "spatial_ref"
    return cube.set_coords("spatial_ref")


def _reference(raster: formats.Raster) -> xarray.DataArray:
    import xarray
    from rasterio.crs import CRS
    from rasterio.transform import Affine

    gdal = Affine(*(raster.transform or ())).to_gdal()
    attributes = {
        "crs_wkt": CRS.from_user_input(raster.crs).to_wkt(),
        "GeoTransform": " ".join(map(repr, map(float, gdal))),
    }
    return xarray.DataArray(0, attrs=attributes)


def _check_grid(raster: formats.Raster, first: formats.Raster, what: str) -> None:
    if not raster.crs or not raster.transform:
        raise DataError(f"{what}: it has no georeferencing", "give georeferenced images")
    _, b, _, d, _, _ = raster.transform
    if b or d:
        raise DataError(f"{what}: its rows do not run along its axes", "warp the images first")
    grids = [(one.crs, one.transform, one.array.shape) for one in (raster, first)]
    if grids[0] != grids[1]:
        raise DataError(
            f"{what}: it lies on another grid than the first raster", "ask for dates of one grid"
        )


def chip_frame(shapes: Sequence[ChipShape]) -> geopandas.GeoDataFrame:
    """Chips as a GeoDataFrame in WGS 84, a row for each chip and date.

    Raises
    ------
    MissingPackageError
        If GeoPandas is not installed.
    """
    try:
        import geopandas
    except ImportError:
        raise MissingPackageError("chips as a GeoDataFrame", NEEDS) from None
    import pandas as pd

    features = collection_of_features(shapes)
    frame = geopandas.GeoDataFrame.from_features(features, crs=DEGREES)
    if "date" in frame:
        frame["date"] = pd.to_datetime(frame["date"])
    return frame
