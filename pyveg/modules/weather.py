"""Weather of the region, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from pyveg.core import module
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE, WEATHER, Support
from pyveg.earth.module import EarthJob, EarthModule


class WeatherImageToJSON(EarthModule[module.Settings]):
    """Average each weather variable over the region."""

    data_type = "weather"
    consumes: ClassVar[tuple[str, ...]] = ("rasters",)
    metrics = WEATHER
    records_files: ClassVar[Mapping[Support, str]] = {"place": "WEATHER/weather_data"}

    def run(self, job: EarthJob[module.Settings]) -> None:
        """Process one date."""
        values: dict[str, float] = {}
        for variable in (PRECIPITATION, TEMPERATURE):
            key = job.layout.raw(job.item.name, variable)
            if variable == TEMPERATURE and job.store.size(key) is None:
                continue  # collections of rain gauges and satellites have rain alone
            raster = job.read_raster(variable)
            # In double precision, or the mean would carry the rounding of float32 sums.
            known = raster.array[np.isfinite(raster.array)].astype(np.float64)
            if not known.size:
                job.skip(f"{variable} has no value")
            values[variable] = float(known.mean())
        job.write_place_record(values)
