"""NDVI of the chips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pyveg.core import module
from pyveg.core.params import setting
from pyveg.earth.chips import SIZE, VALID_FRACTION
from pyveg.earth.metrics import Metric, Support
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.kernels.images import cut_chips, ndvi_grey
from pyveg.kernels.ndvi import chip_statistics


@dataclass(frozen=True, kw_only=True)
class NDVICalculatorSettings(module.Settings):
    """Settings of `NDVICalculator`."""

    n_sub_images: int = setting(-1, doc="only the first n chips of each date; -1: all", low=-1)


_GREEN = "#117733"
_8_BIT = "grey levels, 0 to 255"

METRICS = (
    Metric(
        "ndvi_mean", "1", "mean NDVI of the valid pixels", "NDVI", low=-1, high=1, colour=_GREEN
    ),
    Metric("cover", "1", "share of vegetation among the valid pixels", "Vegetation cover",
           test="level", low=0, high=1),
    Metric("ndvi", _8_BIT, "mean of the grey NDVI picture, as in the older pyveg", "NDVI (8 bit)",
           low=0, high=255, colour=_GREEN, replaces="ndvi_mean"),
    Metric("ndvi_veg", _8_BIT, "mean of the grey NDVI picture over vegetation",
           "NDVI of vegetation (8 bit)", test="none", in_series=False, low=0, high=255),
    Metric("ndvi_std", "1", "population standard deviation of NDVI over the valid pixels",
           "NDVI, spread", test="none", in_series=False, low=0, high=1),
    Metric("ndvi_veg_mean", "1", "mean NDVI of the valid vegetation", "NDVI of vegetation",
           test="none", in_series=False, low=-1, high=1),
    VALID_FRACTION,
)  # fmt: skip


class NDVICalculator(EarthModule[NDVICalculatorSettings]):
    """Measure how green each chip is, and how much of it is vegetation."""

    Settings = NDVICalculatorSettings
    data_type = "vegetation"
    consumes: ClassVar[tuple[str, ...]] = ("images",)
    metrics = METRICS
    records_files: ClassVar[Mapping[Support, str]] = {"chip": "NDVI/ndvi_values"}

    def run(self, job: EarthJob[NDVICalculatorSettings]) -> None:
        """Process one date."""
        chosen = job.chip_grid().chosen(job.settings.n_sub_images)
        if not chosen:
            job.skip("no chip has enough valid pixels")
        ndvi = job.read_raster("NDVI").array
        grey = ndvi_grey(ndvi)  # as in its picture, which takes longer to read than to make
        picture = job.read_picture("BWNDVI")
        images = (ndvi, grey, picture, np.isfinite(ndvi))
        statistics = chip_statistics(*(cut_chips(image, SIZE)[chosen] for image in images))
        job.write_chip_records(
            {
                index: {name: values[row] for name, values in statistics.items()}
                for row, index in enumerate(chosen)
            }
        )
