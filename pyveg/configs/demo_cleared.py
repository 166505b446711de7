"""The place of demo.py where nearly all plants are cut on one day, and grow again.

pyveg_run_pipeline --config_file pyveg/configs/demo_cleared.py
"""

from pyveg.configs.demo import *  # noqa: F403 - all else is as there

name = "demo_cleared"
output_location = "demo_cleared"

special_config = {"SimulatedSentinel2": {"clearing": "2021-09-01", "clearing_share": 0.98}}
