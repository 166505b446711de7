"""The configs of the docs without a network or an account: one sentence, soon, and nothing left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import pyveg
from pyveg.core.events import EngineStatus
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.earth.types import Place
from pyveg.sources.circuit import CIRCUIT
from pyveg.testing.http_answers import silent
from pyveg.testing.stac_world import StacWorld

ROOT = Path(pyveg.__file__).parents[1]
SOON = 15.0
"""Seconds from the start of the process to its end."""
CREDENTIALS = (
    "EE_TOKEN",
    "EE_PROJECT",
    "EE_SERVICE_ACCOUNT_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
)


class Command:
    """``pyveg_run_pipeline`` in a folder of its own, as a user who has nothing yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, config: str, told: str, **environment: str) -> None:
        path = self._folder / "config.py"
        path.write_text(config)
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--config_file", str(path)],
            cwd=self._folder,
            env=self._environment(environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert time.monotonic() - begin < SOON
        assert done.returncode == 2, done.stdout + done.stderr
        (line,) = done.stderr.splitlines()
        assert re.search(told, line), line
        assert done.stdout == ""
        assert [p.name for p in self._folder.iterdir() if p.name != "cache"] == ["config.py"]

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in CREDENTIALS}
        own = {
            "HOME": str(self._folder),
            "PYVEG_CACHE": str(self._folder / "cache"),
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "",
        }
        return {**kept, **own, **more}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture(scope="module")
def stac() -> str:
    """The config of the page about imagery without an account."""
    text = (ROOT / "docs/stac.md").read_text(encoding="utf-8")
    (config,) = re.findall(r"```python\n(from pyveg.*?)```", text, re.DOTALL)
    return str(config)


@pytest.fixture(scope="module")
def earth_engine() -> str:
    """The config that the page about Earth Engine runs."""
    return (ROOT / "pyveg/configs/sentinel2_era5.py").read_text(encoding="utf-8")


BOTH = r"^Error: .*earth-search\.\S+ ?.* cannot be reached: {0} and .*open-meteo\.com.*: {0}; check"
ONE = r"^Error: Earth Engine \(earthengine.googleapis.com\) cannot be reached: {0}; check"
PROXY = "the proxy does not lead to it"


def test_a_proxy_that_is_down(command: Command, stac: str, earth_engine: str) -> None:
    away = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    command(stac, BOTH.format(PROXY), **away)
    command(earth_engine, ONE.format(PROXY), EE_TOKEN="t", EE_PROJECT="p", **away)


def test_packets_that_are_dropped(command: Command, stac: str, earth_engine: str) -> None:
    with silent() as url:
        command(stac, BOTH.format(PROXY), HTTPS_PROXY=url)
        command(earth_engine, ONE.format(PROXY), HTTPS_PROXY=url, EE_TOKEN="t", EE_PROJECT="p")
        direct = {
            "Sentinel2_EarthSearch_C1": {"catalogue": url},
            "ERA5_OpenMeteo": {"url": f"{url}/v1"},
        }
        told = r"^Error: http://127.*: it does not answer and .*: it does not answer; check the net"
        command(f"{stac}\nspecial_config = {direct!r}\n", told)


@pytest.fixture
def name_server(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    """A folder that makes Python look up names by a statement."""
    folder: Path = tmp_path_factory.mktemp("lookup")
    (folder / "sitecustomize.py").write_text(
        f"import socket, time\n\n\ndef look_up(*_, **__):\n    {request.param}\n\n\n"
        "socket.getaddrinfo = look_up\n"
    )
    return folder


@pytest.mark.parametrize(
    ("name_server", "why"),
    [
        ("raise socket.gaierror(-3, 'Temporary failure in name resolution')", "its name is not kn"),
        ("time.sleep(120)", "it does not answer"),
    ],
    ids=["refused", "hanging"],
    indirect=["name_server"],
)
def test_no_name_server(
    command: Command, stac: str, earth_engine: str, name_server: Path, why: str
) -> None:
    """Also one of which no answer comes, which no time-out of a connection ends."""
    path = {"PYTHONPATH": f"{name_server}{os.pathsep}{ROOT}", "HTTPS_PROXY": "", "HTTP_PROXY": ""}
    command(stac, f"earth-search.* cannot be reached: {why}", **path)
    command(earth_engine, f"cannot be reached: {why}", EE_TOKEN="t", EE_PROJECT="p", **path)


def test_no_account(command: Command, earth_engine: str) -> None:
    command(earth_engine, "^Error: Earth Engine: no sign-in was found; run `earthengine authe")


@pytest.fixture
def believing() -> Iterator[None]:
    CIRCUIT.forget()
    yield
    CIRCUIT.forget()


@pytest.mark.usefixtures("believing")
def test_the_network_goes_away_in_the_middle(write_config: Any, tmp_path: Path) -> None:
    """What is done is kept; three find the host away, and the others are not tried."""
    world = StacWorld(tmp_path / "world", Place(27.95, 11.57, 0.002))
    for day in range(1, 29):
        world.add(f"2022-01-{day:02}")
    with world.serve() as server:

        def watch(event: Any) -> None:
            result = getattr(event, "result", None)
            if result is not None and result.task_id.endswith("2022-01-08"):
                server.shutdown()
                server.server_close()

        begin = time.monotonic()
        report = _downloads(write_config, tmp_path, server.url, watch)
    assert time.monotonic() - begin < 60
    done = report.counts[State.SUCCEEDED]
    assert 8 <= done < 20
    failed = [r for r in report.results.values() if r.state is State.FAILED]
    assert len(failed) == len(report.results) - done
    assert all(r.shared for r in failed)
    assert {r.reason.partition(";")[0] for r in failed} <= {
        f"{server.url} cannot be reached: it refuses connections",
        f"the images at {server.url.removeprefix('http://')} cannot be reached: it refuses "
        "connections",
    }
    (row,) = report.rows()
    assert len(row.reasons) <= 2


def _downloads(write_config: Any, folder: Path, url: str, watch: Any) -> RunReport:
    path = write_config(
        region_size=0.002,
        date_range=["2022-01-01", "2022-01-29"],
        time_per_point="1d",
        collections_to_use=["Sentinel2_EarthSearch"],
        modules_to_use={"Sentinel2_EarthSearch": ["VegetationDownloader"]},
        special_config={
            "Sentinel2_EarthSearch": {
                "catalogue": url,
                "offset_rule": "auto",
                "cache": str(folder / "cache"),
                "retries": 1,
                "retry_wait": 0.02,
            }
        },
        output_location=str(folder / "out"),
        runner="serial",
    )
    return pyveg.run_pipeline(path, observers=[watch])


@pytest.mark.usefixtures("believing")
def test_one_service_of_two_is_away(write_config: Any, tmp_path: Path) -> None:
    """What can be done is done; the other is told at once, and each of its dates fails by it."""
    world = StacWorld(tmp_path / "world", Place(27.95, 11.57, 0.002))
    world.add("2022-01-10")
    told: list[str] = []
    with world.serve() as server:
        path = write_config(
            region_size=0.002,
            date_range=["2022-01-01", "2022-07-01"],
            collections_to_use=["Sentinel2_EarthSearch", "ERA5_OpenMeteo"],
            modules_to_use={
                "Sentinel2_EarthSearch": ["VegetationDownloader"],
                "ERA5_OpenMeteo": ["WeatherDownloader"],
            },
            special_config={
                "Sentinel2_EarthSearch": {"catalogue": server.url, "cache": "none"},
                "ERA5_OpenMeteo": {"url": "http://127.0.0.1:9/v1", "cache": "none"},
            },
            output_location=str(tmp_path / "out"),
            runner="serial",
        )
        begin = time.monotonic()
        watch = [lambda event: told.append(event.text) if isinstance(event, EngineStatus) else None]
        report = pyveg.run_pipeline(path, observers=watch)
    assert time.monotonic() - begin < 30, "dates do not each repeat their requests"
    assert told[0].startswith("the weather archive 127.0.0.1:9 cannot be reached: it refuses")
    assert report.exit_code == 1
    assert report.counts == {State.SUCCEEDED: 1, State.SKIPPED: 5, State.FAILED: 6}
    (row,) = [row for row in report.rows() if row.label.startswith("ERA5")]
    assert len(row.reasons) == 1
    assert "and 5 more failed: the weather archive" in row.reasons[0]
