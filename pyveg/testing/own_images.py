"""Images as people have them, written for tests: any CRS, tags, masks, and files beside."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

UTM33 = "EPSG:32633"
HERE = (10.0, 0.0, 465_180.0, 0.0, -10.0, 5_080_250.0)
"""Pixels of 10 m in Slovenia, at longitude 14.56, latitude 45.87."""
BANDS = ("B2", "B3", "B4", "B8")


def bands(shape: tuple[int, int] = (100, 100), seed: int = 0) -> dict[str, NDArray[np.uint16]]:
    """Reflectance x 10,000 of a patchy meadow, different in each chip; shape (H, W)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    green = 0.5 + 0.3 * np.sin(rows / 17 + seed) * np.cos(columns / 23) + 0.05 * rng.random(shape)
    reflectance = {
        "B2": 0.05 + 0.02 * (1 - green),
        "B3": 0.06 + 0.03 * green,
        "B4": 0.16 - 0.12 * green,
        "B8": 0.15 + 0.25 * green,
    }
    return {name: np.rint(values * 1e4).astype(np.uint16) for name, values in reflectance.items()}


def ndvi_of(images: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """By hand: (NIR - red) / (NIR + red)."""
    near, red = images["B8"].astype(float), images["B4"].astype(float)
    return np.asarray((near - red) / (near + red))


def write(
    path: Path,
    arrays: Sequence[NDArray[Any]] | NDArray[Any],
    *,
    crs: str | None = UTM33,
    transform: Sequence[float] | None = HERE,
    mask: NDArray[np.bool_] | None = None,
    mask_inside: bool = True,
    scale: float | None = None,
    offset: float = 0.0,
    unit: str = "",
    descriptions: Sequence[str] = (),
    gcps: Sequence[Any] = (),
    **profile: Any,
) -> Path:
    """Write an image as GDAL does.

    Parameters
    ----------
    path : Path
        Its folders are made.
    arrays : ndarray, shape (H, W), or several
        Bands.
    crs, transform
        None where the file states none.
    mask : ndarray of bool, shape (H, W), optional
        True where pixels are valid; kept in the file, or beside it as ``.msk``.
    scale, offset, unit, descriptions
        Tags of all bands.
    gcps : sequence of GroundControlPoint
        In place of a transform.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.transform import Affine

    stack = np.stack([arrays] if isinstance(arrays, np.ndarray) else list(arrays))
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"driver": "GTiff", "dtype": stack.dtype.name, "crs": crs, **profile}
    if transform is not None:
        given["transform"] = Affine(*transform)
    count, height, width = stack.shape
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=mask_inside),
        rasterio.open(path, "w", count=count, height=height, width=width, **given) as made,
    ):
        made.write(stack)
        if gcps:
            made.gcps = (list(gcps), crs)
        if scale is not None:
            made.scales, made.offsets = [scale] * count, [offset] * count
        if unit:
            made.units = [unit] * count
        for number, text in enumerate(descriptions, start=1):
            made.set_band_description(number, text)
        if mask is not None:
            made.write_mask(mask)
    return path


def write_date(
    root: Path,
    day: str,
    images: Mapping[str, NDArray[Any]],
    pattern: str = "{date}/RAW/download.{band}.tif",
    **more: Any,
) -> None:
    """Write each band of a date as a file of its own; `more` goes to `write`."""
    for band, array in images.items():
        name = pattern.replace("{date}", day).replace("{band}", band)
        write(root / name, array, **more)
