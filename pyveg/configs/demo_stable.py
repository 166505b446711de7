"""The place of demo.py where nothing happens: rain comes and goes, and stays what it was.

pyveg_run_pipeline --config_file pyveg/configs/demo_stable.py
"""

from pyveg.configs.demo import *  # noqa: F403 - all else is as there

name = "demo_stable"
output_location = "demo_stable"
special_config = {}
