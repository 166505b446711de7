"""A real place: a year of Sentinel-2 and of weather from Google Earth Engine.

Needs `pip install '.[earthengine]'`, a sign-in (`earthengine authenticate`) and a Google Cloud
project that is registered for Earth Engine, in EE_PROJECT or below; see docs/earth_engine.md.

pyveg_run_pipeline --config_file pyveg/configs/sentinel2_era5.py
"""

from pyveg.configs.collections import data_collections

name = "sentinel2_era5"
output_location = "sentinel2_era5"

coordinates = (27.95, 11.57)  # longitude, latitude: where the demo is
date_range = ["2020-01-01", "2021-01-01"]

collections_to_use = ["Sentinel2", "ERA5"]
modules_to_use = {
    "Sentinel2": [
        "VegetationDownloader",
        "VegetationImageProcessor",
        "NetworkCentralityCalculator",
        "NDVICalculator",
    ],
    "ERA5": ["WeatherDownloader", "WeatherImageToJSON"],
    "combine": ["VegAndWeatherJsonCombiner"],
}

# special_config = {
#     "Sentinel2": {"project": "my-cloud-project"},
#     "ERA5": {"project": "my-cloud-project"},
# }
