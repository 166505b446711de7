"""The built-in simulated place: ten years that slowly dry up. No account, no download.

pyveg_run_pipeline --config_file pyveg/configs/demo.py

Beside it lie the same place with other fates: demo_stable, demo_collapsing, demo_cleared and
demo_new_sensor.
"""

from pyveg.configs.collections import data_collections

name = "demo"
output_location = "demo"

coordinates = (27.95, 11.57)
region_size = 0.0138  # 3 x 3 chips
date_range = ["2016-01-01", "2026-01-01"]

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

# From 2018 on every year has 18 mm of rain less, and the labyrinth of plants thins out.
_drought = {"decline": 0.05, "decline_from": "2018-01-01"}
special_config = {"SimulatedSentinel2": _drought, "SimulatedWeather": _drought}

analysis = True  # tests, figures and a report at the end
