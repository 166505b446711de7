"""From raw bands to pictures and chips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core import bulk
from pyveg.core.errors import ConfigError
from pyveg.core.module import Planning
from pyveg.core.params import setting
from pyveg.core.types import Item
from pyveg.earth.chips import SIZE, ChipGrid
from pyveg.earth.indices import IndexSettings, settled
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.kernels import images
from pyveg.modules import chips
from pyveg.modules.download import check_rgb
from pyveg.modules.index import check_shapes


@dataclass(frozen=True, kw_only=True)
class VegetationImageProcessorSettings(IndexSettings):
    """Settings of `VegetationImageProcessor`."""

    RGB_limits: tuple[float, float] | None = setting(
        None,
        doc="reflectance shown as black and as white, x 10,000, so that pictures of several "
        "dates can be compared; None: black is 0 and white the maximum of each date",
    )
    split_RGB_images: bool = setting(False, doc="write a picture of every chip too")
    max_masked_fraction: float = setting(
        0.05, doc="a chip is used if less than this share of it is masked", low=0, high=1
    )


class VegetationImageProcessor(EarthModule[VegetationImageProcessorSettings]):
    """Make the RGB, NDVI and black-and-white NDVI picture of each date, and lay out its chips.

    In the black-and-white picture white is bare soil (NDVI at or below that around it) and black
    is vegetation. Where the collection has another index it takes the place of NDVI.
    """

    Settings = VegetationImageProcessorSettings
    data_type = "vegetation"
    consumes: ClassVar[tuple[str, ...]] = ("rasters",)
    provides: ClassVar[tuple[str, ...]] = ("images",)

    @classmethod
    def settled(
        cls, settings: VegetationImageProcessorSettings, where: str, warn: Callable[[str], None]
    ) -> VegetationImageProcessorSettings:
        """With the formula of the index, as results tell it."""
        del warn
        if settings.RGB_limits is not None and settings.RGB_limits[0] >= settings.RGB_limits[1]:
            raise ConfigError(
                f"{where}: RGB_limits = {settings.RGB_limits} do not rise",
                "give the value shown as black, and a larger one shown as white",
            )
        if settings.RGB_bands:
            check_rgb(settings.RGB_bands, where)
        return settled(settings, where)

    def items(
        self, planning: Planning, settings: VegetationImageProcessorSettings
    ) -> Sequence[Item]:
        """Those of the downloader; images that are known to have no chip are refused now."""
        del settings
        for item in planning.before:
            _, _, width, height = item.details.get("grid", {}).get(
                "pixels", (None, None, SIZE, SIZE)
            )
            if min(width, height) < SIZE:
                raise ConfigError(
                    f'"{planning.scope.sequence}": the images are {width} x {height} pixels, '
                    f"smaller than a chip, {SIZE} x {SIZE}",
                    "give larger images, or leave out the Modules that measure chips",
                )
        return planning.before

    def run(self, job: EarthJob[VegetationImageProcessorSettings]) -> None:
        """Process one date."""
        date, layout = job.item.name, job.layout
        names = (*job.settings.RGB_bands, job.settings.index)
        files = bulk.read_many(job.store, [layout.raw(date, name) for name in names])
        rasters = {name: formats.decode_geotiff(files[layout.raw(date, name)]) for name in names}
        check_shapes({name: raster.array.shape for name, raster in rasters.items()})
        *bands, index = (rasters[name].array for name in names)
        valid = images.valid_pixels(bands, index) if bands else np.isfinite(index)
        if not valid.any():
            job.skip("every pixel is masked or empty")
        pictures = _pictures(bands, index, valid, job.settings)
        raster = rasters[job.settings.index]
        grid = chips.cut(valid, raster, job.place, job.settings.max_masked_fraction)
        written = {layout.processed(date, kind): encode(kind, p) for kind, p in pictures.items()}
        bulk.write_many(job.store, {**written, layout.chips(date): grid.encode()})
        job.notes["chips"] = len(grid)
        job.notes["usable_chips"] = sum(grid.usable)
        if job.settings.split_RGB_images:
            _write_chips(job, grid, pictures)


def _pictures(
    bands: Sequence[NDArray[Any]],
    index: NDArray[Any],
    valid: NDArray[np.bool_],
    settings: VegetationImageProcessorSettings,
) -> dict[str, NDArray[np.uint8]]:
    """By their kinds; no RGB where the collection is an index alone."""
    grey = images.index_grey(index, settings.index_range)
    pictures = {settings.index: grey, settings.picture: images.bwndvi(grey)}
    if not bands:
        return pictures
    # Black wherever a pixel is masked in any band, whatever it holds in this one.
    red, green, blue = (np.where(valid, band, 0) for band in bands)
    return {"RGB": images.rgb_stretch(red, green, blue, limits=settings.RGB_limits), **pictures}


def encode(kind: str, picture: NDArray[np.uint8]) -> bytes:
    """A picture as PNG; NDVI has three equal channels, as readers of older outputs expect."""
    single = picture.ndim == 2 and not kind.startswith("BW")
    return formats.encode_png(np.stack([picture] * 3, axis=-1) if single else picture)


def _write_chips(
    job: EarthJob[VegetationImageProcessorSettings],
    grid: ChipGrid,
    pictures: dict[str, NDArray[np.uint8]],
) -> None:
    written = {}
    for kind, picture in pictures.items():
        for index, chip in enumerate(images.cut_chips(picture, SIZE)):
            longitude, latitude = grid.longitude[index], grid.latitude[index]
            key = job.layout.chip(job.item.name, index, longitude, latitude, kind)
            written[key] = encode(kind, chip)
    bulk.write_many(job.store, written)
