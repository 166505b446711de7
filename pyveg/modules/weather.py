"""Weather of the region, as numbers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pyveg import formats
from pyveg.core import module
from pyveg.core.module import Job
from pyveg.modules.download import PRECIPITATION, TEMPERATURE


class WeatherImageToJSON(module.Module[module.Settings]):
    """Average each weather variable over the region."""

    data_type = "weather"
    consumes: ClassVar[tuple[str, ...]] = ("rasters",)
    provides: ClassVar[tuple[str, ...]] = ("records",)

    def run(self, job: Job[module.Settings]) -> None:
        """Process one date."""
        date, layout = job.item.name, job.layout
        values: dict[str, float] = {}
        for variable in (PRECIPITATION, TEMPERATURE):
            key = layout.raw(date, variable)
            if variable == TEMPERATURE and job.store.size(key) is None:
                continue  # rain gauges and satellites tell rain alone
            raster = formats.decode_geotiff(job.store.read(key))
            found = raster.array[np.isfinite(raster.array)].astype(np.float64)
            if not found.size:
                job.skip(f"{variable} has no value")
            values[variable] = float(found.mean())
        job.store.write(layout.weather_data(date), formats.encode_json(values, indent=1))
