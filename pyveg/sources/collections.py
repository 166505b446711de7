"""The collections that configs name: what their bands are called and where they come from.

Plain records, made from those of `pyveg.sources.products`. A config may change a copy of them or
bring its own; every key can be overridden by ``special_config``. ``min_date`` and ``max_date``
(not included) limit what is asked of a service; a collection that still grows has no ``max_date``.

The names are those of the older pyveg, whose own ids were deprecated, removed or frozen since:
series made with them are not to be continued with these without a break.
"""

from __future__ import annotations

from typing import Any

from pyveg.sources.products import PRODUCTS
from pyveg.sources.stac_collections import stac_collections


def _life(name: str) -> dict[str, str]:
    product = PRODUCTS[name]
    limits = {"min_date": str(product.start)}
    return limits if product.end is None else {**limits, "max_date": str(product.end)}


def _imagery(name: str) -> dict[str, Any]:
    product = PRODUCTS[name]
    return {
        "collection_name": name,
        "data_type": product.data_type,
        "source": "earth_engine",
        "RGB_bands": [product.roles[colour] for colour in ("red", "green", "blue")],
        "NIR_band": product.roles["nir"],
        "mask_cloud": True,
        "cloudy_pix_frac": 50,
        "cloudy_pix_flag": product.cloud_property,
        **_life(name),
        "time_per_point": "1m",
    }


def _weather(name: str, rain: str, temperature: str | None, step: str) -> dict[str, Any]:
    return {
        "collection_name": name,
        "data_type": PRODUCTS[name].data_type,
        "source": "earth_engine",
        "precipitation_band": rain,
        "temperature_band": temperature,
        **_life(name),
        "time_per_point": step,
    }


_ERA5 = ("total_precipitation_sum", "temperature_2m")

data_collections: dict[str, dict[str, Any]] = {
    "Sentinel2": _imagery("COPERNICUS/S2_SR_HARMONIZED"),
    "Landsat8": _imagery("LANDSAT/LC08/C02/T1_L2"),
    "Landsat7": _imagery("LANDSAT/LE07/C02/T1_L2"),
    "Landsat5": _imagery("LANDSAT/LT05/C02/T1_L2"),
    "Landsat4": _imagery("LANDSAT/LT04/C02/T1_L2"),
    "ERA5": _weather("ECMWF/ERA5_LAND/MONTHLY_AGGR", *_ERA5, "1m"),
    "ERA5_daily": _weather("ECMWF/ERA5_LAND/DAILY_AGGR", *_ERA5, "1w"),
    "Sentinel2_TOA": _imagery("COPERNICUS/S2_HARMONIZED"),
    "Landsat9": _imagery("LANDSAT/LC09/C02/T1_L2"),
    "HLS": {
        **_imagery("NASA/HLS/HLSL30/v002"),
        "with_collections": ["NASA/HLS/HLSS30/v002"],
        "scale": 30.0,
    },
    "HLS_Landsat": {**_imagery("NASA/HLS/HLSL30/v002"), "scale": 30.0},
    "HLS_Sentinel2": {**_imagery("NASA/HLS/HLSS30/v002"), "scale": 30.0},
    "CHIRPS": _weather("UCSB-CHG/CHIRPS/DAILY", "precipitation", None, "1m"),
    "CHIRPS3": _weather("UCSB-CHC/CHIRPS/V3/DAILY_RNL", "precipitation", None, "1m"),
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
    **stac_collections,
}
