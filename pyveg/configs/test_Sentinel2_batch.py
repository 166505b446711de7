"""A trial of both Azure accounts: imagery is processed by Azure Batch, weather on this machine.

pyveg_run_pipeline --config_file pyveg/configs/test_Sentinel2_batch.py
"""

from pyveg.configs.collections import data_collections

name = "test_Sentinel2_batch"
output_location = "test-sentinel2"
output_location_type = "azure"

# The simulated place, so that nothing but the two accounts is needed.
coordinates = (27.95, 11.57)
region_size = 0.024
date_range = ["2016-01-01", "2017-01-01"]

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

# One task per date and module, on the nodes of the pool that azure_config.py describes.
special_config = {
    "VegetationImageProcessor": {"run_mode": "batch"},
    "NetworkCentralityCalculator": {"n_sub_images": 10, "n_threads": 1, "run_mode": "batch"},
    "NDVICalculator": {"run_mode": "batch"},
}
