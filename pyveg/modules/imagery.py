"""From raw bands to pictures and chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pyveg import formats
from pyveg.core import bulk, module
from pyveg.core.params import setting
from pyveg.earth.chips import SIZE, ChipGrid
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.kernels import images
from pyveg.modules import chips
from pyveg.modules.download import check_rgb, check_shapes


@dataclass(frozen=True, kw_only=True)
class VegetationImageProcessorSettings(module.Settings):
    """Settings of `VegetationImageProcessor`."""

    RGB_bands: tuple[str, ...] = setting(
        doc='names of the red, green and blue band, such as ["B4", "B3", "B2"]', shared=True
    )
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
    is vegetation.
    """

    Settings = VegetationImageProcessorSettings
    data_type = "vegetation"
    consumes: ClassVar[tuple[str, ...]] = ("rasters",)
    provides: ClassVar[tuple[str, ...]] = ("images",)

    def run(self, job: EarthJob[VegetationImageProcessorSettings]) -> None:
        """Process one date."""
        date, layout = job.item.name, job.layout
        names = (*check_rgb(job.settings.RGB_bands, job.scope.sequence), "NDVI")
        files = bulk.read_many(job.store, [layout.raw(date, name) for name in names])
        rasters = {name: formats.decode_geotiff(files[layout.raw(date, name)]) for name in names}
        check_shapes({name: raster.array.shape for name, raster in rasters.items()})
        *bands, ndvi = (rasters[name].array for name in names)
        valid = images.valid_pixels(bands, ndvi)
        if not valid.any():
            job.skip("every pixel is masked or empty")
        # Black wherever a pixel is masked in any band, whatever it holds in this one.
        red, green, blue = (np.where(valid, band, 0) for band in bands)
        rgb = images.rgb_stretch(red, green, blue, limits=job.settings.RGB_limits)
        grey = images.ndvi_grey(ndvi)
        pictures = {"RGB": rgb, "NDVI": grey, "BWNDVI": images.bwndvi(grey)}
        grid = chips.cut(valid, rasters["NDVI"], job.place, job.settings.max_masked_fraction)
        written = {layout.processed(date, kind): encode(kind, p) for kind, p in pictures.items()}
        bulk.write_many(job.store, {**written, layout.chips(date): grid.encode()})
        job.notes["chips"] = len(grid)
        job.notes["usable_chips"] = sum(grid.usable)
        if job.settings.split_RGB_images:
            _write_chips(job, grid, pictures)


def encode(kind: str, picture: NDArray[np.uint8]) -> bytes:
    """A picture as PNG; NDVI has three equal channels, as readers of older outputs expect."""
    return formats.encode_png(np.stack([picture] * 3, axis=-1) if kind == "NDVI" else picture)


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
