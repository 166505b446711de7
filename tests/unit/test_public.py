"""The public surface, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import pyveg

HEAVY = ("numpy", "numba", "pandas", "rasterio", "matplotlib", "skimage", "networkx", "rich")
CLOUD = ("azure", "ee", "distributed", "dask", "odc", "pystac_client", "fsspec")


def test_the_public_names() -> None:
    assert pyveg.__all__ == [
        "Analysis",
        "AnalysisSettings",
        "Pipeline",
        "Run",
        "RunReport",
        "analyse",
        "load_pipeline",
        "load_results",
        "load_weather",
        "open_run",
        "run_pipeline",
    ]
    for name in pyveg.__all__:
        assert getattr(pyveg, name).__doc__
        assert name in dir(pyveg)
    assert pyveg.__version__.startswith("2.")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pyveg.nothing


def _loaded(code: str) -> set[str]:
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_importing_pyveg_loads_nothing_else() -> None:
    assert not _loaded("import pyveg") & {*HEAVY, *CLOUD, "click"}


@pytest.mark.parametrize(
    "command",
    [
        "run_pipeline",
        "run_module",
        "run_command",
        "calc_EC",
        "calibrate",
        "gen_pattern",
        "gee_analysis",
        "create_analysis_report",
        "analysis_summary_data",
        "azure_config",
        "azure_download",
    ],
)
def test_help_loads_little(command: str) -> None:
    code = (
        f"from click.testing import CliRunner; from pyveg.scripts.{command} import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0"
    )
    assert not _loaded(code) & ({*HEAVY, *CLOUD} - {"networkx"})


def test_starting_a_run_loads_no_tables() -> None:
    """Pandas alone would take as long as a thousand empty Tasks, in each command."""
    assert not _loaded("import pyveg.jobs.run") & ({*HEAVY} - {"numpy"})


@pytest.mark.parametrize("config", ["demo", "sentinel2_era5"])
def test_a_dry_run_needs_no_cloud_package(config: str) -> None:
    code = f"from pyveg import load_pipeline; load_pipeline('pyveg/configs/{config}.py').plan()"
    assert not _loaded(code) & {*CLOUD, "google", "googleapiclient", "httplib2", "requests"}


def test_a_simulated_run_needs_no_cloud_package(write_config: Any) -> None:
    """As in an environment without them: importing one is an error."""
    names = (*CLOUD, "google", "googleapiclient", "httplib2", "requests", "pystac")
    blocked = [name for name in names if name != "fsspec"]
    config = write_config(runner="serial", date_range=["2016-01-01", "2016-02-01"])
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); "
        f"from pyveg import run_pipeline; sys.exit(run_pipeline({str(config)!r}).exit_code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
