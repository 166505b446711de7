"""The public surface, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pyveg
from pyveg.core import registry
from pyveg.earth.metrics import installed

HEAVY = ("numpy", "numba", "pandas", "rasterio", "matplotlib", "skimage", "networkx", "rich")
CLOUD = ("azure", "ee", "distributed", "dask", "odc", "pystac_client", "fsspec")


def test_the_public_names() -> None:
    assert pyveg.__all__ == [
        "Analysis",
        "AnalysisSettings",
        "ClosingStep",
        "EngineStatus",
        "Pipeline",
        "Plan",
        "Run",
        "RunEnded",
        "RunReport",
        "RunStarted",
        "ShowProgress",
        "State",
        "TaskEnded",
        "TaskStarted",
        "analyse",
        "feature_vector",
        "load_pipeline",
        "load_results",
        "load_weather",
        "open_run",
        "run_pipeline",
        "subgraph_centrality",
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


def test_the_service_loads_no_tables() -> None:
    """It idles in less than 120 MB, and pandas alone takes 60."""
    heavy = {*HEAVY, "pyarrow", "scipy", "onnxruntime", "sklearn"} - {"numpy"}
    assert not _loaded("import pyveg.service.web.app, pyveg.service.serve") & heavy


@pytest.mark.parametrize("config", ["demo", "sentinel2_era5"])
def test_a_dry_run_needs_no_cloud_package(config: str) -> None:
    code = f"from pyveg import load_pipeline; load_pipeline('pyveg/configs/{config}.py').plan()"
    assert not _loaded(code) & {*CLOUD, "google", "googleapiclient", "httplib2", "requests"}


def _needs(distribution: str, seen: set[str]) -> set[str]:
    """What a distribution needs without any extra, and what that needs."""
    with suppress(metadata.PackageNotFoundError):
        for line in metadata.requires(distribution) or ():
            one = Requirement(line)
            name = canonicalize_name(one.name)
            if name not in seen and (one.marker is None or one.marker.evaluate({"extra": ""})):
                seen.add(name)
                _needs(name, seen)
    return seen


def _of_extras_alone() -> list[str]:
    """Names to import of all that only extras bring, as an environment without them has none."""
    all_ = {canonicalize_name(Requirement(line).name) for line in metadata.requires("pyveg") or ()}
    alone = all_ - _needs("pyveg", {"pyveg"})
    found = metadata.packages_distributions()
    return [name for name, of in found.items() if alone & set(map(canonicalize_name, of))]


def test_the_main_job_needs_no_extra(write_config: Any) -> None:
    """As `pip install .` has it: importing what an extra brings is an error."""
    blocked = _of_extras_alone()
    assert {"azure", "distributed", "fastapi", "onnxruntime", "sklearn"} <= set(blocked)
    assert not {"numpy", "pandas", "rasterio", "fsspec"} & set(blocked)
    config = write_config(
        runner="serial",
        date_range=["2016-01-01", "2016-04-01"],
        analysis={"surrogates": 19, "indicators": ["ar1"]},
    )
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); "
        f"from pyveg.scripts.main import main; main(['run', {str(config)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report.html" in done.stdout


def test_a_broken_plugin_breaks_no_other_job(
    write_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed Modules are asked for their settings and metrics; some of them are no Modules."""

    class Point:
        def __init__(self, load: Any) -> None:
            self.load = load

    table = registry._table
    broken = {
        "NoModule": Point(object),
        "NoSettings": Point(lambda: type("NoSettings", (), {})),
        "Ends": Point(lambda: sys.exit("not today")),
    }

    def with_broken(kind: str) -> Any:
        return {**table(kind), **(broken if kind == "module" else {})}

    monkeypatch.setattr(registry, "_table", with_broken)
    assert pyveg.load_pipeline(write_config()).plan()
    assert "ndvi_mean" in installed()
