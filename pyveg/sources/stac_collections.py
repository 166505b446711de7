"""Collections that need no account: imagery from STAC catalogues, and weather.

Records as in `pyveg.sources.collections`, where these are joined to the others. Bands are called
as the catalogue calls them. Dates are those of the catalogues' descriptions; Landsat from Earth
Search is not here, because its files need an account.
"""

from __future__ import annotations

from typing import Any

_VEGETATION: dict[str, Any] = {
    "data_type": "vegetation",
    "source": "stac",
    "mask_cloud": True,
    "cloudy_pix_frac": 50,
    "cloudy_pix_flag": "eo:cloud_cover",
    "time_per_point": "1m",
}

_LANDSAT: dict[str, Any] = {
    **_VEGETATION,
    "catalogue": "planetary_computer",
    "stac_collection": "landsat-c2-l2",
    "mask": "qa_pixel",
    "mask_band": "qa_pixel",
    "saturation_band": "qa_radsat",
    "RGB_bands": ["red", "green", "blue"],
    "NIR_band": "nir08",
    "scale": 30.0,
}

stac_collections: dict[str, dict[str, Any]] = {
    "Sentinel2_EarthSearch": {
        **_VEGETATION,
        "collection_name": "EARTH_SEARCH/sentinel-2-l2a",
        "catalogue": "earth_search",
        "stac_collection": "sentinel-2-l2a",
        "offset_rule": "earth_search",
        "mask_band": "scl",
        "RGB_bands": ["red", "green", "blue"],
        "NIR_band": "nir",
        "min_date": "2015-06-27",
    },
    "Sentinel2_EarthSearch_C1": {
        **_VEGETATION,
        "collection_name": "EARTH_SEARCH/sentinel-2-c1-l2a",
        "catalogue": "earth_search",
        "stac_collection": "sentinel-2-c1-l2a",
        "mask_band": "scl",
        "RGB_bands": ["red", "green", "blue"],
        "NIR_band": "nir",
        "min_date": "2015-06-27",
    },
    "Sentinel2_PlanetaryComputer": {
        **_VEGETATION,
        "collection_name": "PLANETARY_COMPUTER/sentinel-2-l2a",
        "catalogue": "planetary_computer",
        "stac_collection": "sentinel-2-l2a",
        "mask_band": "SCL",
        "RGB_bands": ["B04", "B03", "B02"],
        "NIR_band": "B08",
        "min_date": "2016-01-01",
    },
    "Landsat89_PlanetaryComputer": {
        **_LANDSAT,
        "collection_name": "PLANETARY_COMPUTER/landsat-c2-l2/oli",
        "platforms": ["landsat-8", "landsat-9"],
        "min_date": "2013-03-18",
    },
    "Landsat7_PlanetaryComputer": {
        **_LANDSAT,
        "collection_name": "PLANETARY_COMPUTER/landsat-c2-l2/etm",
        "platforms": ["landsat-7"],
        "min_date": "1999-05-28",
        "max_date": "2024-02-01",
    },
    "Landsat45_PlanetaryComputer": {
        **_LANDSAT,
        "collection_name": "PLANETARY_COMPUTER/landsat-c2-l2/tm",
        "platforms": ["landsat-4", "landsat-5"],
        "min_date": "1982-08-22",
        "max_date": "2012-05-06",
    },
    "HLS_PlanetaryComputer": {
        **_VEGETATION,
        "collection_name": "PLANETARY_COMPUTER/hls2",
        "catalogue": "planetary_computer",
        "stac_collection": "hls2-l30",
        "with_collections": ["hls2-s30"],
        "mask": "fmask",
        "mask_band": "Fmask",
        "RGB_bands": ["B04", "B03", "B02"],
        "NIR_band": "B8A",
        "scale": 30.0,
        "min_date": "2020-01-01",
    },
    "ERA5_OpenMeteo": {
        "collection_name": "OPEN_METEO/era5",
        "data_type": "weather",
        "source": "open_meteo",
        "precipitation_band": "precipitation_sum",
        "temperature_band": "temperature_2m_mean",
        "min_date": "1940-01-01",
        "time_per_point": "1m",
    },
}
