"""The built-in simulated place: 36 months of imagery and weather, no account, no download.

pyveg_run_pipeline --config_file pyveg/configs/demo.py
"""

from pyveg.configs.collections import data_collections

name = "demo"
output_location = "demo"

coordinates = (27.95, 11.57)
region_size = 0.024
date_range = ["2016-01-01", "2019-01-01"]

collections_to_use = ["SimulatedSentinel2", "SimulatedWeather"]
modules_to_use = {
    "SimulatedSentinel2": [
        "VegetationDownloader",
        "VegetationImageProcessor",
        "NetworkCentralityCalculator",
        "NDVICalculator",
    ],
    "SimulatedWeather": ["WeatherDownloader", "WeatherImageToJSON"],
    "combine": ["VegAndWeatherJsonCombiner"],
}

# Every year brings 0.15 mm of rain per day less: the labyrinth of plants breaks into spots.
_drought = {"decline": 0.15, "decline_from": "2016-01-01"}
special_config = {"SimulatedSentinel2": _drought, "SimulatedWeather": _drought}
