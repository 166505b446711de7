"""Comparing what Sources return."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pyveg.earth.source import Scene
from pyveg.formats import Raster


def assert_same_scene(actual: Scene, expected: Scene) -> None:
    """Fail unless two scenes have the same rasters and the same record.

    Parameters
    ----------
    actual, expected : Scene

    Raises
    ------
    AssertionError
        With what differs.
    """
    assert_same_rasters(actual.rasters, expected.rasters)
    assert dict(actual.record) == dict(expected.record)


def assert_same_rasters(actual: Mapping[str, Raster], expected: Mapping[str, Raster]) -> None:
    """Fail unless two sets of rasters have the same names, pixels and grids.

    Parameters
    ----------
    actual, expected : mapping of str to Raster
        By name; their order does not matter.

    Raises
    ------
    AssertionError
        With the name of the first raster that differs.
    """
    assert actual.keys() == expected.keys()
    for name, raster in actual.items():
        np.testing.assert_array_equal(raster.array, expected[name].array, err_msg=name)
        assert _about(raster) == _about(expected[name]), name


def _about(raster: Raster) -> tuple[object, ...]:
    """All of a raster but its pixels; its mark as text, because NaN does not equal itself."""
    mark = str(raster.nodata)
    return raster.array.dtype, raster.array.shape, raster.crs, raster.transform, mark
