"""200 dates on nodes that are taken away, at a service that is busy, with dates that are bad."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from click.testing import CliRunner

from azure_batch_emulator import Faults
from pyveg.scripts.run_pipeline import main as run_command
from pyveg.storage import azure

MODULES = [
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
]
DATES = [str(date(2020, 1, 1) + timedelta(days=3 * number)) for number in range(200)]
BAD = (DATES[20], DATES[150])


def _config(write_config: Any, place: Path, **more: Any) -> Path:
    more.setdefault("special_config", {})
    path: Path = write_config(
        date_range=["2020-01-01", "2022-01-01"],
        collections_to_use=["Mine"],
        modules_to_use={"Mine": MODULES, "combine": ["VegAndWeatherJsonCombiner"]},
        **more,
    )
    record = {
        "data_type": "vegetation",
        "source": "folder",
        "path": str(place),
        "RGB_bands": ["B4", "B3", "B2"],
        "NIR_band": "B8",
    }
    path.write_text(path.read_text() + f"data_collections = {{'Mine': {record!r}}}\n")
    return path


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_200_dates(make_cloud: Any, write_config: Any, make_place: Callable[..., Path]) -> None:
    """It ends by itself; the bad dates and what waits for them are named, the others are right."""
    place = make_place(dates=DATES, shape=(60, 110))
    for name in BAD:
        (place / name / "RAW/download.B8.tif").write_bytes(b"no image")
    cloud = make_cloud(
        faults=Faults(preempt_rate=0.1, throttle_rate=0.05, retry_after=0.2),
        pool_dedicated_node_count=0,
        pool_low_priority_node_count=8,
        task_slots_per_node=1,
        task_retries=1,
    )
    on_nodes = _config(
        write_config,
        place,
        special_config={name: {"run_mode": "batch"} for name in MODULES},
        output_location="campaign",
        output_location_type="azure",
    )
    result = CliRunner().invoke(run_command, ["--config_file", str(on_nodes)])
    assert result.exit_code == 1, result.output
    (container,) = set(re.findall("azure://([a-z0-9-]+)", result.output))
    for name in BAD:
        assert f"failed: Mine/VegetationDownloader/{name}: " in result.output
    rows = {
        line.split()[0].partition("/")[2]: line.split()[1:]
        for line in result.output.splitlines()
        if re.match(r"\w+/\w+ +\d", line)
    }
    assert rows["VegetationDownloader"] == ["198", "-", "-", "2", "-"]
    for module in MODULES[1:]:
        assert rows[module] == ["198", "-", "-", "-", "2"]
    assert cloud.batch.requests.statuses[429] + cloud.batch.requests.statuses[503] > 0
    cloud.batch.faults = Faults()
    client = BatchClient(
        cloud.batch.url, AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    )
    assert not list(client.list_jobs())
    assert not list(client.list_pools())

    here = CliRunner().invoke(run_command, ["--config_file", str(_config(write_config, place))])
    assert here.exit_code == 1
    (folder,) = write_config.runs()
    key = "gee_27.95_11.57_combine/results_summary.json"
    there = json.loads(azure.open_store(container).read(key))
    assert there == json.loads((folder / key).read_bytes())
    points = there["Mine"]["time-series-data"]
    assert [name for name in DATES if not points[name]] == list(BAD)
