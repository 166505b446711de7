"""Engines that run Tasks. Each passes the checks of `pyveg.testing.runner_contract`."""
