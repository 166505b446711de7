"""NDVI of the chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pyveg import formats
from pyveg.core import module
from pyveg.core.module import Job
from pyveg.core.params import setting
from pyveg.kernels.images import cut_chips
from pyveg.kernels.ndvi import chip_statistics
from pyveg.modules.chips import SIZE, Chips


@dataclass(frozen=True, kw_only=True)
class NDVICalculatorSettings(module.Settings):
    """Settings of `NDVICalculator`."""

    n_sub_images: int = setting(-1, doc="only the first n chips of each date; -1: all", low=-1)


class NDVICalculator(module.Module[NDVICalculatorSettings]):
    """Measure how green each chip is, and how much of it is vegetation."""

    Settings = NDVICalculatorSettings
    data_type = "vegetation"
    consumes: ClassVar[tuple[str, ...]] = ("images",)
    provides: ClassVar[tuple[str, ...]] = ("records",)

    def run(self, job: Job[NDVICalculatorSettings]) -> None:
        """Process one date."""
        date, layout, store = job.item.name, job.layout, job.store
        found = Chips.decode(store.read(layout.chips(date)))
        chosen = found.chosen(job.settings.n_sub_images)
        if not chosen:
            job.skip("no chip has enough valid pixels")
        ndvi = formats.decode_geotiff(store.read(layout.raw(date, "NDVI"))).array
        grey = formats.decode_png(store.read(layout.processed(date, "NDVI")))[..., 0]
        picture = formats.decode_png(store.read(layout.processed(date, "BWNDVI")))
        images = (ndvi, grey, picture, np.isfinite(ndvi))
        statistics = chip_statistics(*(cut_chips(image, SIZE)[chosen] for image in images))
        records = [
            found.record(index, date)
            | {name: float(values[row]) for name, values in statistics.items()}
            for row, index in enumerate(chosen)
        ]
        store.write(layout.ndvi_values(date), formats.encode_records(records))
