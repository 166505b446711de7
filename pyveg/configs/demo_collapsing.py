"""The place of demo.py with rain that fails: after eight years nothing grows there.

pyveg_run_pipeline --config_file pyveg/configs/demo_collapsing.py
"""

from pyveg.configs.demo import *  # noqa: F403 - all else is as there

name = "demo_collapsing"
output_location = "demo_collapsing"

# Every year has 37 mm of rain less, of 438 at the beginning.
_drought = {"decline": 0.1, "decline_from": "2016-01-01"}
special_config = {"SimulatedSentinel2": _drought, "SimulatedWeather": _drought}
