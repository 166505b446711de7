"""The place of demo.py where nothing happens, seen by a worse sensor from 2021 on.

pyveg_run_pipeline --config_file pyveg/configs/demo_new_sensor.py
"""

from pyveg.configs.demo import *  # noqa: F403 - all else is as there

name = "demo_new_sensor"
output_location = "demo_new_sensor"

# Each band of a scene is too bright or too dark by some 6 %.
special_config = {"SimulatedSentinel2": {"sensor_from": "2021-01-01", "sensor_gain": 0.06}}
