"""A trial of a storage account: results in a blob container, all tasks on this machine.

pyveg_run_pipeline --config_file pyveg/configs/test_Sentinel2_azure.py
"""

from pyveg.configs.collections import data_collections

name = "test_Sentinel2_azure"
output_location = "test-sentinel2"
output_location_type = "azure"

# The simulated place, so that nothing but the storage account is needed.
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
