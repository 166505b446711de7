"""NDVI of the chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from pyveg.core.params import setting
from pyveg.earth.chips import SIZE, VALID_FRACTION
from pyveg.earth.indices import NDVI, IndexSettings, of_index, settled
from pyveg.earth.metrics import Metric, Support
from pyveg.earth.module import EarthJob, EarthModule
from pyveg.kernels.images import cut_chips, index_grey
from pyveg.kernels.ndvi import chip_statistics


@dataclass(frozen=True, kw_only=True)
class NDVICalculatorSettings(IndexSettings):
    """Settings of `NDVICalculator`."""

    n_sub_images: int = setting(
        -1, doc="only the first n chips of each date; -1: all", low=-1, but=0
    )


_GREEN = "#117733"
_8_BIT = "grey levels, 0 to 255"

METRICS = (
    Metric(
        "ndvi_mean", "1", "mean NDVI of the valid pixels", "NDVI", low=-1, high=1, colour=_GREEN,
        plain="greenness",
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


def metrics_of(settings: IndexSettings) -> tuple[Metric, ...]:
    """What is measured on the chips of another index, under its name and not that of NDVI.

    The numbers of the older pyveg, of 8 bits, are of NDVI alone.
    """
    known = {metric.name: metric for metric in METRICS}
    (low, high), name = settings.index_range, settings.index

    def named(old: str, low: float, high: float) -> Metric:
        metric = known[old]
        return replace(
            of_index(metric, settings),
            name=old.replace("ndvi", name.lower()),
            meaning=f"{metric.meaning.replace('NDVI', name)}; {settings.told}",
            label=metric.label.replace("NDVI", name),
            low=low,
            high=high,
            plain="",  # not every index tells of green
        )

    return (
        named("ndvi_mean", low, high),
        of_index(known["cover"], settings),
        named("ndvi_std", 0, (high - low) / 2),
        named("ndvi_veg_mean", low, high),
        VALID_FRACTION,
    )


class NDVICalculator(EarthModule[NDVICalculatorSettings]):
    """Measure how green each chip is, and how much of it is vegetation.

    Where the collection has another index than NDVI its numbers have the name of that:
    ``msavi_mean``.
    """

    Settings = NDVICalculatorSettings
    data_type = "vegetation"
    consumes: ClassVar[tuple[str, ...]] = ("images",)
    metrics = METRICS
    records_files: ClassVar[Mapping[Support, str]] = {"chip": "NDVI/ndvi_values"}

    @classmethod
    def settled(
        cls, settings: NDVICalculatorSettings, where: str, warn: Callable[[str], None]
    ) -> NDVICalculatorSettings:
        """With the formula of the index, as results tell it."""
        del warn
        return settled(settings, where)

    @classmethod
    def measures(cls, settings: NDVICalculatorSettings) -> tuple[Metric, ...]:
        """The numbers of the index that the settings name."""
        return cls.metrics if settings.index == NDVI else metrics_of(settings)

    def run(self, job: EarthJob[NDVICalculatorSettings]) -> None:
        """Process one date."""
        settings = job.settings
        chosen = job.chip_grid().chosen(settings.n_sub_images)
        if not chosen:
            job.skip("no chip has enough valid pixels")
        index = job.read_raster(settings.index).array
        # As in its picture, which takes longer to read than to make.
        grey = index_grey(index, settings.index_range)
        picture = job.read_picture(settings.picture)
        images = (index, grey, picture, np.isfinite(index))
        statistics = chip_statistics(*(cut_chips(image, SIZE)[chosen] for image in images))
        known = {metric.name for metric in self.measures(settings)}
        named = {
            name if settings.index == NDVI else name.replace("ndvi", settings.index.lower()): values
            for name, values in statistics.items()
        }
        job.write_chip_records(
            {
                chip: {name: values[row] for name, values in named.items() if name in known}
                for row, chip in enumerate(chosen)
            }
        )
