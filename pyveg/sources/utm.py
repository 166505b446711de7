"""The pixel grid that services are asked for: metres of the UTM zone of a place."""

from __future__ import annotations

from pyveg.earth.types import Place
from pyveg.sources.grid import Grid, grid_of


def utm_grid(place: Place, scale: float) -> Grid:
    """Lay square pixels over a place, in metres of its UTM zone.

    All Sources share this grid, so that the same place has the same pixels whatever the service.
    The corner lies on whole multiples of `scale`, so pixels of 10, 20, 30 or 60 m coincide with
    those of Sentinel-2, whose tiles begin on such multiples too; Landsat's pixels are centred on
    multiples of 30 m and lie half a pixel beside.

    Parameters
    ----------
    place : Place
        Its centre decides on the zone, its `region_size` on the extent.
    scale : float
        Length of a pixel's side, metres.

    Returns
    -------
    Grid
        CRS such as ``"EPSG:32634"``, affine transform (a, b, c, d, e, f), width and height.

    Raises
    ------
    ConfigError
        For coordinates that are not on the map, a size or scale that is not above 0, or more
        pixels than services deliver.
    """
    return grid_of(place, scale)
