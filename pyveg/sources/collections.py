"""The collections that configs name: what their bands are called and where they come from.

Plain records. A config may change a copy of them or bring its own; every key can be overridden by
``special_config``. ``min_date`` and ``max_date`` (not included) limit what is asked of a service;
a collection that still grows has no ``max_date``. Ids and dates of Earth Engine's collections are
those of its catalogue of August 2026.

The names are those of the older pyveg, whose own ids were deprecated, removed or frozen since:
series made with them are not to be continued with these without a break.
"""

from __future__ import annotations

from typing import Any

data_collections: dict[str, dict[str, Any]] = {
    "Sentinel2": {
        "collection_name": "COPERNICUS/S2_SR_HARMONIZED",
        "data_type": "vegetation",
        "source": "earth_engine",
        "RGB_bands": ["B4", "B3", "B2"],
        "NIR_band": "B8",
        "mask_cloud": True,
        "cloudy_pix_frac": 50,
        "cloudy_pix_flag": "CLOUDY_PIXEL_PERCENTAGE",
        "min_date": "2017-03-28",
        "time_per_point": "1m",
    },
    "Landsat8": {
        "collection_name": "LANDSAT/LC08/C02/T1_L2",
        "data_type": "vegetation",
        "source": "earth_engine",
        "RGB_bands": ["SR_B4", "SR_B3", "SR_B2"],
        "NIR_band": "SR_B5",
        "mask_cloud": True,
        "cloudy_pix_frac": 50,
        "cloudy_pix_flag": "CLOUD_COVER",
        "min_date": "2013-03-18",
        "time_per_point": "1m",
    },
    "Landsat7": {
        "collection_name": "LANDSAT/LE07/C02/T1_L2",
        "data_type": "vegetation",
        "source": "earth_engine",
        "RGB_bands": ["SR_B3", "SR_B2", "SR_B1"],
        "NIR_band": "SR_B4",
        "mask_cloud": True,
        "cloudy_pix_frac": 50,
        "cloudy_pix_flag": "CLOUD_COVER",
        "min_date": "1999-05-28",
        "max_date": "2024-02-01",
        "time_per_point": "1m",
    },
    "Landsat5": {
        "collection_name": "LANDSAT/LT05/C02/T1_L2",
        "data_type": "vegetation",
        "source": "earth_engine",
        "RGB_bands": ["SR_B3", "SR_B2", "SR_B1"],
        "NIR_band": "SR_B4",
        "mask_cloud": True,
        "cloudy_pix_frac": 50,
        "cloudy_pix_flag": "CLOUD_COVER",
        "min_date": "1984-03-16",
        "max_date": "2012-05-06",
        "time_per_point": "1m",
    },
    "Landsat4": {
        "collection_name": "LANDSAT/LT04/C02/T1_L2",
        "data_type": "vegetation",
        "source": "earth_engine",
        "RGB_bands": ["SR_B3", "SR_B2", "SR_B1"],
        "NIR_band": "SR_B4",
        "mask_cloud": True,
        "cloudy_pix_frac": 50,
        "cloudy_pix_flag": "CLOUD_COVER",
        "min_date": "1982-08-22",
        "max_date": "1993-06-25",
        "time_per_point": "1m",
    },
    "ERA5": {
        "collection_name": "ECMWF/ERA5_LAND/MONTHLY_AGGR",
        "data_type": "weather",
        "source": "earth_engine",
        "precipitation_band": "total_precipitation_sum",
        "temperature_band": "temperature_2m",
        "min_date": "1950-02-01",
        "time_per_point": "1m",
    },
    "ERA5_daily": {
        "collection_name": "ECMWF/ERA5_LAND/DAILY_AGGR",
        "data_type": "weather",
        "source": "earth_engine",
        "precipitation_band": "total_precipitation_sum",
        "temperature_band": "temperature_2m",
        "min_date": "1950-01-02",
        "time_per_point": "1w",
    },
    "SimulatedSentinel2": {
        "collection_name": "SimulatedSentinel2",
        "data_type": "vegetation",
        "source": "simulated",
        "RGB_bands": ["B4", "B3", "B2"],
        "NIR_band": "B8",
        "mask_cloud": True,
        "cloudy_pix_frac": 50,
        "time_per_point": "1m",
    },
    "SimulatedWeather": {
        "collection_name": "SimulatedWeather",
        "data_type": "weather",
        "source": "simulated",
        "precipitation_band": "total_precipitation",
        "temperature_band": "mean_2m_air_temperature",
        "time_per_point": "1m",
    },
}
